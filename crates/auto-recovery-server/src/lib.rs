//! Trails over HTTP: a live stream of a store, an API for programs, pages for people, metrics.
//!
//! A [`Server`] is over one store, of any kind, and is the only one over it on its machine. It
//! never prints and reads no environment. Nothing is open: every request but those for health and
//! login needs a token, on loopback too, which every user and every web page reaches.
//!
//! The thread of the feed is the only one that follows the store. All others read the feed, each by
//! a cursor of its own, so that one that is slow costs nobody anything.

mod advice;
mod alerts;
mod api;
mod app;
mod digest;
mod feed;
mod health;
mod http;
mod leftovers;
mod live;
mod log;
mod metrics;
mod otlp;
mod outbound;
mod pages;
mod routes;
mod seals;
mod server;
mod sums;
mod threads;

pub use alerts::{
    Acknowledged, Alert, Alerting, Alerts, Channel, Check, Checked, Delivery, Destination, Fired,
    IncidentStory, Label, NewSilence, QuietHours, Rule, SILENCE_MAX, Secret, Severity, Silence,
    Told, Try, WINDOW_MAX, beat, check, check_beat_name, check_key, replay,
};
#[cfg(feature = "smtp")]
pub use alerts::{Mail, MailTls};
pub use http::{Scope, Tls, TokenFacts, Tokens, serve};
pub use leftovers::Leftovers;
pub use log::{Log, LogLevel, LogLine, LogSink};
pub use otlp::OtlpOptions;
pub use outbound::{OutboundUrl, check_header};
pub use server::{Server, ServerOptions, TlsFiles, router};
