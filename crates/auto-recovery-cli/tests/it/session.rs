//! A person at a terminal, in front of `recover`: a session of its own on a pseudo terminal.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::process::{Child, Command, ExitStatus, Stdio};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags};
use rustix::process::Pid;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};

use crate::harness::Machine;

/// How long something may take that the person waits for.
const PATIENCE: Timespec = Timespec {
    tv_sec: 20,
    tv_nsec: 0,
};

/// The person's side.
pub(crate) struct Session {
    keyboard: File,
    /// The program's side, so that the terminal stays when the program ends.
    terminal: OwnedFd,
    child: Child,
    seen: Vec<u8>,
}

impl Session {
    /// Starts `recover` with `args`, whose terminal it is.
    pub(crate) fn start(machine: &Machine, args: &[&str]) -> Self {
        Self::sized(machine.command(args), 24, 200)
    }

    /// Starts `sh` with `script`, which finds `recover` in `$RECOVER`. With job control, each job
    /// has the foreground in its turn.
    pub(crate) fn shell(machine: &Machine, script: &str) -> Self {
        Self::sized(machine.shell(script), 24, 200)
    }

    /// Starts `command` on a terminal of `lines` and `columns`.
    #[expect(
        clippy::disallowed_methods,
        reason = "tests start the program they test"
    )]
    pub(crate) fn sized(command: Command, lines: u16, columns: u16) -> Self {
        let keyboard = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)
            .expect("a pseudo terminal");
        grantpt(&keyboard).expect("granted");
        unlockpt(&keyboard).expect("unlocked");
        let name = ptsname(&keyboard, Vec::new()).expect("a name");
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
        let terminal = rustix::fs::open(name, flags, Mode::empty()).expect("opened");
        let size = Winsize {
            ws_row: lines,
            ws_col: columns,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        tcsetwinsize(&terminal, size).expect("resized");
        let mut session = Command::new("setsid");
        session
            .arg("-c")
            .arg(command.get_program())
            .args(command.get_args());
        let variables = command.get_envs();
        session
            .env_clear()
            .envs(variables.filter_map(|(name, value)| Some((name, value?))));
        session.env("TERM", "xterm").env("NO_COLOR", "1");
        if let Some(directory) = command.get_current_dir() {
            session.current_dir(directory);
        }
        let stream = || Stdio::from(terminal.try_clone().expect("cloned"));
        session.stdin(stream()).stdout(stream()).stderr(stream());
        Self {
            child: session.spawn().expect("start a session"),
            keyboard: keyboard.into(),
            terminal,
            seen: Vec::new(),
        }
    }

    /// Types `keys`.
    pub(crate) fn press(&mut self, keys: &[u8]) {
        self.keyboard.write_all(keys).expect("typed");
    }

    /// The leader of the session: `recover`, where it was started directly.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What was shown until now.
    pub(crate) fn seen(&self) -> String {
        String::from_utf8_lossy(&self.seen).replace("\r\n", "\n")
    }

    /// The same, to the byte.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.seen
    }

    /// Whether what is typed is read by lines now, and shown.
    pub(crate) fn reads_lines(&self) -> bool {
        let modes = tcgetattr(&self.terminal).expect("modes").local_modes;
        modes.contains(LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG)
    }

    /// Reads until `words` were shown.
    pub(crate) fn wait_for(&mut self, words: &str) {
        while !self.seen().contains(words) {
            assert!(self.read(&PATIENCE), "no {words:?} in {:?}", self.seen());
        }
    }

    /// Waits until `recover` has ended, reading what it shows.
    pub(crate) fn end(&mut self) -> ExitStatus {
        let ended = rustix::process::pidfd_open(
            Pid::from_child(&self.child),
            rustix::process::PidfdFlags::empty(),
        )
        .expect("a handle of the session");
        loop {
            let mut fds = [
                PollFd::new(&ended, PollFlags::IN),
                PollFd::new(&self.keyboard, PollFlags::IN),
            ];
            let ready = poll(&mut fds, Some(&PATIENCE)).expect("polled");
            assert!(ready > 0, "it does not end: {:?}", self.seen());
            let (is_over, shows) = (!fds[0].revents().is_empty(), !fds[1].revents().is_empty());
            if shows {
                self.read(&PATIENCE);
            } else if is_over {
                return self.child.wait().expect("it was started");
            }
        }
    }

    /// Reads once; whether anything came within `limit`.
    fn read(&mut self, limit: &Timespec) -> bool {
        let mut fds = [PollFd::new(&self.keyboard, PollFlags::IN)];
        if poll(&mut fds, Some(limit)).expect("polled") == 0 {
            return false;
        }
        let mut buffer = [0; 4096];
        let count = self
            .keyboard
            .read(&mut buffer)
            .expect("we hold the other end");
        self.seen.extend_from_slice(&buffer[..count]);
        true
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // A test that failed leaves nobody at the terminal.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
