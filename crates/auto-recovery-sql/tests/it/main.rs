//! The tests of the stores in SQL databases: one binary, one module a topic.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod postgres_contract;
mod postgres_server;
