//! Asking once, on the terminal, whether what the project's `recover.toml` names may run.
//!
//! Asked after a failure, just before the first of its commands would run, for the content that was
//! read when the run began. A clear answer is remembered in the state. Where nobody can be asked,
//! the commands are named and run: whose file it is was asked when it was read. Nothing but the
//! answer is taken from the terminal, for what else is typed is the command's.

use std::collections::BTreeSet;
use std::io;
use std::os::fd::AsFd as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use auto_recovery::host::Host;
use auto_recovery::interrupt::Interrupt;
use auto_recovery::run::{Consent, Consented, StrategyCommand};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{Errno, ioctl_fionread};
use rustix::process::getpgrp;
use rustix::termios::{
    InputModes, LocalModes, OptionalActions, Termios, isatty, tcgetattr, tcgetpgrp, tcsetattr,
};

use crate::hints;
use crate::output::{Printer, Status, counted, with_short_words};
use crate::settings::{Project, Settings, Trusted, TrustedContent};

/// The most that is shown with a question: a person reads that, and it fits a screen or two. Nobody
/// agrees to what could not be shown.
const SHOWN_COMMANDS_MAX: usize = 40;
const SHOWN_CHARS_MAX: usize = 6_000;

/// Bytes of an answer: what a terminal's line holds.
const ANSWER_BYTES_MAX: usize = 4096;

/// Asks for the commands of the project's file.
pub(super) struct ProjectConsent {
    project: Project,
    workspace: PathBuf,
    trusted: Trusted,
    printer: Printer,
    status: Arc<Status>,
    host: Arc<dyn Host>,
    interrupt: Arc<Interrupt>,
    /// What holds for this run, once it is known.
    decided: Option<Decided>,
    /// Commands that were spoken of.
    told: BTreeSet<String>,
}

/// What a question needs of the run.
pub(super) struct Asking<'a> {
    /// Where it is asked.
    pub(super) printer: &'a Printer,
    /// The moving line, which must not cover it.
    pub(super) status: &'a Arc<Status>,
    /// The clock that bounds it.
    pub(super) host: &'a Arc<dyn Host>,
    /// What ends it.
    pub(super) interrupt: &'a Arc<Interrupt>,
}

/// The refusal of a command of the project ends so; the narrator does not repeat it.
pub(super) const LETS_IT_RUN: &str = " · `recover trust` lets it run";

/// What holds for the commands of the file.
#[derive(Clone)]
enum Decided {
    /// Somebody agreed.
    Agreed,
    /// Nobody can be asked.
    Unasked,
    /// They do not run; why.
    Declined(String),
    /// The run ended while somebody was asked.
    Stopped,
}

/// What came of a question.
enum Answer {
    Yes,
    No,
    /// None that counts; why.
    None(&'static str),
    Stopped,
}

impl ProjectConsent {
    /// Asks for what `settings` have of a project's file, if they have one.
    pub(super) fn of(settings: &Settings, with: Asking<'_>) -> Option<Self> {
        let Asking {
            printer,
            status,
            host,
            interrupt,
        } = with;
        Some(Self {
            project: settings.project.clone()?,
            workspace: settings.workspace.clone(),
            trusted: Trusted::of(&settings.state_dir.value),
            printer: printer.clone(),
            status: Arc::clone(status),
            host: Arc::clone(host),
            interrupt: Arc::clone(interrupt),
            decided: None,
            told: BTreeSet::new(),
        })
    }

    fn decide(&self, time_left: Option<Duration>) -> Decided {
        let sha256 = self.project.sha256();
        let said = self.trusted.said_of(&self.project.path, &sha256);
        if said == Some(true) || self.trusted.has(&self.workspace) {
            return Decided::Agreed;
        }
        if said == Some(false) {
            return Decided::Declined("you said no to that".to_owned());
        }
        if !isatty(io::stdin()) || !isatty(io::stderr()) {
            return Decided::Unasked;
        }
        let (decided, may_run) = match self.ask(time_left) {
            Answer::Yes => (Decided::Agreed, true),
            Answer::No => (Decided::Declined("you said no".to_owned()), false),
            Answer::None(why) => return Decided::Declined(why.to_owned()),
            Answer::Stopped => return Decided::Stopped,
        };
        let content = TrustedContent {
            path: self.project.path.to_path_buf(),
            sha256,
            may_run,
        };
        if let Err(error) = self.trusted.say(&content, &*self.host) {
            let error = hints::chain(&error);
            self.printer
                .warn(format_args!("this answer is not remembered: {error}"));
        }
        decided
    }

    /// Asks on the terminal. What was typed before the question answers nothing, and is left to the
    /// command that it was typed for.
    fn ask(&self, time_left: Option<Duration>) -> Answer {
        let terminal = io::stdin();
        // Who reads from the background is stopped.
        if tcgetpgrp(&terminal).is_ok_and(|group| group != getpgrp()) {
            return Answer::None("nobody can be asked from the background");
        }
        let Some(shown) = self.shown() else {
            return Answer::None("they are too many or too long to be shown in a question");
        };
        let _modes = Modes::for_lines();
        if ioctl_fionread(&terminal).is_ok_and(|count| count > 0) {
            return Answer::None("something was typed before anybody was asked");
        }
        self.printer.ask(
            &shown,
            "run them now, and whenever the file is as it is now? [y/N]",
        );
        let answer = self.read(time_left);
        self.printer.answered(!matches!(answer, Answer::Stopped));
        answer
    }

