//! A pseudo terminal that says when a program sets it.
//!
//! In packet mode each reading of our end begins with a byte: 0 before what was written, another
//! when something else happened, such as a change of modes where `EXTPROC` is among them. There is
//! no safe call to ask for it.
#![expect(unsafe_code, reason = "TIOCPKT has no safe form")]

use std::io;
use std::os::fd::{AsFd, AsRawFd};

/// Turns packet mode on or off for `ours`, our end.
pub(super) fn set_packets(ours: impl AsFd, on: bool) -> io::Result<()> {
    let on = libc::c_int::from(on);
    // SAFETY: the descriptor is open for the length of the call, which reads one `int`.
    match unsafe { libc::ioctl(ours.as_fd().as_raw_fd(), libc::TIOCPKT, &raw const on) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
