//! The diff of an attempt: its beginning for people, all of it for programs. A diff may be as long
//! as all files together, so neither is ever held whole.

use std::cell::RefCell;
use std::fmt;
use std::io::{self, Write};
use std::ops::ControlFlow;

use auto_recovery::run::AttemptDiff;
use auto_recovery::{Error, Result};
use serde::{Serialize, Serializer};

use crate::hints;
use crate::output::{Escapes, EscapingWriter, counted};

/// Lines of a diff that are shown.
const LINES_SHOWN: usize = 200;
/// Bytes of a line of it that are shown: twenty-five rows of a terminal. Generated files may be one
/// line of mebibytes.
const LINE_BYTES_SHOWN: usize = 2_000;

/// The beginning of a diff, as it came.
#[derive(Default)]
pub(crate) struct Beginning {
    /// The shown part, at most 400 kB.
    pub(crate) bytes: Vec<u8>,
    lines: usize,
    /// Bytes of the line that is being read.
    in_line: usize,
    /// Set if the diff has more than is shown.
    has_more: bool,
}

impl Beginning {
    /// Reads the part of `diff` that a person is shown. The rest is never made.
    ///
    /// # Errors
    /// If the checkpoints cannot be read.
    pub(crate) fn of(diff: &AttemptDiff) -> Result<Self> {
        let mut beginning = Self::default();
        // Both endings are fine here: a diff that broke off is shown as far as it was read.
        let _either = diff.read(&mut |piece| Ok(beginning.add(piece)))?;
        if beginning.in_line > 0 {
            beginning.end_line();
        }
        Ok(beginning)
    }

    /// The heading's note on it.
    pub(crate) fn note(&self) -> String {
        match self.has_more {
            true => format!(" (its first {LINES_SHOWN} lines; --json gives all)"),
            false => String::new(),
        }
    }

    fn add(&mut self, piece: &[u8]) -> ControlFlow<()> {
        for part in piece.split_inclusive(|byte| *byte == b'\n') {
            if self.lines == LINES_SHOWN {
                self.has_more = true;
                return ControlFlow::Break(());
            }
            let (text, is_ended) = match part.strip_suffix(b"\n") {
                Some(text) => (text, true),
                None => (part, false),
            };
            let room = LINE_BYTES_SHOWN.saturating_sub(self.in_line);
            self.bytes.extend_from_slice(&text[..text.len().min(room)]);
            self.in_line += text.len();
            if is_ended {
                self.end_line();
            }
        }
        ControlFlow::Continue(())
    }

    fn end_line(&mut self) {
        if let Some(more) = self.in_line.checked_sub(LINE_BYTES_SHOWN + 1) {
            let more = counted(more as u64 + 1, "byte");
            self.bytes
                .extend_from_slice(format!("… and {more} more").as_bytes());
        }
        self.in_line = 0;
        self.lines += 1;
        self.bytes.push(b'\n');
    }
}

/// All of a diff, as a string in JSON that is written while the diff is made. If the diff broke
/// off, its last line says so.
pub(crate) struct Whole<'d> {
    diff: &'d AttemptDiff,
    /// The reason why it broke off.
    failed: RefCell<Option<Error>>,
}

impl<'d> Whole<'d> {
    pub(crate) fn of(diff: &'d AttemptDiff) -> Self {
        Self {
            diff,
            failed: RefCell::default(),
        }
    }

    /// The error that kept it from being written to its end, if any.
    pub(crate) fn failure(self) -> Option<Error> {
        self.failed.into_inner()
    }
}

impl Serialize for Whole<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl fmt::Display for Whole<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = ToFormatter {
            inner: f,
            is_closed: false,
        };
        let mut escaping = EscapingWriter::new(&mut out, Escapes::Text);
        let read = self
            .diff
            .read(&mut |piece| escaping.write_all(piece).map(ControlFlow::Continue));
        let finished = escaping.finish();
        if out.is_closed || finished.is_err() {
            return Err(fmt::Error);
        }
        let Err(error) = read else {
            return Ok(());
        };
        // The string is closed even then, or nothing written so far could be parsed.
        writeln!(
            out.inner,
            "# the rest could not be read: {}",
            hints::chain(&error)
        )?;
        self.failed.replace(Some(error));
        Ok(())
    }
}

/// A formatter as a writer, of text only.
struct ToFormatter<'f, 'b> {
    inner: &'f mut fmt::Formatter<'b>,
    /// Set once it takes no more.
    is_closed: bool,
}

impl Write for ToFormatter<'_, '_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let text = std::str::from_utf8(bytes).map_err(io::Error::other)?;
        self.inner.write_str(text).map_err(|error| {
            self.is_closed = true;
            io::Error::other(error)
        })?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(pieces: &[&[u8]]) -> (String, bool) {
        let mut beginning = Beginning::default();
        let _all = pieces
            .iter()
            .try_for_each(|piece| match beginning.add(piece) {
                ControlFlow::Continue(()) => Ok(()),
                ControlFlow::Break(()) => Err(()),
            });
        let text = String::from_utf8_lossy(&beginning.bytes).into_owned();
        (text, beginning.has_more)
    }

    #[test]
    fn lines_are_put_together_from_pieces() {
        let (text, has_more) = shown(&[b"one\ntw", b"o\n\nfour\n"]);
        assert_eq!((text.as_str(), has_more), ("one\ntwo\n\nfour\n", false));
    }

    #[test]
    fn what_comes_after_the_last_line_that_is_shown_is_not_wanted() {
        let line = b"line\n".repeat(LINES_SHOWN);
        let (text, has_more) = shown(&[&line]);
        assert_eq!((text.lines().count(), has_more), (LINES_SHOWN, false));
        let (text, has_more) = shown(&[&line, b"x"]);
        assert_eq!((text.lines().count(), has_more), (LINES_SHOWN, true));
    }

    #[test]
    fn a_long_line_is_cut_and_says_by_how_much() {
        let long = [&b"x".repeat(LINE_BYTES_SHOWN)[..], b"yz"].concat();
        let (text, has_more) = shown(&[&long, b"\nnext\n"]);
        let expected = format!("{}… and 2 bytes more\nnext\n", "x".repeat(LINE_BYTES_SHOWN));
        assert_eq!((text, has_more), (expected, false));
        let whole = b"x".repeat(LINE_BYTES_SHOWN);
        let (text, _) = shown(&[&whole, b"\n"]);
        assert_eq!(text.len(), LINE_BYTES_SHOWN + 1);
    }
}
