//! `recover trust`: whose `recover.toml` is used whole, although somebody else could have written
//! it.

use std::path::Path;

use auto_recovery::Result;
use auto_recovery::checkpoint;
use serde::Serialize;

use crate::exit::Exit;
use crate::output::{Printer, escape_text};
use crate::settings::{PROJECT_FILE, Trusted};

/// What became of the trust in a workspace.
#[derive(Serialize)]
struct Changed {
    workspace: String,
    trusted: bool,
    changed: bool,
}

/// Trusts `workspace`.
///
/// # Errors
/// If the list in the state cannot be read or written.
pub(crate) fn trust(state_dir: &Path, workspace: &Path, printer: &Printer) -> Result<Exit> {
    let changed = Trusted::of(state_dir).add(workspace)?;
    let root = workspace.display();
    let said = match changed {
        true => format!(
            "{root} is trusted: {} used whole · `recover trust --revoke` takes it back",
            match workspace.join(PROJECT_FILE).exists() {
                true => "its recover.toml is",
                false => "there is no recover.toml yet, and one will be",
            }
        ),
        false => format!("{root} was trusted already"),
    };
    let changed = Changed {
        workspace: root.to_string(),
        trusted: true,
        changed,
    };
    tell(&changed, &said, printer)
}

/// Trusts `workspace` no more.
///
/// # Errors
/// As [`trust`].
pub(crate) fn revoke_trust(state_dir: &Path, workspace: &Path, printer: &Printer) -> Result<Exit> {
    let changed = Trusted::of(state_dir).remove(workspace)?;
    let root = workspace.display();
    let said = match changed {
        true => format!("{root} is not trusted any more"),
        false => format!("{root} was not trusted"),
    };
    if checkpoint::is_safe_directory(workspace) {
        printer.warn(format_args!(
            "git's safe.directory names {root}, so its recover.toml is still used whole"
        ));
    }
    let changed = Changed {
        workspace: root.to_string(),
        trusted: false,
        changed,
    };
    tell(&changed, &said, printer)
}

/// Lists the workspaces that are trusted.
///
/// # Errors
/// If the list in the state cannot be read.
pub(crate) fn list_trusted(state_dir: &Path, printer: &Printer) -> Result<Exit> {
    let roots = Trusted::of(state_dir).roots()?;
    let roots: Vec<_> = roots
        .iter()
        .map(|root| root.display().to_string())
        .collect();
    if printer.json {
        printer.json_lines(&roots)?;
    } else if roots.is_empty() {
        printer.note("no workspace is trusted by `recover trust`");
    } else {
        let lines: Vec<_> = roots.iter().map(|root| escape_text(root)).collect();
        printer.text(&format!("{}\n", lines.join("\n")))?;
    }
    Ok(Exit::OK)
}

fn tell(changed: &Changed, said: &str, printer: &Printer) -> Result<Exit> {
    if printer.json {
        printer.json(changed)?;
    }
    printer.note(said);
    Ok(Exit::OK)
}
