//! How far secrets reach.

/// The longest token, and the longest block.
pub(super) const TOKEN_BYTES_MAX: usize = 16 * 1024;

/// What is looked at before a literal.
pub(super) const BEFORE_BYTES_MAX: usize = 256;
