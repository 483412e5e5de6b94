//! `recover log`: attempts that something else made, recorded as they come in.

mod entry;
mod lines;
mod record;

pub(crate) use record::log;
