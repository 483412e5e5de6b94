//! The scripts that shells load, and the form in which each of them takes an answer.
//!
//! Where the wrapped command begins, `run` and `plan` know nothing: the shell completes that part
//! as it would without us, with what it knows of `cargo` or `git`.

use std::ffi::OsString;
use std::io::{Error, Result, Write};
use std::path::Path;

use clap::Command;
use clap_complete::Shell;
use clap_complete::env::{Bash, Elvish, EnvCompleter, Fish, Powershell, Shells, Zsh};

use super::{Generated, NAME, VARIABLE};
use crate::args::wrapped_command_at;

/// Begins the answer that the words from a number on are the wrapped command's.
const WRAPPED: char = '\u{1}';

/// A shell whose script is ours, and whose answers are those of `asked`.
struct Scripted {
    asked: &'static dyn EnvCompleter,
    script: &'static str,
}

const BASH: Scripted = Scripted {
    asked: &Bash,
    script: include_str!("recover.bash"),
};
const FISH: Scripted = Scripted {
    asked: &Fish,
    script: include_str!("recover.fish"),
};
const ZSH: Scripted = Scripted {
    asked: &Zsh,
    script: include_str!("recover.zsh"),
};

/// The shells that can ask.
pub(super) const fn all() -> Shells<'static> {
    Shells(&[&BASH, &Elvish, &FISH, &Powershell, &ZSH])
}

/// The script for `shell`.
pub(super) fn script(shell: Shell) -> auto_recovery::Result<Generated> {
    let (asked, name): (&dyn EnvCompleter, _) = match shell {
        Shell::Bash => (&BASH, "recover.bash"),
        Shell::Elvish => (&Elvish, "recover.elv"),
        Shell::Fish => (&FISH, "recover.fish"),
        Shell::PowerShell => (&Powershell, "_recover.ps1"),
        _ => (&ZSH, "_recover"),
    };
    let mut content = Vec::new();
    asked
        .write_registration(VARIABLE, NAME, NAME, NAME, &mut content)
        .map_err(|error| auto_recovery::Error::os("write a script", error))?;
    Ok(Generated {
        name: name.to_owned(),
        content,
    })
}

impl EnvCompleter for Scripted {
    fn name(&self) -> &'static str {
        self.asked.name()
    }

    fn is(&self, name: &str) -> bool {
        self.asked.is(name)
    }

    fn write_registration(
        &self,
        _variable: &str,
        _name: &str,
        _bin: &str,
        _completer: &str,
        out: &mut dyn Write,
    ) -> Result<()> {
        out.write_all(self.script.as_bytes())
    }

    fn write_complete(
        &self,
        command: &mut Command,
        words: Vec<OsString>,
        current_dir: Option<&Path>,
        out: &mut dyn Write,
    ) -> Result<()> {
        // Every script sends the words up to the one that is typed.
        let typed = words
            .len()
            .checked_sub(1)
            .ok_or_else(|| Error::other("no words"))?;
        match wrapped_command_at(&words) {
            Some(at) if at <= typed => write!(out, "{WRAPPED}{at}"),
            _ => self.asked.write_complete(command, words, current_dir, out),
        }
    }
}
