//! The manager: the only loop.

/// Recovers failures.
#[derive(Debug)]
pub struct AutoRecoveryManager {}
