//! The output of a command without its secrets, as it is kept and as others are told of it.
//!
//! Each stream is looked through as a whole, before both are put into the order of their arrival:
//! a secret that a program wrote in two pieces, with an error between them, is masked all the same.
//! Where a stream was cut, the lines that the cut goes through are left out: nothing says of half
//! a token that it is one. A mask stands where its secret begins.

use std::io::{self, Write};
use std::ops::ControlFlow;
use std::sync::Arc;

use memchr::{memchr, memmem, memrchr};

use crate::checkpoint::DiffSink;
use crate::error::{Error, Result};
use crate::process::{Capture, Piece, Stream};
use crate::redaction::{Finding, RedactionStream, Redactor};

/// The longest line that a cut leaves out; of a longer one this much goes, which is more than any
/// token has.
const LINE_BYTES_MAX: usize = 16 * 1024;

/// The text of `capture`, both streams in the order of their arrival, masked by `redactor`.
pub(in crate::run) fn masked(capture: &Capture, redactor: &Arc<Redactor>) -> Vec<u8> {
    let pieces = whole_lines(capture.pieces());
    let known = redactor.count();
    let mut parts = masked_parts(&pieces, redactor);
    // What was found behind its first place, or in the other stream, is known by now.
    if redactor.count() != known {
        parts = masked_parts(&pieces, redactor);
    }
    let mut text = Vec::new();
    for piece in &pieces {
        match piece {
            Piece::Bytes(stream, bytes) => parts[index(*stream)].give(bytes.len(), &mut text),
            Piece::Cut(stream, count) => {
                Capture::mark_cut(&mut text, *stream, *count);
            }
        }
    }
    text
}

/// What every mask begins with.
const MASK: &[u8] = b"[redacted ";

/// What stands before a line of a patch in which a secret is masked: no tool takes the patch then,
/// and says which line it is. Half of a change with masks for values would do harm.
const NOT_APPLICABLE: &[u8] =
    b"!recover: a secret is masked in the line below: this patch cannot be applied as it is\n";

/// Masks a patch that comes piece by piece, and gives out whole lines.
pub(in crate::run) struct PatchMasking {
    masking: RedactionStream,
    /// The line that has not ended.
    line: Vec<u8>,
    /// Whether a secret was masked since the last line ended.
    has_masks: bool,
    masked: u64,
}

impl PatchMasking {
    /// Masks with `redactor`.
    pub(in crate::run) fn new(redactor: &Arc<Redactor>) -> Self {
        Self {
            masking: RedactionStream::new(Arc::clone(redactor)),
            line: Vec::new(),
            has_masks: false,
            masked: 0,
        }
    }

    /// What can be given out once `piece` came, or, without one, at the end.
    pub(in crate::run) fn take(&mut self, piece: Option<&[u8]>) -> Vec<u8> {
        let mut text = std::mem::take(&mut self.line);
        let found = match piece {
            Some(piece) => self.masking.push(piece, &mut text),
            None => self.masking.finish(&mut text),
        };
        self.masked += found.len() as u64;
        self.has_masks |= !found.is_empty();
        if piece.is_some() {
            let whole = memrchr(b'\n', &text).map_or(0, |at| at + 1);
            self.line = text.split_off(whole);
        }
        if !self.has_masks || text.is_empty() {
            return text;
        }
        self.has_masks = memmem::find(&self.line, MASK).is_some();
        let mut marked = Vec::with_capacity(text.len() + NOT_APPLICABLE.len());
        for line in text.split_inclusive(|byte| *byte == b'\n') {
            // Behind a hunk's last line it would be none of the hunk.
            if line.starts_with(b"+") && memmem::find(line, MASK).is_some() {
                marked.extend_from_slice(NOT_APPLICABLE);
            }
            marked.extend_from_slice(line);
        }
        marked
    }
}

/// Masks a patch on its way to `out`.
pub(in crate::run) struct MaskedPatch<'o> {
    out: &'o mut dyn Write,
    masking: PatchMasking,
}

impl<'o> MaskedPatch<'o> {
    /// Masks with `redactor` what goes to `out`.
    pub(in crate::run) fn new(redactor: &Arc<Redactor>, out: &'o mut dyn Write) -> Self {
        Self {
            out,
            masking: PatchMasking::new(redactor),
        }
    }

