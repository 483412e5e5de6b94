//! What SQLite says went wrong, as an error of ours.

use std::cell::Cell;
use std::fmt;
use std::io;
use std::path::Path;

use auto_recovery::error::{Error, ErrorKind};
use rusqlite::ErrorCode;
use rusqlite::ffi::{
    SQLITE_IOERR_DIR_FSYNC, SQLITE_IOERR_FSYNC, SQLITE_IOERR_SHMMAP, SQLITE_IOERR_SHMOPEN,
    SQLITE_IOERR_SHMSIZE, SQLITE_IOERR_TRUNCATE, SQLITE_IOERR_WRITE,
};
use rustix::io::Errno;

use super::file;

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
    let refusal = refusal(&error, path);
    let (kind, way_out) = match error.sqlite_error_code() {
        _ if refusal.is_some_and(is_no_room) => (ErrorKind::NoSpace, no_room(&error)),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => (
            ErrorKind::Busy,
            ": others have been writing to it for too long; try again",
        ),
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
    let said = Said {
        text: in_words(&error),
        refusal: refusal.map(io::Error::from),
    };
    Error::new(kind, format!("{what} {file}{way_out}")).with_source(said)
}

/// What SQLite says, and the system's own error where that is known.
#[derive(Debug)]
struct Said {
    text: String,
    refusal: Option<io::Error>,
}

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Said {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.refusal.as_ref().map(|error| error as _)
    }
}

/// What the system refuses, where `error`, met at `path`, is that. SQLite has one code for several
/// refusals and keeps the system's number to itself, so the system is asked again.
fn refusal(error: &rusqlite::Error, path: &Path) -> Option<Errno> {
    match error.sqlite_error_code()? {
        ErrorCode::DiskFull => Some(Errno::NOSPC),
        _ if is_one_of(error, &SHARED_MEMORY) => file::refusal(path).or(Some(Errno::NOSPC)),
        ErrorCode::SystemIoFailure if is_one_of(error, &WRITES) => {
            file::refusal(path).filter(|errno| is_no_room(*errno))
        }
        ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied => {
            file::refusal(path)
        }
        _ => None,
    }
}

fn is_no_room(errno: Errno) -> bool {
    matches!(errno, Errno::NOSPC | Errno::DQUOT)
}

/// Failures to write, or to bring to the disk what was written. A full disk has a code of its own,
/// but one that is only found to be full when it is synced does not.
const WRITES: [i32; 4] = [
    SQLITE_IOERR_WRITE,
    SQLITE_IOERR_FSYNC,
    SQLITE_IOERR_DIR_FSYNC,
    SQLITE_IOERR_TRUNCATE,
];

/// Failures to make the file beside the database as large as it must be, in which all who use the
/// database say which part of the log they read.
const SHARED_MEMORY: [i32; 3] = [
    SQLITE_IOERR_SHMSIZE,
    SQLITE_IOERR_SHMOPEN,
    SQLITE_IOERR_SHMMAP,
];

fn is_one_of(error: &rusqlite::Error, codes: &[i32]) -> bool {
    let failure = error.sqlite_error();
    failure.is_some_and(|failure| codes.contains(&failure.extended_code))
}

/// That there is no room, for what if that is told. Who reads needs it too: without the file beside
/// the database, nobody who writes would know what is still read. SQLite reads without it only what
/// nobody else has open, and who else has it open is not known.
fn no_room(error: &rusqlite::Error) -> &'static str {
    match is_one_of(error, &SHARED_MEMORY) {
        true => ": its disk is full, and to read it too SQLite needs 32 KiB in a file beside it",
        false => ": its disk is full",
    }
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

#[cfg(test)]
mod tests {
    use rusqlite::ffi::{self, SQLITE_CANTOPEN, SQLITE_FULL, SQLITE_IOERR_READ};

    use super::*;

    #[test]
    fn no_room_is_said_as_that_and_has_the_number_of_the_system() {
        let dir = tempfile::tempdir().unwrap();
        let check = |code, expected| {
            let error = rusqlite::Error::SqliteFailure(ffi::Error::new(code), None);
            let error = failed("read", &dir.path().join("trails.db"), error);
            let is_told = error.to_string().contains("disk is full");
            let told = (error.kind(), error.raw_os_error(), is_told);
            assert_eq!(told, expected, "{code}: {}", error.chain());
        };
        let no_space = Some(Errno::NOSPC.raw_os_error());
        let full = (ErrorKind::NoSpace, no_space, true);
        for code in [SQLITE_FULL].into_iter().chain(SHARED_MEMORY) {
            check(code, full);
        }
        // Here is room, and whoever asks may write.
        let other = (ErrorKind::Io, None, false);
        let others = [SQLITE_CANTOPEN, SQLITE_IOERR_READ];
        for code in others.into_iter().chain(WRITES) {
            check(code, other);
        }
    }
}
