//! Work shared by a few threads, which all end before the call does.
//!
//! `heap` is for jobs that make more jobs, as a walk over directories does; `shares` is for items
//! that are known beforehand.

mod cores;
mod heap;
mod shares;

pub(crate) use heap::{size, work_off};
pub(crate) use shares::{map_all, share_out, threads};
