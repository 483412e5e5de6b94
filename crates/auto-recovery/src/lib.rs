//! Recover failing commands by themselves, and keep a durable record of every attempt.
//!
//! The library holds every rule of the product: what kind of failure this is ([`detect`],
//! [`classify`]), what to try ([`strategy`], [`manager`]), how to prove and undo it ([`process`],
//! [`checkpoint`]), and how to account for it ([`audit`], [`statistics`], [`export`], [`report`]).
//!
//! It never prints, never reads the environment and never looks for files by itself: whoever calls
//! it says where things are. It is blocking and starts no thread of its own that outlives a call.
//!
//! # Recover, and ask how it went
//!
//! ```
//! use std::sync::Arc;
//!
//! use auto_recovery::host::SystemHost;
//! use auto_recovery::manager::ManagerSettings;
//! use auto_recovery::{AutoRecoveryManager, Failure};
//!
//! let dir = tempfile::tempdir()?;
//! let settings = ManagerSettings {
//!     audit_dir: Some(dir.path().join("audit")),
//!     ..ManagerSettings::default()
//! };
//! let mut manager = AutoRecoveryManager::new(settings, Arc::new(SystemHost::new()))?;
//! manager.fix_generator = Some(Box::new(|failure, _context| {
//!     Ok(format!("- corrected what {} told of", failure.source))
//! }));
//!
//! // Every attempt is recorded, and on disk before the next one begins.
//! let failure = Failure::new("SyntaxError", "invalid syntax", "linter");
//! let result = manager.attempt_recovery(&failure, &Default::default())?;
//! assert!(result.success);
//!
//! let statistics = manager.get_recovery_statistics(None)?.expect("it is recorded");
//! assert_eq!((statistics.total_attempts, statistics.success_rate), (1, 100.0));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What kind of failure it is
//!
//! ```
//! use auto_recovery::Category;
//! use auto_recovery::detect::{Observation, Rules, detect};
//!
//! let argv = ["cargo", "build"].map(str::to_owned);
//! let observation = Observation {
//!     argv: &argv,
//!     exit_code: Some(101),
//!     stderr: b"error[E0308]: mismatched types\n --> src/main.rs:2:18\n",
//!     ..Observation::default()
//! };
//! let detection = detect(&observation, Rules::builtin());
//! assert_eq!(detection.failure.error_type, "E0308");
//! assert_eq!(detection.failure.file_path.as_deref(), Some("src/main.rs"));
//! assert_ne!(detection.category, Category::Unknown);
//! ```

pub mod attempt;
pub mod audit;
pub mod checkpoint;
pub mod classify;
pub mod command_line;
pub mod detect;
pub mod encryption;
pub mod entry;
pub mod error;
pub mod escape;
pub mod exit;
pub mod export;
pub mod failure;
pub mod failure_kind;
pub mod files;
pub mod fixer;
mod git;
pub mod group_commit;
pub mod host;
pub mod integrity;
pub mod interrupt;
pub mod jsonl;
pub mod learn;
pub mod logger;
pub mod manager;
pub mod mutex;
pub mod patience;
pub mod plan;
mod platform;
pub mod process;
pub mod recipe;
pub mod redaction;
pub mod report;
pub mod retention;
pub mod run;
pub mod spool;
pub mod statistics;
pub mod strategy;
#[cfg(feature = "testing")]
pub mod testing;
mod tier;
pub mod transfer;
pub mod wording;
mod workers;
pub mod workspace;

pub use attempt::{RecoveryAttempt, RecoveryResult};
pub use entry::RecoveryAuditEntry;
pub use error::{Error, ErrorKind, Hint, Result};
pub use failure::{Category, Failure};
pub use logger::RecoveryAuditLogger;
pub use manager::AutoRecoveryManager;
pub use statistics::RecoveryStatistics;
pub use strategy::RecoveryStrategyType;
