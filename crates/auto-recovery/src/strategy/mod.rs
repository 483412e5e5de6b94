//! What can be tried against a failure: one file a strategy, and the trait that plug-ins implement.
//!
//! A strategy acts once when it is asked to. It never loops, waits, verifies, undoes or records:
//! that is the manager's.

mod alternative;
mod fix;
mod kind;
mod outcome;
mod plugin;
mod retry;
mod rollback;

pub use alternative::{AlternativeSelector, select_alternative};
pub use fix::{FixGenerator, generate_fix, parse_fix_changes};
pub use kind::RecoveryStrategyType;
pub use outcome::{Did, Outcome, Verification};
pub use plugin::{Call, HandlerError, HandlerResult, NextTry, Strategy, Verifier};
pub use retry::{RetryHandler, retry};
pub use rollback::{RollbackHandler, rollback};