    /// The commands that the question is about, a line each, if they can all be shown.
    fn shown(&self) -> Option<Vec<String>> {
        let commands = &self.project.commands;
        let path = self.project.path.display();
        let mut lines = vec![format!(
            "{path} names {}, and you have not agreed to that:",
            counted(commands.len() as u64, "command")
        )];
        lines.extend(
            commands
                .iter()
                .map(|(key, command)| format!("  {key}: {command}")),
        );
        let chars: usize = lines.iter().map(String::len).sum();
        let fits = commands.len() <= SHOWN_COMMANDS_MAX && chars <= SHOWN_CHARS_MAX;
        fits.then_some(lines)
    }

    /// Reads one line, and no byte behind it.
    fn read(&self, time_left: Option<Duration>) -> Answer {
        let terminal = io::stdin();
        let now = || self.host.monotonic();
        let until = time_left.map(|left| now().saturating_add(left));
        let mut line = Vec::new();
        while line.len() < ANSWER_BYTES_MAX {
            if self.interrupt.raised().is_some() {
                return Answer::Stopped;
            }
            let left = until.map(|until| until.saturating_sub(now()));
            if left.is_some_and(|left| left.is_zero()) {
                return Answer::Stopped;
            }
            let mut fds = vec![PollFd::new(&terminal, PollFlags::IN)];
            if let Some(raised) = self.interrupt.first() {
                fds.push(PollFd::from_borrowed_fd(raised, PollFlags::IN));
            }
            let left = left.and_then(|left| Timespec::try_from(left).ok());
            let is_ready = match poll(&mut fds, left.as_ref()) {
                Ok(_) => !fds[0].revents().is_empty(),
                Err(Errno::INTR) => false,
                Err(_) => return Answer::None("the terminal could not be read"),
            };
            if !is_ready {
                continue;
            }
            let mut byte = [0];
            match rustix::io::read(terminal.as_fd(), &mut byte) {
                Ok(0) => return Answer::None("nobody answered"),
                Ok(_) if byte[0] == b'\n' => return meaning(&line),
                Ok(_) => line.push(byte[0]),
                Err(Errno::INTR | Errno::AGAIN) => {}
                Err(_) => return Answer::None("the terminal could not be read"),
            }
        }
        Answer::None("that was neither yes nor no")
    }

    /// Says something of `command`, once.
    fn tell(&mut self, command: &StrategyCommand, line: &str) {
        if self.told.insert(command.display.clone()) {
            self.status.over(|| self.printer.note(line));
        }
    }
}

impl Consent for ProjectConsent {
    fn may_run(&mut self, command: &StrategyCommand, time_left: Option<Duration>) -> Consented {
        let decided = match self.decided.clone() {
            Some(decided) => decided,
            None => {
                self.status.idle();
                let decided = self.decide(time_left);
                self.decided.insert(decided).clone()
            }
        };
        let path = self.project.path.display();
        let what = format!("`{}` of {path}", command.display);
        match decided {
            Decided::Agreed => Consented::Yes,
            Decided::Unasked => {
                self.tell(command, &format!("runs {what}"));
                Consented::Yes
            }
            Decided::Declined(why) => {
                let why = format!("{what}: {why}{LETS_IT_RUN}");
                self.tell(command, &with_short_words(&format!("does not run {why}")));
                Consented::No(why)
            }
            Decided::Stopped => Consented::Stopped,
        }
    }
}

/// What `line` says.
fn meaning(line: &[u8]) -> Answer {
    let line = line.trim_ascii().to_ascii_lowercase();
    match line.as_slice() {
        b"y" | b"yes" => Answer::Yes,
        b"" | b"n" | b"no" => Answer::No,
        _ => Answer::None("that was neither yes nor no"),
    }
}

/// The terminal of stdin, set to read lines and show what is typed, as it was before once dropped:
/// the command that failed may have left it otherwise.
struct Modes(Option<Termios>);

impl Modes {
    fn for_lines() -> Self {
        let terminal = io::stdin();
        let Ok(before) = tcgetattr(&terminal) else {
            return Self(None);
        };
        let mut modes = before.clone();
        modes.input_modes |= InputModes::ICRNL;
        modes.input_modes -= InputModes::IGNCR | InputModes::INLCR;
        modes.local_modes |= LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG;
        let is_same = |a: &Termios, b: &Termios| {
            (a.input_modes, a.local_modes) == (b.input_modes, b.local_modes)
        };
        if is_same(&before, &modes) || tcsetattr(&terminal, OptionalActions::Now, &modes).is_err() {
            return Self(None);
        }
        Self(Some(before))
    }
}

impl Drop for Modes {
    fn drop(&mut self) {
        if let Some(before) = &self.0 {
            let terminal = io::stdin();
            // A terminal that is gone has no modes.
            let _ = tcsetattr(terminal, OptionalActions::Now, before);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_clear_yes_is_one() {
        let check = |line: &str, expected: &str| {
            let answer = match meaning(line.as_bytes()) {
                Answer::Yes => "yes",
                Answer::No => "no",
                Answer::None(_) | Answer::Stopped => "none",
            };
            assert_eq!(answer, expected, "{line:?}");
        };
        for line in ["y", "Y", "yes", " YES ", "yes\r"] {
            check(line, "yes");
        }
        for line in ["", "n", "No", " "] {
            check(line, "no");
        }
        for line in ["yess", "y y", "ja", "\u{1b}[Ay", "1"] {
            check(line, "none");
        }
    }
}
