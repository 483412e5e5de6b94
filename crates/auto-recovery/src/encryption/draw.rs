//! Randomness as an argument.

/// Gives 32 bytes that nobody can guess, others each time.
pub type Draw<'d> = dyn FnMut() -> [u8; 32] + 'd;
