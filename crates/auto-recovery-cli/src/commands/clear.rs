//! `recover clear`: trails removed, with a record that they were.

use std::io::{self, BufRead, IsTerminal, Write};
use std::path::Path;

use auto_recovery::audit::AuditStore;
use auto_recovery::audit::session_id::short;
use auto_recovery::{Error, ErrorKind, Result};
use serde::Serialize;

use crate::args::ClearArgs;
use crate::artifacts;
use crate::commands::around::Around;
use crate::commands::session::{self, Trail};
use crate::context::Context;
use crate::exit::Exit;
use crate::hints;
use crate::output::{Printer, counted, escape_text};

/// A session that was removed.
#[derive(Serialize)]
struct Cleared {
    session_id: String,
    entries: u64,
}

/// Removes the session that is named, or every session. Asks first unless told not to.
pub(crate) fn clear(context: &Context, args: ClearArgs) -> Result<Exit> {
    let ClearArgs {
        session,
        all: _,
        yes,
    } = args;
    let opened = context.store()?;
    let (store, printer) = (&*opened, &context.printer);
    let mut all_may_go = true;
    let is_of_all = session.is_none();
    let mut name = String::new();
    let (sessions, question) = match session {
        Some(session) => {
            let session = to_remove(store, session, yes)?;
            if let Some(held) = session::facts(store, &session)?.held {
                printer.warn(hints::chain(&held.refusal(&session)));
                return Ok(Exit::NOT_FOUND);
            }
            name = session::told_of(store, &session, &context.settings.workspace)?;
            let question = format!("remove session {name} with its outputs and checkpoints?");
            (vec![session], question)
        }
        None => {
            let (sessions, all) = all_that_may_go(store, printer)?;
            all_may_go = all;
            let question = format!(
                "remove all of {}, {}, with their outputs and checkpoints?",
                counted(sessions.len() as u64, "session"),
                store.url()
            );
            (sessions, question)
        }
    };
    if !sessions.is_empty() && !yes && !confirmed(&question)? {
        printer.note("nothing was removed");
        return Ok(Exit::NOT_FOUND);
    }
    let mut cleared = Vec::new();
    let ids: Vec<&str> = sessions.iter().map(String::as_str).collect();
    let seals = Around::begin(context, &opened, &ids);
    for session_id in &sessions {
        match clear_one(context, store, session_id) {
            // A session that is gone by now was cleared by somebody else.
            Ok(None) => {}
            Ok(Some(entries)) => cleared.push(Cleared {
                session_id: session_id.clone(),
                entries,
            }),
            Err(error) if is_of_all && error.kind().spares_others() => {
                all_may_go = false;
                let (name, why) = (short(session_id), hints::chain(&error));
                printer.warn(format_args!("session {name} stays: {why}"));
            }
            Err(error) => {
                if !cleared.is_empty() {
                    tell(&cleared, &name, printer)?;
                }
                return Err(error);
            }
        }
    }
    seals.end();
    tell(&cleared, &name, printer)?;
    Ok(match all_may_go {
        true => Exit::OK,
        false => Exit::NOT_FOUND,
    })
}

/// The session that `typed` means. What is removed is gone: where nobody is asked, it must be named
/// as it is shown, so that `job-1` of a script never is `job-10`.
fn to_remove(store: &dyn AuditStore, typed: String, yes: bool) -> Result<String> {
    let session = session::existing(store, &typed)?;
    let is_named = session == typed || short(&session) == typed;
    match yes && !is_named {
        true => Err(Error::new(
            ErrorKind::NotFound,
            format!(
                "{typed} is a piece of an id, and --yes asks nobody: give the id as shown, {}",
                short(&session)
            ),
        )),
        false => Ok(session),
    }
}

/// Every session that is not held, and whether nothing else is there. What stays is told.
fn all_that_may_go(store: &dyn AuditStore, printer: &Printer) -> Result<(Vec<String>, bool)> {
    let (sessions, damage) = store.read_sessions()?;
    let mut all = true;
    for unread in damage.iter().filter(|damage| damage.is_of_all()) {
        all = false;
        printer.warn(format_args!("{unread}: it stays"));
    }
    let mut ids = Vec::new();
    for session in sessions {
        match &session.held {
            Some(held) => {
                all = false;
                printer.warn(hints::chain(&held.refusal(&session.session_id)));
            }
            None => ids.push(session.session_id),
        }
    }
    Ok((ids, all))
}

/// Removes one session and what hangs on it.
fn clear_one(context: &Context, store: &dyn AuditStore, session_id: &str) -> Result<Option<u64>> {
    // What hangs on it would be gone by the time that the trail refuses to go.
    if let Trail::Unreadable(damage) = session::trail(store, session_id)?
        && damage.is_of_all()
    {
        return Err(session::nothing_readable(session_id, &damage)
            .context(format!("session {} is not removed", short(session_id))));
    }
    // What hangs on the trail goes first: if that fails, the session is still there to be cleared
    // once more.
    let state_dir = &context.settings.state_dir.value;
    artifacts::remove(state_dir, session_id, &context.host)?;
    artifacts::remove_from_memory(context.encryption.as_deref(), store.keys()?, session_id)?;
    store.clear(session_id)
}

/// Says what was removed, a single session by its `name` if it was named.
fn tell(cleared: &[Cleared], name: &str, printer: &Printer) -> Result<()> {
    if printer.json {
        return printer.json_lines(cleared);
    }
    let entries: u64 = cleared.iter().map(|cleared| cleared.entries).sum();
    let entries = counted(entries, "entry");
    match cleared {
        [] => printer.note("there was nothing to remove"),
        [_] if !name.is_empty() => printer.note(format_args!("removed {name} ({entries})")),
        [one] => printer.note(format_args!(
            "removed {} ({entries})",
            short(&one.session_id)
        )),
        many => printer.note(format_args!(
            "removed {} ({entries})",
            counted(many.len() as u64, "session")
        )),
    }
    Ok(())
}

/// Asks on the terminal.
///
/// # Errors
/// [`ErrorKind::InvalidInput`] where nobody can be asked.
pub(super) fn confirmed(question: &str) -> Result<bool> {
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return Err(Error::new(
            ErrorKind::InvalidInput,
            format!("{question} nobody can be asked here: pass `--yes`"),
        ));
    }
    let terminal = Path::new("the terminal");
    write!(io::stderr(), "recover: {} [y/N] ", escape_text(question))
        .and_then(|()| io::stderr().flush())
        .map_err(|error| Error::io("write to", terminal, error))?;
    let mut answer = String::new();
    io::stdin()
        .lock()
        .read_line(&mut answer)
        .map_err(|error| Error::io("read from", terminal, error))?;
    Ok(matches!(
        answer.trim().to_ascii_lowercase().as_str(),
        "y" | "yes"
    ))
}
