//! The command `recover`.

fn main() {}
