//! The database's file, before SQLite opens it.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Mutex;

use auto_recovery::error::{Error, ErrorKind, Result};

use crate::group::lock;

/// Held while the file is made and closed again: closing a file takes the locks that the same process has
/// on it, those of SQLite among them.
static MAKING: Mutex<()> = Mutex::new(());

/// Which file it is, whatever its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FileId {
    device: u64,
    inode: u64,
}

/// The file at `path`; `None` if there is none.
///
/// # Errors
/// [`ErrorKind::InvalidInput`] if it is something else than a file.
pub(super) fn find(path: &Path) -> Result<Option<FileId>> {
    let metadata = match fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Error::io("look at", path, error)),
    };
    if !metadata.is_file() {
        return Err(Error::new(
            ErrorKind::InvalidInput,
            format!(
                "{} is no file: give one to keep the audit trail in",
                path.display()
            ),
        ));
    }
    Ok(Some(FileId {
        device: metadata.dev(),
        inode: metadata.ino(),
    }))
}

/// Makes the file at `path` and the directories above it where there are none, for their owner alone. The
/// files that SQLite puts beside it take its mode.
pub(super) fn make(path: &Path) -> Result<()> {
    let _making = lock(&MAKING);
    if find(path)?.is_some() {
        return Ok(());
    }
    if let Some(dir) = path.parent() {
        make_dirs(dir)?;
    }
    let made = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path);
    match made {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(Error::io("create", path, error)),
        Ok(_) => Ok(()),
    }
}

fn make_dirs(dir: &Path) -> Result<()> {
    let make = || DirBuilder::new().mode(0o700).create(dir);
    let mut made = make();
    if let (Err(error), Some(parent)) = (&made, dir.parent())
        && error.kind() == io::ErrorKind::NotFound
    {
        make_dirs(parent)?;
        made = make();
    }
    match made {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && dir.is_dir() => Ok(()),
        result => result.map_err(|error| Error::io("create directory", dir, error)),
    }
}

/// Brings the names of the file at `path`, and of the directories above it that may just have been made
/// for it, to the disk: each in which a directory of ours stands, on the same file system.
pub(super) fn sync_names(path: &Path) -> Result<()> {
    let failed = |error| Error::io("sync the directory of", path, error);
    let mut below = fs::metadata(path).map_err(failed)?;
    for above in path.ancestors().skip(1) {
        let metadata = fs::metadata(above).map_err(failed)?;
        match File::open(above).and_then(|dir| dir.sync_all()) {
            // One that we may pass through but not open. Nothing more can be done.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {}
            result => result.map_err(failed)?,
        }
        if metadata.uid() != below.uid() || metadata.dev() != below.dev() {
            break;
        }
        below = metadata;
    }
    Ok(())
}
