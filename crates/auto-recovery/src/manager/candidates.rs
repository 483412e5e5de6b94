//! What a manager could try: its handlers, then the strategies that its caller added.

use crate::manager::auto_recovery_manager::AutoRecoveryManager;
use crate::manager::handler::action_of;
use crate::plan::Candidate;
use crate::strategy::RecoveryStrategyType::{
    self, Alternative, Custom, Escalate, Fix, Retry, Rollback,
};

impl AutoRecoveryManager {
    /// The candidates, whatever the failure: those that the settings leave out are not available.
    pub(super) fn candidates(&self) -> Vec<Candidate> {
        let max_attempts = self.settings.max_attempts;
        let handlers = self.kinds_with_handler().into_iter();
        let handlers = handlers.map(|kind| Candidate {
            action: action_of(&kind),
            recorded: action_of(&kind),
            recipe: None,
            max_attempts,
            ends_early: false,
            asked: false,
            typed: false,
            available: self.is_enabled(&kind) && self.has_something_to_do(&kind),
            kind,
        });
        let own = self.strategies.iter().map(|strategy| Candidate {
            asked: true,
            available: self.is_enabled(&strategy.kind()),
            ..Candidate::of(&**strategy, max_attempts)
        });
        handlers.chain(own).collect()
    }

    /// The kinds that a handler is asked for, also one that is missing: all that no strategy of the
    /// caller's fulfils in its stead.
    pub(super) fn kinds_with_handler(&self) -> Vec<RecoveryStrategyType> {
        let is_fulfilled = |kind: &RecoveryStrategyType| {
            let mut own = self.strategies.iter();
            own.any(|strategy| strategy.kind() == *kind)
        };
        let mut kinds = vec![Fix, Retry, Alternative, Rollback];
        kinds.retain(|kind| self.has_handler(kind) || !is_fulfilled(kind));
        kinds
    }

    fn has_handler(&self, kind: &RecoveryStrategyType) -> bool {
        match kind {
            Fix => self.fix_generator.is_some(),
            Retry => self.retry_handler.is_some(),
            Alternative => self.alternative_selector.is_some(),
            Rollback => self.rollback_handler.is_some(),
            Escalate | Custom(_) => false,
        }
    }

    /// Whether the handler of `kind` is tried at all. A missing fix generator or selector fails its
    /// attempt and says so; retry and rollback are left out.
    fn has_something_to_do(&self, kind: &RecoveryStrategyType) -> bool {
        matches!(kind, Fix | Alternative) || self.has_handler(kind)
    }

    fn is_enabled(&self, kind: &RecoveryStrategyType) -> bool {
        match kind {
            Fix => self.settings.enable_fix_generation,
            Alternative => self.settings.enable_alternatives,
            Rollback => self.settings.enable_rollback,
            Retry | Custom(_) => true,
            Escalate => false,
        }
    }
}
