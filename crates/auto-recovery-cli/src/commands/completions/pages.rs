//! Manual pages, from the same source as the help.

use std::io::{self, Write as _};

use auto_recovery::{Error, Result};
use clap::{Command, CommandFactory};
use clap_mangen::Man;

use super::{Generated, NAME};
use crate::args::{Cli, fitted};

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
        "130, 143",
        "Ctrl-C or SIGTERM ended it, as a shell says it; other signals are 128 and their number.",
    ),
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

/// What commands that prove something exit with besides.
const EXITS_OF_PROOF: &[(&str, &str)] = &[(
    "3",
    "Nothing is known to be wrong, but not all that was asked for can be proved.",
)];

/// Columns for lines that stay as they are, on a terminal of 80 and behind the margin of a page.
const COLUMNS: u16 = 72;

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
    (
        "RECOVER_TOKEN",
        "What a server is shown, where no file is named.",
    ),
    (
        "SSL_CERT_FILE",
        "Certificates to trust of servers, as a file of PEM.",
    ),
    ("NO_COLOR", "No colours, unless it is empty."),
    (
        "CLICOLOR_FORCE",
        "Colours also where no terminal is, unless it is 0 or empty.",
    ),
    ("TERM", "dumb has no colours and no pager."),
    (
        "PAGER",
        "Shows what is longer than the screen, instead of less; empty or cat for none.",
    ),
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

/// The page of another name of `command`: it is that one's.
fn alias(command: &str) -> Vec<u8> {
    format!(".so man1/{NAME}-{command}.1\n").into_bytes()
}

/// `recover.1` and a page `recover-COMMAND.1` for each command.
pub(super) fn all() -> Result<Vec<Generated>> {
    let mut root = fitted(COLUMNS);
    root.build();
    let mut pages = vec![Generated {
        name: format!("{NAME}.1"),
        content: page(&root)?,
    }];
    for command in root
        .get_subcommands()
        .filter(|command| command.get_name() != "help")
    {
        for other in command.get_visible_aliases() {
            pages.push(Generated {
                name: format!("{NAME}-{other}.1"),
                content: alias(command.get_name()),
            });
        }
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
    let man = Man::new(command.clone()).source(format!("{NAME} {}", env!("CARGO_PKG_VERSION")));
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
    if let Some(text) = command.get_after_long_help() {
        told_below(out, &text.to_string())?;
    }
    writeln!(out, ".SH EXIT STATUS")?;
    match command.get_name() {
        NAME => {
            writeln!(out, "Of \n.BR {NAME}\\-run (1):")?;
            tagged(out, EXITS_OF_RUN)?;
            writeln!(out, ".PP\nOf every other command:")?;
            tagged(out, EXITS)?;
            writeln!(
                out,
                ".PP\nOf \n.BR {NAME}\\-verify (1)\nand\n.BR {NAME}\\-proof (1)\nalso:"
            )?;
            tagged(out, EXITS_OF_PROOF)?;
        }
        "run" => tagged(out, EXITS_OF_RUN)?,
        "verify" | "proof" => tagged(out, &[EXITS, EXITS_OF_PROOF].concat())?,
        _ => tagged(out, EXITS)?,
    }
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

/// What the help has below its options: examples, whose lines stay as they are, and notes. What has
/// a section of its own is left to that.
fn told_below(out: &mut Vec<u8>, text: &str) -> io::Result<()> {
    let mut section = "";
    for block in text.split("\n\n") {
        let (first, rest) = block.split_once('\n').unwrap_or((block, ""));
        let has_section = ["Exit codes:", "Environment:", "Files:"];
        if has_section.iter().any(|head| first.starts_with(head)) {
            continue;
        }
        let is_example = matches!(first, "Examples:" | "Example:");
        let (begins, block) = match is_example {
            true => ("EXAMPLES", rest),
            false => ("NOTES", block),
        };
        match begins == section {
            true => writeln!(out, ".PP")?,
            false => writeln!(out, ".SH {begins}")?,
        }
        section = begins;
        let mut is_set = false;
        for line in block.lines() {
            if line.starts_with(' ') != is_set {
                is_set = !is_set;
                writeln!(out, "{}", if is_set { ".nf" } else { ".fi" })?;
            }
            writeln!(out, "{}", literal(line))?;
        }
        if is_set {
            writeln!(out, ".fi")?;
        }
    }
    Ok(())
}

/// `line` as a page shows it: nothing in it is a request to the formatter.
fn literal(line: &str) -> String {
    let line = line.replace('\\', "\\e").replace('-', "\\-");
    match line.starts_with(['.', '\'']) {
        true => format!("\\&{line}"),
        false => line,
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
