//! A real server in this process, asked over real connections.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod alerts;
mod api;
mod browser;
mod client;
mod connections;
mod doors;
mod events;
mod failures;
mod feed;
mod hostile;
mod machine;
mod otlp;
mod pages;
mod past;
mod prometheus;
mod speed;
