//! Recover failing commands by themselves, and keep a durable record of every attempt.
//!
//! The library holds every rule of the product: what kind of failure this is ([`detect`],
//! [`classify`]), what to try ([`strategy`], [`manager`]), how to prove and undo it ([`process`],
//! [`checkpoint`]), and how to account for it ([`audit`], [`statistics`], [`export`], [`report`]).
//!
//! It never prints, never reads the environment and never looks for files by itself: whoever calls
//! it says where things are. It is blocking and starts no thread of its own that outlives a call.

pub mod attempt;
pub mod audit;
pub mod checkpoint;
pub mod classify;
pub mod command_line;
pub mod detect;
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
pub mod interrupt;
pub mod jsonl;
pub mod logger;
pub mod manager;
pub mod mutex;
pub mod patience;
pub mod plan;
mod platform;
pub mod process;
pub mod recipe;
pub mod report;
pub mod retention;
pub mod run;
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
