//! Which session somebody means who typed its id, or a piece of it.
//!
//! Asks the store for the sessions whose ids have the piece, and for no others. It never chooses
//! between several.

use crate::audit::{AuditStore, SessionQuery, SessionSummary, session_id};
use crate::error::Result;
use crate::wording::nearness;

/// Most sessions that are told of one piece.
pub const MATCHES_MAX: usize = 10;

/// The newest sessions among whose ids a mistyped one is looked for.
const LOOKED_AT_MAX: usize = 200;

/// The least piece of an id: fewer characters are part of too many ids, or a slip, or the number of
/// an attempt.
pub const PIECE_CHARS_MIN: usize = 4;

/// What was found.
#[derive(Clone, Debug, PartialEq)]
pub enum FoundSession {
    /// One session is meant.
    One(String),
    /// Several have the piece: the newest of them, at most [`MATCHES_MAX`], and whether there are
    /// more.
    Several(Vec<SessionSummary>, bool),
    /// None has it; this one looks much like it.
    Nothing(Option<String>),
}

/// Finds the session that `typed` is the id of, else the only one whose id has `typed` in it.
///
/// # Errors
/// [`ErrorKind::InvalidInput`](crate::ErrorKind::InvalidInput) if it can be no part of an id;
/// otherwise if the store cannot be read.
pub fn find_session(store: &dyn AuditStore, typed: &str) -> Result<FoundSession> {
    if store.is_known(typed)? {
        return Ok(FoundSession::One(typed.to_owned()));
    }
    if !is_piece(typed) {
        return Ok(FoundSession::Nothing(None));
    }
    let query = SessionQuery {
        id_piece: Some(typed.to_owned()),
        ..SessionQuery::default()
    };
    let mut page = store.read_session_page(&query, None, MATCHES_MAX)?;
    match page.sessions.len() {
        0 => {
            let newest = SessionQuery::default();
            let newest = store.read_session_page(&newest, None, LOOKED_AT_MAX)?;
            let ids = newest.sessions.iter().map(|one| &*one.session_id);
            Ok(FoundSession::Nothing(nearest(typed, ids)))
        }
        1 if page.next.is_none() => Ok(FoundSession::One(page.sessions.remove(0).session_id)),
        _ => Ok(FoundSession::Several(page.sessions, page.next.is_some())),
    }
}

/// Whether `typed` may stand for an id that has it as a piece.
pub(crate) fn is_piece(typed: &str) -> bool {
    typed.chars().count() >= PIECE_CHARS_MIN
}

/// That of `ids` which `typed` was probably meant to be, whole or as people see it.
fn nearest<'a>(typed: &str, ids: impl Iterator<Item = &'a str>) -> Option<String> {
    let near = ids.filter_map(|id| {
        let names = [id, session_id::short(id)];
        let nearness = names.into_iter().filter_map(|name| nearness(typed, name));
        Some((nearness.min()?, id))
    });
    near.min_by_key(|(nearness, _)| *nearness)
        .map(|(_, id)| id.to_owned())
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn a_mistyped_id_is_one_that_is_much_like_it() {
        let ids = ["session_0192f0c1d2e37abc8def012345b2f01c", "build-7", "b"];
        for (typed, expected) in [
            ("45b2f01d", Some(ids[0])),
            ("54b2f01c", Some(ids[0])),
            ("biuld-7", Some("build-7")),
            ("nope", None),
            ("c", None),
        ] {
            assert_eq!(
                nearest(typed, ids.into_iter()).as_deref(),
                expected,
                "{typed}"
            );
        }
    }
}
