//! One file a command: a function of the context and of the arguments that returns the exit code.

mod access;
#[cfg(feature = "serve")]
mod alerts;
mod around;
mod captured;
mod checkpoint;
mod checkpoints;
mod classify;
mod clear;
mod completions;
mod config;
mod doctor;
mod evidence;
mod explain;
mod explain_text;
mod explanation;
mod export;
mod findings;
mod github;
mod history;
mod hold;
mod init;
mod kept;
mod key;
mod log;
mod not_json;
mod outcome;
mod plan;
mod proof;
mod prune;
mod publish;
mod recipes;
mod redact;
mod report;
mod restore;
mod restore_named;
mod run;
mod seal;
#[cfg(feature = "serve")]
mod serve;
#[cfg(feature = "serve")]
mod serve_token;
mod session;
mod session_keys;
mod sessions;
mod show;
mod show_diff;
mod show_part;
mod show_text;
mod stats;
mod stats_of_all;
mod stats_text;
mod tail;
#[cfg(feature = "remote")]
mod tail_server;
mod transfer;
mod trust;
mod verify;
mod wanted;

pub(crate) use access::access;
#[cfg(feature = "serve")]
pub(crate) use alerts::{alerts, heartbeat};
pub(crate) use checkpoint::checkpoint;
pub(crate) use checkpoints::checkpoints;
pub(crate) use classify::classify;
pub(crate) use clear::clear;
pub(crate) use completions::{answer_shell, completions};
pub(crate) use config::config;
pub(crate) use doctor::doctor;
pub(crate) use explain::explain;
pub(crate) use export::export;
pub(crate) use history::history;
pub(crate) use hold::hold;
pub(crate) use init::init;
pub(crate) use key::key;
pub(crate) use log::log;
pub(crate) use plan::plan;
pub(crate) use proof::proof;
pub(crate) use prune::{prune_by_itself, prune_sessions};
pub(crate) use publish::publish_by_itself;
pub(crate) use recipes::recipes;
pub(crate) use redact::redact;
pub(crate) use report::report;
pub(crate) use restore::restore;
pub(crate) use run::run;
pub(crate) use seal::seal;
#[cfg(feature = "serve")]
pub(crate) use serve::serve;
pub(crate) use session::{Asked, Scope};
pub(crate) use sessions::sessions;
pub(crate) use show::show;
pub(crate) use stats::stats;
pub(crate) use tail::tail;
pub(crate) use transfer::{copy, import};
pub(crate) use trust::trust;
pub(crate) use verify::verify;
