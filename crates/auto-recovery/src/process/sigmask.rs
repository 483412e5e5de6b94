//! Keeping `SIGTTOU` away from the current thread.
//!
//! Whoever is not the terminal's foreground job is stopped by `SIGTTOU` when it takes the
//! foreground back, or writes to a terminal set to `tostop`. We do both while a command has the
//! foreground. POSIX lets a thread that blocks the signal do them; there is no safe call to block
//! one.
#![expect(unsafe_code, reason = "pthread_sigmask has no safe form")]

use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::ptr;

/// While it lives, the thread that made it is not stopped by `SIGTTOU`.
#[derive(Debug)]
pub(super) struct TtouBlocked {
    before: libc::sigset_t,
    /// A mask belongs to its thread.
    not_send: PhantomData<*const ()>,
}

impl TtouBlocked {
    pub(super) fn new() -> Self {
        let mut blocked = MaybeUninit::uninit();
        let mut before = MaybeUninit::uninit();
        // SAFETY: `sigemptyset` initialises the set before it is used; both pointers are valid for
        // the calls, and the calls only fail for a signal or an operation that does not exist.
        let before = unsafe {
            libc::sigemptyset(blocked.as_mut_ptr());
            libc::sigaddset(blocked.as_mut_ptr(), libc::SIGTTOU);
            libc::sigemptyset(before.as_mut_ptr());
            libc::pthread_sigmask(libc::SIG_BLOCK, blocked.as_ptr(), before.as_mut_ptr());
            before.assume_init()
        };
        Self {
            before,
            not_send: PhantomData,
        }
    }
}

impl Drop for TtouBlocked {
    fn drop(&mut self) {
        // SAFETY: `before` is the mask that this same thread had.
        unsafe {
            libc::pthread_sigmask(libc::SIG_SETMASK, &raw const self.before, ptr::null_mut());
        }
    }
}
