//! Files that are whole or not there: written beside their place, then renamed.

use std::error::Error as StdError;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::Path;

use tempfile::NamedTempFile;

use super::names::{dir_of, sync_dir};
use super::own::create_afresh;
use crate::error::{Error, Result};

/// Whether a file that is replaced is on the disk when that returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Synced {
    /// It is, and a power cut leaves the old one or the new one.
    Yes,
    /// It may not be: what reads it tells by a checksum, or makes it again. A crash of the process
    /// leaves the old one or the new one all the same.
    No,
}

/// Replaces the file at `path` in the state with `content`. Its owner alone may read it. Writers
/// take turns: they share the name `PATH.new`, and what a dead one left there goes.
///
/// # Errors
/// [`crate::ErrorKind::Io`] with what could not be done. What was there stays then.
pub fn replace(path: &Path, synced: Synced, content: &[u8]) -> Result<()> {
    let temp = path.with_extension("new");
    create_afresh(&temp)
        .and_then(|mut file| {
            file.write_all(content)?;
            finish(&file, synced)
        })
        .map_err(|e| Error::io("write", &temp, e))?;
    fs::rename(&temp, path).map_err(|e| Error::io("replace", path, e))?;
    place(path, synced)
}

/// Replaces the file at `path` with what `fill` writes, and returns it open. Its owner alone may
/// read it. Any number may do that at once: each has a name of its own until the last one's counts.
///
/// # Errors
/// As `fill`; otherwise [`crate::ErrorKind::Io`] with what could not be done. What was there stays
/// then.
pub(crate) fn replace_at_once(
    path: &Path,
    synced: Synced,
    fill: &mut dyn FnMut(&mut NamedTempFile) -> Result<()>,
) -> Result<File> {
    let temp = filled(dir_of(path), synced, fill)?;
    let file = temp
        .persist(path)
        .map_err(|failed| Error::io("create", path, failed.error))?;
    place(path, synced)?;
    Ok(file)
}

/// A new file in `dir` with what `fill` writes. It is gone when it is dropped without a name.
///
/// # Errors
/// As [`replace_at_once`].
pub(crate) fn filled(
    dir: &Path,
    synced: Synced,
    fill: &mut dyn FnMut(&mut NamedTempFile) -> Result<()>,
) -> Result<NamedTempFile> {
    let mut file =
        NamedTempFile::new_in(dir).map_err(|error| unmade("create a file in", dir, error))?;
    fill(&mut file)?;
    finish(file.as_file(), synced).map_err(|error| Error::io("sync", file.path(), error))?;
    Ok(file)
}

/// That no file could be made in `dir`, without the name that it would have had: nobody gave it.
pub(crate) fn unmade(what: &str, dir: &Path, error: io::Error) -> Error {
    let named = error.get_ref().and_then(StdError::source);
    let own = named.and_then(|own| own.downcast_ref::<io::Error>());
    let number = own.and_then(io::Error::raw_os_error);
    Error::io(
        what,
        dir,
        number.map_or(error, io::Error::from_raw_os_error),
    )
}

/// Removes the file at `path`, if there is one, also after a power cut.
///
/// # Errors
/// As `unlink` and `fsync`.
pub(crate) fn remove_synced(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Ok(()) => place(path, Synced::Yes),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(e) => Err(Error::io("remove", path, e)),
    }
}

fn finish(file: &File, synced: Synced) -> io::Result<()> {
    match synced {
        Synced::Yes => file.sync_all(),
        Synced::No => Ok(()),
    }
}

fn place(path: &Path, synced: Synced) -> Result<()> {
    let dir = dir_of(path);
    match synced {
        Synced::Yes => sync_dir(dir).map_err(|e| Error::io("sync directory", dir, e)),
        Synced::No => Ok(()),
    }
}
