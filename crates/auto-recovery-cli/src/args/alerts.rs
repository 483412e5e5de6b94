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
    },
    /// Tell nobody about incidents that match, for a time
    Silence {
        /// What it must have: rule=NAME, severity=critical, project=NAME, host=NAME
        #[arg(value_name = "NAME=VALUE", required = true)]
        matchers: Vec<String>,

        /// How long
        #[arg(long = "for", value_name = "DURATION", value_parser = parse_duration)]
        duration: Duration,

        /// Why, for others
        #[arg(long, value_name = "TEXT", default_value = "")]
        reason: String,
    },
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
