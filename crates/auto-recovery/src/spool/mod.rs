//! The place where entries and events wait while the server of a store cannot be reached, for any
//! store on a server.
//!
//! It knows no server: the store sends what waits, and finds out what became of a write whose
//! answer was lost.

mod absence;
mod keys;
mod notice;
mod rest;
mod segments;

pub use absence::{Absence, is_silence};
pub use notice::{Notice, OnNotice, SPOOL_BYTES_MAX};
pub use segments::{Spool, Waiting};
