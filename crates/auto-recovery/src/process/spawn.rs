//! Starting a command in a process group of its own.

use std::io::{self, Read as _};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};

use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};

use super::children;
use super::rawsignal::send;
use super::spec::{CommandSpec, Exit};
use crate::error::{Error, ErrorKind, Result};
use crate::files::{Links, open_regular};
use crate::platform::control_group::ControlGroup;

/// The three streams of a command.
pub(super) struct Streams {
    pub(super) stdin: Stdio,
    pub(super) stdout: Stdio,
    pub(super) stderr: Stdio,
}

/// A started command whose exit status has not been collected. Dropping it kills what is left of
/// its group, so that no error of ours leaves it behind.
#[derive(Debug)]
pub(super) struct Started {
    child: Child,
    pid: Pid,
    collected: bool,
}

impl Started {
    /// Starts it, in `control_group` if there is one.
    pub(super) fn new(
        spec: &CommandSpec,
        streams: Streams,
        control_group: Option<&ControlGroup>,
    ) -> Result<Self> {
        let mut command = command(spec)?;
        if let Some(group) = control_group {
            // Without it there is still the rest by which what is started is found.
            let _ = group.take(&mut command);
        }
        command
            .stdin(streams.stdin)
            .stdout(streams.stdout)
            .stderr(streams.stderr)
            .process_group(0);
        let child = children::spawn(&mut command).map_err(|e| refusal(spec, e))?;
        let pid = Pid::from_child(&child);
        Ok(Self {
            child,
            pid,
            collected: false,
        })
    }

    /// The process, and its group.
    pub(super) fn pid(&self) -> Pid {
        self.pid
    }

    /// Signals the whole group; a group without members is no error.
    pub(super) fn signal(&self, signal: Signal) {
        debug_assert!(!self.collected, "the group may be somebody else's by now");
        let _ = kill_process_group(self.pid, signal);
    }

    /// Signals the process alone.
    pub(super) fn tell(&self, signal: i32) {
        debug_assert!(!self.collected, "the process may be somebody else's by now");
        send(self.pid.as_raw_pid(), signal);
    }

    /// How the process exited, if it has; its status stays to be collected.
    pub(super) fn exit(&self) -> Option<Exit> {
        let looking = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        let status = waitid(WaitId::Pid(self.pid), looking).ok()??;
        let by_signal = status.terminating_signal().map(Exit::Signal);
        status.exit_status().map(Exit::Code).or(by_signal)
    }

    /// Collects the exit status of the process, which has exited.
    pub(super) fn collect(&mut self) -> Result<Exit> {
        self.collected = true;
        let status = self.child.wait();
        children::collected(self.pid);
        let status = status.map_err(|e| Error::os("collect the command's exit status", e))?;
        Ok(exit_of(status))
    }

    /// Gives up on a process that was killed and does not vanish, because it waits in the kernel.
    pub(super) fn abandon(&mut self) -> Exit {
        self.collected = true;
        Exit::Signal(Signal::KILL.as_raw())
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        if !self.collected {
            self.signal(Signal::KILL);
            let _ = self.child.wait();
            children::collected(self.pid);
        }
    }
}

fn exit_of(status: ExitStatus) -> Exit {
    match (status.code(), status.signal()) {
        (Some(code), _) => Exit::Code(code),
        (None, signal) => Exit::Signal(signal.unwrap_or(0)),
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "this is the room that starts programs"
)]
fn command(spec: &CommandSpec) -> Result<Command> {
    let Some((program, args)) = spec.argv.split_first() else {
        return Err(Error::new(
            ErrorKind::InvalidInput,
            "there is no command to run: name a program",
        ));
    };
    let mut command = Command::new(program);
    command.args(args);
    if let Some(cwd) = &spec.cwd {
        command.current_dir(cwd);
    }
    for name in &spec.env_remove {
        command.env_remove(name);
    }
    for (name, value) in &spec.env {
        command.env(name, value);
    }
    if let Some(marker) = &spec.marker {
        command.env(&marker.name, &marker.value);
    }
    Ok(command)
}

