//! What is known of one finished command.

/// One finished command: what was asked for, how it ended, what it said.
///
/// Output is bytes, in any encoding, with or without escape sequences. A stream that holds both
/// outputs merged goes into either field.
#[derive(Clone, Copy, Debug, Default)]
pub struct Observation<'a> {
    /// The program and its arguments, as they were started.
    pub argv: &'a [String],
    /// The exit code, unless a signal ended it.
    pub exit_code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// Whether it was stopped because its time was over.
    pub timed_out: bool,
    /// What it wrote to its standard output.
    pub stdout: &'a [u8],
    /// What it wrote to its standard error.
    pub stderr: &'a [u8],
}

/// Exit codes from here on tell a signal when a shell reports for its child: 128 + signal.
const SHELL_SIGNAL_BASE: i32 = 128;

/// The highest signal number of Linux.
const SIGNAL_MAX: i32 = 64;

impl Observation<'_> {
    /// Whether it wrote nothing at all.
    pub(super) fn is_silent(&self) -> bool {
        self.stdout.is_empty() && self.stderr.is_empty()
    }

    /// The signal that ended the command or, as its shell reports it by exit code, its child.
    pub(super) fn effective_signal(&self) -> Option<i32> {
        self.signal.or_else(|| {
            self.exit_code
                .map(|code| code - SHELL_SIGNAL_BASE)
                .filter(|signal| (1..=SIGNAL_MAX).contains(signal))
        })
    }
}
