//! What SQLite says went wrong, as an error of ours.

use std::cell::Cell;
use std::path::Path;

use auto_recovery::error::{Error, ErrorKind};
use rusqlite::ErrorCode;

thread_local! {
    /// Why this thread waits no more for others that write, until that is told.
    static GAVE_UP: Cell<Option<Error>> = const { Cell::new(None) };
}

/// Nobody waits any more for others that write, because of `error`: what SQLite says next on this
/// thread is that they do.
pub(super) fn gave_up(error: Error) {
    GAVE_UP.set(Some(error));
}

/// The error that `error` is, met while doing `what` (for example "read" or "write to") to the
/// database at `path`.
pub(super) fn failed(what: &str, path: &Path, error: rusqlite::Error) -> Error {
    let file = path.display();
    let gave_up = GAVE_UP.take();
    if let (Some(ErrorCode::DatabaseBusy), Some(why)) = (error.sqlite_error_code(), gave_up) {
        return why;
    }
    let (kind, way_out) = match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => (
            ErrorKind::Busy,
            ": others have been writing to it for too long; try again",
        ),
        Some(ErrorCode::DiskFull) => (ErrorKind::NoSpace, ": make room and try again"),
        Some(ErrorCode::ReadOnly) => (
            ErrorKind::Io,
            ": it, or the directory it is in, cannot be written",
        ),
        Some(ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => (
            ErrorKind::Io,
            ": it must be possible to read it and to make files beside it",
        ),
        Some(ErrorCode::DatabaseCorrupt) => (
            ErrorKind::Damaged,
            ": it is damaged; `sqlite3 FILE .recover` may save what is left",
        ),
        Some(ErrorCode::NotADatabase) => (
            ErrorKind::Damaged,
            ": it is no SQLite database; give another file",
        ),
        Some(ErrorCode::TooBig) => (ErrorKind::InvalidInput, ": it is too large for SQLite"),
        Some(ErrorCode::SystemIoFailure) => (
            ErrorKind::Io,
            ": its disk, or a limit on the size of files, refused; the system's log may say more",
        ),
        _ => (ErrorKind::Io, ""),
    };
    Error::new(kind, format!("{what} {file}{way_out}")).with_source(in_words(&error))
}

/// What SQLite says, once, with its number for it: <https://www.sqlite.org/rescode.html>.
fn in_words(error: &rusqlite::Error) -> String {
    match error.sqlite_error() {
        Some(failure) => format!("{error} (SQLite error {})", failure.extended_code),
        None => error.to_string(),
    }
}

/// A failure at `path`, told when it is known.
pub(super) trait At<T> {
    /// The same with what was done, and to which database.
    fn at(self, what: &str, path: &Path) -> Result<T, Error>;
}

impl<T> At<T> for rusqlite::Result<T> {
    fn at(self, what: &str, path: &Path) -> Result<T, Error> {
        self.map_err(|error| failed(what, path, error))
    }
}
