//! How a store is written: callers' lines to one file, together, whole and durable.

pub(super) mod append_call;
pub(super) mod appender;
pub(super) mod batch;
pub(super) mod kind;
pub(super) mod open_trails;
pub(super) mod tail;
pub(super) mod writer;
