//! Manual pages, from the same source as the help.

use std::io::{self, Write as _};

use auto_recovery::{Error, Result};
use clap::{Command, CommandFactory};
use clap_mangen::Man;

use super::{Generated, NAME};
use crate::args::Cli;

/// What `run` exits with.
const EXITS_OF_RUN: &[(&str, &str)] = &[
    ("0", "The command passed, or was recovered."),
    ("124", "The deadline or a time limit passed."),
    (
        "125",
        "recover itself failed, or refuses what was typed or configured.",
    ),
    ("126", "The command cannot be run."),
    ("127", "The command was not found."),
    (
        "other",
        "It was not recovered: the command's own code; a signal that ended it ends recover too.",
    ),
];

/// What every other command exits with.
const EXITS: &[(&str, &str)] = &[
    ("0", "Done."),
    (
        "1",
        "What was asked for is not there, or not all of it could be done.",
    ),
    ("2", "A mistake in the command line or the configuration."),
    ("125", "recover itself failed."),
];

/// The variables that are read.
const VARIABLES: &[(&str, &str)] = &[
    ("RECOVER_STORE", "The store, as --store."),
    (
        "RECOVER_STATE_DIR",
        "The directory of checkpoints and outputs.",
    ),
    ("RECOVER_CONFIG", "The file of settings, as --config."),
    (
        "RECOVER_DURABILITY",
        "When a record is acknowledged: sync or flush.",
    ),
    ("NO_COLOR", "No colours, whatever its value."),
];

/// The files that are read and written.
const FILES: &[(&str, &str)] = &[
    (
        "recover.toml",
        "Settings of a project, from the current directory up to the root of its workspace.",
    ),
    (
        "$XDG_CONFIG_HOME/recover/config.toml",
        "Your own settings; ~/.config stands in for the variable.",
    ),
    (
        "$XDG_STATE_HOME/auto-recovery",
        "Trails, checkpoints and outputs; ~/.local/state stands in for the variable.",
    ),
];

/// The page of the program as a whole.
pub(super) fn main() -> Result<Vec<u8>> {
    let mut root = Cli::command();
    root.build();
    page(&root)
}

/// `recover.1` and a page `recover-COMMAND.1` for each command.
pub(super) fn all() -> Result<Vec<Generated>> {
    let mut root = Cli::command();
    root.build();
    let mut pages = vec![Generated {
        name: format!("{NAME}.1"),
        content: page(&root)?,
    }];
    for command in root
        .get_subcommands()
        .filter(|command| command.get_name() != "help")
    {
        let name = format!("{NAME}-{}.1", command.get_name());
        pages.push(Generated {
            name,
            content: page(command)?,
        });
    }
    Ok(pages)
}

/// The manual page of `command`.
fn page(command: &Command) -> Result<Vec<u8>> {
    let mut content = Vec::new();
    render(command, &mut content).map_err(|error| Error::os("write a manual page", error))?;
    Ok(content)
}

fn render(command: &Command, out: &mut Vec<u8>) -> io::Result<()> {
    let man = Man::new(command.clone());
    man.render_title(out)?;
    man.render_name_section(out)?;
    let usage = command.clone().render_usage().to_string();
    let usage = usage.trim_start_matches("Usage: ").replace('-', "\\-");
    writeln!(out, ".SH SYNOPSIS\n.nf\n{usage}\n.fi")?;
    man.render_description_section(out)?;
    man.render_options_section(out)?;
    if command.has_subcommands() {
        man.render_subcommands_section(out)?;
    }
    if command.get_after_long_help().is_some() {
        man.render_extra_section(out)?;
    }
    let exits = match command.get_name() {
        NAME | "run" => EXITS_OF_RUN,
        _ => EXITS,
    };
    writeln!(out, ".SH EXIT STATUS")?;
    tagged(out, exits)?;
    writeln!(out, ".SH ENVIRONMENT")?;
    tagged(out, VARIABLES)?;
    writeln!(out, ".SH FILES")?;
    tagged(out, FILES)?;
    let others = Cli::command();
    let others = others.get_subcommands().map(Command::get_name);
    let mut pages: Vec<_> = others
        .filter(|name| *name != command.get_name() && *name != "help")
        .map(|name| format!(".BR {NAME}\\-{name} (1)"))
        .collect();
    if command.get_name() != NAME {
        pages.insert(0, format!(".BR {NAME} (1)"));
    }
    writeln!(out, ".SH SEE ALSO\n{}", pages.join(",\n"))?;
    match command.get_version() {
        Some(_) => man.render_version_section(out),
        None => Ok(()),
    }
}

/// A list of words, each with what it says.
fn tagged(out: &mut Vec<u8>, list: &[(&str, &str)]) -> io::Result<()> {
    for (word, says) in list {
        let (word, says) = (word.replace('-', "\\-"), says.replace('-', "\\-"));
        writeln!(out, ".TP\n.B {word}\n{says}")?;
    }
    Ok(())
}
