//! The terminal's foreground: the right to read from it, and to get typed keys.
//!
//! A command has a process group of its own, so it can only read from the terminal while that group
//! has the foreground. It gets it at once if no other program can want it, and otherwise when the
//! command is stopped for reaching for the terminal: `recover run -- git log | less` must not take
//! the keyboard away from `less`. It is taken back when the command is over.
//!
//! While the command has the foreground, a [`Sentinel`] in its group reports typed signals. A
//! program that reads keys itself, and has set the terminal so, gives Ctrl-C its own meaning: only
//! a key typed at a terminal that reads lines is the user's wish to stop.
//!
//! A command that job control stops stops us too, with our whole group, as the terminal would have
//! done; when we are continued, so is the command, and meanwhile no time has passed for its limits.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{FileType, Mode, OFlags};
use rustix::process::{Pid, Signal, getpgrp, kill_process_group};
use rustix::termios::{
    LocalModes, OptionalActions, Termios, isatty, tcgetattr, tcgetpgrp, tcsetattr, tcsetpgrp,
};

use super::keys::{self, Keys};
use super::pty::Pty;
use super::sentinel::Sentinel;
use super::sigmask::TtouBlocked;
use super::unread::Unread;
use crate::platform::processes::Stat;

/// The terminal that controls the caller's session.
#[derive(Clone, Debug)]
pub struct ControllingTerminal {
    fd: Arc<OwnedFd>,
    at_once: bool,
}

impl ControllingTerminal {
    /// The controlling terminal, if there is one. A command gets the foreground at once when it
    /// reads from a terminal and its output goes to no other program.
    pub fn open(stdin: BorrowedFd<'_>, stdout: BorrowedFd<'_>) -> Option<Self> {
        // Reading must not wait for keys that are not there after all.
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let fd = rustix::fs::open("/dev/tty", flags, Mode::empty()).ok()?;
        Some(Self {
            fd: Arc::new(fd),
            at_once: isatty(stdin) && !is_read_by_a_program(stdout),
        })
    }
}

fn is_readable(fd: &OwnedFd) -> bool {
    let now = Timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    poll(&mut [PollFd::new(fd, PollFlags::IN)], Some(&now)).is_ok_and(|ready| ready > 0)
}

fn is_read_by_a_program(fd: BorrowedFd<'_>) -> bool {
    rustix::fs::fstat(fd).is_ok_and(|stat| {
        matches!(
            FileType::from_raw_mode(stat.st_mode),
            FileType::Fifo | FileType::Socket
        )
    })
}

/// Lends the foreground to one command.
#[derive(Debug)]
pub(super) struct Foreground {
    terminal: ControllingTerminal,
    command: Pid,
    lent: bool,
    modes: Option<Termios>,
    sentinel: Sentinel,
    /// Set if a program read keys from the terminal at the last look.
    keys_read: bool,
    /// The keys of the terminal, while a program reads them from ours.
    keys: Option<Keys>,
    /// The group that had the foreground before it was taken to pass its keys on.
    reader: Option<Pid>,
    unread: Unread,
    _ttou: TtouBlocked,
}

impl Foreground {
    pub(super) fn new(terminal: &ControllingTerminal, command: Pid) -> Self {
        let mut foreground = Self {
            terminal: terminal.clone(),
            command,
            lent: false,
            modes: None,
            sentinel: Sentinel::of(command),
            keys_read: false,
            keys: None,
            reader: None,
            unread: Unread::default(),
            _ttou: TtouBlocked::new(),
        };
        if terminal.at_once {
            foreground.lend();
        }
        foreground
    }

    /// Lends it if it is ours to lend, and returns whether the command has it now.
    pub(super) fn lend(&mut self) -> bool {
        let fd = &self.terminal.fd;
        match tcgetpgrp(fd) {
            Ok(holder) if holder == self.command => return true,
            Ok(holder) if holder == getpgrp() => {}
            _ => return false,
        }
        if self.modes.is_none() {
            self.modes = tcgetattr(fd).ok();
        }
        self.lent = tcsetpgrp(fd, self.command).is_ok();
        if self.lent {
            self.sentinel.post();
            // The command reaches for the person's terminal, though it has set ours.
            self.keys.iter_mut().for_each(Keys::leave_to_program);
            self.reader = None;
        }
        self.lent
    }

