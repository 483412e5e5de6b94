//! Prints a price.

fn main() {
    let price: u64 = "thirty";
    println!("{price}");
}
