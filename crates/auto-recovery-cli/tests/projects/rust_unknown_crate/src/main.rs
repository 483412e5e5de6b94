//! Prints a price.

use pricelist::full;

fn main() {
    println!("{}", full(10));
}
