//! The audit logger of the specification.

/// Keeps the record of every attempt.
#[derive(Debug)]
pub struct RecoveryAuditLogger {}
