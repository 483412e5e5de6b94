//! Stores of trails in SQL databases: SQLite for one machine, PostgreSQL for many.
//!
//! They keep the contract of [`auto_recovery::audit::AuditStore`] and give the same bytes and the
//! same numbers as the store of files. Sums are made by the database. This crate never prints and
//! reads no environment.

mod group;
pub mod postgres;
mod row;
mod sqlite;
mod text;

pub use postgres::{PostgresOptions, PostgresStore};
pub use sqlite::{SqliteOptions, SqliteStore};
