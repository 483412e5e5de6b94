//! Randomness as an argument.

use sha2::{Digest as _, Sha256};

/// Gives 32 bytes that nobody can guess, others each time.
pub type Draw<'d> = dyn FnMut() -> [u8; 32] + 'd;

/// Numbers of 64 bits that are drawn for 32 bytes: one more than they need, for some bits of each
/// may be fixed.
const NUMBERS: usize = 5;

/// Draws 32 bytes from `random`, which gives 64 random bits, others each time.
pub fn draw_with(mut random: impl FnMut() -> u64) -> impl FnMut() -> [u8; 32] {
    move || {
        let mut hash = Sha256::new();
        hash.update(b"auto-recovery encryption");
        for _ in 0..NUMBERS {
            hash.update(random().to_le_bytes());
        }
        hash.finalize().into()
    }
}
