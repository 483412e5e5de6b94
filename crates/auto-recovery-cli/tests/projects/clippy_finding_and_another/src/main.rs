//! Prints a price.

fn price(pieces: u64) -> u64 {
    return pieces * 3;
}

fn area(a: u64, b: u64, c: u64, d: u64, e: u64, f: u64, g: u64, h: u64) -> u64 {
    a + b + c + d + e + f + g + h
}

fn main() {
    println!("{}", price(10) + area(1, 2, 3, 4, 5, 6, 7, 8));
}
