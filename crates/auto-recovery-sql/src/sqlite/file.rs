//! The database's file, before SQLite opens it.

use std::ffi::OsString;
use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use auto_recovery::error::{Error, ErrorKind, Result};
use auto_recovery::files::{self, FileId, Links, Purpose};
use auto_recovery::patience::{Alone, Holder};
use rustix::fs::{Access, AtFlags, CWD, StatVfsMountFlags};
use rustix::io::Errno;

use auto_recovery::mutex::lock;

/// Held while the file is made and closed again: closing a file takes the locks that the same
/// process has on it, those of SQLite among them.
static MAKING: Mutex<()> = Mutex::new(());

/// The file at `path`; `None` if there is none.
///
/// # Errors
/// [`ErrorKind::Io`] if it is something else than a file.
pub(super) fn find(path: &Path) -> Result<Option<FileId>> {
    let metadata = match fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Error::io("look at", path, error)),
    };
    if !metadata.is_file() {
        return Err(Error::new(
            ErrorKind::Io,
            format!(
                "{} is no file: give one to keep the audit trail in",
                path.display()
            ),
        ));
    }
    Ok(Some(FileId::of(&metadata)))
}

/// Makes the file at `path` and the directories above it where there are none, for their owner
/// alone. The files that SQLite puts beside it take its mode.
pub(super) fn make(path: &Path) -> Result<()> {
    let _making = lock(&MAKING);
    if find(path)?.is_some() {
        return Ok(());
    }
    if let Some(dir) = path.parent() {
        files::make_private_dirs(dir).map_err(|error| Error::io("create directory", dir, error))?;
    }
    let made = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path);
    match made {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            Err(Error::io("create", path, error))
        }
        Err(_) => check_own(path),
        Ok(_) => check_own(path).inspect_err(|_| {
            // Nothing is in it yet.
            let _stays = fs::remove_file(path);
        }),
    }
}

/// Makes sure that the file at `path`, if there is one, is the effective user's own.
///
/// # Errors
/// [`ErrorKind::Io`] with the reason and the way out if it is not.
pub(super) fn check_own(path: &Path) -> Result<()> {
    match files::check_own_file(path, Purpose::Store) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(Error::io("open", path, error))
        }
        _ => Ok(()),
    }
}

/// Makes the caller the only server over the database at `path`, by a lock on a file beside it: its
/// own locks are SQLite's. `None` where nobody can write: it is served all the same.
pub(super) fn serve_alone(path: &Path, doing: &str) -> Result<Option<Alone>> {
    if let Some(dir) = path.parent()
        && files::make_private_dirs(dir).is_err()
    {
        // What is wrong is told by whoever reads, or writes.
        return Ok(None);
    }
    let mut lock = path.as_os_str().to_owned();
    lock.push("-serving");
    Alone::take_if_possible(Path::new(&lock), doing)
}

/// Who has the database at `path` locked, in words that follow its name. Where it is written
/// through a log, the locks are on the file that those who use it share.
pub(super) fn holder(path: &Path) -> String {
    let mut shared = path.as_os_str().to_owned();
    shared.push("-shm");
    let files = [path, Path::new(&shared)];
    let files: Vec<_> = files
        .into_iter()
        .filter_map(|file| fs::metadata(file).ok())
        .collect();
    Holder::in_words(&files)
}

/// Whether nobody can be writing to the database at `path`: its file system cannot be written, and
/// it has no log of somebody who writes to it where it can.
pub(super) fn is_frozen(path: &Path) -> bool {
    let is_read_only = rustix::fs::statvfs(path)
        .is_ok_and(|system| system.f_flag.contains(StatVfsMountFlags::RDONLY));
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    is_read_only && !Path::new(&log).exists()
}

/// What the system refuses to whoever writes to the database at `path`, or makes files beside it;
/// `None` if nothing is known of that.
pub(super) fn refusal(path: &Path) -> Option<Errno> {
    /// What SQLite makes files larger by at least, and so what it had no room for.
    const ROOM: u64 = 32 << 10;
    let dir = path.parent()?;
    for place in [dir, path] {
        let refused = rustix::fs::accessat(CWD, place, Access::WRITE_OK, AtFlags::EACCESS).err();
        match refused {
            None | Some(Errno::NOENT) => {}
            refused => return refused,
        }
    }
    let system = rustix::fs::statvfs(dir).ok()?;
    // A system that counts no blocks, or no files, has no number of them that are left.
    let is_full = system.f_blocks > 0 && system.f_bavail.saturating_mul(system.f_frsize) < ROOM;
    let has_no_names = system.f_files > 0 && system.f_favail == 0;
    (is_full || has_no_names).then_some(Errno::NOSPC)
}

/// The name of `path` under which SQLite takes it for a file that nobody changes:
/// <https://www.sqlite.org/uri.html>.
pub(super) fn immutable_uri(path: &Path) -> PathBuf {
    let mut uri = b"file://".to_vec();
    for byte in path.as_os_str().as_bytes() {
        match byte {
            b'%' | b'?' | b'#' => uri.extend_from_slice(format!("%{byte:02x}").as_bytes()),
            _ => uri.push(*byte),
        }
    }
    uri.extend_from_slice(b"?immutable=1");
    PathBuf::from(OsString::from_vec(uri))
}

/// Brings the names of the file at `path`, and of the directories above it that may just have been
/// made for it, to the disk.
pub(super) fn sync_names(path: &Path) -> Result<()> {
    files::sync_names_above(path, &|above| files::sync_dir(above))
        .map_err(|error| Error::io("sync the directory of", path, error))
}

/// Brings the log of the database at `path` to the disk, if there is one. SQLite has no locks on it
/// that closing it would take.
pub(super) fn sync_log(path: &Path) -> Result<()> {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    let log = PathBuf::from(log);
    match files::open_regular(&log, Links::Refuse).and_then(|file| file.sync_data()) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(Error::io("sync", &log, error))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::{Connection, OpenFlags};

    use super::immutable_uri;

    #[test]
    fn an_immutable_database_is_read_whatever_its_name() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["a?immutable=0#%41.db", "ü &+ '\".db", "\n%", "plain.db"] {
            let path = dir.path().join(name);
            let database = Connection::open(&path).unwrap();
            let made = "CREATE TABLE t (a); INSERT INTO t VALUES (7)";
            database.execute_batch(made).unwrap();
            // Locked, which only one that takes nobody to be there does not mind.
            database.execute_batch("BEGIN EXCLUSIVE").unwrap();
            let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
            let reader = Connection::open_with_flags(immutable_uri(&path), flags).unwrap();
            let read: i64 = reader
                .query_row("SELECT a FROM t", [], |row| row.get(0))
                .unwrap();
            assert_eq!(read, 7, "{name}");
        }
    }
}
