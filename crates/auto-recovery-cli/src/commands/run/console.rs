//! This process's own streams, lent to the commands of a run.

use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use auto_recovery::process::{
    CommandSpec, ControllingTerminal, Held, OutputSink, PassThrough, ReplayedInput, Stdin, Stream,
    Terminals,
};
use auto_recovery::run::{Console, Role};
use auto_recovery::{Error, Result};
use rustix::termios::isatty;

use crate::output::Status;

/// The streams of this process.
pub(super) struct Terminal {
    terminals: Terminals,
    controlling: Option<ControllingTerminal>,
    input: Option<Arc<ReplayedInput>>,
    held: Option<HeldStdout>,
    status: Arc<Status>,
}

impl Terminal {
    /// This process's streams; stdout goes to `held` if there is one.
    pub(super) fn new(held: Option<HeldStdout>, status: Arc<Status>) -> Result<Self> {
        let (stdin, stdout, stderr) = (io::stdin(), io::stdout(), io::stderr());
        let terminals = Terminals::among(stdout.as_fd(), stderr.as_fd())
            .map_err(|error| Error::os("look at stdout and stderr", error))?;
        let input = match isatty(&stdin) {
            true => None,
            false => {
                let input = ReplayedInput::new(stdin.as_fd(), &std::env::temp_dir());
                Some(Arc::new(
                    input.map_err(|error| Error::os("look at stdin", error))?,
                ))
            }
        };
        let controlling = ControllingTerminal::open(stdin.as_fd(), stdout.as_fd());
        Ok(Self {
            terminals,
            controlling,
            input,
            held,
            status,
        })
    }
}

impl Console for Terminal {
    fn prepare(&mut self, role: Role, spec: &mut CommandSpec) -> Result<()> {
        spec.terminals = self.terminals.clone();
        match role {
            Role::Helper => spec.terminals.stdout = spec.terminals.stderr.clone(),
            Role::Command if self.held.is_some() => spec.terminals.stdout = None,
            Role::Command => {}
        }
        spec.controlling_terminal = self.controlling.clone();
        spec.stdin = match (&self.input, role) {
            (None, _) => Stdin::Inherit,
            (Some(input), Role::Command) => Stdin::Replay(Arc::clone(input)),
            // What is piped in is the command's.
            (Some(_), Role::Helper) => Stdin::Null,
        };
        Ok(())
    }

    fn sink(&mut self, role: Role) -> Result<Box<dyn OutputSink + '_>> {
        let (stdout, stderr) = (io::stdout(), io::stderr());
        if let (Role::Command, Some(held)) = (role, &self.held) {
            let mut held = held.lock().unwrap_or_else(PoisonError::into_inner);
            held.forget();
            let moves = [false, isatty(&stderr)];
            return Ok(Box::new(Passing {
                to: Locked(held),
                moves,
                status: &self.status,
            }));
        }
        let out = match role {
            Role::Command => stdout.as_fd(),
            Role::Helper => stderr.as_fd(),
        };
        let to = pass_through(out, stderr.as_fd())?;
        let moves = [isatty(out), isatty(&stderr)];
        Ok(Box::new(Passing {
            to,
            moves,
            status: &self.status,
        }))
    }

    fn can_replay_stdin(&self) -> std::result::Result<(), String> {
        match self.input.as_ref().and_then(|input| input.why_lost()) {
            Some(why) => Err(why),
            None => Ok(()),
        }
    }
}

/// The stdout of the run that decides, kept back until it is known which that is.
pub(super) type HeldStdout = Arc<Mutex<Held<PassThrough>>>;

/// Holds back what goes to stdout.
///
/// # Errors
/// If the streams of this process cannot be used.
pub(super) fn hold_stdout() -> Result<HeldStdout> {
    let through = pass_through(io::stdout().as_fd(), io::stderr().as_fd())?;
    Ok(Arc::new(Mutex::new(Held::new(
        through,
        &std::env::temp_dir(),
    ))))
}

fn pass_through(out: BorrowedFd<'_>, err: BorrowedFd<'_>) -> Result<PassThrough> {
    PassThrough::new(out, err).map_err(|error| Error::os("pass output on", error))
}

/// Passes output on, with the moving line out of its way.
struct Passing<'a, S> {
    to: S,
    /// Whether a stream ends on a terminal, where the moving line is.
    moves: [bool; 2],
    status: &'a Status,
}

impl<S: OutputSink> OutputSink for Passing<'_, S> {
    fn write(&mut self, stream: Stream, bytes: &[u8]) -> io::Result<usize> {
        match self.moves[stream as usize] {
            true => self.status.passing(bytes, || self.to.write(stream, bytes)),
            false => self.to.write(stream, bytes),
        }
    }

    fn wait_on(&self, stream: Stream) -> Option<BorrowedFd<'_>> {
        self.to.wait_on(stream)
    }

    fn outlive(&self, stream: Stream) -> Option<OwnedFd> {
        self.to.outlive(stream)
    }
}

/// Held stdout for the length of one run.
struct Locked<'a>(MutexGuard<'a, Held<PassThrough>>);

impl OutputSink for Locked<'_> {
    fn write(&mut self, stream: Stream, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(stream, bytes)
    }

    fn wait_on(&self, stream: Stream) -> Option<BorrowedFd<'_>> {
        self.0.wait_on(stream)
    }

    fn outlive(&self, stream: Stream) -> Option<OwnedFd> {
        self.0.outlive(stream)
    }
}
