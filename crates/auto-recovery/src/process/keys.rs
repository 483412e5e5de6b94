//! Keys for programs that read them from the terminal they write to.
//!
//! A pager opens the terminal of its stderr for its keys; an editor may set the terminal of its
//! stdout and read its stdin. The first is our pseudo terminal, on which nobody types; the second
//! is the person's, which nobody has set. So while a program has set our pseudo terminal for
//! reading keys, the person's terminal is set alike, and what is typed is passed on where it is our
//! pseudo terminal that is read. What keys mean there, they mean here: Ctrl-C is a signal to the
//! program where it left that on, and its own affair.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use rustix::io::Errno;
use rustix::process::Signal;
use rustix::termios::{
    LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr,
};

/// Keys read at a time: more than anybody types before they are passed on, few enough to be taken.
const KEYS_MAX: usize = 1024;

/// How often a program writes before what set its terminal counts as what reads there.
const DOUBTS_MAX: u8 = 16;

/// Puts what was typed at `terminal` where `pty` is read from, as far as it takes it.
pub(super) fn put(terminal: &OwnedFd, pty: &OwnedFd) {
    let mut keys = [0; KEYS_MAX];
    if let Ok(count) = rustix::io::read(terminal, &mut keys) {
        let _ = rustix::io::write(pty, &keys[..count]);
    }
}

/// The keys of one terminal, while a program reads them.
#[derive(Debug)]
pub(super) struct Keys {
    terminal: Arc<OwnedFd>,
    /// What the person's terminal is set to when this is over.
    before: Termios,
    /// What the program set.
    wanted: Termios,
    /// Where keys are passed on to; nowhere when the program reads the person's terminal itself.
    target: Option<OwnedFd>,
    waiting: Vec<u8>,
    /// How often it is still asked whether the program reads where they are passed on to.
    doubts: u8,
}

impl Keys {
    /// Sets `terminal`, which is the person's, as a program `wanted` its own to be, whose keys go
    /// to `target`.
    pub(super) fn begin(
        terminal: &Arc<OwnedFd>,
        wanted: Termios,
        target: Option<OwnedFd>,
    ) -> io::Result<Self> {
        let keys = Self {
            terminal: terminal.clone(),
            before: tcgetattr(terminal.as_fd())?,
            wanted,
            target,
            waiting: Vec::new(),
            doubts: DOUBTS_MAX,
        };
        keys.apply()?;
        Ok(keys)
    }

    /// The program has set its terminal anew.
    pub(super) fn follow(&mut self, wanted: Termios) {
        let modes = |t: &Termios| (t.input_modes, t.local_modes);
        if modes(&wanted) != modes(&self.wanted) {
            self.wanted = wanted;
            let _ = self.apply();
        }
    }

    /// The program reads the person's terminal itself.
    pub(super) fn leave_to_program(&mut self) {
        self.target = None;
        let _ = self.apply();
    }

    /// Whether it is to be asked again if the program reads where keys are passed on to: not once
    /// some were, nor for ever, for to ask takes a look at all processes.
    pub(super) fn are_in_doubt(&mut self) -> bool {
        let in_doubt = self.target.is_some() && self.doubts > 0;
        self.doubts = self.doubts.saturating_sub(1);
        in_doubt
    }

    pub(super) fn are_passed_on(&self) -> bool {
        self.target.is_some()
    }

    /// The person's terminal is what it was.
    pub(super) fn end(self) {
        let _ = tcsetattr(&self.terminal, OptionalActions::Now, &self.before);
    }

    /// What has to be readable before the next step, if anything.
    pub(super) fn readable(&self) -> Option<BorrowedFd<'_>> {
        let reads = self.are_passed_on() && self.waiting.is_empty();
        reads.then(|| self.terminal.as_fd())
    }

    /// What has to be writable before the next step, if anything.
    pub(super) fn writable(&self) -> Option<BorrowedFd<'_>> {
        let target = self.target.as_ref()?;
        (!self.waiting.is_empty()).then(|| target.as_fd())
    }

    /// Passes keys on; what it waited for has happened. Returns the signals that were among them.
    pub(super) fn step(&mut self) -> Vec<Signal> {
        let mut signals = Vec::new();
        if self.waiting.is_empty() {
            let mut keys = [0; KEYS_MAX];
            let count = rustix::io::read(&self.terminal, &mut keys).unwrap_or(0);
            self.doubts = 0;
            for &key in &keys[..count] {
                match self.meaning(key) {
                    Some(signal) => signals.push(signal),
                    None => self.waiting.push(key),
                }
            }
        }
        let Some(target) = self.target.as_ref().filter(|_| !self.waiting.is_empty()) else {
            return signals;
        };
        match rustix::io::write(target, &self.waiting) {
            Ok(count) => drop(self.waiting.drain(..count)),
            Err(Errno::INTR | Errno::AGAIN) => {}
            // Nobody has the program's terminal open any more.
            Err(_) => self.waiting.clear(),
        }
        signals
    }

    /// The signal that `key` sends, where the program left that on.
    fn meaning(&self, key: u8) -> Option<Signal> {
        let codes = &self.wanted.special_codes;
        let is = |index: SpecialCodeIndex| codes[index] == key && key != 0;
        match self.wanted.local_modes.contains(LocalModes::ISIG) {
            true if is(SpecialCodeIndex::VINTR) => Some(Signal::INT),
            true if is(SpecialCodeIndex::VQUIT) => Some(Signal::QUIT),
            true if is(SpecialCodeIndex::VSUSP) => Some(Signal::TSTP),
            _ => None,
        }
    }

    fn apply(&self) -> io::Result<()> {
        let mut modes = self.before.clone();
        modes.input_modes = self.wanted.input_modes;
        modes.local_modes = self.wanted.local_modes & !LocalModes::EXTPROC;
        modes.special_codes = self.wanted.special_codes.clone();
        if self.are_passed_on() {
            // Every key is a byte to us, one at a time, and shown by nobody but the program.
            let ours =
                LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG | LocalModes::IEXTEN;
            modes.local_modes.remove(ours);
            modes.special_codes[SpecialCodeIndex::VMIN] = 1;
            modes.special_codes[SpecialCodeIndex::VTIME] = 0;
        }
        Ok(tcsetattr(&self.terminal, OptionalActions::Now, &modes)?)
    }
}
