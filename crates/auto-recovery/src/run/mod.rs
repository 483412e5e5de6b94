//! Recovering a command: run it, and if it fails, recover it.
//!
//! [`run`] is the whole of `recover run` but for the terminal: it starts the command, finds out
//! what kind of failure it is, plans, guards the tree, lets the manager work, and says how to exit.
//! It prints nothing and reads no environment: streams, settings and whoever watches are given to
//! it.
//!
//! ```
//! use std::ffi::OsString;
//! use std::sync::{Arc, Mutex};
//!
//! use auto_recovery::Result;
//! use auto_recovery::audit::Recorder;
//! use auto_recovery::host::SystemHost;
//! use auto_recovery::interrupt::Interrupt;
//! use auto_recovery::jsonl::{JsonlOptions, JsonlStore};
//! use auto_recovery::process::{CommandSpec, Discard, OutputSink};
//! use auto_recovery::run::{
//!     Console, Policy, Role, RunEnd, RunEvent, RunObserver, RunRequest, StrategyCommand, World,
//!     run,
//! };
//!
//! /// Shows nothing, and lets every command run again.
//! struct Quiet;
//!
//! impl Console for Quiet {
//!     fn prepare(&mut self, _: Role, _: &mut CommandSpec) -> Result<()> {
//!         Ok(())
//!     }
//!     fn sink(&mut self, _: Role) -> Result<Box<dyn OutputSink + '_>> {
//!         Ok(Box::new(Discard))
//!     }
//!     fn can_run_again(&self, _: &[OsString]) -> std::result::Result<(), String> {
//!         Ok(())
//!     }
//! }
//!
//! impl RunObserver for Quiet {
//!     fn observe(&mut self, _: &RunEvent<'_>) {}
//! }
//!
//! /// Runs `test -e made` in `dir/project`, and `touch made` should it fail.
//! fn recover(dir: &std::path::Path) -> Result<RunEnd> {
//!     let host = Arc::new(SystemHost::new());
//!     let recorder = Recorder::new(host.clone());
//!     let store = JsonlStore::open(&dir.join("trail"), JsonlOptions::default(), recorder)?;
//!     let argv = ["sh", "-c", "test -e made"].map(OsString::from).to_vec();
//!     let mut request =
//!         RunRequest::new(argv, dir.join("project"), dir.join("state"), Arc::new(store));
//!     request.command.search_path = Some("/usr/bin:/bin".into());
//!     request.tries.policy = Arc::new(|_category, _failure| Policy {
//!         fixes: vec![StrategyCommand::shell("touch made")],
//!         ..Policy::default()
//!     });
//!     let world = World {
//!         host,
//!         interrupt: Arc::new(Interrupt::none()),
//!         console: Box::new(Quiet),
//!         observer: Arc::new(Mutex::new(Quiet)),
//!         consent: None,
//!     };
//!     Ok(run(request, world)?.end)
//! }
//!
//! # let dir = tempfile::tempdir().expect("a directory");
//! # std::fs::create_dir(dir.path().join("project")).expect("a project");
//! # assert_eq!(recover(dir.path())?, RunEnd::Recovered);
//! # Ok::<(), auto_recovery::Error>(())
//! ```

mod advice;
mod concluding;
mod discreet;
mod event;
mod flow;
mod folders;
mod helpers;
mod last_line;
mod learned;
mod machine;
mod meant;
mod network;
mod nothing_known;
mod outcome;
mod plan_anew;
mod planning;
mod recovering;
mod request;
mod runner;
mod seals;
mod shell_words;
mod state;
mod strategies;
mod tree;
mod tree_rules;
mod under_way;
mod verdict;

pub use advice::{Advice, Wish, Words};
pub use event::{Console, Role, RunEvent, RunObserver};
pub use flow::{World, run};
pub use helpers::consent::{Consent, Consented};
pub use helpers::variables::{SESSION_VARIABLE, VALUE_BYTES_MAX};
pub use last_line::TreeLeft;
pub use learned::{Learning, read_history, units_on_record};
pub use meant::MEANT;
pub use outcome::{ExitMap, FirstFailure, ResultFile, RunEnd, RunExit, RunOutcome};
pub use planning::{Circumstances, Machine, Obstacle, PlannedAction, PlannedStep, RunPlan};
pub use request::{
    CommandLine, Exits, Identity, Limits, Masking, Mode, People, Policy, PolicyFor, Recording,
    RunRequest, State, StrategyCommand, TRANSIENT_RETRIES, Tries, display_command,
};
pub use shell_words::{ShellHint, shell_hint};
pub use state::login::{given_dir, login_dir};
pub use state::outputs::Outputs;
pub use state::vault::SEALED_SUFFIX;
pub use tree::attempt_diff::AttemptDiff;
pub use tree::marked::{Health, NamedCheckpoint};
pub use tree::session_patch::SessionPatch;
pub use tree::trees::{Marked, Place, RestoreRequest, SessionTree, TreePreview, TreeRestored};
pub use tree_rules::{Checkpoints, OnLeftover, RollbackTarget, TreeRules};
pub use verdict::Verdict;
