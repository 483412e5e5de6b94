//! A real server in this process, asked over real connections.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod actions;
mod advice;
mod alerts;
mod api;
mod batch;
mod browser;
mod client;
mod compressed;
mod connections;
mod described;
mod doors;
mod ending;
mod events;
mod failures;
mod feed;
mod hostile;
mod machine;
mod otlp;
mod pages;
mod past;
#[path = "../../../auto-recovery-sql/tests/it/postgres_server.rs"]
#[expect(dead_code, reason = "the store's own tests need more of it")]
mod postgres_server;
mod problems;
mod prometheus;
mod sealed;
mod silences;
mod speed;
mod tls;
mod tokens;
