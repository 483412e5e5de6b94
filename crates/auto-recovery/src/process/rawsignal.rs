//! Signals where there is no safe call: real-time ones to another process, one that is ignored no
//! longer, and one by which this process dies as a program does that does not handle it.
#![expect(
    unsafe_code,
    reason = "kill of a real-time signal, signal, pthread_sigmask and raise have no safe form"
)]

use std::mem::MaybeUninit;
use std::ptr;

/// Sends `signal`, by its number, to the process `pid`, which must be a single process.
pub(super) fn send(pid: i32, signal: i32) {
    debug_assert!(pid > 0, "the others mean groups");
    // SAFETY: the call takes numbers only, and refuses those that mean nothing.
    unsafe {
        libc::kill(pid, signal);
    }
}

/// Gives `signal`, which stops a process by default, that action, in the programs we start too.
pub(super) fn let_stop(signal: i32) {
    debug_assert!(signal == libc::SIGTTIN || signal == libc::SIGTTOU);
    // SAFETY: the default action runs no code of ours; a signal that exists cannot be refused.
    unsafe {
        libc::signal(signal, libc::SIG_DFL);
    }
}

/// Gives `signal` its default action and raises it. Returns only where that does not end the
/// process: the first process of a system or a container is not ended by its own signals.
pub(super) fn raise_by_default(signal: i32) {
    let mut one = MaybeUninit::uninit();
    // SAFETY: the set is initialised before it is used, and the pointers are valid for the calls.
    // The default action runs no code of ours; the calls fail only for a signal that does not
    // exist, and then do nothing.
    unsafe {
        libc::sigemptyset(one.as_mut_ptr());
        libc::sigaddset(one.as_mut_ptr(), signal);
        libc::signal(signal, libc::SIG_DFL);
        libc::pthread_sigmask(libc::SIG_UNBLOCK, one.as_ptr(), ptr::null_mut());
        libc::raise(signal);
    }
}
