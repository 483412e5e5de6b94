//! A store over a real server in this process.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod away;
mod compressed;
mod contract;
mod serving;
mod strange;
mod stream;
mod tls;
mod way;
