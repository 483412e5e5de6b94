//! Pipes that no program inherits, of a size that we choose, and whose content is copied unread.

use std::os::fd::{AsFd, OwnedFd};

use rustix::io::Result;
use rustix::pipe::{PipeFlags, SpliceFlags, fcntl_setpipe_size, pipe_with, tee};

/// A new pipe, which no program that we start inherits: the end to read from, and the other.
pub(crate) fn pipe() -> Result<(OwnedFd, OwnedFd)> {
    pipe_with(PipeFlags::CLOEXEC)
}

/// The same, with neither end blocking.
pub(crate) fn pipe_without_waits() -> Result<(OwnedFd, OwnedFd)> {
    pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)
}

/// Gives `pipe` room for this many bytes.
pub(crate) fn set_size(pipe: &OwnedFd, bytes: usize) -> Result<()> {
    fcntl_setpipe_size(pipe, bytes).map(drop)
}

/// Copies the content of the pipe `from`, at most `bytes_max` bytes, to the pipe `to`, without
/// waiting. It stays in `from`.
pub(crate) fn copy_unread(from: impl AsFd, to: impl AsFd, bytes_max: usize) -> Result<usize> {
    tee(from, to, bytes_max, SpliceFlags::NONBLOCK)
}
