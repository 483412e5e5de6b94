//! Recovering a command: run it, and if it fails, recover it.
//!
//! [`run`] is the whole of `recover run` but for the terminal: it starts the command, finds out
//! what kind of failure it is, plans, guards the tree, lets the manager work, and says how to exit.
//! It prints nothing and reads no environment: streams, settings and whoever watches are given to
//! it.

mod advice;
mod event;
mod flow;
mod helpers;
mod last_line;
mod machine;
mod meant;
mod network;
mod outcome;
mod plan_anew;
mod planning;
mod recovering;
mod request;
mod runner;
mod shell_words;
mod state;
mod strategies;
mod tree;
mod under_way;
mod verdict;

pub use advice::{Advice, Wish, Words};
pub use event::{Console, Role, RunEvent, RunObserver};
pub use flow::{World, run};
pub use helpers::consent::{Consent, Consented};
pub use helpers::variables::{SESSION_VARIABLE, VALUE_BYTES_MAX};
pub use last_line::TreeLeft;
pub use meant::MEANT;
pub use outcome::{ExitMap, FirstFailure, ResultFile, RunEnd, RunExit, RunOutcome};
pub use planning::{Circumstances, Machine, Obstacle, PlannedAction, PlannedStep, RunPlan};
pub use request::{
    CommandLine, Exits, Identity, Limits, Mode, OnLeftover, People, Policy, PolicyFor, Recording,
    RollbackTarget, RunRequest, State, StrategyCommand, TRANSIENT_RETRIES, TreeRules, Tries,
    display_command,
};
pub use shell_words::{ShellHint, shell_hint};
pub use state::outputs::Outputs;
pub use tree::attempt_diff::AttemptDiff;
pub use tree::marked::Health;
pub use tree::session_patch::SessionPatch;
pub use tree::trees::{Marked, Place, RestoreRequest, SessionTree, TreePreview, TreeRestored};
pub use verdict::Verdict;
