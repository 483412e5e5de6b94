//! A real server in this process, asked over real connections.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod actions;
mod api;
mod batch;
mod client;
mod connections;
mod doors;
mod events;
mod feed;
mod machine;
mod pages;
#[path = "../../../auto-recovery-sql/tests/it/postgres_server.rs"]
#[expect(dead_code, reason = "the store's own tests need more of it")]
mod postgres_server;
mod tls;
mod tokens;
