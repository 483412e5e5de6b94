//! Where an export or a report goes: stdout, or a file that is whole or not there at all.

use std::io::Write;
use std::path::Path;

use auto_recovery::export;
use auto_recovery::{Error, ErrorKind, Result};

use crate::output::{Escapes, Printer};

/// Lets `write` write to `path`, or to stdout where it is `-` or missing.
///
/// A file is written beside its place, synced, and only then takes its place; it is readable by its
/// owner alone, because trails hold what programs printed; one that is replaced keeps its owner.
///
/// # Errors
/// What `write` returns, or if the output cannot be written; then `path` is as it was.
pub(crate) fn write_output<T>(
    path: Option<&Path>,
    escapes: Escapes,
    printer: &Printer,
    mut write: impl FnMut(&mut dyn Write) -> Result<T>,
) -> Result<T> {
    let Some(path) = path.filter(|path| *path != Path::new("-")) else {
        return printer.data(escapes, write);
    };
    if path.is_dir() {
        return Err(Error::new(
            ErrorKind::InvalidInput,
            format!(
                "output {} is a directory: name a file in it",
                path.display()
            ),
        ));
    }
    let parent = path.parent().filter(|dir| !dir.as_os_str().is_empty());
    if let Some(dir) = parent.filter(|dir| !dir.exists()) {
        return Err(Error::new(
            ErrorKind::Io,
            format!("there is no directory {}: make it first", dir.display()),
        ));
    }
    let mut written = None;
    let replaced = export::replace(path, &mut |out| {
        written = Some(write(out)?);
        Ok(())
    });
    // What has no room is a temporary file, or has no name at all.
    replaced.map_err(|error| match error.kind() {
        ErrorKind::NoSpace => error.context(format!("write {}", path.display())),
        _ => error,
    })?;
    Ok(written.expect("`replace` succeeds only after it called the closure, which sets it"))
}

/// Says where the ending of `path` names another format than the one it is written as, which was
/// asked for: `by_ending` names that.
pub(crate) fn tell_other_ending<T: PartialEq>(
    path: Option<&Path>,
    format: &T,
    by_ending: impl FnOnce(&str) -> Option<T>,
    printer: &Printer,
) {
    let ending = path.and_then(|path| path.extension()?.to_str());
    if let (Some(path), Some(ending)) = (path, ending)
        && by_ending(ending).is_some_and(|named| named != *format)
    {
        printer.warn(format_args!(
            "{} ends in .{ending}, and --format says something else: that is what it holds",
            path.display()
        ));
    }
}

/// Refuses the name `path` of a file whose ending no format has: it would hold something else than
/// it says. `by_ending` is the format that the ending names; a name without one says nothing.
///
/// # Errors
/// That the ending is none, and those there are.
pub(crate) fn format_by_ending<T>(
    path: &Path,
    by_ending: impl FnOnce(&str) -> Option<T>,
    endings: &str,
) -> Result<Option<T>> {
    let Some(ending) = path.extension().and_then(|ending| ending.to_str()) else {
        return Ok(None);
    };
    match by_ending(ending) {
        Some(format) => Ok(Some(format)),
        None => Err(Error::new(
            ErrorKind::InvalidInput,
            format!(
                "output {}: no format ends in .{ending}: use {endings}, or say --format",
                path.display()
            ),
        )),
    }
}
