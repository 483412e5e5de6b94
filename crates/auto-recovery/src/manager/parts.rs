//! The parts of a manager that a recovery borrows.

use crate::error::Result;
use crate::host::Host;
use crate::logger::RecoveryAuditLogger;
use crate::manager::numbers::AttemptNumbers;
use crate::manager::observer::{Event, Observer};
use crate::manager::replanner::Replanner;
use crate::manager::settings::ManagerSettings;
use crate::manager::tree::{Approver, Tree};
use crate::strategy::Verifier;

/// What a recovery borrows of its manager.
pub(super) struct Parts<'m> {
    pub(super) settings: &'m ManagerSettings,
    pub(super) verifier: &'m mut Option<Box<dyn Verifier>>,
    pub(super) approver: &'m mut Option<Box<dyn Approver>>,
    pub(super) tree: &'m mut Option<Box<dyn Tree>>,
    pub(super) replanner: &'m mut Option<Box<dyn Replanner>>,
    pub(super) observer: &'m mut Option<Box<dyn Observer>>,
    pub(super) audit_logger: Option<&'m RecoveryAuditLogger>,
    pub(super) numbers: &'m AttemptNumbers,
    pub(super) host: &'m dyn Host,
}

impl Parts<'_> {
    pub(super) fn observe(&mut self, event: &Event<'_>) {
        if let Some(observer) = self.observer {
            observer.observe(event);
        }
    }

    /// The number of the next attempt in `session_id`: after the last one there, whoever made it.
    pub(super) fn next_attempt_number(&self, session_id: Option<&str>) -> Result<u64> {
        self.numbers.next(session_id, || {
            let (Some(logger), Some(session_id)) = (self.audit_logger, session_id) else {
                return Ok(0);
            };
            logger.store().highest_attempt_number(session_id)
        })
    }
}
