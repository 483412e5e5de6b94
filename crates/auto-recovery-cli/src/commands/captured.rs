//! Reading what a command wrote from a file or from standard input.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use auto_recovery::process::{Capture, Stream};
use auto_recovery::{Error, ErrorKind, Result};

/// Bytes read at a time.
const PIECE_BYTES: usize = 64 * 1024;

/// A text that is read piece by piece.
pub(super) struct Source<'f> {
    reader: Box<dyn Read>,
    name: Cow<'f, Path>,
}

impl<'f> Source<'f> {
    /// The text in `file`; on standard input for none, or `-`.
    ///
    /// # Errors
    /// If it cannot be opened.
    pub(super) fn open(file: Option<&'f Path>) -> Result<Self> {
        let (reader, name): (Box<dyn Read>, _) = match named(file) {
            Some(path) => {
                let file = File::open(path).map_err(|error| unopened(path, error))?;
                if path.is_dir() {
                    let says = format!("{} is a directory: name a file in it", path.display());
                    return Err(Error::new(ErrorKind::InvalidInput, says));
                }
                (Box::new(file), Cow::Borrowed(path))
            }
            None => (
                Box::new(io::stdin().lock()),
                Cow::Borrowed(Path::new("standard input")),
            ),
        };
        Ok(Self { reader, name })
    }

    /// Hands each piece to `take`, until there is none.
    ///
    /// # Errors
    /// If it cannot be read, and what `take` returns.
    pub(super) fn each(mut self, mut take: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
        let mut piece = vec![0; PIECE_BYTES];
        loop {
            match self.reader.read(&mut piece) {
                Ok(0) => return Ok(()),
                Ok(count) => take(&piece[..count])?,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Error::io("read", &self.name, error)),
            }
        }
    }
}

/// The file that `file` names: none for standard input, which `-` means too.
pub(super) fn named(file: Option<&Path>) -> Option<&Path> {
    file.filter(|file| *file != Path::new("-"))
}

/// Reads a captured output, as much of it as a run would keep.
///
/// # Errors
/// If it cannot be read.
pub(super) fn read(file: Option<&Path>) -> Result<Capture> {
    let mut capture = Capture::new(Capture::HEAD_MAX, Capture::TAIL_MAX);
    Source::open(file)?.each(|piece| {
        capture.push(Stream::Stderr, piece);
        Ok(())
    })?;
    Ok(capture)
}

/// What is wrong with `path`, which was typed and cannot be opened.
fn unopened(path: &Path, error: io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => {
            let says = format!("there is no file {}", path.display());
            Error::new(ErrorKind::NotFound, says)
        }
        _ => Error::io("open", path, error),
    }
}
