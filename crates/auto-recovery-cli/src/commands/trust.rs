//! `recover trust`: whose `recover.toml` may run what it names, without being asked.

use std::fs;
use std::path::{Path, PathBuf};

use auto_recovery::host::Host;
use auto_recovery::workspace;
use auto_recovery::{Error, ErrorKind, Result};
use serde::Serialize;

use crate::exit::Exit;
use crate::output::{Printer, counted, escape_text};
use crate::settings::{
    Layer, Mistakes, PROJECT_FILE, Settings, SourceFile, TrustLine, Trusted, TrustedContent,
    commands, find_project, read_project_file, sha256,
};

/// Where something is trusted, and who is told.
pub(crate) struct TrustPlace<'a> {
    /// The settings that apply here.
    pub(crate) settings: &'a Settings,
    /// Where to write to.
    pub(crate) printer: &'a Printer,
    /// Clock and sleep.
    pub(crate) host: &'a dyn Host,
}

/// What became of the trust in a workspace.
#[derive(Serialize)]
struct Changed {
    workspace: String,
    trusted: bool,
    changed: bool,
}

/// What became of the trust in a file.
#[derive(Serialize)]
struct ChangedFile {
    file: String,
    sha256: Option<String>,
    trusted: bool,
    changed: bool,
}

/// A content in the list.
#[derive(Serialize)]
struct Listed<'a> {
    file: String,
    sha256: &'a str,
    trusted: bool,
}

/// Trusts what `file` says now; where none is named, what the one that counts here says, or the
/// workspace where that file is not the user's alone or not there.
///
/// # Errors
/// If the file or the list in the state cannot be read, or the list not written.
pub(crate) fn trust(at: &TrustPlace<'_>, file: Option<&Path>) -> Result<Exit> {
    let found = match file {
        Some(file) => Some(named(file)?),
        None => project(at)?.filter(|found| found.doubt.is_none()),
    };
    match found {
        Some(found) => trust_content(at, &found),
        None => trust_workspace(at),
    }
}

fn trust_content(at: &TrustPlace<'_>, file: &SourceFile) -> Result<Exit> {
    // What is wrong in it is told now, not when it is needed.
    let commands = commands(&Layer::from_project_file(file)?);
    let content = TrustedContent {
        path: file.path.to_path_buf(),
        sha256: sha256(&file.text),
        may_run: true,
    };
    let changed = list(at).say(&content, at.host)?;
    let path = file.path.display();
    let said = match changed {
        true => format!(
            "{path} is trusted as it is now: {} may run · `recover trust --revoke` takes it back",
            counted(commands.len() as u64, "command")
        ),
        false => format!("{path} was trusted already, as it is now"),
    };
    at.printer.note(said);
    for (key, command) in &commands {
        at.printer.note(format_args!("  {key}: {command}"));
    }
    tell_file(at, &content.path, Some(content.sha256), changed)
}

fn trust_workspace(at: &TrustPlace<'_>) -> Result<Exit> {
    let workspace = &at.settings.workspace;
    let changed = list(at).add(workspace, at.host)?;
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
    tell(at, true, changed, &said)
}

/// Trusts no content of `file` more, and forgets what was answered about it; where none is named,
/// of the one that counts here, and the workspace neither.
///
/// # Errors
/// If the list in the state cannot be read or written.
pub(crate) fn revoke_trust(at: &TrustPlace<'_>, file: Option<&Path>) -> Result<Exit> {
    let workspace = &at.settings.workspace;
    let found = match file {
        Some(file) => Some(place(file)?),
        None => found_path(at)?,
    };
    let is_root =
        |line: &TrustLine| file.is_none() && *line == TrustLine::Workspace(workspace.clone());
    let is_file = |line: &TrustLine| {
        let content = line.content();
        content.is_some_and(|content| Some(&content.path) == found.as_ref())
    };
    let list = list(at);
    let had_root = list.lines()?.iter().any(is_root);
    let changed = list.forget(|line| is_root(line) || is_file(line), at.host)?;
    if workspace::is_safe_directory(workspace) {
        at.printer.warn(format_args!(
            "git's safe.directory names {}, so its recover.toml is still used whole",
            workspace.display()
        ));
    }
    let (path, is_workspace) = match found {
        Some(path) if file.is_some() || (changed && !had_root) => (path, false),
        _ => (workspace.clone(), true),
    };
    let path_shown = path.display();
    let said = match changed {
        true => format!("{path_shown} is not trusted any more"),
        false => format!("{path_shown} was not trusted"),
    };
    if is_workspace {
        return tell(at, false, changed, &said);
    }
    at.printer.note(said);
    tell_file(at, &path, None, changed)
}

