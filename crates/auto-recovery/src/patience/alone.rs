//! Being the only one that does something, by a file that is locked for as long as that lasts. The
//! kernel gives the lock back when the process ends, however it ends.
//!
//! Nobody is waited for here: who comes second is told who was first.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use super::Holder;
use crate::error::{Error, ErrorKind, Result};
use crate::files::{self, FileId};

/// Being the only one, for as long as this is kept.
#[derive(Debug)]
pub struct Alone {
    path: PathBuf,
    file: File,
}

impl Alone {
    /// Takes the file at `path`, which is made where there is none. `doing` is the beginning of the
    /// sentence for who comes second, as in "jsonl:/srv is served".
    ///
    /// # Errors
    /// [`ErrorKind::Busy`], naming who has it, if another process does; otherwise if the file
    /// cannot be made or locked.
    pub fn take(path: &Path, doing: &str) -> Result<Self> {
        Self::try_take(path, doing).map_err(|error| match error {
            Untaken::Busy(error) => error,
            Untaken::Io(what, error) => Error::io(what, path, error),
        })
    }

    /// The same where that can be: `None` on a file system that cannot be written or knows no
    /// locks, in a directory in which this user may not write, and on a full disk.
    ///
    /// # Errors
    /// As [`Alone::take`].
    pub fn take_if_possible(path: &Path, doing: &str) -> Result<Option<Self>> {
        match Self::try_take(path, doing) {
            Ok(alone) => Ok(Some(alone)),
            Err(Untaken::Io(_, error)) if cannot_be(&error) => Ok(None),
            Err(Untaken::Io(what, error)) => Err(Error::io(what, path, error)),
            Err(Untaken::Busy(error)) => Err(error),
        }
    }

    /// Makes sure that it is still so: the file is the one that others would lock.
    ///
    /// # Errors
    /// If it was removed or replaced.
    pub fn still(&self) -> Result<()> {
        let there = fs::metadata(&self.path).map(|found| FileId::of(&found));
        let own = self.file.metadata().map(|found| FileId::of(&found));
        match (there, own) {
            (Ok(there), Ok(own)) if there == own => Ok(()),
            _ => {
                let text = format!(
                    "{} is not the file any more that was locked",
                    self.path.display()
                );
                Err(Error::new(ErrorKind::Io, text))
            }
        }
    }

    fn try_take(path: &Path, doing: &str) -> std::result::Result<Self, Untaken> {
        let opened = files::open_own(path, OpenOptions::new().write(true).create(true));
        let file = opened.map_err(|error| Untaken::Io("open", error))?;
        match file.try_lock() {
            Ok(()) => Ok(Self {
                path: path.to_owned(),
                file,
            }),
            Err(TryLockError::Error(error)) => Err(Untaken::Io("lock", error)),
            Err(TryLockError::WouldBlock) => {
                let metadata = file
                    .metadata()
                    .map_err(|error| Untaken::Io("look at", error))?;
                let who = match Holder::of(&[metadata]) {
                    Some(holder) => holder.to_string(),
                    None => "another process".to_owned(),
                };
                let text = format!("{doing} already, by {who}");
                Err(Untaken::Busy(Error::new(ErrorKind::Busy, text)))
            }
        }
    }
}

/// Why the file was not taken.
enum Untaken {
    Busy(Error),
    Io(&'static str, io::Error),
}

/// Whether the place, rather than anybody in it, keeps the file from being locked. What is refused
/// by our own rules is no such thing.
fn cannot_be(error: &io::Error) -> bool {
    use io::ErrorKind::{
        PermissionDenied, QuotaExceeded, ReadOnlyFilesystem, StorageFull, Unsupported,
    };
    let of_system = error.raw_os_error();
    let is_such = matches!(
        error.kind(),
        PermissionDenied | QuotaExceeded | ReadOnlyFilesystem | StorageFull | Unsupported
    );
    of_system.is_some() && is_such || of_system == Some(libc::ENOLCK)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_is_told_and_comes_in_once_the_first_is_gone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let first = Alone::take(&path, "it is done").unwrap();
        first.still().unwrap();
        for refused in [
            Alone::take(&path, "it is done").unwrap_err(),
            Alone::take_if_possible(&path, "it is done").unwrap_err(),
        ] {
            assert_eq!(refused.kind(), ErrorKind::Busy);
            assert!(
                refused.to_string().starts_with("it is done already, by "),
                "{refused}"
            );
        }
        fs::remove_file(&path).unwrap();
        first.still().unwrap_err();
        let second = Alone::take(&path, "it is done").unwrap();
        first.still().unwrap_err();
        second.still().unwrap();
        drop(second);
        assert!(
            Alone::take_if_possible(&path, "it is done")
                .unwrap()
                .is_some()
        );
    }

    #[test]
    fn only_a_place_that_cannot_be_written_is_passed_over() {
        for number in [
            libc::EROFS,
            libc::EACCES,
            libc::ENOSPC,
            libc::EDQUOT,
            libc::ENOLCK,
        ] {
            assert!(cannot_be(&io::Error::from_raw_os_error(number)), "{number}");
        }
        assert!(!cannot_be(&io::Error::from_raw_os_error(libc::ENOENT)));
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("link");
        std::os::unix::fs::symlink(dir.path().join("elsewhere"), &path).unwrap();
        let refused = Alone::take_if_possible(&path, "it is done").unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Io, "{refused}");
    }
}
