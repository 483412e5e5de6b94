//! Exit codes that mean the same in every room: those of `timeout` and of shells. Pure.

/// Exit code when a time limit of ours ended the command, as of `timeout`.
pub const EXIT_TIMED_OUT: i32 = 124;
/// Exit code when `recover` itself failed.
pub const EXIT_RECOVER_FAILED: i32 = 125;
/// Exit code when the command exists and cannot be started.
pub const EXIT_CANNOT_RUN: i32 = 126;
/// Exit code when there is no such command.
pub const EXIT_NOT_FOUND: i32 = 127;
/// What a shell adds to the number of the signal that ended a command.
pub const EXIT_SIGNAL_BASE: i32 = 128;

/// How a process ended, as a shell reports it.
pub(crate) fn shell_code(exit_code: Option<i32>, signal: Option<i32>) -> Option<i32> {
    exit_code.or(signal.map(|signal| EXIT_SIGNAL_BASE + signal))
}
