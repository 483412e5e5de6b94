//! Handles of processes: a handle means one process, and never a later one of the same id.

use std::os::fd::{AsFd, OwnedFd};

use rustix::io::Result;
use rustix::process::{
    Pid, PidfdFlags, PidfdGetfdFlags, Signal, getpid, pidfd_getfd, pidfd_open, pidfd_send_signal,
};

/// A handle of the process that has the id `pid` now. It is readable once that has ended.
pub(crate) fn open(pid: Pid) -> Result<OwnedFd> {
    pidfd_open(pid, PidfdFlags::empty())
}

/// Sends the process of `handle` the signal.
pub(crate) fn signal(handle: impl AsFd, signal: Signal) -> Result<()> {
    pidfd_send_signal(handle, signal)
}

/// Our descriptor `number`, once more: not the same file opened anew, which would stand elsewhere.
/// Some sandboxes do not allow it.
pub(crate) fn descriptor_of_ours(number: i32) -> Result<OwnedFd> {
    pidfd_getfd(open(getpid())?, number, PidfdGetfdFlags::empty())
}
