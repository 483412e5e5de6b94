//! Text from failing programs made harmless in Markdown.
//!
//! Nothing in it may become markup, a link or a page's code, and nothing may hide: characters that
//! steer terminals or turn the reading direction are shown as what they are.

use crate::escape::push_visible;

/// What is markup wherever it stands.
const MARKUP: &[char] = &[
    '\\', '`', '*', '_', '[', ']', '<', '>', '|', '&', '~', '$', '@',
];

/// What is markup where a text begins.
const MARKUP_FIRST: &[char] = &['#', '-', '+', '='];

/// `text` on one line, for a paragraph, a list or a cell of a table.
pub(super) fn inline(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    for (index, character) in text.char_indices() {
        let rest = &text[index + character.len_utf8()..];
        let is_markup = match character {
            '.' | ')' if index == digits => digits > 0 && !rest.starts_with(char::is_alphanumeric),
            // Readers make links of bare addresses.
            ':' => rest.starts_with("//"),
            '.' => ends_with_www(&text[..index]),
            other if index == 0 => MARKUP_FIRST.contains(&other) || MARKUP.contains(&other),
            other => MARKUP.contains(&other),
        };
        match character {
            '\n' => out.push_str(" ⏎ "),
            '\r' => {}
            '\t' => out.push(' '),
            _ if is_markup => {
                out.push('\\');
                out.push(character);
            }
            other => push_visible(other, &mut out),
        }
    }
    out
}

fn ends_with_www(text: &str) -> bool {
    let end = text.as_bytes().last_chunk::<3>();
    end.is_some_and(|end| end.eq_ignore_ascii_case(b"www"))
}

/// `text` as a block of code, whatever is in it.
pub(super) fn block(text: &str) -> String {
    let fence = "`".repeat(longest_backticks(text).max(2) + 1);
    let mut out = format!("{fence}text\n");
    for character in text.trim_end().chars() {
        match character {
            '\n' | '\t' => out.push(character),
            '\r' => {}
            other => push_visible(other, &mut out),
        }
    }
    out.push('\n');
    out.push_str(&fence);
    out
}

/// `text` as code within a line, but not within a table.
pub(super) fn code(text: &str) -> String {
    let fence = "`".repeat(longest_backticks(text) + 1);
    let mut inner = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\n' => inner.push('⏎'),
            other => push_visible(other, &mut inner),
        }
    }
    let needs_room = inner.trim().is_empty() || inner.starts_with('`') || inner.ends_with('`');
    let room = if needs_room { " " } else { "" };
    format!("{fence}{room}{inner}{room}{fence}")
}

fn longest_backticks(text: &str) -> usize {
    text.split(|character| character != '`')
        .map(str::len)
        .max()
        .unwrap_or(0)
}
