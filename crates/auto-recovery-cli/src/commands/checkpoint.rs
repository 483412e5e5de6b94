//! `recover checkpoint`.

use auto_recovery::Result;
use serde::Serialize;

use crate::app::App;
use crate::exit::Exit;
use crate::output::counted;

/// A tree that was marked; without a checkpoint, that none was.
#[derive(Serialize)]
struct Marked<'a> {
    checkpoint: Option<&'a str>,
    workspace: String,
    files: usize,
}

/// Marks the tree as good. Inside a recovery, whose tree is half-way and watched by it, marks
/// nothing.
///
/// # Errors
/// If it cannot be checkpointed, or a recovery works here.
pub(crate) fn checkpoint(app: &App) -> Result<Exit> {
    if let Some(session) = &app.settings.parent_session {
        return inside(app, session);
    }
    let marked = app.place()?.mark(&app.settings.cwd)?;
    for warning in &marked.warnings {
        app.printer.warn(warning);
    }
    let workspace = marked.root.display().to_string();
    if app.printer.json {
        app.printer.json(&Marked {
            checkpoint: Some(&marked.checkpoint),
            workspace,
            files: marked.files,
        })?;
    } else {
        app.printer.text(&format!("{}\n", marked.checkpoint))?;
        app.printer.note(format_args!(
            "marked {workspace} as good, {} · `recover run --rollback` goes back to it",
            counted(marked.files as u64, "file")
        ));
    }
    Ok(Exit::OK)
}

/// Says that nothing is marked inside the recovery of `session`.
fn inside(app: &App, session: &str) -> Result<Exit> {
    if app.printer.json {
        app.printer.json(&Marked {
            checkpoint: None,
            workspace: app.settings.workspace.display().to_string(),
            files: 0,
        })?;
    }
    app.printer.note(format_args!(
        "nothing is marked: this is inside the recovery of session {session}, which keeps the tree \
         itself (RECOVER_SESSION_ID is set)"
    ));
    Ok(Exit::OK)
}
