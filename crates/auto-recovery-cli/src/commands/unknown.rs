//! A session that the store does not have, and the one that was probably meant.

use auto_recovery::audit::AuditStore;
use auto_recovery::{Error, ErrorKind, Result};

/// Letters by which an id that was mistyped may differ from the one that was meant.
const DISTANCE_MAX: usize = 2;

/// The refusal of `session`, which `store` does not have. Asked only then: it lists all sessions.
///
/// # Errors
/// If the store cannot be read.
pub(crate) fn unknown_session(store: &dyn AuditStore, session: &str) -> Result<Error> {
    let sessions = store.sessions()?;
    let ids = sessions.iter().map(|one| one.session_id.as_str());
    let meant = match nearest(session, ids) {
        Some(meant) => format!("did you mean `{meant}`? "),
        None => String::new(),
    };
    Ok(Error::new(
        ErrorKind::NotFound,
        format!("no session {session}; {meant}`recover sessions` lists them"),
    ))
}

/// The id that is nearest to what was `typed`, if one alone is.
fn nearest<'a>(typed: &str, ids: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let mut nearest: Option<(usize, &str)> = None;
    let mut is_alone = true;
    for id in ids {
        if id.len().abs_diff(typed.len()) > 4 * DISTANCE_MAX {
            continue;
        }
        let distance = strsim::osa_distance(typed, id);
        // Of a short id, two letters are most of it.
        if distance > DISTANCE_MAX || distance * 3 > typed.chars().count() {
            continue;
        }
        match nearest {
            Some((best, _)) if best < distance => {}
            Some((best, _)) if best == distance => is_alone = false,
            _ => (nearest, is_alone) = (Some((distance, id)), true),
        }
    }
    nearest.filter(|_| is_alone).map(|(_, id)| id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_near_id_is_meant_and_of_two_none() {
        let cases: [(&str, &[&str], Option<&str>); 6] = [
            ("biuld-7", &["build-7", "deploy"], Some("build-7")),
            ("build-", &["build-7", "build-8"], None),
            ("build-77", &["build-7", "build-99"], Some("build-7")),
            ("x", &["y"], None),
            ("something", &["build-7"], None),
            ("build-7", &[], None),
        ];
        for (typed, ids, expected) in cases {
            assert_eq!(nearest(typed, ids.iter().copied()), expected, "{typed}");
        }
    }
}
