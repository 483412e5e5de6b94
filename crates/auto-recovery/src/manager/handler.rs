//! The specification's handlers as strategies, so that the loop knows strategies only.

use crate::strategy::{
    AlternativeSelector, Call, FixGenerator, HandlerResult, Outcome, RecoveryStrategyType,
    RetryHandler, RollbackHandler, Strategy, generate_fix, retry, rollback, select_alternative,
};

/// A handler of the manager, or the place of one that is not configured: an attempt says so.
pub(super) enum Handler<'m> {
    Fix(Option<&'m mut FixGenerator>),
    Retry(Option<&'m mut RetryHandler>),
    Alternative(Option<&'m mut AlternativeSelector>),
    Rollback(Option<&'m mut RollbackHandler>),
}

impl Strategy for Handler<'_> {
    fn kind(&self) -> RecoveryStrategyType {
        match self {
            Self::Fix(_) => RecoveryStrategyType::Fix,
            Self::Retry(_) => RecoveryStrategyType::Retry,
            Self::Alternative(_) => RecoveryStrategyType::Alternative,
            Self::Rollback(_) => RecoveryStrategyType::Rollback,
        }
    }

    fn action(&self) -> String {
        action_of(&self.kind())
    }

    fn act(&mut self, call: &Call<'_>) -> HandlerResult<Outcome> {
        let (failure, context) = (call.failure, call.context);
        match self {
            Self::Fix(handler) => generate_fix(handler.as_deref_mut(), failure, context),
            Self::Retry(handler) => retry(handler.as_deref_mut(), failure, context),
            Self::Alternative(handler) => {
                select_alternative(handler.as_deref_mut(), failure, context)
            }
            Self::Rollback(handler) => rollback(handler.as_deref_mut()),
        }
    }
}

/// What the handler of `kind` does, for people.
pub(super) fn action_of(kind: &RecoveryStrategyType) -> String {
    format!("the {kind} handler")
}
