//! Hostile text made harmless: control characters, ANSI sequences, C1 controls, and the characters
//! that reorder, hide or break lines become visible escapes.
//!
//! The one helper for this: tables, messages, reports in every form and whatever is written to a
//! terminal go through it.

use std::fmt::Write as _;
use std::io::{self, Write};

/// What may pass as it is, and how the rest is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Escapes {
    /// For one line: nothing but printable text passes; `\n`, `\x1b`, `\u{202e}`.
    Line,
    /// For text of several lines: line feeds and tabs pass too.
    Text,
    /// For JSON: as [`Escapes::Text`], written as JSON's own escapes, so that it still means the
    /// same.
    Json,
}

/// `text` in one line, harmless.
pub fn escape_text(text: &str) -> String {
    escape_bytes(text.as_bytes(), Escapes::Line)
}

/// `bytes` as `escapes` says, harmless; bytes that are no UTF-8 become `\xNN`.
pub fn escape_bytes(bytes: &[u8], escapes: Escapes) -> String {
    let mut out = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            push_char(&mut out, c, escapes);
        }
        for byte in chunk.invalid() {
            match escapes {
                Escapes::Line | Escapes::Text => push(&mut out, format_args!("\\x{byte:02x}")),
                // JSON is UTF-8, so this is not JSON of ours; keep it harmless and recognisable.
                Escapes::Json => out.push(char::REPLACEMENT_CHARACTER),
            }
        }
    }
    out
}

/// A writer that escapes what is written through it.
///
/// A character may be cut by the border of two writes; its first bytes wait for the rest, and
/// [`EscapingWriter::finish`] writes what never was completed.
pub struct EscapingWriter<W: Write> {
    inner: W,
    escapes: Escapes,
    /// At most three bytes: the beginning of a character.
    pending: Vec<u8>,
}

impl<W: Write> EscapingWriter<W> {
    /// Escapes into `inner`.
    pub fn new(inner: W, escapes: Escapes) -> Self {
        Self {
            inner,
            escapes,
            pending: Vec::new(),
        }
    }

    /// Writes what waits and flushes.
    ///
    /// # Errors
    /// If that cannot be written.
    pub fn finish(mut self) -> io::Result<()> {
        let pending = std::mem::take(&mut self.pending);
        self.inner
            .write_all(escape_bytes(&pending, self.escapes).as_bytes())?;
        self.inner.flush()
    }
}

impl<W: Write> Write for EscapingWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut whole = std::mem::take(&mut self.pending);
        whole.extend_from_slice(bytes);
        let cut = whole.len() - unfinished_character(&whole);
        self.pending = whole.split_off(cut);
        self.inner
            .write_all(escape_bytes(&whole, self.escapes).as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

fn push_char(out: &mut String, c: char, escapes: Escapes) {
    match (c, escapes) {
        ('\n' | '\t', Escapes::Text | Escapes::Json) => out.push(c),
        // Program output ends its lines like this on some systems, and JSON may between its tokens.
        ('\r', Escapes::Json) => out.push(c),
        ('\n', Escapes::Line) => out.push_str("\\n"),
        ('\t', Escapes::Line) => out.push_str("\\t"),
        ('\r', _) => out.push_str("\\r"),
        (c, _) if !is_hostile(c) => out.push(c),
        (c, Escapes::Json) => {
            for unit in c.encode_utf16(&mut [0; 2]) {
                push(out, format_args!("\\u{unit:04x}"));
            }
        }
        (c, _) if u32::from(c) <= 0xff => push(out, format_args!("\\x{:02x}", u32::from(c))),
        (c, _) => push(out, format_args!("\\u{{{:x}}}", u32::from(c))),
    }
}

/// Adds `c` to `out`, or its number where it could do something else than be drawn in its place.
pub(crate) fn push_visible(c: char, out: &mut String) {
    match is_hostile(c) {
        true => push(out, format_args!("\\u{{{:x}}}", u32::from(c))),
        false => out.push(c),
    }
}

/// Whether a reader could do anything with `c` but draw it in its place.
fn is_hostile(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            // Marks, embeddings, overrides and isolates that reorder what is shown.
            '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
            // Separators of lines and paragraphs.
            | '\u{2028}' | '\u{2029}'
            // Invisible: soft hyphen, vowel separator, zero-width space, joiners of words, shapes
            // of digits, byte order mark. What joins the parts of a letter or a picture is drawn.
            | '\u{00ad}' | '\u{180e}' | '\u{200b}' | '\u{2060}'..='\u{2064}'
            | '\u{206a}'..='\u{206f}' | '\u{feff}'
            // Annotations and tags, which can hide whole sentences.
            | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}'
        )
}

/// How many bytes at the end of `bytes` begin a character that is not complete.
fn unfinished_character(bytes: &[u8]) -> usize {
    let invalid = bytes
        .utf8_chunks()
        .last()
        .map_or(&[][..], |chunk| chunk.invalid());
    match std::str::from_utf8(invalid) {
        // `error_len` is `None` only where the text ends in the middle of a character.
        Err(error) if error.error_len().is_none() => invalid.len(),
        _ => 0,
    }
}

fn push(out: &mut String, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text)
        .expect("writing to a string cannot fail");
}
