//! `recover checkpoint`.

use auto_recovery::Result;
use auto_recovery::audit::session_id::short;
use auto_recovery::audit::{FoundSession, find_session};
use serde::Serialize;

use crate::args::CheckpointArgs;
use crate::commands::checkpoints::short_id;
use crate::commands::restore_named::is_of_here;
use crate::context::Context;
use crate::exit::Exit;
use crate::output::{counted, session_argument};

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
    let place = context.place()?;
    let marked = place.mark(&context.settings.cwd, label)?;
    if let Some(label) = label
        && let FoundSession::One(session) = find_session(&*place.store, label)?
        && (session == label || short(&session) == label)
    {
        let takes = restored_by(context, label)?;
        context.printer.warn(format_args!(
            "{label:?} is the name of a session, too: `recover restore {}` {takes}",
            session_argument(label)
        ));
    }
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
        // A pipe is given all of it.
        let id = match context.printer.is_terminal {
            true => short_id(&marked.checkpoint),
            false => &marked.checkpoint,
        };
        context.printer.text(&format!("{id}\n"))?;
        context.printer.note(format_args!(
            "marked {workspace} as good, {} · `recover run --rollback` goes back to it",
            counted(marked.files as u64, "file")
        ));
    }
    Ok(Exit::OK)
}

/// What `recover restore` takes a `label` for that names a session as well.
fn restored_by(context: &Context, label: &str) -> Result<&'static str> {
    Ok(match is_of_here(context, &context.place()?, label)? {
        true => "takes back what that did; this tree goes by its id",
        false => "goes back to this tree",
    })
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
