//! This process's own streams, lent to the commands of a run.

use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use auto_recovery::process::{
    CommandSpec, ControllingTerminal, OutputSink, PassThrough, ReplayedInput, Stdin, Stream,
    Terminals,
};
use auto_recovery::run::{Console, Role};
use auto_recovery::{Error, Result};
use rustix::termios::isatty;
use tempfile::SpooledTempFile;

use crate::output::{Status, stdout_error};

/// Bytes of held stdout that stay in memory; beyond it they move to a file without a name.
const HELD_IN_MEMORY_MAX: usize = 8 << 20;
/// Bytes copied at a time when held stdout is let go.
const COPY_BYTES: usize = 64 << 10;

/// The streams of this process.
pub(super) struct Terminal {
    terminals: Terminals,
    controlling: Option<ControllingTerminal>,
    input: Option<Arc<ReplayedInput>>,
    held: Option<Arc<Held>>,
    status: Arc<Status>,
}

impl Terminal {
    /// This process's streams; stdout goes to `held` if there is one.
    pub(super) fn new(held: Option<Arc<Held>>, status: Arc<Status>) -> Result<Self> {
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
        let out = match (role, &self.held) {
            (Role::Command, None) => stdout.as_fd(),
            _ => stderr.as_fd(),
        };
        let through = PassThrough::new(out, stderr.as_fd())
            .map_err(|error| Error::os("pass output on", error))?;
        let held = self.held.as_deref().filter(|_| role == Role::Command);
        if let Some(held) = held {
            held.forget()?;
        }
        let moves = [isatty(out) && held.is_none(), isatty(&stderr)];
        Ok(Box::new(Passing {
            through,
            held,
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

/// Passes output on, with the moving line out of its way.
struct Passing<'a> {
    through: PassThrough,
    held: Option<&'a Held>,
    /// Whether a stream ends on a terminal, where the moving line is.
    moves: [bool; 2],
    status: &'a Status,
}

impl OutputSink for Passing<'_> {
    fn write(&mut self, stream: Stream, bytes: &[u8]) -> io::Result<usize> {
        match (self.held, stream) {
            (Some(held), Stream::Stdout) => held.write(bytes),
            _ if self.moves[stream as usize] => self
                .status
                .passing(bytes, || self.through.write(stream, bytes)),
            _ => self.through.write(stream, bytes),
        }
    }

    fn wait_on(&self, stream: Stream) -> Option<BorrowedFd<'_>> {
        self.through.wait_on(stream)
    }

    fn outlive(&self, stream: Stream) -> Option<OwnedFd> {
        match (self.held, stream) {
            (Some(_), Stream::Stdout) => None,
            _ => self.through.outlive(stream),
        }
    }
}

/// The stdout of the run that decides, kept back until it is known which that is.
#[derive(Debug)]
pub(super) struct Held(Mutex<SpooledTempFile>);

impl Held {
    pub(super) fn new() -> Self {
        Self(Mutex::new(SpooledTempFile::new(HELD_IN_MEMORY_MAX)))
    }

    /// Writes what is held to stdout.
    pub(super) fn release(&self) -> Result<()> {
        let mut file = self.file();
        let mut out = io::stdout().lock();
        let mut copy = || -> io::Result<()> {
            file.rewind()?;
            let mut piece = vec![0; COPY_BYTES];
            loop {
                match file.read(&mut piece)? {
                    0 => return out.flush(),
                    count => out.write_all(&piece[..count])?,
                }
            }
        };
        copy().map_err(stdout_error)
    }

    fn forget(&self) -> Result<()> {
        let mut file = self.file();
        let forget = file.set_len(0).and_then(|()| file.rewind());
        forget.map_err(|error| Error::io("hold stdout in", Path::new("a temporary file"), error))
    }

    fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        self.file().write(bytes)
    }

    fn file(&self) -> MutexGuard<'_, SpooledTempFile> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
