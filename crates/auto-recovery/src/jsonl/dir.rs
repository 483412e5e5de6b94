//! The directory of a store: where its files are, and how they are touched.

use std::fs::{File, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::io::{FileIo, make_dirs};
use super::keys::KeyDir;
use super::names::TRAIL_SUFFIX;
use crate::audit::{Damage, Durability, Recorder, session_id};
use crate::error::{Error, ErrorKind, Result};
use crate::files::{Purpose, check_own_dir, sync_names_above};
use crate::host::Host;
use crate::patience::lock_file;

/// The journal's name. No trail can have it.
const JOURNAL_NAME: &str = "journal.jsonl";

/// The name of the file of seals. No trail can have it.
const SEALS_NAME: &str = "seals.jsonl";

/// The directory of a store.
pub(super) struct Dir {
    pub path: PathBuf,
    pub io: Arc<dyn FileIo>,
    /// The keys of its sessions.
    pub keys: Arc<KeyDir>,
    /// What makes the text of all that is appended.
    pub recorder: Arc<Recorder>,
    pub durability: Durability,
    pub rollup_bytes_min: u64,
    /// Whether the directory's own name, and those above it, are on the disk.
    pub is_placed: AtomicBool,
}

impl Dir {
    /// The file of a trail.
    pub(super) fn trail_path(&self, session_id: &str) -> Result<PathBuf> {
        let name = session_id::encode(session_id)?;
        Ok(self.path.join(name + TRAIL_SUFFIX))
    }

    /// The file of the journal.
    pub(super) fn journal_path(&self) -> PathBuf {
        self.path.join(JOURNAL_NAME)
    }

    /// The file of the seals.
    pub(super) fn seals_path(&self) -> PathBuf {
        self.path.join(SEALS_NAME)
    }

    /// The host of the store.
    pub(super) fn host(&self) -> &dyn Host {
        &**self.recorder.host()
    }

    /// Makes the directory and those above it that do not exist.
    pub(super) fn make_dir(&self) -> Result<()> {
        make_dirs(&*self.io, &self.path)?;
        // Somebody else may have been faster.
        check_own_dir(&self.path, Purpose::Store)
            .map_err(|error| Error::io("use audit directory", &self.path, error))
    }

    /// Brings the names of the files in the directory to the disk, and the first time the
    /// directory's own: that it is there does not mean that whoever made it lived long enough to
    /// see to that.
    pub(super) fn sync_names(&self) -> io::Result<()> {
        self.io.sync_dir(&self.path)?;
        if !self.is_placed.load(Ordering::Acquire) {
            sync_names_above(&self.path, &|above| self.io.sync_dir(above))?;
            self.is_placed.store(true, Ordering::Release);
        }
        Ok(())
    }

    /// Locks `file`, which is at `path`, once nobody else has it locked, for as long as the user
    /// waits.
    pub(super) fn lock(&self, file: &File, path: &Path) -> Result<()> {
        lock_file(self.host(), path, file, &mut || self.io.lock(file))
    }

    /// Appends `bytes` to `file` at `path`, which has `length`, and returns its new length. What
    /// cannot be written whole is taken back.
    pub(super) fn append(
        &self,
        (file, path): (&File, &Path),
        length: u64,
        bytes: &[u8],
    ) -> Result<u64> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let error = match self.io.write(file, rest) {
                Ok(0) => io::ErrorKind::WriteZero.into(),
                Ok(count) => {
                    rest = &rest[count..];
                    continue;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {
                    match not_written(file, length, bytes) {
                        Ok(left) => {
                            rest = left;
                            continue;
                        }
                        Err(error) => error,
                    }
                }
                Err(error) => error,
            };
            // If this fails too, the next writer finds the torn tail and moves it aside.
            drop(self.io.truncate(file, length));
            return Err(Error::io("write", path, error));
        }
        Ok(length + bytes.len() as u64)
    }

    /// Opens a file to read.
    pub(super) fn open_read(&self, path: &Path) -> Result<Found> {
        match self.io.open_read(path) {
            Ok(file) => metadata_of(&file, path).map(|metadata| Found::File(file, metadata)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Found::Nothing),
            Err(error) if is_of_process(&error) => Err(Error::io("open", path, error)),
            Err(error) => {
                let reason = match error.raw_os_error() {
                    Some(libc::ELOOP) => "it is a link, and links are not followed".to_owned(),
                    _ => format!("cannot be opened: {error}"),
                };
                let place = path.display().to_string();
                Ok(Found::Unreadable(Damage::of_all(place, reason)))
            }
        }
    }
}

/// What stands at a path that is to be read.
pub(super) enum Found {
    /// Nothing.
    Nothing,
    /// A file.
    File(File, Metadata),
    /// Something that cannot be read. It hides nothing else.
    Unreadable(Damage),
}

/// Whether `error` says something of this process, and nothing of the file.
fn is_of_process(error: &io::Error) -> bool {
    let number = error.raw_os_error();
    number.is_some_and(|number| [libc::EMFILE, libc::ENFILE, libc::ENOMEM].contains(&number))
}

/// What of `bytes` is not in `file` yet, which had `length` and is locked. A write that was
/// interrupted should have written nothing, but file systems across a network are known to have
/// written some: doing it again would double that.
fn not_written<'b>(file: &File, length: u64, bytes: &'b [u8]) -> io::Result<&'b [u8]> {
    let written = file.metadata()?.len().checked_sub(length);
    written
        .and_then(|written| bytes.get(usize::try_from(written).ok()?..))
        .ok_or_else(|| io::Error::other("it changed while it was locked"))
}

/// What became of opening the file at `path` to write.
pub(super) fn opened(path: &Path, result: io::Result<File>) -> Result<File> {
    result.map_err(|error| match error.kind() {
        io::ErrorKind::InvalidInput => Error::new(
            ErrorKind::Refused,
            format!("{} is not written to: move it away", path.display()),
        )
        .with_source(error),
        _ if error.raw_os_error() == Some(libc::ELOOP) => {
            let what = "is a link, and links are not followed: move it away";
            Error::new(ErrorKind::Io, format!("{} {what}", path.display()))
                .with_os_error(libc::ELOOP)
        }
        _ => Error::io("open", path, error),
    })
}

/// What is known of `file`.
pub(super) fn metadata_of(file: &File, path: &Path) -> Result<Metadata> {
    file.metadata()
        .map_err(|error| Error::io("look at", path, error))
}
