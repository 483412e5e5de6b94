//! Consent to the commands that came with the project: whether one may run is not ours to say.
//!
//! Whoever cloned a project has not read it. What its own file wants run waits here, after the
//! failure and just before it would run, for whoever answers: a list, or a person.

use std::time::Duration;

use crate::run::request::StrategyCommand;

/// Whether a command may run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Consented {
    /// It may.
    Yes,
    /// It may not, and the run goes on without it; why, in words.
    No(String),
    /// Nobody answered before the user stopped the run, or its time was over.
    Stopped,
}

/// Answers for whoever must agree to what came with the project.
pub trait Consent: Send {
    /// Whether `command`, which came with the project, may run now. May wait for a person,
    /// `time_left` at most where there is a limit, and not once the user asks to stop. Whoever
    /// answers tells the person of a no.
    fn may_run(&mut self, command: &StrategyCommand, time_left: Option<Duration>) -> Consented;
}