    /// Whether the command had the terminal, and so got typed keys instead of us.
    pub(super) fn is_lent(&self) -> bool {
        self.lent || self.keys.is_some()
    }

    /// Notes that we send `signal` to the command's group.
    pub(super) fn expect(&mut self, signal: Signal) {
        self.sentinel.expect(signal);
    }

    /// Readable when a signal may have been typed.
    pub(super) fn typed(&self) -> Option<BorrowedFd<'_>> {
        self.sentinel.died()
    }

    /// The typed signal, if one asks to stop. A program that reads keys restores the terminal while
    /// it handles the signal, so the last look counts as well.
    pub(super) fn take_typed(&mut self) -> Option<Signal> {
        let before = self.keys_read;
        let typed = self.sentinel.ask();
        let keys_are_read = before | self.look();
        typed.filter(|_| !keys_are_read)
    }

    /// The signal typed in the last moment, if there was one. Later signals are not seen.
    pub(super) fn last_typed(&mut self) -> Option<Signal> {
        let keys_are_read = self.keys_read;
        self.sentinel.dismiss().filter(|_| !keys_are_read)
    }

    /// Makes signals typed from here on visible.
    pub(super) fn watch_on(&mut self) {
        if self.lent {
            self.sentinel.post();
        }
    }

    /// Looks whether a program reads keys from the terminal, not lines. A terminal that was set so
    /// before is no program's doing here.
    pub(super) fn look(&mut self) -> bool {
        let reads_lines = |modes: &Termios| modes.local_modes.contains(LocalModes::ICANON);
        let now = match self.lent && self.modes.as_ref().is_some_and(reads_lines) {
            true => tcgetattr(self.terminal.fd.as_fd()).ok(),
            false => None,
        };
        let is_set = now.is_some_and(|modes| !reads_lines(&modes));
        self.keys_read = is_set || self.keys.is_some();
        self.keys_read
    }

    /// Passes the keys of the person's terminal to the program that reads them from `pty`, which is
    /// set so; without one, to none.
    pub(super) fn serve_keys(&mut self, pty: Option<&Pty>) {
        let set = pty.and_then(|pty| Some((pty, pty.key_modes()?)));
        match (&mut self.keys, set) {
            (None, None) => {}
            (Some(keys), Some((pty, modes))) => {
                keys.follow(modes);
                let reader = self.reader.unwrap_or(self.command);
                // `stty <&1` had it open to read, and has ended before any program reads.
                if keys.are_in_doubt() && !pty.is_read_by(reader.as_raw_pid()) {
                    keys.leave_to_program();
                    match self.reader.take() {
                        Some(reader) => self.return_to(reader),
                        None => drop(self.lend()),
                    }
                }
            }
            (Some(_), None) => {
                if let Some(reader) = self.end_keys() {
                    self.return_to(reader);
                }
            }
            (None, Some((pty, modes))) => {
                let fd = &self.terminal.fd;
                let Ok(holder) = tcgetpgrp(fd) else { return };
                let is_ours = holder == getpgrp();
                if !is_ours && !self.is_of_command(holder) {
                    return;
                }
                let group = if is_ours { self.command } else { holder };
                let target = match pty.is_read_by(group.as_raw_pid()) {
                    true => pty.source().ok(),
                    false => None,
                };
                if target.is_some() && !is_ours {
                    // A signal typed at a program that reads keys is no wish of the user's.
                    let _ = self.sentinel.dismiss();
                    let _ = tcsetpgrp(fd, getpgrp());
                    self.lent = false;
                    self.reader = Some(holder);
                } else if target.is_none() && is_ours && !self.lend() {
                    return;
                }
                self.keys = Keys::begin(&self.terminal.fd, modes, target).ok();
            }
        }
    }

    /// Whether `group` is the command's, or descends from it.
    fn is_of_command(&self, group: Pid) -> bool {
        let mut pid = group.as_raw_pid();
        while pid != self.command.as_raw_pid() {
            match Stat::read(pid) {
                Some(stat) if stat.parent > 0 => pid = stat.parent,
                _ => return false,
            }
        }
        true
    }

    /// Puts the person's terminal back, and returns the group that had the foreground.
    fn end_keys(&mut self) -> Option<Pid> {
        self.keys.take()?.end();
        self.reader.take()
    }

    /// Gives the foreground back to `reader`.
    fn return_to(&mut self, reader: Pid) {
        if reader == self.command {
            self.lend();
        } else if tcgetpgrp(&self.terminal.fd) == Ok(getpgrp()) {
            self.lent = tcsetpgrp(&self.terminal.fd, reader).is_ok();
        }
    }

    /// Puts the person's terminal back before we are stopped. The group that had the foreground
    /// gets it again when we are continued.
    pub(super) fn rest_keys(&mut self) {
        self.lent |= self.end_keys().is_some();
    }

    /// The descriptors that keys wait for: one to read from, one to write to.
    pub(super) fn keys_wait(&self) -> (Option<BorrowedFd<'_>>, Option<BorrowedFd<'_>>) {
        let keys = self.keys.as_ref();
        (keys.and_then(Keys::readable), keys.and_then(Keys::writable))
    }

    /// Readable when keys were typed that the command may read from a terminal of ours.
    pub(super) fn unread(&self) -> Option<BorrowedFd<'_>> {
        let is_watched = self.is_command_typed_at() && self.unread.wait().is_none();
        is_watched.then(|| self.terminal.fd.as_fd())
    }

    /// Time until the next look at typed keys that are not read.
    pub(super) fn unread_wait(&self) -> Option<Duration> {
        self.unread.wait().filter(|_| self.is_command_typed_at())
    }

    /// Whether keys go to the command, and are not passed on.
    fn is_command_typed_at(&self) -> bool {
        self.lent && !self.keys.as_ref().is_some_and(Keys::are_passed_on)
    }

    /// Moves typed keys that are not read to the terminal at which a program of the foreground
    /// waits for them: one of `ptys`.
    pub(super) fn pass_unread(&mut self, ptys: &[Pty]) {
        let fd = &self.terminal.fd;
        if !self.is_command_typed_at() || !is_readable(fd) {
            return self.unread.forget();
        }
        let reader = tcgetpgrp(fd).ok();
        let reader = reader.filter(|&reader| self.is_of_command(reader));
        let awaited = reader.and_then(|reader| {
            let mut ptys = ptys.iter();
            let pty = ptys.find(|pty| pty.is_awaited_by(reader.as_raw_pid()))?;
            Some((reader, pty.source().ok()?))
        });
        let Some((reader, pty)) = awaited else {
            return self.unread.look_again();
        };
        // Only the foreground may read; no program notices that we had it for a moment.
        if tcsetpgrp(fd, getpgrp()).is_ok() {
            keys::put(fd, &pty);
            self.lent = tcsetpgrp(fd, reader).is_ok();
        }
        self.unread.forget();
    }

    /// Passes keys on, and sends the signals among them to their reader.
    pub(super) fn pass_keys(&mut self) {
        // A process that reads from a terminal without its foreground is stopped.
        if tcgetpgrp(&self.terminal.fd) != Ok(getpgrp()) {
            self.end_keys();
            return;
        }
        let signals = self.keys.as_mut().map(Keys::step).unwrap_or_default();
        for signal in signals {
            let _ = kill_process_group(self.reader.unwrap_or(self.command), signal);
        }
    }

    /// Lends it again after we were continued: the shell has given it to us, or left it elsewhere.
    pub(super) fn lend_again(&mut self) {
        if std::mem::take(&mut self.lent) {
            self.lend();
        }
    }

    /// Takes it back from the command, which is over. A killed command may have left the terminal
    /// in a mode that no person can type in; one that exited meant its settings.
    pub(super) fn take_back(&mut self, was_killed: bool) {
        self.lent |= self.end_keys().is_some();
        let _ = self.sentinel.dismiss();
        if !std::mem::take(&mut self.lent) {
            return;
        }
        let _ = tcsetpgrp(&self.terminal.fd, getpgrp());
        if let Some(modes) = self.modes.as_ref().filter(|_| was_killed) {
            let _ = tcsetattr(&self.terminal.fd, OptionalActions::Drain, modes);
        }
    }
}

impl Drop for Foreground {
    fn drop(&mut self) {
        self.take_back(true);
    }
}
