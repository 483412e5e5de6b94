//! What is to be restored: a session, or what a restore replaced, by an id or a piece of one.

use auto_recovery::audit::session_id::short;
use auto_recovery::audit::{FoundSession, MATCHES_MAX, find_session};
use auto_recovery::checkpoint::ReplacedTree;
use auto_recovery::run::Place;
use auto_recovery::{Error, ErrorKind, Result};

use crate::commands::session;
use crate::context::Context;
use crate::output::session_word;

/// Whether `session` is the id of one that worked in this workspace.
pub(crate) fn is_of_here(context: &Context, place: &Place, session: &str) -> Result<bool> {
    let root = &context.settings.workspace;
    Ok(place.store.is_known(session)? && place.worked_in(session, root))
}

/// The id that was `typed`, of a session or of a restore, whole or as a piece. Another workspace is
/// changed only where the id is named as it is shown: a piece may be a slip.
///
/// # Errors
/// [`ErrorKind::NotFound`] if a piece means several, or another workspace's.
pub(crate) fn named(context: &Context, place: &Place, typed: String) -> Result<String> {
    let replaced = place.replaced(&typed)?;
    if let Some(named) = replaced.iter().find(|one| is_shown_as(&one.id, &typed)) {
        return Ok(named.id.clone());
    }
    let (id, is_here) = match (find_session(&*place.store, &typed)?, &*replaced) {
        (FoundSession::One(id), _) if is_shown_as(&id, &typed) => return Ok(id),
        // A session may have checkpoints and no record any more.
        (FoundSession::Nothing(_), []) => return Ok(typed),
        (FoundSession::One(id), []) => {
            let is_here = is_of_here(context, place, &id)?;
            (id, is_here)
        }
        (FoundSession::Nothing(_), [one]) => {
            let is_here = one.root == context.settings.workspace;
            (one.id.clone(), is_here)
        }
        (found, replaced) => return Err(ambiguous(place, &typed, found, replaced)?),
    };
    if is_here {
        return Ok(id);
    }
    let context = format!(
        "{} is of another workspace: name it as it is shown",
        session_word(&id)
    );
    Err(Error::new(ErrorKind::NotFound, context))
}

/// Whether people see the id `id` as what was `typed`, or that is all of it.
fn is_shown_as(id: &str, typed: &str) -> bool {
    id == typed || short(id) == typed
}

/// The refusal to choose between sessions and restores.
fn ambiguous(
    place: &Place,
    typed: &str,
    found: FoundSession,
    replaced: &[ReplacedTree],
) -> Result<Error> {
    let (sessions, mut has_more) = match found {
        FoundSession::One(id) => {
            let mut sessions = place.store.sessions()?;
            sessions.retain(|one| one.session_id == id);
            (sessions, false)
        }
        FoundSession::Several(sessions, has_more) => (sessions, has_more),
        FoundSession::Nothing(_) => (Vec::new(), false),
    };
    let room = MATCHES_MAX.saturating_sub(sessions.len());
    has_more |= replaced.len() > room;
    let restores = replaced.iter().take(room);
    let restores = restores.map(|one| {
        format!(
            "{} (what a restore in {} replaced)",
            short(&one.id),
            one.root.display()
        )
    });
    Ok(session::ambiguous(
        typed,
        &sessions,
        restores.collect(),
        has_more,
    ))
}
