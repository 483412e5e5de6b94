//! One file a command: a function of plain values that returns the exit code.

mod checkpoint;
mod classify;
mod completions;
mod config;
mod plan;
mod restore;
mod run;

pub(crate) use checkpoint::checkpoint;
pub(crate) use classify::classify;
pub(crate) use completions::completions;
pub(crate) use config::config;
pub(crate) use plan::plan;
pub(crate) use restore::restore;
pub(crate) use run::run;
