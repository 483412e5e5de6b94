//! The operations on files that a store is made of, as an argument: tests make the n-th of them
//! fail.
//!
//! Every method does the real thing unless it is overridden. A call through it costs nothing beside
//! the system call it makes.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use crate::error::{Error, Result};
use crate::files::{self, Links, Missing, append_regular, open_regular};
use crate::patience::a_moment;

/// Only the owner may read and write.
const FILE_MODE: u32 = 0o600;

/// What a store does to files. Only a regular file is opened, never through a link to one, so that
/// nobody's link leads somewhere else and no pipe in a file's place makes us wait.
pub trait FileIo: Send + Sync {
    /// Makes one directory; its parent exists.
    ///
    /// # Errors
    /// As `mkdir`.
    fn make_dir(&self, path: &Path) -> io::Result<()> {
        files::make_private_dir(path)
    }

    /// Opens a file to read and append to, and makes it if there is none.
    ///
    /// # Errors
    /// As `open`; `InvalidInput` if what stands there is no regular file.
    fn open_append(&self, path: &Path) -> io::Result<File> {
        append_regular(path, Missing::Make(FILE_MODE))
    }

    /// Opens a file to read and append to that exists.
    ///
    /// # Errors
    /// As `open`; `InvalidInput` if what stands there is no regular file.
    fn open_existing(&self, path: &Path) -> io::Result<File> {
        append_regular(path, Missing::Fail)
    }

    /// Makes a file that must not exist yet.
    ///
    /// # Errors
    /// As `open`.
    fn create_new(&self, path: &Path) -> io::Result<File> {
        OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(FILE_MODE)
            .open(path)
    }

    /// Opens a file to read.
    ///
    /// # Errors
    /// As `open`; `InvalidInput` if what stands there is no regular file.
    fn open_read(&self, path: &Path) -> io::Result<File> {
        open_regular(path, Links::Refuse)
    }

    /// Locks `file`, for which nobody is waited.
    ///
    /// # Errors
    /// As `flock`; [`io::ErrorKind::WouldBlock`] as long as somebody else has it locked.
    fn lock(&self, file: &File) -> io::Result<()> {
        Ok(file.try_lock()?)
    }

    /// Gives the lock on `file` back.
    ///
    /// # Errors
    /// As `flock`.
    fn unlock(&self, file: &File) -> io::Result<()> {
        file.unlock()
    }

    /// Writes some of `bytes`, and says how many.
    ///
    /// # Errors
    /// As `write`.
    fn write(&self, mut file: &File, bytes: &[u8]) -> io::Result<usize> {
        file.write(bytes)
    }

    /// Brings the contents of `file` to the disk.
    ///
    /// # Errors
    /// As `fdatasync`.
    fn sync_data(&self, file: &File) -> io::Result<()> {
        file.sync_data()
    }

    /// Brings the names in directory `path` to the disk.
    ///
    /// # Errors
    /// As `open` and `fsync`.
    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        files::sync_dir(path)
    }

    /// Cuts `file` to `length` bytes.
    ///
    /// # Errors
    /// As `ftruncate`.
    fn truncate(&self, file: &File, length: u64) -> io::Result<()> {
        file.set_len(length)
    }

    /// Removes a file.
    ///
    /// # Errors
    /// As `unlink`.
    fn remove(&self, path: &Path) -> io::Result<()> {
        std::fs::remove_file(path)
    }
}

/// The real thing.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemIo;

impl FileIo for SystemIo {}

/// Makes `dir` and the directories above it that do not exist.
pub(super) fn make_dirs(io: &dyn FileIo, dir: &Path) -> Result<()> {
    let mut made = io.make_dir(dir);
    if let (Err(error), Some(parent)) = (&made, dir.parent())
        && error.kind() == io::ErrorKind::NotFound
    {
        make_dirs(io, parent)?;
        made = io.make_dir(dir);
    }
    match made {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && dir.is_dir() => Ok(()),
        result => result.map_err(|error| Error::io("create directory", dir, error)),
    }
}

/// Waits for a writer that is in the middle of its write to `file`. One that takes longer than a
/// moment is stopped or hangs: readers, who need no lock, go on with what is there.
pub(super) fn wait_for_writer(file: &File) {
    // Where the file system has no locks, nobody can be waited for.
    let is_free = || !matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock));
    let _stuck = a_moment(is_free);
    drop(file.unlock());
}
