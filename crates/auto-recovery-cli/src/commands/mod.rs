//! One file a command: a function of plain values that returns the exit code.

mod checkpoint;
mod classify;
mod clear;
mod completions;
mod config;
mod evidence;
mod export;
mod history;
mod log;
mod plan;
mod report;
mod restore;
mod run;
mod session;
mod sessions;
mod show;
mod show_text;
mod stats;
mod stats_of_all;

pub(crate) use checkpoint::checkpoint;
pub(crate) use classify::classify;
pub(crate) use clear::clear;
pub(crate) use completions::completions;
pub(crate) use config::config;
pub(crate) use export::{Export, export};
pub(crate) use history::history;
pub(crate) use log::log;
pub(crate) use plan::plan;
pub(crate) use report::report;
pub(crate) use restore::restore;
pub(crate) use run::run;
pub(crate) use sessions::sessions;
pub(crate) use show::{Wanted, show};
pub(crate) use stats::stats;
pub(crate) use stats_of_all::{Question, stats_of_all};
