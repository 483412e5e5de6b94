//! `recover trust`: whose `recover.toml` may run what it names, without being asked.

use std::fs;
use std::path::{Path, PathBuf};

use auto_recovery::workspace;
use auto_recovery::{Error, ErrorKind, Result};
use serde::Serialize;

use crate::args::TrustArgs;
use crate::context::Context;
use crate::exit::Exit;
use crate::output::{counted, escape_text};
use crate::settings::{
    Layer, Mistakes, PROJECT_FILE, SourceFile, TrustLine, Trusted, TrustedContent, commands,
    find_project, read_project_file, sha256,
};

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

/// Trusts what is named, lists what is trusted, or takes it back.
pub(crate) fn trust(context: &Context, args: TrustArgs) -> Result<Exit> {
    let TrustArgs { file, revoke, list } = args;
    match (list, revoke) {
        (true, _) => list_trusted(context),
        (false, false) => trust_one(context, file.as_deref()),
        (false, true) => revoke_trust(context, file.as_deref()),
    }
}

/// Trusts what `file` says now; where none is named, what the one that counts here says, or the
/// workspace where that file is not the user's alone or not there.
///
/// # Errors
/// If the file or the list in the state cannot be read, or the list not written.
fn trust_one(context: &Context, file: Option<&Path>) -> Result<Exit> {
    let found = match file {
        Some(file) => Some(named(file)?),
        None => project(context)?.filter(|found| found.doubt.is_none()),
    };
    match found {
        Some(found) => trust_content(context, &found),
        None => trust_workspace(context),
    }
}

fn trust_content(context: &Context, file: &SourceFile) -> Result<Exit> {
    // What is wrong in it is told now, not when it is needed.
    let commands = commands(&Layer::from_project_file(file)?);
    let content = TrustedContent {
        path: file.path.to_path_buf(),
        sha256: sha256(&file.text),
        may_run: true,
    };
    let changed = list(context).say(&content, &*context.host)?;
    let path = file.path.display();
    let said = match changed {
        true => format!(
            "{path} is trusted as it is now: {} may run · `recover trust --revoke` takes it back",
            counted(commands.len() as u64, "command")
        ),
        false => format!("{path} was trusted already, as it is now"),
    };
    context.printer.note(said);
    for (key, command) in &commands {
        context.printer.note(format_args!("  {key}: {command}"));
    }
    tell_file(context, &content.path, Some(content.sha256), changed)
}

fn trust_workspace(context: &Context) -> Result<Exit> {
    let workspace = &context.settings.workspace;
    let root = workspace.display();
    // What nobody has read yet is trusted by nobody.
    if found_path(context)?.is_none() {
        let text = format!(
            "there is no {PROJECT_FILE} in {root} to trust: `recover init` writes one, or `recover \
             trust` comes after the file"
        );
        return Err(Error::new(ErrorKind::NotFound, text));
    }
    let changed = list(context).add(workspace, &*context.host)?;
    let said = match changed {
        true => format!(
            "{root} is trusted: its {PROJECT_FILE} is used whole · `recover trust --revoke` takes \
             it back"
        ),
        false => format!("{root} was trusted already"),
    };
    tell(context, true, changed, &said)
}

/// Trusts no content of `file` more, and forgets what was answered about it; where none is named,
/// of the one that counts here, and the workspace neither.
///
/// # Errors
/// If the list in the state cannot be read or written.
fn revoke_trust(context: &Context, file: Option<&Path>) -> Result<Exit> {
    let workspace = &context.settings.workspace;
    let found = match file {
        Some(file) => Some(place(file)?),
        None => found_path(context)?,
    };
    let is_root =
        |line: &TrustLine| file.is_none() && *line == TrustLine::Workspace(workspace.clone());
    let is_file = |line: &TrustLine| {
        let content = line.content();
        content.is_some_and(|content| Some(&content.path) == found.as_ref())
    };
    let list = list(context);
    let had_root = list.lines()?.iter().any(is_root);
    let changed = list.forget(|line| is_root(line) || is_file(line), &*context.host)?;
    if workspace::is_safe_directory(workspace) {
        context.printer.warn(format_args!(
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
        return tell(context, false, changed, &said);
    }
    context.printer.note(said);
    tell_file(context, &path, None, changed)
}

/// Lists what is trusted, and what was refused.
///
/// # Errors
/// If the list in the state cannot be read.
fn list_trusted(context: &Context) -> Result<Exit> {
    let (printer, lines) = (&context.printer, list(context).lines()?);
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

fn list(context: &Context) -> Trusted {
    Trusted::of(&context.settings.state_dir.value)
}

/// Where the file that counts here is, whatever it says.
fn found_path(context: &Context) -> Result<Option<PathBuf>> {
    Ok(project(context)?.map(|found| found.path.to_path_buf()))
}

/// The file that counts here; what stands in its place is named.
fn project(context: &Context) -> Result<Option<SourceFile>> {
    let mut unread = Vec::new();
    let found = find_project(
        &context.settings.cwd,
        &context.settings.workspace,
        Mistakes::Refused,
        &mut unread,
    )?;
    for unread in &unread {
        context.printer.warn(unread);
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
    context: &Context,
    path: &Path,
    sha256: Option<String>,
    changed: bool,
) -> Result<Exit> {
    if context.printer.json {
        context.printer.json(&ChangedFile {
            file: path.display().to_string(),
            trusted: sha256.is_some(),
            sha256,
            changed,
        })?;
    }
    Ok(Exit::OK)
}

fn tell(context: &Context, trusted: bool, changed: bool, said: &str) -> Result<Exit> {
    if context.printer.json {
        context.printer.json(&Changed {
            workspace: context.settings.workspace.display().to_string(),
            trusted,
            changed,
        })?;
    }
    context.printer.note(said);
    Ok(Exit::OK)
}
