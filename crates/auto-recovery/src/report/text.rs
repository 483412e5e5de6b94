//! Text from failing programs made harmless in Markdown.
//!
//! Nothing in it may become markup, a link or a page's code, and nothing may hide: characters that
//! steer terminals or turn the reading direction are shown as what they are.

/// `text` on one line, for a paragraph, a list or a cell of a table.
pub(super) fn inline(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\n' => out.push_str(" ⏎ "),
            '\r' => {}
            '\t' => out.push(' '),
            '\\' | '`' | '*' | '_' | '{' | '}' | '[' | ']' | '<' | '>' | '(' | ')' | '#' | '+'
            | '-' | '.' | '!' | '|' | '&' | '~' | '$' | ':' | '@' | '=' => {
                out.push('\\');
                out.push(character);
            }
            other => push_visible(other, &mut out),
        }
    }
    out
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

/// `text` as code within a line.
pub(super) fn code(text: &str) -> String {
    let fence = "`".repeat(longest_backticks(text) + 1);
    let mut out = format!("{fence} ");
    for character in text.chars() {
        match character {
            '\n' => out.push('⏎'),
            '|' => out.push_str("\\|"),
            other => push_visible(other, &mut out),
        }
    }
    out.push(' ');
    out.push_str(&fence);
    out
}

fn longest_backticks(text: &str) -> usize {
    text.split(|character| character != '`')
        .map(str::len)
        .max()
        .unwrap_or(0)
}

fn push_visible(character: char, out: &mut String) {
    if character.is_control() || is_invisible(character) {
        out.push_str(&format!("\\u{{{:x}}}", u32::from(character)));
    } else {
        out.push(character);
    }
}

/// Characters that turn the reading direction, or take no room.
fn is_invisible(character: char) -> bool {
    matches!(
        character,
        '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
    )
}
