//! The tests of the stores in SQL databases: one binary, one module a topic.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod guide;
mod sqlite_contract;
mod sqlite_damage;
mod sqlite_equality;
mod sqlite_files;
mod sqlite_processes;
mod sqlite_removal;
mod sqlite_support;
