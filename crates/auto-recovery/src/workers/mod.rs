//! Work shared by a few threads, which all end before the call does.
//!
//! `heap` is for jobs that make more jobs, as a walk over directories does; `shares` is for items
//! that are known beforehand; `relay` for texts that one thread finds and another one takes.

mod cores;
mod heap;
mod relay;
mod shares;

pub(crate) use heap::{size, work_off};
pub(crate) use relay::relay;
pub(crate) use shares::{map_all, share_out, threads};
