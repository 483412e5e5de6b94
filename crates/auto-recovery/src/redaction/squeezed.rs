//! Texts with pieces left out, and the way back from places in them to places in the whole text.
//!
//! Secrets are looked for in what a terminal would show, without the codes it acts upon; known
//! values also in that text without the ends of its lines, for programs fold long lines.

use std::borrow::Cow;
use std::cell::Cell;
use std::ops::Range;

use memchr::memchr;

const ESCAPE: u8 = 0x1b;
const BELL: u8 = 0x07;

/// A text without some of its pieces.
#[derive(Debug)]
pub(super) struct Squeezed<'t> {
    /// What is left.
    pub(super) text: Cow<'t, [u8]>,
    /// Whether a piece carried a text that a terminal does not draw.
    pub(super) has_bodies: bool,
    gaps: Vec<Gap>,
}

/// A piece that was left out.
#[derive(Clone, Copy, Debug)]
struct Gap {
    /// The place in the text that is left.
    at: usize,
    /// Bytes left out up to there.
    removed: usize,
}

impl<'t> Squeezed<'t> {
    /// `whole` without the pieces that `next` finds: the first one that begins at or after a place.
    fn new(whole: &'t [u8], next: impl Fn(&[u8], usize) -> Option<Range<usize>>) -> Self {
        let Some(first) = next(whole, 0) else {
            return Self {
                text: Cow::Borrowed(whole),
                has_bodies: false,
                gaps: Vec::new(),
            };
        };
        let mut text = Vec::with_capacity(whole.len());
        let mut gaps = Vec::new();
        let mut copied = 0;
        let mut piece = Some(first);
        while let Some(gap) = piece {
            text.extend_from_slice(&whole[copied..gap.start]);
            copied = gap.end;
            gaps.push(Gap {
                at: text.len(),
                removed: copied - text.len(),
            });
            piece = next(whole, copied);
        }
        text.extend_from_slice(&whole[copied..]);
        Self {
            text: Cow::Owned(text),
            has_bodies: false,
            gaps,
        }
    }

    /// `whole` as a terminal shows it, without codes.
    pub(super) fn visible(whole: &'t [u8]) -> Self {
        let has_bodies = Cell::new(false);
        let visible = Self::new(whole, |text, from| {
            let start = from + memchr(ESCAPE, &text[from..])?;
            let (length, body) = escape(&text[start..]);
            if !body.is_empty() {
                has_bodies.set(true);
            }
            Some(start..start + length)
        });
        Self {
            has_bodies: has_bodies.get(),
            ..visible
        }
    }

    /// `whole` with its lines joined, the blanks that begin a line left out.
    pub(super) fn joined(whole: &'t [u8]) -> Self {
        Self::new(whole, |text, from| {
            let end = from + memchr(b'\n', &text[from..])?;
            let is_return = end > from && text[end - 1] == b'\r';
            let blanks = text[end + 1..].iter();
            let blanks = blanks.take_while(|byte| matches!(byte, b' ' | b'\t'));
            Some(end - usize::from(is_return)..end + 1 + blanks.count())
        })
    }

    /// The place in the whole text that `at` is here.
    pub(super) fn start(&self, at: usize) -> usize {
        let before = self.gaps.partition_point(|gap| gap.at <= at);
        at + before
            .checked_sub(1)
            .map_or(0, |last| self.gaps[last].removed)
    }

    /// The end in the whole text that `at` is here.
    pub(super) fn end(&self, at: usize) -> usize {
        at.checked_sub(1).map_or(0, |last| self.start(last) + 1)
    }

    /// The range in the whole text of `range`, with the pieces inside it.
    pub(super) fn range(&self, range: Range<usize>) -> Range<usize> {
        self.start(range.start)..self.end(range.end)
    }
}

/// The bodies of operating system commands in `whole`: titles and the targets of links, which a
/// terminal does not draw and a file keeps.
pub(super) fn hidden_bodies(whole: &[u8]) -> Vec<Range<usize>> {
    let mut bodies = Vec::new();
    let mut from = 0;
    while let Some(at) = memchr(ESCAPE, &whole[from..]) {
        let start = from + at;
        let (length, body) = escape(&whole[start..]);
        if !body.is_empty() {
            bodies.push(start + body.start..start + body.end);
        }
        from = start + length;
    }
    bodies
}

/// How many bytes the escape sequence at the start of `bytes` takes, at least the escape itself,
/// and the body it carries. A sequence that is cut ends where its grammar does, in its line.
fn escape(bytes: &[u8]) -> (usize, Range<usize>) {
    let length = match bytes.get(1) {
        Some(b'[') => {
            let parameters = bytes[2..].iter();
            let is_parameter = |byte: &&u8| (0x20..=0x3f).contains(*byte);
            let end = 2 + parameters.take_while(is_parameter).count();
            match bytes.get(end) {
                Some(0x40..=0x7e) => end + 1,
                _ => end,
            }
        }
        Some(b']' | b'P' | b'_' | b'^') => {
            let body = &bytes[2..];
            let ends = |byte: &u8| matches!(*byte, BELL | ESCAPE | b'\n');
            let end = 2 + body.iter().position(ends).unwrap_or(body.len());
            let length = match &bytes[end..] {
                [BELL, ..] => end + 1,
                [ESCAPE, b'\\', ..] => end + 2,
                _ => end,
            };
            return (length, 2..end);
        }
        Some(b'(' | b')') => bytes.len().min(3),
        Some(0x30..=0x7e) => 2,
        _ => 1,
    };
    (length, 0..0)
}

#[cfg(test)]
mod tests {
    use super::{Squeezed, hidden_bodies};

    #[test]
    fn what_is_left_out_is_found_again() {
        let whole = b"a\x1b[1;31mbc\x1b]8;;link\x07d\x1b[0me";
        let visible = Squeezed::visible(whole);
        assert_eq!(&*visible.text, b"abcde");
        for (at, byte) in visible.text.iter().enumerate() {
            assert_eq!(whole[visible.start(at)], *byte);
            assert_eq!(whole[visible.end(at + 1) - 1], *byte);
        }
        assert_eq!(hidden_bodies(whole).len(), 1);
        let joined = Squeezed::joined(b"ab\r\n\t c\n\nd");
        assert_eq!(&*joined.text, b"abcd");
        assert_eq!(joined.range(1..3), 1..7);
        assert_eq!(&*Squeezed::visible(b"\x1b").text, b"");
        assert_eq!(&*Squeezed::visible(b"\x1b]never ended\nx").text, b"\nx");
    }
}
