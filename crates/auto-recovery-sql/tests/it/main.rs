//! The tests of the stores in SQL databases: one binary, one module a topic.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod equality;
mod guide;
mod postgres_access;
mod postgres_contract;
mod postgres_damage;
mod postgres_follow;
mod postgres_lost;
mod postgres_processes;
mod postgres_server;
mod postgres_spool;
mod sqlite_contract;
mod sqlite_damage;
mod sqlite_files;
mod sqlite_processes;
mod sqlite_removal;
mod sqlite_support;
mod support;
