//! What is watched for, and who is told: plain values of the user's own configuration.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use auto_recovery::escape::escape_text;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::outbound::OutboundUrl;

/// The longest window: what the feed keeps.
pub const WINDOW_MAX: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// Everything about alerts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Alerting {
    /// What is watched for.
    pub rules: Vec<Rule>,
    /// Who can be told.
    pub destinations: Vec<Destination>,
    /// Certificates that are trusted instead of those that browsers trust, as a PEM file.
    pub ca_file: Option<PathBuf>,
    /// The address under which people reach the server, for links.
    pub link: Option<String>,
    /// An address that is asked for each minute while rules are worked out.
    pub watchdog: Option<OutboundUrl>,
    /// When only what is critical is told.
    pub quiet: Option<QuietHours>,
    /// How long a transition waits for others of its group; 10 s if nobody says.
    pub gather: Option<Duration>,
    /// This many incidents in five minutes are one message; 20 if nobody says.
    pub storm: Option<u32>,
    /// The directory in which entries wait for a store that is away.
    pub spool: Option<PathBuf>,
}

/// Hours of each day, as the clocks of a zone show them; the end may be before the begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuietHours {
    /// The first minute, from midnight.
    from: u32,
    /// The first minute after them.
    until: u32,
    zone: TimeZone,
}

impl QuietHours {
    /// Whether they hold at `wall_ms`, milliseconds since the epoch.
    pub(crate) fn hold(&self, wall_ms: i64) -> bool {
        let Ok(now) = Timestamp::from_millisecond(wall_ms) else {
            return false;
        };
        let clock = self.zone.to_datetime(now);
        let minute =
            u32::from(clock.hour().unsigned_abs()) * 60 + u32::from(clock.minute().unsigned_abs());
        match self.from <= self.until {
            true => (self.from..self.until).contains(&minute),
            false => minute >= self.from || minute < self.until,
        }
    }
}

impl FromStr for QuietHours {
    type Err = String;

    /// From `22:00-07:00`, in UTC, or with a zone of the IANA database behind it.
    fn from_str(text: &str) -> Result<Self, String> {
        const FORM: &str =
            "must be hours like \"22:00-07:00\", in UTC, or \"22:00-07:00 Europe/Berlin\"";
        let text = text.trim();
        let (hours, zone) = text
            .split_once(char::is_whitespace)
            .unwrap_or((text, "UTC"));
        let (from, until) = hours.split_once('-').ok_or(FORM)?;
        let (from, until) = (minute(from).ok_or(FORM)?, minute(until).ok_or(FORM)?);
        if from == until {
            return Err(
                "must not end when they begin: leave them out to have none, or write \
                 \"00:00-23:59\""
                    .to_owned(),
            );
        }
        let zone = zone.trim();
        let known = TimeZone::get(zone);
        let zone = known.map_err(|_| {
            let zone = escape_text(zone);
            format!("names the time zone {zone}, which this machine does not know: it {FORM}")
        })?;
        Ok(Self { from, until, zone })
    }
}

/// The minute of the day that `text` names.
fn minute(text: &str) -> Option<u32> {
    let (hour, minute) = text.split_once(':')?;
    let is_plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_plain(hour) || !is_plain(minute) {
        return None;
    }
    let (hour, minute) = (hour.parse::<u32>().ok()?, minute.parse::<u32>().ok()?);
    (hour < 24 && minute < 60).then_some(hour * 60 + minute)
}

/// How bad it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Somebody should look at it.
    #[default]
    Warning,
    /// Somebody is to be woken.
    Critical,
}

impl Severity {
    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}

/// A property of a session by which a rule distinguishes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Label {
    /// The project.
    Project,
    /// The machine.
    Host,
    /// The type of the failure.
    ErrorType,
    /// The kind of the failure.
    FailureKind,
}

impl Label {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::Project,
        Self::Host,
        Self::ErrorType,
        Self::FailureKind,
    ];

    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Project => "project",
            Self::Host => "host",
            Self::ErrorType => "error_type",
            Self::FailureKind => "failure_kind",
        }
    }
}

