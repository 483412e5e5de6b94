//! What a session left on this machine beside its record: changes in checkpoints, outputs in files.
//!
//! A report asks for it and is whole without it: a record that was copied from elsewhere has
//! neither. Text is read no further than it is shown.

use std::ops::ControlFlow;

use crate::error::Result;
use crate::escape::{strip_escapes, strip_progress};
use crate::wording::counted;

/// Lines of a change that are shown, and bytes of each. Generated files may be one line of
/// mebibytes.
const DIFF_LINES_MAX: usize = 200;
const DIFF_LINE_BYTES_MAX: usize = 400;

/// Lines of an output that are shown, the last ones, and bytes read to find them.
const OUTPUT_LINES_MAX: usize = 20;
const OUTPUT_BYTES_MAX: u64 = 8 * 1024;

/// Takes the next piece of a text, and says whether it wants more.
pub type Visit<'v> = &'v mut dyn FnMut(&[u8]) -> ControlFlow<()>;

/// More than a report has room for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rest {
    /// The session with all that is kept of it.
    Session,
    /// The list of all attempts.
    Attempts,
    /// One attempt, whichever is asked for as `N`.
    AnyAttempt,
    /// All changes of the attempt of this number, or of the cure.
    Changes(Option<u64>),
    /// All output of the attempt of this number, or of the first failure.
    Output(Option<u64>),
}

/// What a session left beside its record.
pub trait Kept {
    /// Calls `visit` with the changes of attempt `number`, or with those of the cure, as a unified
    /// diff, until it wants no more. `false` if nothing kept has them.
    ///
    /// # Errors
    /// If they cannot be read.
    fn changes(&self, number: Option<u64>, visit: Visit<'_>) -> Result<bool>;

    /// At most the last `bytes_max` bytes of the output that a record says is in `file`. A record
    /// may name any file: `None` for one that is not the session's own, or no longer there.
    ///
    /// # Errors
    /// If it cannot be read.
    fn output_end(&self, file: &str, bytes_max: u64) -> Result<Option<Vec<u8>>>;

    /// The command that shows `rest`, if the reader has one.
    fn command(&self, rest: Rest) -> Option<String> {
        let _ = rest;
        None
    }
}

/// Nothing beside the record.
#[derive(Clone, Copy, Debug, Default)]
pub struct NothingKept;

impl Kept for NothingKept {
    fn changes(&self, _number: Option<u64>, _visit: Visit<'_>) -> Result<bool> {
        Ok(false)
    }

    fn output_end(&self, _file: &str, _bytes_max: u64) -> Result<Option<Vec<u8>>> {
        Ok(None)
    }
}

/// A part of a text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Excerpt {
    /// Its lines, without codes for terminals.
    pub(super) text: String,
    /// Set if the text has more than is shown.
    pub(super) is_cut: bool,
}

/// The beginning of the changes of attempt `number`, or of the cure. Why they cannot be read is for
/// people to read in their place.
pub(super) fn changes(kept: &dyn Kept, number: Option<u64>) -> Option<Excerpt> {
    let mut beginning = Beginning::default();
    match kept.changes(number, &mut |piece| beginning.add(piece)) {
        Ok(false) => None,
        Ok(true) => beginning.excerpt(),
        Err(error) => Some(Excerpt {
            text: format!("the changes cannot be read: {error}"),
            is_cut: false,
        }),
    }
}

/// The end of the output in `file`.
pub(super) fn output(kept: &dyn Kept, file: Option<&str>) -> Option<Excerpt> {
    let bytes = match kept.output_end(file?, OUTPUT_BYTES_MAX) {
        Ok(bytes) => bytes?,
        Err(error) => format!("the output cannot be read: {error}").into_bytes(),
    };
    let text = strip_escapes(&bytes);
    let text = String::from_utf8_lossy(&strip_progress(&text)).into_owned();
    let lines: Vec<&str> = text.trim_end().lines().collect();
    let shown = &lines[lines.len().saturating_sub(OUTPUT_LINES_MAX)..];
    let excerpt = Excerpt {
        text: shown.join("\n"),
        is_cut: shown.len() < lines.len() || bytes.len() as u64 >= OUTPUT_BYTES_MAX,
    };
    (!excerpt.text.trim().is_empty()).then_some(excerpt)
}

