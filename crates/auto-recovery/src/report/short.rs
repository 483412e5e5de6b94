//! Text cut to what a report has room for.

use crate::wording::counted;

/// `text`, or its first `bytes_max` bytes at most and how many more there were.
pub(super) fn cut(text: &str, bytes_max: usize) -> String {
    if text.len() <= bytes_max {
        return text.to_owned();
    }
    let end = text.floor_char_boundary(bytes_max);
    let more = counted((text.len() - end) as u64, "byte");
    format!("{}… and {more} more", &text[..end])
}

/// The first line of `text` that says anything, of at most `bytes_max` bytes.
pub(super) fn first_line(text: &str, bytes_max: usize) -> String {
    let mut lines = text.lines().map(str::trim);
    let line = lines.find(|line| !line.is_empty()).unwrap_or_default();
    match line.len() <= bytes_max {
        true => line.to_owned(),
        false => format!("{}…", &line[..line.floor_char_boundary(bytes_max)]),
    }
}

/// The first of `names`; more are counted.
pub(super) fn named(names: &[String]) -> String {
    const NAMED_MAX: usize = 20;

    let mut text = names[..names.len().min(NAMED_MAX)].join(", ");
    if names.len() > NAMED_MAX {
        text.push_str(&format!(", … {} more", names.len() - NAMED_MAX));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_cut_between_characters_and_says_so() {
        assert_eq!(cut("äöü", 6), "äöü");
        assert_eq!(cut("äöü", 3), "ä… and 4 bytes more");
        assert_eq!(first_line("\n  one\ntwo", 9), "one");
        assert_eq!(first_line("äöü", 3), "ä…");
        assert_eq!(first_line("", 3), "");
    }
}
