//! The strategies and the verifier of a run: each runs a command.

use std::sync::Arc;
use std::time::Duration;

use crate::audit::sealing::SealWhen;
use crate::error::{ErrorKind, Result};
use crate::failure::Failure;
use crate::process::{Completion, Remains};
use crate::run::event::Role;
use crate::run::helpers::agent_refusal::AgentRefusal;
use crate::run::helpers::consent::Consented;
use crate::run::helpers::told::{Files, Told};
use crate::run::request::StrategyCommand;
use crate::run::runner::{Runner, code_of, is_not_ended, signal_of};
use crate::run::under_way::{Failed, LastFailed};
use crate::strategy::{
    Call, Did, HandlerResult, NextTry, Outcome, RecoveryStrategyType, Strategy, Verification,
    Verifier,
};
use crate::tier::RecipeRef;
use crate::wording::spelled;

/// A fix or an alternative that is a command.
pub(in crate::run) struct CommandStrategy {
    pub(in crate::run) runner: Arc<Runner>,
    pub(in crate::run) kind: RecoveryStrategyType,
    pub(in crate::run) command: StrategyCommand,
    /// The recipe it comes from; `None` if the user gave it.
    pub(in crate::run) recipe: Option<RecipeRef>,
    /// What it is told; a recipe of ours runs a tool that asks nothing.
    pub(in crate::run) told: Option<Told>,
    /// What it left running when it acted last.
    pub(in crate::run) left: Option<Remains>,
    /// Why the agent that it calls did not do its work the last time.
    pub(in crate::run) refusal: Option<AgentRefusal>,
}

impl CommandStrategy {
    /// A user's alternative stands in for the command; a built-in one is verified like a fix.
    fn stands_in(&self) -> bool {
        self.kind == RecoveryStrategyType::Alternative && self.recipe.is_none()
    }

    /// Writes what the command is told.
    fn tell(&self, call: &Call<'_>) -> Result<Option<Files>> {
        match &self.told {
            Some(told) => told.tell(call, &self.command.display),
            None => Ok(None),
        }
    }

    /// What the agent that failed in `ran` says of that.
    fn refusal_in(&self, ran: &Completion) -> Option<AgentRefusal> {
        let preset = self.command.preset.as_ref()?;
        let failed = (!ran.is_success()).then(|| self.runner.detect_of(&preset.argv, ran));
        AgentRefusal::of(&self.command.display, failed?)
    }

    fn outcome(&self, ran: &Completion, output_file: Option<String>) -> Outcome {
        let display = &self.command.display;
        let ended = ended(ran);
        let (message, change) = match (self.stands_in(), ran.is_success()) {
            (true, true) => {
                let stood = format!("`{display}` stood in for `{}`", self.runner.command);
                (stood.clone(), stood)
            }
            _ => (format!("`{display}`: {ended}"), format!("ran `{display}`")),
        };
        let worked = ran.is_success();
        Outcome {
            did: match self.stands_in() {
                true => Did::StoodIn { worked },
                false => Did::Acted { worked },
            },
            exit_code: code_of(ran),
            stopped: (ran.timed_out && !ran.deadline_passed).then_some(ended),
            left_running: ran.left_running.iter().map(ToString::to_string).collect(),
            not_ended: is_not_ended(ran),
            output_file,
            ..Outcome::failure(message)
        }
        .with_changes(vec![change])
    }
}

impl Strategy for CommandStrategy {
    fn kind(&self) -> RecoveryStrategyType {
        self.kind.clone()
    }

    fn action(&self) -> String {
        self.command.display.clone()
    }

    fn recipe(&self) -> Option<&RecipeRef> {
        self.recipe.as_ref()
    }

    /// A recipe would do the same on the same tree.
    fn max_attempts(&self) -> Option<u32> {
        self.recipe.as_ref().map(|_| 1)
    }

