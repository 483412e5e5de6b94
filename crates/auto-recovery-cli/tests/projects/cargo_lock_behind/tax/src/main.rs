//! Taxes.

/// With a fifth on top.
pub fn gross(net: u64) -> u64 {
    net + net / 5
}