    /// Writes what is left; returns how many secrets were masked in all.
    pub(in crate::run) fn finish(mut self) -> io::Result<u64> {
        self.out.write_all(&self.masking.take(None))?;
        Ok(self.masking.masked)
    }
}

impl Write for MaskedPatch<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.out.write_all(&self.masking.take(Some(bytes)))?;
        Ok(bytes.len())
    }

    /// Nothing: what could still become part of a secret waits.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Gives `sink` what `read` gives, masked by `redactor`.
///
/// # Errors
/// Those of `read`, and of `sink`.
pub(in crate::run) fn read_masked(
    redactor: &Arc<Redactor>,
    sink: &mut DiffSink<'_>,
    read: impl FnOnce(&mut DiffSink<'_>) -> Result<ControlFlow<()>>,
) -> Result<ControlFlow<()>> {
    let mut masking = PatchMasking::new(redactor);
    let ended = read(&mut |piece| sink(&masking.take(Some(piece))))?;
    if ended.is_break() {
        return Ok(ended);
    }
    let rest = sink(&masking.take(None));
    rest.map_err(|error| Error::os("failed to write the diff", error))
}

/// Both streams, masked.
fn masked_parts(pieces: &[Piece<'_>], redactor: &Arc<Redactor>) -> [Masked; 2] {
    [Stream::Stdout, Stream::Stderr].map(|stream| Masked::of(pieces, stream, redactor))
}

fn index(stream: Stream) -> usize {
    match stream {
        Stream::Stdout => 0,
        Stream::Stderr => 1,
    }
}

/// One stream, masked, and how much of it was given out.
struct Masked {
    text: Vec<u8>,
    found: std::iter::Peekable<std::vec::IntoIter<Finding>>,
    /// Bytes given out of the stream as it was, and of the text.
    at: usize,
    given: usize,
}

impl Masked {
    /// `stream` of `pieces`. What stands before a cut does not go on behind it.
    fn of(pieces: &[Piece<'_>], stream: Stream, redactor: &Arc<Redactor>) -> Self {
        let mut masking = RedactionStream::new(redactor.clone());
        let mut text = Vec::new();
        let mut found = Vec::new();
        let (mut bytes_before, mut bytes) = (0, 0);
        for piece in pieces {
            match piece {
                Piece::Bytes(of, piece) if *of == stream => {
                    found.extend(moved(masking.push(piece, &mut text), bytes_before));
                    bytes += piece.len();
                }
                Piece::Cut(of, _) if *of == stream => {
                    found.extend(moved(masking.finish(&mut text), bytes_before));
                    masking = RedactionStream::new(redactor.clone());
                    bytes_before = bytes;
                }
                _ => {}
            }
        }
        found.extend(moved(masking.finish(&mut text), bytes_before));
        Self {
            text,
            found: found.into_iter().peekable(),
            at: 0,
            given: 0,
        }
    }

    /// Appends to `out` what the next `count` bytes of the stream are now.
    fn give(&mut self, count: usize, out: &mut Vec<u8>) {
        let end = self.at + count;
        while self.at < end {
            let next = self.found.peek().map(|found| found.range.clone());
            match next {
                Some(secret) if secret.start <= self.at => {
                    if secret.start == self.at {
                        let mask = memchr(b']', &self.text[self.given..]);
                        let mask = mask.map_or(0, |at| at + 1);
                        out.extend_from_slice(&self.text[self.given..self.given + mask]);
                        self.given += mask;
                    }
                    self.at = secret.end.min(end);
                    if self.at == secret.end {
                        self.found.next();
                    }
                }
                next => {
                    let until = next.map_or(end, |secret| secret.start.min(end));
                    let plain = until - self.at;
                    out.extend_from_slice(&self.text[self.given..self.given + plain]);
                    self.given += plain;
                    self.at = until;
                }
            }
        }
    }
}

fn moved(found: Vec<Finding>, by: usize) -> impl Iterator<Item = Finding> {
    found.into_iter().map(move |mut found| {
        found.range = found.range.start + by..found.range.end + by;
        found
    })
}

/// `pieces` without the parts of lines that stand beside a cut.
fn whole_lines(mut pieces: Vec<Piece<'_>>) -> Vec<Piece<'_>> {
    let cuts: Vec<_> = (0..pieces.len())
        .filter(|at| matches!(pieces[*at], Piece::Cut(..)))
        .collect();
    for cut in cuts {
        let Piece::Cut(stream, count) = pieces[cut] else {
            continue;
        };
        let (before, rest) = pieces.split_at_mut(cut);
        let mut gone = 0;
        let mut left = LINE_BYTES_MAX;
        for bytes in before
            .iter_mut()
            .rev()
            .filter_map(|one| bytes_of(one, stream))
        {
            let keep = memrchr(b'\n', bytes).map_or(0, |at| at + 1);
            let is_whole = keep > 0 || left <= bytes.len();
            let taken = (bytes.len() - keep).min(left);
            *bytes = &bytes[..bytes.len() - taken];
            (gone, left) = (gone + taken, left - taken);
            if is_whole {
                break;
            }
        }
        let mut left = LINE_BYTES_MAX;
        for bytes in rest.iter_mut().filter_map(|one| bytes_of(one, stream)) {
            let end = memchr(b'\n', bytes).map(|at| at + 1);
            let taken = end.unwrap_or(bytes.len()).min(left);
            let is_whole = end.is_some() || left <= bytes.len();
            *bytes = &bytes[taken..];
            (gone, left) = (gone + taken, left - taken);
            if is_whole {
                break;
            }
        }
        pieces[cut] = Piece::Cut(stream, count + gone as u64);
    }
    pieces
}

/// The bytes that `piece` has of `stream`.
fn bytes_of<'p, 'a>(piece: &'p mut Piece<'a>, stream: Stream) -> Option<&'p mut &'a [u8]> {
    match piece {
        Piece::Bytes(of, bytes) if *of == stream => Some(bytes),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = concat!("ghp", "_0123456789abcdefghijABCDEFGHIJ012345");

    fn shown(capture: &Capture) -> String {
        let redactor = Arc::new(Redactor::new([1; 16]));
        String::from_utf8(masked(capture, &redactor)).unwrap()
    }

    #[test]
    fn a_secret_in_two_pieces_with_an_error_between_them_is_masked() {
        let (first, second) = TOKEN.split_at(9);
        let mut capture = Capture::new(1 << 20, 1 << 20);
        capture.push(Stream::Stdout, format!("a\ntoken {first}").as_bytes());
        capture.push(Stream::Stderr, b"warning: slow\n");
        capture.push(Stream::Stdout, format!("{second} b\n").as_bytes());
        let shown = shown(&capture);
        let (before, after) = shown.split_once("[redacted github-token ").unwrap();
        assert_eq!(before, "a\ntoken ");
        assert_eq!(&after[4..], "]warning: slow\n b\n");
    }

    #[test]
    fn what_one_stream_tells_is_masked_in_the_other_before() {
        let mut capture = Capture::new(1 << 20, 1 << 20);
        capture.push(Stream::Stdout, b"login with tr0ub4dor-and-3\n");
        capture.push(Stream::Stderr, b"DB_PASSWORD=tr0ub4dor-and-3 is wrong\n");
        let shown = shown(&capture);
        assert_eq!(
            shown.matches("[redacted assigned-secret ").count(),
            2,
            "{shown}"
        );
        assert!(!shown.contains("tr0ub4dor"), "{shown}");
    }

    #[test]
    fn no_piece_of_a_secret_stays_beside_a_cut() {
        for head in 0..140 {
            let mut capture = Capture::new(head, 60);
            for number in 0..6 {
                capture.push(Stream::Stdout, format!("{number} {TOKEN} end\n").as_bytes());
                capture.push(Stream::Stderr, b"e\n");
            }
            let shown = shown(&capture);
            for at in 0..TOKEN.len() - 8 {
                assert!(!shown.contains(&TOKEN[at..at + 8]), "{head}: {shown}");
            }
            assert_eq!(shown.matches("e\n").count(), 6, "{head}: {shown}");
        }
    }

    #[test]
    fn what_has_no_secret_stays_byte_for_byte() {
        let mut capture = Capture::new(1 << 20, 1 << 20);
        for number in 0..1000_u32 {
            let line = format!("\x1b[1mline {number}\x1b[0m \u{fe} ");
            capture.push(Stream::Stdout, line.as_bytes());
            capture.push(Stream::Stderr, &number.to_le_bytes());
        }
        let redactor = Arc::new(Redactor::new([1; 16]));
        assert_eq!(masked(&capture, &redactor), *capture.interleaved());
    }
}
