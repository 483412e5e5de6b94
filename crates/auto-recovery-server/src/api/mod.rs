//! The API for programs, `/api/v1`.
//!
//! Its objects are those that the command prints as JSON. `openapi.json` describes it, and a test
//! holds the two against each other.

mod alerts;
mod answer;
mod document;
mod export;
mod failures;
mod find;
mod ingest;
mod sessions;
mod stats;
mod trail;

pub(crate) use alerts::{alerts, heartbeat, told};
pub(crate) use answer::{no_such_method, nothing};
pub(crate) use document::document;
pub(crate) use export::export;
pub(crate) use failures::{KindPage, failures, kind_page, read_kind_query};
pub(crate) use find::{Listed, Listing, find, find_session, read_listing, summary};
pub(crate) use ingest::ingest;
pub(crate) use sessions::{session, sessions};
pub(crate) use stats::{read_stats_query, stats};
pub(crate) use trail::{entries_of, journal_of, statistics_of};
