//! The feed: what appears in the store, numbered in the order in which this server came to know it.

mod counters;
mod database;
mod follow;
mod rows;
mod take_up;

pub(crate) use database::{Database, new_feed_id};
pub(crate) use follow::{Following, Standing, follow};
pub(crate) use rows::{Event, Kind, Wanted};
pub(crate) use take_up::BEGUN;
