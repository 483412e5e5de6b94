//! Pipes that no program inherits, of a size that we choose, and whose content is copied unread.

use std::os::fd::{AsFd, OwnedFd};

use rustix::io::Result;
use rustix::pipe::{PipeFlags, SpliceFlags, fcntl_setpipe_size, pipe_with, tee};

/// A new pipe, which no program that we start inherits: the end to read from, and the other.
pub(crate) fn pipe() -> Result<(OwnedFd, OwnedFd)> {
    pipe_with(PipeFlags::CLOEXEC)
}

/// The same, neither end of which makes anybody wait.
pub(crate) fn pipe_without_waits() -> Result<(OwnedFd, OwnedFd)> {
    pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)
}

/// Gives `pipe` room for so many bytes.
pub(crate) fn set_size(pipe: &OwnedFd, bytes: usize) -> Result<()> {
    fcntl_setpipe_size(pipe, bytes).map(drop)
}

/// Copies what lies in the pipe `from`, at most so many bytes, to the pipe `to`, without waiting.
/// It stays in `from`.
pub(crate) fn copy_unread(from: impl AsFd, to: impl AsFd, bytes_max: usize) -> Result<usize> {
    tee(from, to, bytes_max, SpliceFlags::NONBLOCK)
}
