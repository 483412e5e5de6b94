//! Arguments of the commands that look after the store and the installation.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use clap_complete::Shell;

use crate::args::check;

const CLEAR_EXAMPLES: &str = "\
Examples:
  recover clear SESSION          asks first, on a terminal
  recover clear --all --yes      where nobody can be asked";

/// Remove trails, with their outputs and checkpoints, and leave a record that they were removed
///
/// Asks first on a terminal. Where nobody can be asked, `--yes` is needed, or nothing is removed
/// and the exit code is 2. What the journal said of a session, its command and the text of its
/// failure among it, stays in the journal.
#[derive(Args, Debug)]
#[command(after_long_help = CLEAR_EXAMPLES)]
pub(crate) struct ClearArgs {
    /// Session to remove
    #[arg(
        value_name = "SESSION",
        value_parser = check::session,
        required_unless_present = "all",
        conflicts_with = "all"
    )]
    pub(crate) session: Option<String>,

    /// Every session
    #[arg(long)]
    pub(crate) all: bool,

    /// Do not ask
    #[arg(long, short)]
    pub(crate) yes: bool,
}

const TRUST_EXAMPLES: &str = "\
Examples:
  recover trust                    the recover.toml that counts here
  recover trust ../other           that of another directory
  recover trust --revoke
  recover trust --list";

/// Let the commands of a recover.toml run without being asked
///
/// On a terminal, recover asks once before it runs a command that a project's recover.toml names.
/// This answers beforehand, for the file as it is now: look at it first. A content that changed is
/// asked about again. Without a terminal the commands are named and run.
///
/// A recover.toml that belongs neither to you nor to root, or that others can write, gives no
/// commands, recipes or rules, is not asked about, and can only make a recovery stricter; `recover
/// config` says what of it is not used. Naming it as FILE trusts what it says now. Without FILE its
/// workspace is trusted: it is used whole, now and after every change to it, whoever makes it. The
/// same holds where there is no recover.toml yet. Directories that git's safe.directory names need
/// no trust to be used whole, and are asked about.
///
/// A workspace goes by its path, so another directory that takes its place is trusted too. Programs
/// and scripts that the commands run are not looked at: they are as trusted as running them makes
/// them. Nothing else about the directory is changed, and nothing is sent anywhere.
#[derive(Args, Debug)]
#[command(after_long_help = TRUST_EXAMPLES)]
pub(crate) struct TrustArgs {
    /// A recover.toml, or its directory [default: the one that counts here]
    #[arg(value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,

    /// Trust it no more, and forget what was answered
    #[arg(long)]
    pub(crate) revoke: bool,

    /// List what is trusted
    #[arg(long, conflicts_with_all = ["revoke", "file"])]
    pub(crate) list: bool,
}

const COMPLETIONS_EXAMPLES: &str = "\
Examples:
  recover completions bash ~/.local/share/bash-completion/completions
  recover completions zsh ~/.zfunc       in ~/.zshrc, before compinit: fpath=(~/.zfunc $fpath)
  recover completions fish ~/.config/fish/completions
  recover completions man ~/.local/share/man/man1";

/// Print shell completions, or manual pages
///
/// A shell asks this program what could follow while you type: sessions, attempts, checkpoints and
/// recipes too. What stands after the options of `run` it completes as it would by itself.
#[derive(Args, Debug)]
#[command(after_long_help = COMPLETIONS_EXAMPLES)]
pub(crate) struct CompletionsArgs {
    /// A shell, or `man` for manual pages
    #[arg(value_name = "SHELL", value_enum)]
    pub(crate) what: Generate,

    /// Directory to write to, under the conventional names, instead of stdout
    #[arg(value_name = "DIR")]
    pub(crate) directory: Option<PathBuf>,
}

/// What can be generated from the command line's own description.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Generate {
    Bash,
    Elvish,
    Fish,
    #[value(name = "powershell")]
    PowerShell,
    Zsh,
    /// Manual pages: `recover(1)` and one for each command
    Man,
}

impl Generate {
    /// The shell it stands for; none for manual pages.
    pub(crate) fn shell(self) -> Option<Shell> {
        match self {
            Self::Bash => Some(Shell::Bash),
            Self::Elvish => Some(Shell::Elvish),
            Self::Fish => Some(Shell::Fish),
            Self::PowerShell => Some(Shell::PowerShell),
            Self::Zsh => Some(Shell::Zsh),
            Self::Man => None,
        }
    }
}
