//! Arguments of the commands about alerts and heartbeats.

use std::time::Duration;

use clap::{Args, Subcommand};

use crate::settings::parse_duration;

const ALERTS_EXAMPLES: &str = "\
Examples:
  recover alerts check                        from cron or CI: decide, tell, exit 1 if something fires
  recover alerts list                         what is pending or fires
  recover alerts ack 3f2a --reason 'on it'    not told again while it fires
  recover alerts silence project=shop --for 2h --reason 'moving house'
  recover alerts test outage --since 30d      what would have fired

Rules and destinations stand in your own config.toml: [alert.NAME] and [notify.NAME].

Exit codes: 0; 1 something fires (`check`), or nothing is found; 2 usage; 125.";

const SILENCE_EXAMPLES: &str = "\
Examples:
  recover alerts silence project=shop --for 2h --reason 'moving house'
  recover alerts silence rule=outage severity=critical --for 30m   both must match
  recover alerts silence list
  recover alerts silence end 3

Names: rule, severity, project, host, error_type, failure_kind, heartbeat, destination.";

/// Look at what is watched for, and decide who is told
#[derive(Args, Debug)]
#[command(after_long_help = ALERTS_EXAMPLES)]
pub(crate) struct AlertsArgs {
    #[command(subcommand)]
    pub(crate) command: AlertsCommand,
}

/// What to do about alerts.
#[derive(Debug, Subcommand)]
pub(crate) enum AlertsCommand {
    /// Follow the store, decide and tell once; beside a server, only read what it decided
    ///
    /// Exit codes: 0 nothing fires, 1 something does, 2 usage, 125 it could not be decided.
    Check,
    /// List what is pending or fires, and rules that cannot be worked out
    List,
    /// Show an incident: what it is about, and who was told
    Show {
        /// The incident, or the beginning of its id
        #[arg(value_name = "INCIDENT")]
        incident: String,
    },
    /// Acknowledge an incident: it is not told again while it fires
    Ack {
        /// The incident, or the beginning of its id
        #[arg(value_name = "INCIDENT")]
        incident: String,

        /// Why, for others
        #[arg(long, value_name = "TEXT", default_value = "")]
        reason: String,

        /// End the acknowledgement instead: it is told again while it fires
        #[arg(long, conflicts_with = "reason")]
        end: bool,
    },
    /// Tell nobody about incidents that match, for a time; list and end such silences
    Silence(SilenceArgs),
    /// Say what a rule would have fired for in the past; nobody is told
    Test {
        /// The rule, as [alert.RULE] names it
        #[arg(value_name = "RULE")]
        rule: String,

        /// From when on: 30d ago, or a time
        #[arg(long, value_name = "WHEN", default_value = "30d")]
        since: String,
    },
}

/// Tell nobody about incidents that match, for a time; list and end such silences
#[derive(Args, Debug)]
#[command(
    after_long_help = SILENCE_EXAMPLES,
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true
)]
pub(crate) struct SilenceArgs {
    #[command(subcommand)]
    pub(crate) what: Option<SilenceCommand>,

    /// What an incident must have: rule=NAME, severity=critical, project=NAME, host=NAME
    #[arg(value_name = "NAME=VALUE", required = true)]
    pub(crate) matchers: Vec<String>,

    /// How long
    #[arg(long = "for", value_name = "DURATION", value_parser = parse_duration, required = true)]
    pub(crate) duration: Option<Duration>,

    /// Why, for others
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub(crate) reason: String,
}

/// What to do with silences.
#[derive(Debug, Subcommand)]
pub(crate) enum SilenceCommand {
    /// List those that hold, with what they match, their end, their maker and the reason
    List,
    /// End one: what still fires is told
    End {
        /// The silence, as the list shows it
        #[arg(value_name = "SILENCE")]
        silence: i64,
    },
}

/// Say that something that should run now and then did run
///
/// Overwrites one small file; a rule `heartbeat` of that name fires when it was not heard of in
/// time. Nothing is put on record.
#[derive(Args, Debug)]
pub(crate) struct HeartbeatArgs {
    /// Its name: letters, digits, `.`, `_` and `-`
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
}
