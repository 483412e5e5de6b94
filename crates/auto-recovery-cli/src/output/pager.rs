//! A pager for what is longer than the screen: the user's own, else `less`.
//!
//! Where there is none, or it cannot be started or fails, everything is printed as it is.

use std::ffi::OsString;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;

use auto_recovery::interrupt::Interrupt;
use auto_recovery::process::Signals;

use crate::settings::Environment;

/// How `less` is to be where the user has not said: it ends by itself when all fits on the screen,
/// shows colours, and leaves the screen as it is. As in git. What it is given is UTF-8, whatever
/// the locale says.
const LESS: &str = "FRX";

/// What shows long output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pager {
    /// For `sh`.
    command: String,
    /// Whether the user says how `less` is to be.
    has_less: bool,
    /// The directories in which it is looked for.
    search_path: Option<OsString>,
}

impl Pager {
    /// The pager of the user; none where that is nothing, or `cat`, or the terminal is a dumb one.
    pub(crate) fn of(environment: &Environment) -> Option<Self> {
        let command = match environment.pager.as_deref() {
            None => "less",
            Some(command) => command.trim(),
        };
        let shows_as_it_is = matches!(command, "" | "cat") || environment.color.is_dumb;
        (!shows_as_it_is).then(|| Self {
            command: command.to_owned(),
            has_less: environment.has_less,
            search_path: environment.search_path.clone(),
        })
    }

    /// The program of its own that the user names and that is not there; a line for a shell that
    /// is more than words may be anything.
    pub(crate) fn missing(&self) -> Option<&str> {
        let name = self.command.split_whitespace().next()?;
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./+".contains(c);
        let is_there = |path: PathBuf| path.is_file();
        let found = match name.contains('/') {
            true => is_there(name.into()),
            false => {
                let path = self.search_path.as_deref()?;
                std::env::split_paths(path).any(|dir| is_there(dir.join(name)))
            }
        };
        (name.chars().all(is_plain) && !found).then_some(name)
    }

    /// Shows `text` and waits until the user has seen it. Returns whether it was shown.
    pub(crate) fn show(&self, text: &str) -> bool {
        // While somebody reads, what is typed is the pager's to judge: Ctrl-C too.
        let interrupt = Interrupt::new().map(Arc::new);
        let _signals = interrupt.and_then(Signals::install);
        let Ok(mut child) = self.process().stdin(Stdio::piped()).spawn() else {
            return false;
        };
        if let Some(mut stdin) = child.stdin.take() {
            // Who has seen enough closes the pager.
            stdin.write_all(text.as_bytes()).ok();
        }
        // One that fails may have shown nothing: rather twice than not at all. A signal is from
        // whoever has seen enough.
        child
            .wait()
            .is_ok_and(|status| status.code().is_none_or(|code| code == 0))
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "the pager is the user's: it has the terminal and leaves nothing behind to end"
    )]
    fn process(&self) -> Command {
        let mut process = Command::new("sh");
        process.args(["-c", &self.command]);
        if !self.has_less {
            process.env("LESS", LESS).env("LESSCHARSET", "utf-8");
        }
        process
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pager_that_is_not_there_is_named_and_a_line_for_a_shell_is_left_to_it() {
        let dir = tempfile::tempdir().expect("a directory");
        std::fs::write(dir.path().join("more"), "").expect("a file");
        for (pager, missing) in [
            ("more -s", None),
            ("nonesuch -s", Some("nonesuch")),
            ("/none/such", Some("/none/such")),
            ("LESS=x nonesuch", None),
        ] {
            let environment = Environment {
                pager: Some(pager.to_owned()),
                search_path: Some(dir.path().into()),
                ..Environment::default()
            };
            let pager = Pager::of(&environment).expect("a pager");
            assert_eq!(pager.missing(), missing);
        }
    }

    #[test]
    fn a_pager_is_the_users_own_or_less_or_none() {
        for (pager, expected) in [
            (None, Some("less")),
            (Some("more -s"), Some("more -s")),
            (Some(""), None),
            (Some("cat"), None),
        ] {
            let environment = Environment {
                pager: pager.map(str::to_owned),
                ..Environment::default()
            };
            let found = Pager::of(&environment).map(|pager| pager.command);
            assert_eq!(found.as_deref(), expected);
        }
    }
}
