//! Output files: whole and on disk, or not there at all.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use auto_recovery::{Error, ErrorKind, Result};
use tempfile::NamedTempFile;

use crate::output::{Escapes, Printer};

/// Bytes gathered before they are written to a file.
const BUFFER_BYTES: usize = 256 * 1024;

/// Lets `write` write to `path`, or to stdout where it is `-` or missing.
///
/// A file is written beside its place, synced, and only then takes its place; it is readable by its
/// owner alone, because trails hold what programs printed. What is not a file (a pipe, a terminal) is
/// written to directly.
///
/// # Errors
/// What `write` returns, or if the output cannot be written; then `path` is as it was.
pub(crate) fn write_output<T>(
    path: Option<&Path>,
    escapes: Escapes,
    printer: &Printer,
    write: impl FnOnce(&mut dyn Write) -> Result<T>,
) -> Result<T> {
    let Some(path) = path.filter(|path| *path != Path::new("-")) else {
        return printer.data(escapes, write);
    };
    match path.metadata() {
        Ok(metadata) if metadata.is_dir() => Err(Error::new(
            ErrorKind::InvalidInput,
            format!(
                "output {} is a directory: name a file in it",
                path.display()
            ),
        )),
        Ok(metadata) if !metadata.is_file() => write_directly(path, write),
        _ => write_atomically(path, write),
    }
}

fn write_directly<T>(path: &Path, write: impl FnOnce(&mut dyn Write) -> Result<T>) -> Result<T> {
    let file = File::options()
        .write(true)
        .open(path)
        .map_err(|error| Error::io("open", path, error))?;
    let mut out = BufWriter::with_capacity(BUFFER_BYTES, file);
    let value = write(&mut out)?;
    out.flush()
        .map_err(|error| Error::io("write", path, error))?;
    Ok(value)
}

fn write_atomically<T>(path: &Path, write: impl FnOnce(&mut dyn Write) -> Result<T>) -> Result<T> {
    // A link keeps pointing where it points; the file at its end is replaced.
    let path = &path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
    let directory = match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    let failed = |what: &'static str| move |error: io::Error| Error::io(what, path, error);
    let file = NamedTempFile::new_in(directory).map_err(failed("create"))?;
    let mut out = BufWriter::with_capacity(BUFFER_BYTES, file);
    let value = write(&mut out)?;
    let file = out
        .into_inner()
        .map_err(|error| Error::io("write", path, error.into_error()))?;
    file.as_file().sync_all().map_err(failed("sync"))?;
    file.persist(path)
        .map_err(|error| Error::io("replace", path, error.error))?;
    File::open(directory)
        .and_then(|directory| directory.sync_all())
        .map_err(failed("sync the directory of"))?;
    Ok(value)
}
