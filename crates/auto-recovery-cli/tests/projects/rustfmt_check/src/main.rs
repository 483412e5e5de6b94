//! Prints what ten pieces cost.

fn main() {
    let   pieces=10;
    println!("{}",pieces*3);
}
