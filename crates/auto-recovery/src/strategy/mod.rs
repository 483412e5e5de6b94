//! What can be tried against a failure: one file a strategy, and the trait that plug-ins implement.
//!
//! A strategy acts once when it is asked to. It never loops, waits, verifies, undoes or records: that
//! is the manager's.

mod kind;

pub use kind::RecoveryStrategyType;