/// Lists what is trusted, and what was refused.
///
/// # Errors
/// If the list in the state cannot be read.
pub(crate) fn list_trusted(at: &TrustPlace<'_>) -> Result<Exit> {
    let (printer, lines) = (&at.printer, list(at).lines()?);
    if printer.json {
        printer.json_lines(&lines.iter().map(as_json).collect::<Vec<_>>())?;
    } else if lines.is_empty() {
        printer.note("nothing is trusted by `recover trust`");
    } else {
        let lines: Vec<_> = lines
            .iter()
            .map(|line| escape_text(&as_text(line)))
            .collect();
        printer.text(&format!("{}\n", lines.join("\n")))?;
    }
    Ok(Exit::OK)
}

fn as_json(line: &TrustLine) -> serde_json::Value {
    match line {
        TrustLine::Workspace(root) => root.display().to_string().into(),
        TrustLine::Content(content) => serde_json::json!(Listed {
            file: content.path.display().to_string(),
            sha256: &content.sha256,
            trusted: content.may_run,
        }),
    }
}

fn as_text(line: &TrustLine) -> String {
    match line {
        TrustLine::Workspace(root) => root.display().to_string(),
        TrustLine::Content(content) => {
            let said = match content.may_run {
                true => "as it was with",
                false => "refused with",
            };
            let path = content.path.display();
            format!("{path} ({said} SHA-256 {})", content.sha256)
        }
    }
}

fn list(at: &TrustPlace<'_>) -> Trusted {
    Trusted::of(&at.settings.state_dir.value)
}

/// Where the file that counts here is, whatever it says.
fn found_path(at: &TrustPlace<'_>) -> Result<Option<PathBuf>> {
    Ok(project(at)?.map(|found| found.path.to_path_buf()))
}

/// The file that counts here; what stands in its place is named.
fn project(at: &TrustPlace<'_>) -> Result<Option<SourceFile>> {
    let mut unread = Vec::new();
    let found = find_project(
        &at.settings.cwd,
        &at.settings.workspace,
        Mistakes::Refused,
        &mut unread,
    )?;
    for unread in &unread {
        at.printer.warn(unread);
    }
    Ok(found)
}

/// The file that somebody named, read.
fn named(file: &Path) -> Result<SourceFile> {
    let path = place(file)?;
    read_project_file(&path)?.ok_or_else(|| {
        let path = path.display();
        Error::new(ErrorKind::NotFound, format!("there is no {path}"))
    })
}

/// Where a file is that somebody named: itself, or that of the directory.
fn place(file: &Path) -> Result<PathBuf> {
    let path = match file.is_dir() {
        true => file.join(PROJECT_FILE),
        false => file.to_owned(),
    };
    if path.file_name().is_none_or(|name| name != PROJECT_FILE) {
        let path = path.display();
        return Err(Error::new(
            ErrorKind::InvalidInput,
            format!("{path} is never read by itself: name a {PROJECT_FILE}, or its directory"),
        ));
    }
    let directory = match path.parent() {
        Some(directory) if !directory.as_os_str().is_empty() => directory,
        _ => Path::new("."),
    };
    let directory =
        fs::canonicalize(directory).map_err(|error| Error::io("find", directory, error))?;
    Ok(directory.join(PROJECT_FILE))
}

fn tell_file(
    at: &TrustPlace<'_>,
    path: &Path,
    sha256: Option<String>,
    changed: bool,
) -> Result<Exit> {
    if at.printer.json {
        at.printer.json(&ChangedFile {
            file: path.display().to_string(),
            trusted: sha256.is_some(),
            sha256,
            changed,
        })?;
    }
    Ok(Exit::OK)
}

fn tell(at: &TrustPlace<'_>, trusted: bool, changed: bool, said: &str) -> Result<Exit> {
    if at.printer.json {
        at.printer.json(&Changed {
            workspace: at.settings.workspace.display().to_string(),
            trusted,
            changed,
        })?;
    }
    at.printer.note(said);
    Ok(Exit::OK)
}
