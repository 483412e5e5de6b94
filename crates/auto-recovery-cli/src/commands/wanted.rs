//! The session and the attempts that `recover show` is asked for.

use auto_recovery::audit::{AuditStore, PIECE_CHARS_MIN};
use auto_recovery::{Error, ErrorKind, Result};

use crate::commands::session::{self, Asked};
use crate::output::Printer;

/// Which attempts are to be shown.
pub(super) struct Wanted<'a> {
    /// The session.
    pub(super) session: Asked<'a>,
    /// The attempt; none for all of them.
    pub(super) attempt: Option<u64>,
}

/// The session that is `asked` for. Who gives nothing but a number, shorter than a piece of an id,
/// means an attempt.
///
/// # Errors
/// As of [`session::asked_for`].
pub(super) fn session_of(
    store: &dyn AuditStore,
    asked: Asked<'_>,
    printer: &Printer,
) -> Result<String> {
    let is_number = |name: &String| {
        name.len() < PIECE_CHARS_MIN && name.bytes().all(|byte| byte.is_ascii_digit())
    };
    let number = asked.named.clone().filter(is_number);
    session::asked_for(store, asked, printer).map_err(|error| match number {
        Some(number) if error.kind() == ErrorKind::NotFound => Error::new(
            ErrorKind::NotFound,
            format!(
                "no session {number}; `recover show --last {number}` shows attempt {number} of the \
                 newest session here, `recover sessions --all` lists the sessions"
            ),
        ),
        _ => error,
    })
}
