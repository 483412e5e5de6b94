//! Stores of trails in SQL databases: SQLite for one machine, PostgreSQL for many.
//!
//! They keep the contract of [`auto_recovery::audit::AuditStore`] and give the same bytes and the
//! same numbers as the store of files. Sums are made by the database. This crate never prints and
//! reads no environment.
//!
//! The features `sqlite` and `postgres`, both on by default, each bring one store and what it is
//! built on.

#[cfg(all(doctest, feature = "postgres", feature = "sqlite"))]
mod guide;
#[cfg(feature = "postgres")]
pub mod postgres;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
mod row;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
mod seal_line;
#[cfg(feature = "sqlite")]
mod sqlite;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
mod text;

#[cfg(feature = "postgres")]
pub use postgres::{PostgresOptions, PostgresStore};
#[cfg(feature = "sqlite")]
pub use sqlite::{SqliteOptions, SqliteStore};