/// The beginning of a diff, put together from pieces.
#[derive(Default)]
struct Beginning {
    bytes: Vec<u8>,
    lines: usize,
    /// Bytes of the line that is being read.
    in_line: usize,
    has_more: bool,
}

impl Beginning {
    fn add(&mut self, piece: &[u8]) -> ControlFlow<()> {
        for part in piece.split_inclusive(|byte| *byte == b'\n') {
            if self.lines == DIFF_LINES_MAX {
                self.has_more = true;
                return ControlFlow::Break(());
            }
            let text = part.strip_suffix(b"\n").unwrap_or(part);
            let room = DIFF_LINE_BYTES_MAX.saturating_sub(self.in_line);
            self.bytes.extend_from_slice(&text[..text.len().min(room)]);
            self.in_line += text.len();
            if text.len() < part.len() {
                self.end_line();
            }
        }
        ControlFlow::Continue(())
    }

    fn end_line(&mut self) {
        if self.in_line > DIFF_LINE_BYTES_MAX {
            let more = counted((self.in_line - DIFF_LINE_BYTES_MAX) as u64, "byte");
            self.bytes
                .extend_from_slice(format!("… and {more} more").as_bytes());
        }
        self.in_line = 0;
        self.lines += 1;
        self.bytes.push(b'\n');
    }

    fn excerpt(mut self) -> Option<Excerpt> {
        if self.in_line > 0 {
            self.end_line();
        }
        let text = String::from_utf8_lossy(&self.bytes).trim_end().to_owned();
        (!text.is_empty()).then_some(Excerpt {
            text,
            is_cut: self.has_more,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fake(Vec<u8>);

    impl Kept for Fake {
        fn changes(&self, _number: Option<u64>, visit: Visit<'_>) -> Result<bool> {
            for piece in self.0.chunks(7) {
                if visit(piece).is_break() {
                    break;
                }
            }
            Ok(true)
        }

        fn output_end(&self, _file: &str, bytes_max: u64) -> Result<Option<Vec<u8>>> {
            assert!(self.0.len() as u64 <= bytes_max);
            Ok(Some(self.0.clone()))
        }
    }

    #[test]
    fn a_change_is_shown_from_its_beginning() {
        let check = |text: &str, expected: &str, is_cut: bool| {
            let excerpt = changes(&Fake(text.into()), None).expect("it has text");
            assert_eq!((excerpt.text.as_str(), excerpt.is_cut), (expected, is_cut));
        };
        check("+one\n-two", "+one\n-two", false);
        let lines = vec!["line"; DIFF_LINES_MAX].join("\n");
        check(&lines, &lines, false);
        check(&format!("{lines}\nmore\n"), &lines, true);
        let long = "x".repeat(DIFF_LINE_BYTES_MAX);
        check(
            &format!("{long}yz\nnext"),
            &format!("{long}… and 2 bytes more\nnext"),
            false,
        );
        assert_eq!(changes(&Fake(Vec::new()), None), None);
        assert_eq!(changes(&NothingKept, Some(1)), None);
    }

    #[test]
    fn an_output_is_shown_by_its_end_without_codes() {
        let excerpt = output(&Fake(b"\x1b[31mred\x1b(B\x1b[m\n".into()), Some("f"));
        assert_eq!(excerpt.map(|one| one.text).as_deref(), Some("red"));
        let lines: Vec<String> = (0..30).map(|line| line.to_string()).collect();
        let excerpt = output(&Fake(lines.join("\n").into()), Some("f")).expect("it has text");
        assert!(excerpt.is_cut && excerpt.text.starts_with("10\n") && excerpt.text.ends_with("29"));
        assert_eq!(output(&Fake(b" \n".into()), Some("f")), None);
        assert_eq!(output(&NothingKept, Some("f")), None);
        assert_eq!(output(&Fake(b"x".into()), None), None);
    }
}
