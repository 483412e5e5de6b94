//! Prints a price.

fn price(pieces: u64) -> u64 {
    pieces * 2
}

fn main() {
    println!("{}", price(10));
}

#[test]
fn ten_pieces() {
    assert_eq!(price(10), 30);
}