/// Whether the file at `path` begins with a `#!` line that ends with a carriage return.
fn first_line_has_cr(path: &Path) -> bool {
    /// The longest first line that the system reads.
    const LINE_BYTES_MAX: u64 = 256;

    let Ok(file) = open_regular(path, Links::Follow) else {
        return false;
    };
    let mut head = Vec::new();
    let read = file.take(LINE_BYTES_MAX).read_to_end(&mut head);
    let line = head.split(|byte| *byte == b'\n').next().unwrap_or_default();
    read.is_ok() && line.starts_with(b"#!") && line.ends_with(b"\r")
}

/// Why the program `name` at `path`, which is there, is said not to be.
fn no_interpreter(name: &str, path: &Path) -> String {
    match first_line_has_cr(path) {
        true => format!(
            "the first line of `{name}` ends with a carriage return, as Windows writes it, and no \
             interpreter has that in its name: `sed -i 's/\\r$//' {name}` takes it away"
        ),
        false => format!(
            "`{name}` exists, but the interpreter in its first line does not: install it or \
             correct the line"
        ),
    }
}

/// Why `spec` could not be started, with the way out.
fn refusal(spec: &CommandSpec, error: io::Error) -> Error {
    let name = spec.program().to_string_lossy();
    if let Some(cwd) = spec.cwd.as_deref().filter(|cwd| !cwd.is_dir()) {
        let kind = ErrorKind::InvalidInput;
        let context = format!(
            "cannot run `{name}` in {}: no such directory",
            cwd.display()
        );
        return Error::new(kind, context).with_source(error);
    }
    let by_path = name.contains('/');
    let cwd = spec.cwd.as_deref().unwrap_or(Path::new(""));
    let path = cwd.join(spec.program());
    let code = Errno::from_io_error(&error);
    let (kind, context) = match code {
        Some(Errno::NOENT) if name.is_empty() => (
            ErrorKind::CommandNotFound,
            "the name of the program is empty: is a variable unset?".to_owned(),
        ),
        Some(Errno::NOENT) if by_path && path.symlink_metadata().is_ok() => {
            (ErrorKind::NotExecutable, no_interpreter(&name, &path))
        }
        Some(Errno::NOENT) if by_path => (
            ErrorKind::CommandNotFound,
            format!("there is no program `{name}`: check the path"),
        ),
        Some(Errno::NOENT) => (
            ErrorKind::CommandNotFound,
            format!("there is no program `{name}` in PATH: install it, or give its path"),
        ),
        Some(Errno::NAMETOOLONG) => (
            ErrorKind::CommandNotFound,
            format!("there is no program `{name}`: no name is that long"),
        ),
        Some(Errno::NOTDIR) => (
            ErrorKind::CommandNotFound,
            format!("there is no program `{name}`: part of its path is no directory"),
        ),
        Some(Errno::ACCESS | Errno::PERM) if path.is_dir() => (
            ErrorKind::NotExecutable,
            format!("`{name}` is a directory: name a program in it"),
        ),
        Some(Errno::ACCESS | Errno::PERM) => (
            ErrorKind::NotExecutable,
            format!("`{name}` is not executable: `chmod +x` it, or start it with its interpreter"),
        ),
        Some(Errno::NOEXEC) => (
            ErrorKind::NotExecutable,
            format!(
                "`{name}` is no program for this machine and has no `#!` line: start it with its interpreter, as in `sh {name}`"
            ),
        ),
        Some(Errno::TOOBIG) => (
            ErrorKind::NotExecutable,
            format!(
                "the arguments and environment of `{name}` are too long for this system: pass fewer"
            ),
        ),
        _ if error.kind() == io::ErrorKind::InvalidInput => (
            ErrorKind::InvalidInput,
            format!("cannot run `{name}`: an argument or variable holds a NUL byte"),
        ),
        _ => return Error::os(format!("start `{name}`"), error),
    };
    explained(kind, context, error)
}

/// The refusal in our own words. The system's say less of a program that cannot be started.
fn explained(kind: ErrorKind, context: String, error: io::Error) -> Error {
    let refused = Error::new(kind, context);
    match kind {
        ErrorKind::CommandNotFound | ErrorKind::NotExecutable => refused,
        _ => refused.with_source(error),
    }
}
