//! The people at the end: a command that asks one to approve, and one that calls one to help.

use std::sync::Arc;

use crate::attempt::RecoveryResult;
use crate::error::Error;
use crate::failure::Context;
use crate::manager::{Approver, ChangeUnderReview};
use crate::run::advice::Advice;
use crate::run::event::{Role, RunEvent};
use crate::run::helpers::commands::ended;
use crate::run::helpers::consent::Consented;
use crate::run::helpers::told::{Files, Told};
use crate::run::request::StrategyCommand;
use crate::run::runner::Runner;
use crate::run::state::masked_output::MaskedPatch;
use crate::run::tree::guarded::GuardedTree;
use crate::run::under_way::{Failed, Run};
use crate::strategy::{Call, HandlerResult, RecoveryStrategyType};

/// Runs the user's approval command; only its exit code 0 is a yes.
pub(in crate::run) struct ApprovalCommand {
    pub(in crate::run) runner: Arc<Runner>,
    pub(in crate::run) command: StrategyCommand,
    pub(in crate::run) tree: Option<GuardedTree>,
    pub(in crate::run) told: Told,
}

impl Approver for ApprovalCommand {
    fn approve(&mut self, change: &ChangeUnderReview<'_>) -> HandlerResult<bool> {
        let (Some(tree), Some(outputs)) = (&self.tree, self.runner.outputs()) else {
            return Err("there is no checkpoint to make the diff from".into());
        };
        match self.runner.may_run(&self.command) {
            Consented::Yes => {}
            // As if the project had not asked for it.
            Consented::No(_) => return Ok(true),
            Consented::Stopped => return Err("nobody answered".into()),
        }
        let diff = outputs.diff();
        outputs.write_afresh(&diff, |out| {
            if self.runner.request.masking.real_for_fixers {
                return tree.write_patch(change.before, change.after, out);
            }
            let mut out = MaskedPatch::new(&self.runner.redactor, out);
            tree.write_patch(change.before, change.after, &mut out)?;
            let finished = out.finish();
            finished.map(drop).map_err(|e| Error::io("write", &diff, e))
        })?;
        let session_id = self.runner.session_id();
        let call = Call {
            failure: change.failure,
            category: change.category,
            context: &Context::new(),
            session_id: session_id.as_deref(),
            attempt_number: change.attempt_number,
            strategy_attempt: 1,
            max_attempts: 1,
            strategy: change.strategy,
            time_left: None,
        };
        let files = self.told.tell(&call, &self.command.display)?;
        let more = files.map(|files| files.variables_for_review(diff));
        let more = more.unwrap_or_default();
        let ran = self
            .runner
            .run_helper(&self.command, Role::Person, &call, (&more, None))?;
        Ok(ran.is_success())
    }
}

/// Calls the command that gets a person, if there is one. That it fails changes nothing of the
/// run's end, and is told.
pub(in crate::run) fn escalate(
    run: &Run,
    failed: &Failed,
    result: &RecoveryResult,
    told: Option<&Told>,
) {
    let Some(command) = &run.runner.request.people.on_escalate else {
        return;
    };
    if run.runner.may_run(command) != Consented::Yes {
        return;
    }
    let session_id = run.runner.session_id();
    let call = Call {
        failure: result.final_error.as_ref().unwrap_or(&failed.failure),
        category: failed.category,
        context: &Context::new(),
        session_id: session_id.as_deref(),
        attempt_number: result.attempts.len() as u64,
        strategy_attempt: 1,
        max_attempts: 1,
        strategy: &RecoveryStrategyType::Escalate,
        time_left: None,
    };
    let display = &command.display;
    let told = told.map_or(Ok(None), |told| told.tell(&call, display));
    let called = told.and_then(|files| {
        let more = files.map(Files::variables).unwrap_or_default();
        let runner = &run.runner;
        runner.with_grace(|| runner.run_helper(command, Role::Person, &call, (&more, None)))
    });
    let problem = match called {
        Ok(ran) if ran.is_success() => return,
        Ok(ran) => ended(&ran),
        Err(error) => error.chain(),
    };
    let says = format!("`{display}`: {problem}");
    let what = run.runner.request.advise(says, &Advice::CallsPerson);
    run.observe(&RunEvent::HelperFailed { what: &what });
}
