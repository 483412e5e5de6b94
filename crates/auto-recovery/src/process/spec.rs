//! What to run and what came of it.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::capture::{Capture, Stream};
use super::descendants::Process;
use super::ending::Remains;
use super::foreground::ControllingTerminal;
use super::marker::Marker;
use super::pty::Terminals;
use super::stdin::ReplayedInput;
use crate::exit::EXIT_SIGNAL_BASE;
use crate::platform::signals::signal_name;

/// How long a command may take to end by itself once it was asked to.
pub const DEFAULT_GRACE: Duration = Duration::from_secs(10);

/// A command and how to run it.
#[derive(Clone, Debug)]
pub struct CommandSpec {
    /// The program and its arguments, passed on unchanged.
    pub argv: Vec<OsString>,
    /// Where it runs; the current directory unless set.
    pub cwd: Option<PathBuf>,
    /// Variables set on top of the environment it inherits.
    pub env: Vec<(OsString, OsString)>,
    /// Variables taken out of the environment it inherits.
    pub env_remove: Vec<OsString>,
    /// What it reads.
    pub stdin: Stdin,
    /// The terminals that its output goes to in the end, so that it writes to terminals too.
    pub terminals: Terminals,
    /// Whether both its outputs go to one place in the end: then it writes to one stream, so that
    /// what it writes arrives in the order in which it was written. It counts as standard output.
    pub one_output: bool,
    /// The terminal to whose foreground it belongs while it runs.
    pub controlling_terminal: Option<ControllingTerminal>,
    /// Longest time it may run.
    pub timeout: Option<Duration>,
    /// Moment of the host's monotonic clock at which it is ended, however long it has run.
    pub deadline: Option<Duration>,
    /// Time between asking it to end and killing it.
    pub grace: Duration,
    /// What becomes of processes that are still there when it has exited by itself.
    pub leftovers: Leftovers,
    /// A variable that is given to it and by which its descendants are found again, wherever they
    /// went.
    pub marker: Option<Marker>,
    /// Greatest number of bytes kept from the beginning of each stream.
    pub capture_head: usize,
    /// Greatest number of bytes kept from the end of each stream.
    pub capture_tail: usize,
}

impl CommandSpec {
    /// `argv` in the current directory, with the inherited environment, nothing to read and no
    /// limit on time.
    pub fn new<I, A>(argv: I) -> Self
    where
        I: IntoIterator<Item = A>,
        A: Into<OsString>,
    {
        Self {
            argv: argv.into_iter().map(Into::into).collect(),
            cwd: None,
            env: Vec::new(),
            env_remove: Vec::new(),
            stdin: Stdin::Null,
            terminals: Terminals::default(),
            one_output: false,
            controlling_terminal: None,
            timeout: None,
            deadline: None,
            grace: DEFAULT_GRACE,
            leftovers: Leftovers::Keep,
            marker: None,
            capture_head: Capture::HEAD_MAX,
            capture_tail: Capture::TAIL_MAX,
        }
    }

    /// The program's name as it was given.
    pub fn program(&self) -> &OsStr {
        self.argv
            .first()
            .map_or(OsStr::new(""), OsString::as_os_str)
    }
}

/// What a command reads.
#[derive(Clone, Debug)]
pub enum Stdin {
    /// What the caller reads itself.
    Inherit,
    /// Nothing.
    Null,
    /// This input, from where the first attempt began to read it.
    Replay(Arc<ReplayedInput>),
}

/// What becomes of processes that are still there when the command has exited by itself. After a
/// time limit or an interrupt everything is ended, whatever this says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leftovers {
    /// They stay, and are named in [`Completion::left_running`].
    Keep,
    /// They are ended as the command would be: asked, and killed after the grace.
    End,
}

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// By itself, with this code.
    Code(i32),
    /// By this signal.
    Signal(i32),
}

impl Exit {
    /// Whether it says success.
    pub fn is_success(self) -> bool {
        self == Self::Code(0)
    }

    /// The code a shell would report.
    pub fn shell_code(self) -> i32 {
        match self {
            Self::Code(code) => code,
            Self::Signal(signal) => EXIT_SIGNAL_BASE + signal,
        }
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exit {code}"),
            Self::Signal(signal) => match signal_name(*signal) {
                Some(name) => write!(f, "{name}"),
                None => write!(f, "signal {signal}"),
            },
        }
    }
}

/// What came of a command.
#[derive(Debug)]
pub struct Completion {
    /// How it ended.
    pub exit: Exit,
    /// Whether it was ended because it ran longer than its own timeout.
    pub timed_out: bool,
    /// Whether it was ended because the deadline passed.
    pub deadline_passed: bool,
    /// The signal by which the user asked to stop, if they did: sent to us, or typed while the
    /// command had the terminal.
    pub interrupted: Option<i32>,
    /// How long it ran, without the time it was stopped by job control.
    pub duration: Duration,
    /// How long it was stopped by job control.
    pub paused: Duration,
    /// Processes it started that are still there.
    pub left_running: Vec<Process>,
    /// The same, to be ended.
    pub remains: Remains,
    /// What it wrote.
    pub capture: Capture,
    /// Which stream could not be passed on to the end, and why: a `BrokenPipe` when the reader went
    /// away.
    pub output_error: Option<(Stream, io::Error)>,
}

impl Completion {
    /// Whether it exited 0 without being ended by a limit or by the user.
    pub fn is_success(&self) -> bool {
        self.exit.is_success()
            && !self.timed_out
            && !self.deadline_passed
            && self.interrupted.is_none()
    }
}
