//! Files that appear whole or not at all: written beside their place, synced, then renamed.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, fchown};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use jiff::Timestamp;
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::io::Errno;
use tempfile::NamedTempFile;

use crate::error::{Error, ErrorKind, Result};
use crate::files::{Synced, filled, replace_at_once, sync_dir};

/// How many files of one name and second are kept apart.
const NAMES_MAX: u32 = 10_000;

/// Writes the contents of a file.
type Fill<'f> = dyn FnMut(&mut dyn Write) -> Result<()> + 'f;

/// `time` as file names have it: `YYYYMMDD_HHMMSS` in UTC.
pub fn file_stamp(time: SystemTime) -> String {
    let time = Timestamp::try_from(time).unwrap_or(Timestamp::MAX);
    time.strftime("%Y%m%d_%H%M%S").to_string()
}

/// Makes the file `STEM.EXTENSION` in `dir` with what `fill` writes, and returns its path. A file
/// that exists stays: the new one is then `STEM-2.EXTENSION`, and so on.
///
/// # Errors
/// If `fill` fails, or the file cannot be made. There is no file then.
pub fn create_in(dir: &Path, stem: &str, extension: &str, fill: &mut Fill<'_>) -> Result<PathBuf> {
    persist_new(
        filled(dir, Synced::Yes, &mut |file| fill(file))?,
        dir,
        stem,
        extension,
        &|_| false,
    )
}

/// Gives `file`, which is whole, its name in `dir` as [`create_in`] does. If a file that has the
/// name `is_it` already, that one is it.
pub(crate) fn persist_new(
    mut file: NamedTempFile,
    dir: &Path,
    stem: &str,
    extension: &str,
    is_it: &dyn Fn(&Path) -> bool,
) -> Result<PathBuf> {
    for number in 1..=NAMES_MAX {
        let path = dir.join(match number {
            1 => format!("{stem}.{extension}"),
            _ => format!("{stem}-{number}.{extension}"),
        });
        match file.persist_noclobber(&path) {
            Ok(_) => {
                sync(dir)?;
                return Ok(path);
            }
            Err(taken) if taken.error.kind() == io::ErrorKind::AlreadyExists => {
                if is_it(&path) {
                    sync(dir)?;
                    return Ok(path);
                }
                file = taken.file;
            }
            Err(failed) => return Err(Error::io("create", &path, failed.error)),
        }
    }
    Err(Error::new(
        ErrorKind::Busy,
        format!("{NAMES_MAX} files named {stem} exist already: remove some"),
    ))
}

/// Makes `path` a file with what `fill` writes, in the place of one that may be there, whose owner
/// it keeps where it may, and who alone may read it. A link stays and what it points at is
/// replaced; a device or pipe is written to.
///
/// # Errors
/// If `fill` fails, the file cannot be made or nobody reads the pipe. What was there stays then.
pub fn replace(path: &Path, fill: &mut Fill<'_>) -> Result<()> {
    // A file that does not exist has no other name.
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
    let there = fs::metadata(&target).ok();
    if there.as_ref().is_some_and(|there| !there.is_file()) {
        let mut file = open_special(path, &target)?;
        return fill(&mut file);
    }
    replace_at_once(&target, Synced::Yes, &mut |file| {
        fill(file)?;
        if let Some(there) = &there {
            // Whoever may not give it away has made a file of their own.
            let _kept = fchown(file.as_file(), Some(there.uid()), Some(there.gid()));
        }
        Ok(())
    })
    .map(drop)
}

/// Opens the device or pipe `target` for writing. A pipe that nobody reads would be waited for
/// without end.
fn open_special(path: &Path, target: &Path) -> Result<File> {
    let at_once = i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or_default();
    let mut options = fs::OpenOptions::new();
    let opened = options.write(true).custom_flags(at_once).open(target);
    let file = opened.map_err(|error| match error.raw_os_error() {
        Some(code) if code == Errno::NXIO.raw_os_error() => Error::new(
            ErrorKind::Io,
            format!(
                "{} is a pipe or a device that nobody reads: start its reader first, or name a file",
                path.display()
            ),
        ),
        _ => Error::io("open", path, error),
    })?;
    // What is written may wait for its reader.
    fcntl_getfl(&file)
        .and_then(|flags| fcntl_setfl(&file, flags - OFlags::NONBLOCK))
        .map_err(|error| Error::io("open", path, error.into()))?;
    Ok(file)
}

fn sync(dir: &Path) -> Result<()> {
    sync_dir(dir).map_err(|error| Error::io("sync directory", dir, error))
}
