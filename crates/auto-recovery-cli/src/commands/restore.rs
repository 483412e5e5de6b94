//! `recover restore`.

use auto_recovery::run::{SessionTree, TreeRestored};
use auto_recovery::{Error, ErrorKind, Result};
use serde::Serialize;

use crate::app::App;
use crate::args::RestoreArgs;
use crate::commands::session;
use crate::exit::Exit;
use crate::output::counted;

/// A tree that was put back.
#[derive(Serialize)]
struct Restored<'a> {
    session_id: &'a str,
    workspace: String,
    checkpoint: &'a str,
    restored: &'a [String],
    foreign: &'a [String],
    not_covered: &'a [String],
    taken_back_by: &'a str,
}

/// Puts the tree back to how a session found it, or to how attempt N left it.
///
/// # Errors
/// If there is no such session, attempt or checkpoint, or a recovery works in the workspace.
pub(crate) fn restore(app: &App, args: RestoreArgs) -> Result<Exit> {
    let RestoreArgs {
        session,
        attempt,
        last,
    } = args;
    let place = app.place()?;
    let session_id = match session {
        Some(session) => session,
        None => session::named_or_newest(&*place.store, None, &app.printer)?,
    };
    let tree = match attempt.or(last.flatten()) {
        Some(number) => SessionTree::After(number),
        None => SessionTree::Beginning,
    };
    let restored = place.restore(&session_id, tree).or_else(|error| {
        let is_unknown =
            error.kind() == ErrorKind::NotFound && !place.store.is_known(&session_id)?;
        Err(match is_unknown {
            true => Error::new(
                ErrorKind::NotFound,
                format!("no session {session_id}; `recover sessions` lists them"),
            ),
            false => error,
        })
    })?;
    tell(app, &session_id, &restored)?;
    Ok(Exit::OK)
}

fn tell(app: &App, session_id: &str, restored: &TreeRestored) -> Result<()> {
    let printer = &app.printer;
    let workspace = restored.root.display().to_string();
    if printer.json {
        return printer.json(&Restored {
            session_id,
            workspace,
            checkpoint: &restored.checkpoint,
            restored: &restored.restored,
            foreign: &restored.foreign,
            not_covered: &restored.not_covered,
            taken_back_by: &restored.taken_back_by,
        });
    }
    for path in &restored.restored {
        printer.text(&format!("{}\n", crate::output::escape_text(path)))?;
    }
    for path in &restored.foreign {
        printer.warn(format_args!(
            "{path} was changed meanwhile by somebody else, and kept"
        ));
    }
    for path in &restored.not_covered {
        printer.warn(format_args!("{path} differs, and no checkpoint holds it"));
    }
    match restored.restored.len() {
        0 => printer.note(format_args!("{workspace} was as wanted already")),
        count => printer.note(format_args!(
            "put back {} in {workspace} · take it back with `recover restore {}`",
            counted(count as u64, "path"),
            restored.taken_back_by
        )),
    }
    Ok(())
}
