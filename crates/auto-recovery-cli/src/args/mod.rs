//! What can be typed: the one source of the help, the completions and the manual pages.
//!
//! Arguments are typed here and mean nothing yet; [`crate::settings`] decides what they mean.

mod advise;
#[cfg(feature = "serve")]
mod alerts;
mod check;
mod global;
mod help;
mod inspect;
mod keep;
mod maintain;
mod mistake;
#[cfg(test)]
mod pages;
mod run;
mod seal;
#[cfg(feature = "serve")]
mod serve;
#[cfg(feature = "serve")]
mod serve_token;
mod top;
mod trail;
mod value;

pub(crate) use advise::AdviseArgs;
#[cfg(feature = "serve")]
pub(crate) use alerts::{AlertsArgs, AlertsCommand, HeartbeatArgs, SilenceArgs, SilenceCommand};
pub(crate) use global::GlobalArgs;
pub(crate) use help::fitted;
pub(crate) use inspect::{
    CheckpointArgs, ClassifyArgs, ExplainArgs, PlanArgs, RecipesArgs, RedactArgs, RestoreArgs,
};
pub(crate) use keep::{CopyArgs, HoldArgs, ImportArgs, PruneArgs};
pub(crate) use maintain::{ClearArgs, CompletionsArgs, TrustArgs};
pub(crate) use mistake::in_words;
pub(crate) use run::{OutcomeArgs, Profile, RunArgs, StrategyArgs, TimingArgs, TreeArgs};
pub(crate) use seal::{AccessArgs, KeyArgs, KeyCommand, ProofArgs, Required, SealArgs, VerifyArgs};
#[cfg(feature = "serve")]
pub(crate) use serve::{LogFormat, ServeArgs};
#[cfg(feature = "serve")]
pub(crate) use serve_token::{ScopeArgs, ServeCommand, TokenArgs, TokenCommand};
pub(crate) use top::{Cli, Command, is_run, options_of_run, wrapped_command_at};
pub(crate) use trail::{
    ExportArgs, HistoryArgs, ReportArgs, SessionsArgs, ShowArgs, StatsArgs, TailArgs,
};
pub(crate) use value::{
    CiFormat, Dimension, ExportFormat, MappedExit, OutcomeWord, ReportFormat, ReportTarget,
};