    fn declined(&mut self) -> Option<String> {
        match self.runner.may_run(&self.command) {
            Consented::Yes => {
                let preset = self.command.preset.as_ref();
                preset.and_then(|preset| self.runner.unfit(preset))
            }
            Consented::No(why) => Some(why),
            Consented::Stopped => Some(format!("`{}`: nobody answered", self.command.display)),
        }
    }

    fn next_try(&mut self, _now: &Failure, faced: Option<&Failure>, delay: Duration) -> NextTry {
        match self.refusal.take().filter(|_| faced.is_some()) {
            Some(refusal) => refusal.next_try(delay, self.runner.host.now()),
            None => NextTry::After(delay),
        }
    }

    fn act(&mut self, call: &Call<'_>) -> HandlerResult<Outcome> {
        let role = if self.stands_in() {
            Role::Command
        } else {
            Role::Helper
        };
        let told = self.tell(call).map_err(|error| error.chain())?;
        let prompt = told.as_ref().map(|files| files.prompt().to_owned());
        let more = told.map(Files::variables).unwrap_or_default();
        let given = (&more[..], prompt.as_deref());
        // What it finds on record it cannot change unnoticed.
        self.runner.seal(SealWhen::Attempts);
        match self.runner.run_helper(&self.command, role, call, given) {
            Ok(ran) => {
                self.left = Some(ran.remains.clone());
                self.refusal = self.refusal_in(&ran);
                let kept = self
                    .runner
                    .keep(call.attempt_number, &self.command.display, &ran);
                Ok(self.outcome(&ran, kept))
            }
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::CommandNotFound | ErrorKind::NotExecutable
                ) =>
            {
                Ok(Outcome::not_possible(error.chain()))
            }
            Err(error) => Err(error.chain().into()),
        }
    }

    fn failed(&mut self, _call: &Call<'_>) {
        if let Some(left) = self.left.take() {
            self.runner.end_leftovers(left);
        }
    }
}

/// The verifier of a run: the user's command, run again.
pub(in crate::run) struct Rerun {
    pub(in crate::run) runner: Arc<Runner>,
    /// Where the failed ones go.
    pub(in crate::run) seen: LastFailed,
}

impl Verifier for Rerun {
    fn verify(&mut self, call: &Call<'_>) -> HandlerResult<Verification> {
        let command = &self.runner.command;
        let ran = match self.runner.run_command() {
            Ok(ran) => ran,
            Err(error) => return Err(error.chain().into()),
        };
        let output_file = self.runner.keep(call.attempt_number, command, &ran);
        let mut verification = Verification {
            passed: ran.is_success(),
            exit_code: code_of(&ran),
            signal: signal_of(&ran),
            left_running: ran.left_running.iter().map(ToString::to_string).collect(),
            not_ended: is_not_ended(&ran),
            output_file,
            ..Verification::default()
        };
        if verification.passed {
            verification.message = format!("`{command}` passes");
            return Ok(verification);
        }
        let detection = self.runner.detect(&ran);
        let same = detection.failure.is_same_as(call.failure);
        let elsewhere = detection.failure.is_elsewhere_than(call.failure);
        verification.message = match (same, &detection.failure.file_path) {
            (true, Some(file)) if elsewhere => {
                format!("`{command}` still fails ({}), now in {file}", ended(&ran))
            }
            (true, _) => format!("`{command}` still fails ({})", ended(&ran)),
            (false, _) => format!(
                "`{command}` fails otherwise ({}): {}",
                ended(&ran),
                detection.failure.error_type
            ),
        };
        verification.failure = Some(detection.failure.clone());
        self.runner.note_error(detection.failure.clone());
        if !same || elsewhere {
            self.seen.set(Failed {
                failure: detection.failure,
                category: detection.category,
                rule: detection.rule,
                exit: ran.exit.into(),
                ran: Some(ran),
            });
        }
        Ok(verification)
    }
}

/// How a process ended, in words.
pub(in crate::run) fn ended(ran: &Completion) -> String {
    if ran.deadline_passed {
        return "stopped at the deadline".to_owned();
    }
    if ran.timed_out {
        return format!("stopped after {}", spelled(ran.duration));
    }
    ran.exit.to_string()
}
