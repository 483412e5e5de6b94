//! The tests of the stores in SQL databases: one binary, one module a topic.
#![cfg_attr(
    any(feature = "postgres", feature = "sqlite"),
    expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")
)]

#[cfg(any(feature = "postgres", feature = "sqlite"))]
mod encrypted;
#[cfg(all(feature = "postgres", feature = "sqlite"))]
mod equality;
#[cfg(all(feature = "postgres", feature = "sqlite"))]
mod exact_copy;
#[cfg(feature = "sqlite")]
mod golden;
#[cfg(all(feature = "postgres", feature = "sqlite"))]
mod guide;
#[cfg(feature = "postgres")]
mod postgres_access;
#[cfg(feature = "postgres")]
mod postgres_claim;
#[cfg(feature = "postgres")]
mod postgres_contract;
#[cfg(feature = "postgres")]
mod postgres_damage;
#[cfg(feature = "postgres")]
mod postgres_follow;
#[cfg(feature = "postgres")]
mod postgres_keys;
#[cfg(feature = "postgres")]
mod postgres_keys_waiting;
#[cfg(feature = "postgres")]
mod postgres_lost;
#[cfg(feature = "postgres")]
mod postgres_processes;
#[cfg(feature = "postgres")]
mod postgres_seals;
#[cfg(feature = "postgres")]
mod postgres_server;
#[cfg(feature = "postgres")]
mod postgres_silent;
#[cfg(feature = "postgres")]
mod postgres_spool;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
mod seal_crowd;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
mod seal_mutants;
#[cfg(feature = "sqlite")]
mod sqlite_columns;
#[cfg(feature = "sqlite")]
mod sqlite_contract;
#[cfg(feature = "sqlite")]
mod sqlite_damage;
#[cfg(feature = "sqlite")]
mod sqlite_files;
#[cfg(feature = "sqlite")]
mod sqlite_keys;
#[cfg(feature = "sqlite")]
mod sqlite_processes;
#[cfg(feature = "sqlite")]
mod sqlite_removal;
#[cfg(feature = "sqlite")]
mod sqlite_seals;
#[cfg(feature = "sqlite")]
mod sqlite_support;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
mod support;
