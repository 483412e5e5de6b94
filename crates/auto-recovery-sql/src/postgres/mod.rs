//! The store in PostgreSQL: many machines write to one.
//!
//! # Tables
//!
//! Everything stands in the schema `auto_recovery` of the database that the URL names; the first
//! use makes it. For people there are the views `sessions`, `entries` (the 14 fields, and `at` as a
//! `timestamptz`) and `session_statistics`. The tables behind them are `stored_session` (one row a
//! session, with the sums of its entries and what its journal says), `stored_entry`, `journal`,
//! `journal_leaf`, `seal`, `session_key`, `removed_trail`, `spool_delivery`, `spool_delivered` and
//! `migration`; `migrations/postgres` has them in full. A newer version of them is refused.
//!
//! # Writing
//!
//! Callers that write at the same time share a transaction. It locks the rows of its sessions in
//! the order of their ids, gives numbers and places, adds the entries, and brings the rows up to
//! date. What was committed is told on the channel `auto_recovery`, whose payload is the session's
//! id. An entry is known by its session, its id, and how many with that id stand before it. If the
//! connection is lost while a commit is on its way, the server is asked whether it took effect
//! before anything is sent again.
//!
//! # When the server cannot be reached
//!
//! Entries and events are kept in a spool on this machine, durably, and delivered in order and once
//! before the next write succeeds; what is delivered is noted by the server in the same
//! transactions, for good: a spool that comes back with an older image of the machine is not
//! delivered twice. Attempt numbers go on from the highest that this process has seen, and stay as
//! they were told. A server that refuses (the password, the database, the rights) is an error at
//! once, and nothing is kept.
//!
//! The way to the server must keep its sessions: a pooler that gives each transaction another will
//! not do.
//!
//! # Seals
//!
//! Each machine has a chain of its own; all are kept in one table, and all are over one order of
//! the journal, which those who seal give it under a lock. Nobody who writes knows of it.
//!
//! # Keys of encrypted sessions
//!
//! Keys are rows of `session_key`, on the disk whatever the store's durability before anybody waits
//! to write what they closed. One that the server did not take waits in the spool, and is delivered
//! before the entries that wait there. `spool_delivery` has a row for each of these, for good: one
//! that was destroyed since does not come back with its spool. A removal takes its session's keys
//! along in its transaction.
//!
//! # Reading
//!
//! Each question is answered as of one moment. Sums are made by the server.

mod address;
mod aggregate;
mod cell;
mod claim;
mod columns;
mod connection;
mod deliver;
mod deliver_keys;
mod failure;
mod follow;
mod group;
mod import;
mod key_rows;
mod keys;
mod known;
mod leaves;
mod link;
mod log;
mod migrate;
mod options;
mod outbox;
mod pages;
mod probe;
mod queue;
mod read;
mod recount;
mod remove;
mod seals;
mod seen;
mod server;
mod session;
mod statistics;
mod store;
mod tls;
mod url;
mod write;

pub use auto_recovery::spool::{Notice, OnNotice, SPOOL_BYTES_MAX};
pub use deliver::Delivered;
pub use migrate::ROLES;
pub use options::PostgresOptions;
pub use store::PostgresStore;
pub use url::shown;
pub use write::CHANNEL;
