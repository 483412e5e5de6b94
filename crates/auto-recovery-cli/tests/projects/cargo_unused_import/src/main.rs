//! Prints a price.

use std::collections::HashMap;

fn main() {
    println!("30");
}
