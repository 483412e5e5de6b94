//! Alerts: what is watched for in the feed, who is told, and that each is told once.
//!
//! Rules are worked out over the rows of the feed, by a cursor of their own. The cursor, the states
//! and the outbox move in one transaction: a decision is made once, whatever crashes. What is in
//! the outbox is sent at least once, always with the same id. Destinations come from the user's own
//! configuration and from nowhere else.

mod again;
mod beats;
mod channel;
mod clock;
mod config;
mod decide;
mod engine;
mod facts;
mod history;
mod look;
mod message;
mod observe;
mod once;
mod queue;
mod replay;
mod said;
mod sender;
pub(crate) mod silences;
mod strip;
mod tables;
mod watch;

pub use beats::{beat, check_beat_name};
pub use channel::check_key;
pub use config::{
    Alerting, Channel, Check, Destination, Label, QuietHours, Rule, Secret, Severity, WINDOW_MAX,
};
#[cfg(feature = "smtp")]
pub use config::{Mail, MailTls};
pub use look::{Alert, Alerts, Delivery, IncidentStory, Told, Try};
pub use once::{Checked, check};
pub use replay::{Fired, replay};
pub use silences::{Acknowledged, NewSilence, SILENCE_MAX, Silence};

pub(crate) use again::send_again;
pub(crate) use beats::beat_in;
pub(crate) use look::{active, deliveries, stale};
pub(crate) use said::{Said, record, recorded, said, unrecorded};
pub(crate) use strip::{GAP, STRIP, Span, strips};
pub(crate) use tables::TABLES;
pub(crate) use watch::Watch;

#[cfg(test)]
mod tests;
