//! The SQLite store: a database file that any SQL tool can query.
//!
//! # Layout
//!
//! `FILE` and beside it, while it is in use, `FILE-wal` and `FILE-shm`, all of mode 0600; the first
//! write makes them, and the directory with mode 0700 if there is none. A file that is there keeps
//! its mode, and those beside it take it. The tables are described in `migrations/sqlite`; people
//! ask the views `sessions`, `entries` and `session_statistics`. The database's `application_id`
//! says that it is ours, its `user_version` which format it has: older ones are brought up when
//! they are opened, newer ones refused. A server has `FILE-serving` locked, which is empty.
//!
//! # Writing
//!
//! Each process writes through one connection, and concurrent callers share a transaction, which
//! takes the lock of the database at once (`BEGIN IMMEDIATE`). It adds the rows of entries; each
//! row holds the sums of its trail up to itself. Once in many entries it brings up the rows of
//! sessions and the sums that lists and statistics are made from. A reader of those adds newer
//! entries, so they are always exact. `Durability::Sync` is `synchronous=FULL`: the
//! log is synced before a commit is acknowledged. `Durability::Flush` is `synchronous=NORMAL`: what
//! a power cut takes is the end of the log.
//!
//! Removing a session takes its row, and with it all its entries from sight, in the transaction
//! that records it. The entries of a long trail are deleted after that, some at a time; whoever
//! writes next goes on where one that did so died.
//!
//! # Seals
//!
//! The leaves of the journal are its records by their ids, those of a trail its entries by their
//! places, each as the text that an export gives: ids are given in the order of commits. Before
//! something is sealed, the log that it may still be in is synced. What the leaves do not hold,
//! sums and columns beside a text, verification counts again.
//!
//! # Reading
//!
//! Readers have connections of their own and see the database as it was when they began: they wait
//! for nobody and keep nobody waiting. What cannot be read is reported with its place.

mod aggregate;
mod append;
mod batch;
mod column;
mod connection;
mod counted;
mod entry;
mod failure;
mod file;
mod follow;
mod import;
mod journal;
mod keys;
mod log;
mod migrations;
mod pages;
mod read;
mod recent;
mod recount;
mod recount_all;
mod remove;
mod seals;
mod session;
mod sessions;
mod statistics;
mod store;
mod transaction;
mod unsound;
mod writer;

pub use store::{SqliteOptions, SqliteStore};