/// What a rule looks for.
#[derive(Clone, Debug, PartialEq)]
pub enum Check {
    /// A session ended and a person is needed.
    Escalated,
    /// The same kind of failure in several sessions.
    Repeated {
        /// How many.
        times: u32,
        /// The window.
        within: Duration,
    },
    /// So few are cured that it is no accident.
    SuccessRate {
        /// Percent.
        below: f64,
        /// Sessions without which nothing is said.
        at_least: u32,
        /// The window.
        within: Duration,
    },
    /// Sessions that passed by a plain retry.
    Flaky {
        /// How many.
        times: u32,
        /// Or this part of the cured ones, in percent.
        share: Option<f64>,
        /// The window.
        within: Duration,
    },
    /// Recoveries take long: 95 of 100 are done in more than this.
    Slow {
        /// This time.
        longer_than: Duration,
        /// Sessions without which nothing is said.
        at_least: u32,
        /// The window.
        within: Duration,
    },
    /// A name that was not heard of in time.
    Heartbeat {
        /// The name.
        name: String,
        /// How often it is heard of.
        every: Duration,
        /// How late it may be.
        grace: Duration,
    },
    /// The store cannot be used.
    StoreUnreachable,
    /// What is in the store is not seen.
    FollowLag {
        /// Since when.
        longer_than: Duration,
    },
    /// Entries wait for the store.
    SpoolWaiting {
        /// Since when.
        longer_than: Duration,
    },
    /// A destination does not take what it is sent.
    DeliveryFailing {
        /// Since when.
        longer_than: Duration,
    },
}

impl Check {
    /// Its name.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Escalated => "escalated",
            Self::Repeated { .. } => "repeated",
            Self::SuccessRate { .. } => "success_rate",
            Self::Flaky { .. } => "flaky",
            Self::Slow { .. } => "slow",
            Self::Heartbeat { .. } => "heartbeat",
            Self::StoreUnreachable => "store_unreachable",
            Self::FollowLag { .. } => "follow_lag",
            Self::SpoolWaiting { .. } => "spool_waiting",
            Self::DeliveryFailing { .. } => "delivery_failing",
        }
    }

    /// Whether sessions of the store decide it.
    pub fn is_of_sessions(&self) -> bool {
        match self {
            Self::Escalated
            | Self::Repeated { .. }
            | Self::SuccessRate { .. }
            | Self::Flaky { .. }
            | Self::Slow { .. } => true,
            Self::Heartbeat { .. }
            | Self::StoreUnreachable
            | Self::FollowLag { .. }
            | Self::SpoolWaiting { .. }
            | Self::DeliveryFailing { .. } => false,
        }
    }
}

/// What is watched for.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// Its name.
    pub name: String,
    /// What it looks for.
    pub check: Check,
    /// How long that must hold before it fires.
    pub hold: Duration,
    /// How long it must be over before it is resolved.
    pub keep_firing: Duration,
    /// What it distinguishes by.
    pub group_by: Vec<Label>,
    /// How bad it is.
    pub severity: Severity,
    /// The names of the destinations.
    pub to: Vec<String>,
    /// How often it is told again while it fires.
    pub repeat: Option<Duration>,
}

/// A text that is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Somebody who can be told.
#[derive(Clone, Debug, PartialEq)]
pub struct Destination {
    /// Its name.
    pub name: String,
    /// How it is told.
    pub channel: Channel,
}

