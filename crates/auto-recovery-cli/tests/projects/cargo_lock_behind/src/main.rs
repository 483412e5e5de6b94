//! Prints a price.

fn main() {
    println!("{}", tax::gross(10));
}
