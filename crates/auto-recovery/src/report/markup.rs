//! Text from failing programs made harmless in HTML and SVG.
//!
//! Nothing in it becomes an element, an attribute or a reference, and nothing hides: characters
//! that steer terminals or turn the reading direction are shown as their numbers. Escaped text has
//! a bound in bytes, because `&` takes five.

use crate::escape::push_visible;
use crate::wording::counted;

/// `text` escaped for an element's content or a quoted attribute, on one line, of at most about
/// `bytes_max` bytes; a longer one ends with `…`.
pub(super) fn escaped(text: &str, bytes_max: usize) -> String {
    let (mut out, rest) = cut(text.trim_end(), bytes_max, Lines::One);
    if !rest.is_empty() {
        out.push('…');
    }
    out
}

/// `text` escaped for a `<pre>`, with its lines; a longer one says how much was left out.
pub(super) fn escaped_lines(text: &str, bytes_max: usize) -> String {
    let (mut out, rest) = cut(text.trim_end(), bytes_max, Lines::All);
    if !rest.is_empty() {
        let more = counted(rest.len() as u64, "byte");
        out.push_str(&format!("… and {more} more"));
    }
    out
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Lines {
    One,
    All,
}

/// The beginning of `text`, escaped, and what had no room.
fn cut(text: &str, bytes_max: usize, lines: Lines) -> (String, &str) {
    let mut out = String::with_capacity(text.len().min(bytes_max));
    for (at, character) in text.char_indices() {
        if out.len() >= bytes_max {
            return (out, &text[at..]);
        }
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\r' => {}
            '\n' if lines == Lines::One => out.push_str(" ⏎ "),
            '\t' if lines == Lines::One => out.push(' '),
            '\n' | '\t' => out.push(character),
            // A browser has no such characters: it draws something else.
            '\u{fdd0}'..='\u{fdef}' => out.push('\u{fffd}'),
            other if u32::from(other) & 0xfffe == 0xfffe => out.push('\u{fffd}'),
            other => push_visible(other, &mut out),
        }
    }
    (out, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_becomes_markup_and_nothing_hides() {
        let check = |text: &str, expected: &str| assert_eq!(escaped(text, 200), expected);
        check("</style><script>", "&lt;/style&gt;&lt;script&gt;");
        check("\" onload='x'", "&quot; onload=&#39;x&#39;");
        check("a\0b\u{202e}c\u{200b}", "a\\u{0}b\\u{202e}c\\u{200b}");
        check("a\r\nb\tc\n", "a ⏎ b c");
        check("&lt;", "&amp;lt;");
        check("\u{ffff}\u{fdd0}\u{1fffe}", "\u{fffd}\u{fffd}\u{fffd}");
        assert_eq!(escaped_lines("a\n\t<b\n", 200), "a\n\t&lt;b");
    }

    #[test]
    fn what_is_cut_says_so() {
        assert_eq!(escaped("&&&&", 10), "&amp;&amp;…");
        assert_eq!(escaped_lines("ääää", 4), "ää… and 4 bytes more");
        assert!(escaped(&"&".repeat(1_000_000), 100).len() < 110);
    }
}
