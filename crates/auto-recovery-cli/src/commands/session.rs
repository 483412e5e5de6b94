//! Which session a command is about.

use std::path::Path;

use auto_recovery::audit::{AuditStore, SessionFacts};
use auto_recovery::{Error, ErrorKind, Result};

use crate::output::Printer;

/// The session that was named, or else the newest, which is named on stderr.
///
/// # Errors
/// [`ErrorKind::NotFound`] if there is no such session, or no session at all.
pub(crate) fn named_or_newest(
    store: &dyn AuditStore,
    named: Option<String>,
    printer: &Printer,
) -> Result<String> {
    if let Some(session) = named {
        return existing(store, session);
    }
    match store.sessions()?.into_iter().next() {
        Some(newest) => {
            printer.note(format_args!("newest session: {}", newest.session_id));
            Ok(newest.session_id)
        }
        None => Err(Error::new(
            ErrorKind::NotFound,
            format!(
                "no sessions yet in {}; `recover run -- CMD` records one when CMD fails",
                store.url()
            ),
        )),
    }
}

/// The newest session of the workspace at `root`; none without a workspace, and none of another.
pub(crate) fn newest_here(store: &dyn AuditStore, root: &Path) -> Result<Option<String>> {
    for session in store.sessions()? {
        let started = facts(store, &session.session_id)?.started;
        let workspace = started.and_then(|started| started.workspace);
        if workspace.is_some_and(|workspace| Path::new(&workspace) == root) {
            return Ok(Some(session.session_id));
        }
    }
    Ok(None)
}

/// `session`, if the store has it.
///
/// # Errors
/// [`ErrorKind::NotFound`] if it has not.
pub(crate) fn existing(store: &dyn AuditStore, session: String) -> Result<String> {
    if store.is_known(&session)? {
        return Ok(session);
    }
    Err(Error::new(
        ErrorKind::NotFound,
        format!("no session {session}; `recover sessions` lists them"),
    ))
}

/// What the journal says of `session`.
pub(crate) fn facts(store: &dyn AuditStore, session: &str) -> Result<SessionFacts> {
    let mut facts = SessionFacts::default();
    store.read_journal(Some(session), &mut |record| {
        facts.apply(&record.at, &record.event);
        Ok(())
    })?;
    Ok(facts)
}

/// Whether the trail of `session` holds anything, found out by reading its end only.
pub(crate) fn has_entries(store: &dyn AuditStore, session: &str) -> Result<bool> {
    let mut found = false;
    store.read_last(session, 1, &mut |_| {
        found = true;
        Ok(())
    })?;
    Ok(found)
}
