//! The three streams of a command, and our ends of them.

use std::io;
use std::os::fd::OwnedFd;
use std::process::Stdio;

use rustix::io::ioctl_fionbio;

use super::capture::Stream;
use super::pty::Pty;
use super::pump::Pump;
use super::spawn::Streams;
use super::spec::{CommandSpec, Stdin};
use super::stdin::Feeder;
use crate::error::{Error, Result};
use crate::platform::pipes::pipe;

/// Our ends.
#[derive(Debug)]
pub(super) struct Ends {
    pub(super) pumps: Vec<Pump>,
    pub(super) ptys: Vec<Pty>,
    pub(super) feeder: Option<Feeder>,
}

/// Makes the other ends of the command's streams.
pub(super) fn connect(spec: &CommandSpec) -> Result<(Streams, Ends)> {
    let (stdin, feeder) = match &spec.stdin {
        Stdin::Inherit => (Stdio::inherit(), None),
        Stdin::Null => (Stdio::null(), None),
        Stdin::Replay(input) => input.begin()?,
    };
    let mut ends = Ends {
        pumps: Vec::new(),
        ptys: Vec::new(),
        feeder,
    };
    let (stdout, stderr) = ends.open_outputs(spec).map_err(|e| {
        let name = spec.program().to_string_lossy();
        Error::os(format!("connect the streams of `{name}`"), e)
    })?;
    let streams = Streams {
        stdin,
        stdout: stdout.into(),
        stderr: stderr.into(),
    };
    Ok((streams, ends))
}

impl Ends {
    fn open_outputs(&mut self, spec: &CommandSpec) -> io::Result<(OwnedFd, OwnedFd)> {
        let stdout = self.open(Stream::Stdout, spec)?;
        if spec.one_output || spec.terminals.are_one() {
            let stderr = stdout.try_clone()?;
            return Ok((stdout, stderr));
        }
        let stderr = self.open(Stream::Stderr, spec)?;
        Ok((stdout, stderr))
    }

    fn open(&mut self, stream: Stream, spec: &CommandSpec) -> io::Result<OwnedFd> {
        let terminal = match stream {
            Stream::Stdout => &spec.terminals.stdout,
            Stream::Stderr => &spec.terminals.stderr,
        };
        let (pump, theirs) = match terminal {
            Some(terminal) => {
                let (pty, theirs) = Pty::open(terminal)?;
                let ours = pty.source()?;
                ioctl_fionbio(&ours, true)?;
                self.ptys.push(pty);
                (Pump::new(stream, ours).of_packets(), theirs)
            }
            None => {
                let (ours, theirs) = pipe()?;
                // No other process has our end, so this changes nothing for the command.
                ioctl_fionbio(&ours, true)?;
                (Pump::new(stream, ours), theirs)
            }
        };
        self.pumps.push(pump);
        Ok(theirs)
    }

    /// Gives every pseudo terminal the size of its caller's terminal, and returns whether any
    /// changed.
    pub(super) fn mirror_sizes(&mut self) -> bool {
        // Not `any`, which would stop at the first.
        let changed = self.ptys.iter_mut().map(Pty::mirror_size);
        changed.fold(false, |any, changed| any | changed)
    }
}
