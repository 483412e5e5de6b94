//! Small files that are whole or not there, also after a power cut.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;

use crate::error::{Error, Result};
use crate::files::create_afresh;

/// Replaces the file at `path`: synced, renamed, directory synced.
pub(crate) fn replace(path: &Path, content: &[u8]) -> Result<()> {
    let temp = path.with_extension("new");
    create_afresh(&temp)
        .and_then(|mut file| file.write_all(content).and_then(|()| file.sync_all()))
        .map_err(|e| Error::io("write", &temp, e))?;
    fs::rename(&temp, path).map_err(|e| Error::io("replace", path, e))?;
    sync_dir_of(path)
}

/// Removes the file at `path`, if there is one.
pub(crate) fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Ok(()) => sync_dir_of(path),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(e) => Err(Error::io("remove", path, e)),
    }
}

fn sync_dir_of(path: &Path) -> Result<()> {
    let dir = path.parent().unwrap_or(Path::new("."));
    let synced = File::open(dir).and_then(|dir| dir.sync_all());
    synced.map_err(|e| Error::io("sync directory", dir, e))
}
