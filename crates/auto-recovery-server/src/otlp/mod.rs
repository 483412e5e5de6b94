//! What the feed has, as OpenTelemetry traces and logs: OTLP over HTTP, in JSON.
//!
//! A session is a trace, an attempt a span of it, a failure a log record. Their ids come from the
//! session's and the attempt's: what is sent again is known again. An [`Exporter`] has a cursor of
//! its own in the feed and moves it once a receiver has taken what stands before. Outputs and
//! words of commands are not sent.

mod export;
mod ids;
mod message;
mod session;

pub use export::OtlpOptions;
pub(crate) use export::{Exporter, Sent};