/// How somebody is told.
#[derive(Clone, Debug, PartialEq)]
pub enum Channel {
    /// JSON, signed as Standard Webhooks says with each of the keys.
    Webhook {
        /// Where to.
        url: OutboundUrl,
        /// The keys, `whsec_…`, the newest first.
        secrets: Vec<Secret>,
    },
    /// Alertmanager, API v2.
    Alertmanager {
        /// Its address, without `/api/v2/alerts`.
        url: OutboundUrl,
    },
    /// An incoming webhook of Slack.
    Slack {
        /// Its address.
        url: OutboundUrl,
    },
    /// A webhook of Discord.
    Discord {
        /// Its address.
        url: OutboundUrl,
    },
    /// A workflow of Teams.
    Teams {
        /// Its address.
        url: OutboundUrl,
    },
    /// A topic of ntfy.
    Ntfy {
        /// The server.
        url: OutboundUrl,
        /// The topic.
        topic: String,
        /// An access token.
        token: Option<Secret>,
    },
    /// A program, which is given the name of a file with the JSON.
    Command {
        /// The program and its arguments.
        argv: Vec<String>,
    },
    /// Mail.
    #[cfg(feature = "smtp")]
    Mail(Mail),
}

/// A server that takes mail, and the receivers.
#[cfg(feature = "smtp")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    /// The server.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is encrypted.
    pub tls: MailTls,
    /// The name and the password that it asks for.
    pub login: Option<(String, Secret)>,
    /// The sender.
    pub from: String,
    /// The receivers.
    pub to: Vec<String>,
}

/// How a connection to a mail server is encrypted.
#[cfg(feature = "smtp")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MailTls {
    /// From its first byte.
    Whole,
    /// After STARTTLS, without which nothing is sent.
    StartTls,
    /// Not: for a server on this machine.
    Plain,
}

impl Channel {
    /// Its name.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Webhook { .. } => "webhook",
            Self::Alertmanager { .. } => "alertmanager",
            Self::Slack { .. } => "slack",
            Self::Discord { .. } => "discord",
            Self::Teams { .. } => "teams",
            Self::Ntfy { .. } => "ntfy",
            Self::Command { .. } => "command",
            #[cfg(feature = "smtp")]
            Self::Mail(_) => "mail",
        }
    }

    /// Whether the receiver can tell that it has a message already.
    pub(crate) fn knows_repeats(&self) -> bool {
        match self {
            Self::Webhook { .. } | Self::Alertmanager { .. } | Self::Command { .. } => true,
            #[cfg(feature = "smtp")]
            Self::Mail(_) => true,
            Self::Slack { .. } | Self::Discord { .. } | Self::Teams { .. } | Self::Ntfy { .. } => {
                false
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(hours: &str, moments: &[&str]) -> Vec<bool> {
        let hours: QuietHours = hours.parse().unwrap();
        let of = |moment: &&str| {
            let moment: Timestamp = moment.parse().unwrap();
            hours.hold(moment.as_millisecond())
        };
        moments.iter().map(of).collect()
    }

    #[test]
    fn quiet_hours_are_those_of_their_zone_in_summer_too() {
        let moments = [
            "2026-01-15T05:59:59Z",
            "2026-01-15T06:00:00Z",
            "2026-07-15T04:59:59Z",
            "2026-07-15T05:00:00Z",
            "2026-07-15T19:59:59Z",
            "2026-07-15T20:00:00Z",
            "2026-07-15T23:00:00Z",
        ];
        let in_berlin = [true, false, true, false, false, true, true];
        assert_eq!(held("22:00-07:00 Europe/Berlin", &moments), in_berlin);
        let in_utc = [true, true, true, true, false, false, true];
        assert_eq!(held("22:00-07:00", &moments), in_utc);
        let in_nepal = [false, false, false, false, true, false, false];
        assert_eq!(held("01:00-01:45  Asia/Kathmandu", &moments), in_nepal);
    }

    #[test]
    fn what_are_no_hours_is_refused_with_what_would_be() {
        for (text, part) in [
            ("", "must be hours"),
            ("22-07", "must be hours"),
            ("24:00-07:00", "must be hours"),
            ("+7:00-08:00", "must be hours"),
            ("07:00-07:00", "must not end when they begin"),
            ("22:00-07:00 Berlin", "the time zone Berlin"),
            ("22:00-07:00 ../../etc/passwd", "the time zone"),
        ] {
            let why = text.parse::<QuietHours>().unwrap_err();
            assert!(why.contains(part), "{text:?}: {why}");
        }
    }
}
