//! `recover checkpoint`.

use auto_recovery::Result;
use serde::Serialize;

use crate::app::App;
use crate::exit::Exit;

/// A tree that was marked.
#[derive(Serialize)]
struct Marked<'a> {
    checkpoint: &'a str,
    workspace: String,
    files: usize,
}

/// Marks the tree as good.
///
/// # Errors
/// If it cannot be checkpointed, or a recovery works here.
pub(crate) fn checkpoint(app: &App) -> Result<Exit> {
    let marked = app.place()?.mark(&app.settings.cwd)?;
    for warning in &marked.warnings {
        app.printer.warn(warning);
    }
    let workspace = marked.root.display().to_string();
    if app.printer.json {
        app.printer.json(&Marked {
            checkpoint: &marked.checkpoint,
            workspace,
            files: marked.files,
        })?;
    } else {
        app.printer.text(&format!("{}\n", marked.checkpoint))?;
        app.printer.note(format_args!(
            "marked {workspace} as good, {} files · `recover run --rollback` goes back to it",
            marked.files
        ));
    }
    Ok(Exit::OK)
}
