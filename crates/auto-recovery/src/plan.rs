//! Category to ordered strategies.
