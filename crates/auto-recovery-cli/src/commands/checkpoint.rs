//! `recover checkpoint`.

use auto_recovery::Result;
use serde::Serialize;

use crate::args::CheckpointArgs;
use crate::context::Context;
use crate::exit::Exit;
use crate::output::counted;

/// A tree that was marked; without a checkpoint, that none was.
#[derive(Serialize)]
struct Marked<'a> {
    checkpoint: Option<&'a str>,
    label: Option<&'a str>,
    workspace: String,
    files: usize,
}

/// Marks the tree as good. Inside a recovery, whose tree is half-way and watched by it, marks
/// nothing.
///
/// # Errors
/// If it cannot be checkpointed, or a recovery works here.
pub(crate) fn checkpoint(context: &Context, args: CheckpointArgs) -> Result<Exit> {
    let label = args.label.as_deref();
    if let Some(session) = &context.settings.parent_session {
        return inside(context, session);
    }
    let marked = context.place()?.mark(&context.settings.cwd, label)?;
    for warning in &marked.warnings {
        context.printer.warn(warning);
    }
    let workspace = marked.root.display().to_string();
    if context.printer.json {
        context.printer.json(&Marked {
            checkpoint: Some(&marked.checkpoint),
            label,
            workspace,
            files: marked.files,
        })?;
    } else {
        context.printer.text(&format!("{}\n", marked.checkpoint))?;
        context.printer.note(format_args!(
            "marked {workspace} as good, {} · `recover run --rollback` goes back to it",
            counted(marked.files as u64, "file")
        ));
    }
    Ok(Exit::OK)
}

/// Says that nothing is marked inside the recovery of `session`.
fn inside(context: &Context, session: &str) -> Result<Exit> {
    if context.printer.json {
        context.printer.json(&Marked {
            checkpoint: None,
            label: None,
            workspace: context.settings.workspace.display().to_string(),
            files: 0,
        })?;
    }
    context.printer.note(format_args!(
        "nothing is marked: this is inside the recovery of session {session}, which keeps the tree \
         itself (RECOVER_SESSION_ID is set)"
    ));
    Ok(Exit::OK)
}
