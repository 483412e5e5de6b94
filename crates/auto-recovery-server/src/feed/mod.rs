//! The feed: what appears in the store, numbered in the order in which this server came to know it.

mod counters;
mod cursors;
mod database;
mod failures;
mod follow;
mod kinds;
mod rows;
mod take_up;

pub(crate) use counters::count;
pub(crate) use database::{Database, beside, dir_of, new_feed_id};
pub(crate) use failures::{ALL, SLOT_US, TOOK_MS};
pub(crate) use follow::{Following, Standing, follow};
pub(crate) use kinds::{FailureKind, KindQuery, Neighbours, OfStrategy, Slot, Sort};
pub(crate) use rows::{Event, Kind, Wanted};
pub(crate) use take_up::BEGUN;
