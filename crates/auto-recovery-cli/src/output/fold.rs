//! Folding: text no wider than the terminal, broken between words and not inside of a command.
//!
//! The one place that measures text in columns of a terminal: a character may take two of them, or
//! none.

use std::ops::Range;

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

/// The least columns that a line below the first has for its text.
const ROOM_MIN: usize = 8;

/// Columns that `text`, which is harmless, takes on a terminal.
pub(crate) fn columns(text: &str) -> usize {
    text.width()
}

/// The lines of `text`, of at most `width` columns, those below the first set in by `indent`.
pub(crate) fn fold(text: &str, width: usize, indent: usize) -> Vec<String> {
    let indent = indent_within(width, indent);
    let lines = breaks(text, width, indent).into_iter().enumerate();
    lines
        .map(|(number, range)| match number {
            0 => text[range].to_owned(),
            _ => format!("{}{}", " ".repeat(indent), &text[range]),
        })
        .collect()
}

/// `text` in pieces of at most `width` columns, no character of it left out.
pub(crate) fn chunks(text: &str, width: usize) -> Vec<&str> {
    let mut chunks = Vec::new();
    let mut rest = text;
    while columns(rest) > width.max(1) {
        let (chunk, after) = rest.split_at(fitting(rest, width.max(1)));
        chunks.push(chunk);
        rest = after;
    }
    chunks.push(rest);
    chunks
}

/// `text`, cut to at most `width` columns; a last `…` stands for the rest.
pub(crate) fn cut_to(text: &str, width: usize) -> String {
    if columns(text) <= width {
        return text.to_owned();
    }
    let mut kept = String::new();
    for c in text.chars() {
        kept.push(c);
        if columns(&kept) >= width {
            kept.pop();
            break;
        }
    }
    kept.trim_end().to_owned() + "…"
}

/// `indent`, or what a terminal of `width` columns has room for.
pub(crate) fn indent_within(width: usize, indent: usize) -> usize {
    match indent.saturating_add(ROOM_MIN) <= width {
        true => indent,
        false => 0,
    }
}

/// The parts of `text` that are lines of their own where the first has `width` columns and the
/// others `indent` less. Blanks at a break are left out.
pub(crate) fn breaks(text: &str, width: usize, indent: usize) -> Vec<Range<usize>> {
    let width = width.max(1);
    if columns(text) <= width {
        let whole = 0..text.len();
        return vec![whole];
    }
    let room = width.saturating_sub(indent).max(1);
    let mut lines = Vec::new();
    let mut line = 0..0;
    for piece in pieces(text, room) {
        let has = match lines.is_empty() {
            true => width,
            false => room,
        };
        let is_first = line.is_empty();
        if columns(&text[line.start..piece.end]) <= has {
            line.end = piece.end;
        } else {
            if !is_first {
                lines.push(line);
            }
            line = piece.clone();
            let has = if lines.is_empty() { width } else { room };
            while columns(&text[line.clone()]) > has {
                let at = line.start + fitting(&text[line.clone()], has);
                lines.push(line.start..at);
                line.start = at;
            }
        }
    }
    if !line.is_empty() {
        lines.push(line);
    }
    lines
}

/// The words of `text`, a command in backticks being one if a line of `room` columns takes it.
fn pieces(text: &str, room: usize) -> Vec<Range<usize>> {
    let mut pieces: Vec<Range<usize>> = Vec::new();
    let mut opened: Option<usize> = None;
    for word in words(text) {
        let ticks = text[word.clone()].matches('`').count();
        let opens = opened.is_none() && ticks % 2 == 1;
        let closes = opened.is_some() && ticks % 2 == 1;
        pieces.push(word);
        if opens {
            opened = Some(pieces.len() - 1);
        }
        if let Some(first) = opened.filter(|_| closes) {
            let whole = pieces[first].start..pieces[pieces.len() - 1].end;
            if columns(&text[whole.clone()]) <= room {
                pieces.truncate(first);
                pieces.push(whole);
            }
            opened = None;
        }
    }
    pieces
}

/// The words of `text`; blanks at its beginning belong to the first.
fn words(text: &str) -> Vec<Range<usize>> {
    let mut words: Vec<Range<usize>> = Vec::new();
    let lead = text.len() - text.trim_start_matches(' ').len();
    let mut at = 0;
    for word in text.split(' ') {
        if !word.is_empty() {
            let start = if words.is_empty() { at - lead } else { at };
            words.push(start..at + word.len());
        }
        at += word.len() + 1;
    }
    words
}

/// How many bytes of `text` a line of `room` columns takes, one character at least.
fn fitting(text: &str, room: usize) -> usize {
    let mut taken = 0;
    for (at, c) in text.char_indices() {
        taken += c.width().unwrap_or(0);
        if taken > room && at > 0 {
            return at;
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_cut_is_no_wider_than_it_may_be() {
        for (text, width, expected) in [
            ("cargo test", 10, "cargo test"),
            ("cargo test", 9, "cargo te…"),
            ("cargo test", 7, "cargo…"),
            ("日本語", 6, "日本語"),
            ("日本語", 5, "日本…"),
            ("日本語", 4, "日…"),
            ("日本語", 1, "…"),
        ] {
            assert_eq!(cut_to(text, width), expected);
            assert!(columns(expected) <= width);
        }
    }

    #[test]
    fn chunks_keep_every_character() {
        for (text, width) in [("", 4), ("  a  b c ", 3), ("日本語 x", 4), ("é", 0)] {
            let chunks = chunks(text, width);
            assert_eq!(chunks.concat(), text);
            let fits = |chunk: &&str| columns(chunk) <= width.max(2);
            assert!(chunks.iter().all(fits), "{chunks:?}");
        }
    }

    #[test]
    fn text_is_broken_between_words_and_what_is_to_be_typed_stays_whole() {
        let check = |text: &str, width, indent, expected: &[&str]| {
            assert_eq!(fold(text, width, indent), expected, "{text}");
        };
        check("short", 10, 2, &["short"]);
        check("", 10, 2, &[""]);
        check("one two three", 8, 0, &["one two", "three"]);
        let typed = "gone; `recover show 45b2f01c` says why";
        let expected = ["gone;", "  `recover show 45b2f01c`", "  says why"];
        check(typed, 26, 2, &expected);
        // A command that no line takes is broken like other text.
        check("`a b c d`", 4, 0, &["`a b", "c d`"]);
        check(
            "fix 1/3   make fmt and more",
            18,
            4,
            &["fix 1/3   make fmt", "    and more"],
        );
        check("  set in by two", 10, 2, &["  set in", "  by two"]);
    }

    #[test]
    fn what_has_no_blank_is_cut_and_wide_characters_count_twice() {
        assert_eq!(fold("abcdefghij", 4, 0), ["abcd", "efgh", "ij"]);
        assert_eq!(fold("日本語の", 5, 0), ["日本", "語の"]);
        assert_eq!(fold("日", 1, 0), ["日"]);
        assert_eq!(
            fold("x abcdefghijklmnop y", 12, 2),
            ["x", "  abcdefghij", "  klmnop y"]
        );
    }

    #[test]
    fn no_line_is_wider_and_no_word_is_lost() {
        let text =
            "recover: warning: changed and not covered by undo: target/, `cd sub && make` · 日本";
        for width in 2..90 {
            for indent in [0, 9, 18] {
                let lines = fold(text, width, indent);
                assert!(lines.iter().all(|line| columns(line) <= width), "{lines:?}");
                let bare = |text: &str| text.replace(' ', "");
                assert_eq!(bare(&lines.concat()), bare(text));
            }
        }
    }
}
