//! How many there are of something, and what is too long to be read at once, in words for people.
//!
//! Pure, and only for what people see: records and data have every name whole.

/// The most characters of one name or word: what has to be typed again, as a session's id of at
/// most 200, is whole, and a path of thousands leaves room for what is said of it.
const SHOWN_CHARS: usize = 240;

/// `number` of `thing`: `1 entry`, `2 entries`, `0 paths`.
pub fn counted(number: u64, thing: &str) -> String {
    match (number, thing.strip_suffix('y')) {
        (1, _) => format!("1 {thing}"),
        (_, Some(stem)) => format!("{number} {stem}ies"),
        (_, None) => format!("{number} {thing}s"),
    }
}

/// `name`, without its middle if it is long: a path says most at both ends.
pub fn shortened(name: &str) -> String {
    if name.chars().nth(SHOWN_CHARS).is_none() {
        return name.to_owned();
    }
    let half = SHOWN_CHARS / 2;
    let at = |nth| {
        name.char_indices()
            .nth(nth)
            .map_or(name.len(), |(at, _)| at)
    };
    let end = at(name.chars().count() - half);
    format!("{}…{}", &name[..at(half - 1)], &name[end..])
}

/// `text`, each long word of which is without its middle.
pub fn with_short_words(text: &str) -> String {
    let words = text.split_inclusive(char::is_whitespace);
    words
        .map(|word| match word.len() > SHOWN_CHARS {
            true => {
                let name = word.trim_end();
                shortened(name) + &word[name.len()..]
            }
            false => word.to_owned(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{counted, shortened, with_short_words};

    #[test]
    fn one_is_one_and_more_are_many() {
        let said = [0, 1, 2].map(|number| counted(number, "entry"));
        assert_eq!(said, ["0 entries", "1 entry", "2 entries"]);
        assert_eq!(counted(1, "file") + &counted(3, "file"), "1 file3 files");
    }

    #[test]
    fn a_long_name_keeps_both_ends() {
        let whole = "ä".repeat(240);
        assert_eq!(shortened(&whole), whole);
        let path = format!("begin/{}/end", "ä".repeat(3_000));
        let short = shortened(&path);
        assert_eq!(short.chars().count(), 240);
        assert!(short.starts_with("begin/ä") && short.ends_with("ä/end") && short.contains('…'));
        let said = with_short_words(&format!("changed {path} \n and more"));
        assert_eq!(said, format!("changed {short} \n and more"));
    }
}
