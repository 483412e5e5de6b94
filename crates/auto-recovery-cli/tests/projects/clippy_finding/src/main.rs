//! Prints a price.

fn price(pieces: u64) -> u64 {
    return pieces * 3;
}

fn main() {
    println!("{}", price(10));
}
