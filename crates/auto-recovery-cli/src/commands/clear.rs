//! `recover clear`: trails removed, with a record that they were.

use std::io::{self, BufRead, IsTerminal, Write};
use std::path::Path;
use std::sync::Arc;

use auto_recovery::audit::AuditStore;
use auto_recovery::host::Host;
use auto_recovery::{Error, ErrorKind, Result};
use serde::Serialize;

use crate::artifacts;
use crate::commands::session;
use crate::exit::Exit;
use crate::output::{Printer, counted, escape_text};

/// A session that was removed.
#[derive(Serialize)]
struct Cleared {
    session_id: String,
    entries: u64,
}

/// Removes `session`, or every session where none is named. Asks first unless `yes`.
pub(crate) fn clear(
    store: &dyn AuditStore,
    session: Option<String>,
    yes: bool,
    state_dir: &Path,
    host: &Arc<dyn Host>,
    printer: &Printer,
) -> Result<Exit> {
    let mut all_may_go = true;
    let (sessions, question) = match session {
        Some(session) => {
            let session = session::existing(store, session)?;
            if let Some(held) = session::facts(store, &session)?.held {
                printer.warn(held.refusal(&session));
                return Ok(Exit::NOT_FOUND);
            }
            let question = format!("remove session {session} with its outputs and checkpoints?");
            (vec![session], question)
        }
        None => {
            let (held, sessions): (Vec<_>, Vec<_>) = store
                .sessions()?
                .into_iter()
                .partition(|session| session.held.is_some());
            for (session, held) in held
                .iter()
                .filter_map(|one| Some((one, one.held.as_ref()?)))
            {
                printer.warn(held.refusal(&session.session_id));
            }
            all_may_go = held.is_empty();
            let sessions: Vec<_> = sessions.into_iter().map(|one| one.session_id).collect();
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
    for session_id in sessions {
        // What hangs on the trail goes first: if that fails, the session is still there to be
        // cleared once more.
        artifacts::remove(state_dir, &session_id, host)?;
        // A session that is gone by now was cleared by somebody else.
        if let Some(entries) = store.clear(&session_id)? {
            cleared.push(Cleared {
                session_id,
                entries,
            });
        }
    }
    tell(&cleared, printer)?;
    Ok(match all_may_go {
        true => Exit::OK,
        false => Exit::NOT_FOUND,
    })
}

fn tell(cleared: &[Cleared], printer: &Printer) -> Result<()> {
    if printer.json {
        return printer.json_lines(cleared);
    }
    let entries: u64 = cleared.iter().map(|cleared| cleared.entries).sum();
    let entries = counted(entries, "entry");
    match cleared {
        [] => printer.note("there was nothing to remove"),
        [one] => printer.note(format_args!("removed {} ({entries})", one.session_id)),
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
