//! Recovering a command: run it, and if it fails, recover it.
//!
//! [`run`] is the whole of `recover run` but for the terminal: it starts the command, finds out
//! what kind of failure it is, plans, guards the tree, lets the manager work, and says how to exit.
//! It prints nothing and reads no environment: streams, settings and whoever watches are given to
//! it.

mod agent_call;
mod agent_refusal;
mod attempt_diff;
mod breaker;
mod budget;
mod commands;
mod consent;
mod dead_run;
mod environment;
mod escalation;
mod event;
mod excerpt;
mod facing;
mod flow;
mod guard;
mod last_line;
mod left_behind;
mod machine;
mod meant;
mod mended;
mod network;
mod outcome;
mod outputs;
mod plan_anew;
mod planning;
mod recovering;
mod request;
mod restoring;
mod retention;
mod retrying;
mod rollback;
mod runner;
mod session_patch;
mod session_trees;
mod shell_words;
mod staging;
mod state_file;
mod state_rooms;
mod strategies;
mod told;
mod tree;
mod tree_cure;
mod tree_patches;
mod tree_protect;
mod under_way;
mod verdict;

pub use attempt_diff::AttemptDiff;
pub use consent::{Consent, Consented};
pub use environment::{SESSION_VARIABLE, VALUE_BYTES_MAX};
pub use event::{Console, Role, RunEvent, RunObserver};
pub use flow::{World, run};
pub use last_line::TreeLeft;
pub use meant::MEANT;
pub use outcome::{ExitMap, FirstFailure, ResultFile, RunEnd, RunExit, RunOutcome};
pub use outputs::Outputs;
pub use planning::{Circumstances, Machine, Obstacle, PlannedAction, PlannedStep, RunPlan};
pub use request::{
    Identity, OnLeftover, Policy, PolicyFor, RollbackTarget, RunRequest, StrategyCommand,
    TRANSIENT_RETRIES, display_command,
};
pub use restoring::{Marked, Place, RestoreRequest, SessionTree, TreePreview, TreeRestored};
pub use session_patch::SessionPatch;
pub use shell_words::{WORKS, shell_hint};
pub use verdict::Verdict;
