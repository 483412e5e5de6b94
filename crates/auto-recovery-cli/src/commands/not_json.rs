//! What the JSON reader complains about, in words for whoever wrote the line.

use serde_json::error::Category;

/// What the reader says, and what is said of it.
const SAID: [(&str, &str); 9] = [
    (
        "expected ident",
        "there is a word that JSON does not know: texts stand in quotes, and beside them there are \
         true, false and null",
    ),
    (
        "expected value",
        "a value is expected here: a text in quotes, a number, true, false, null, [ or {",
    ),
    ("key must be a string", "a key in quotes is expected here"),
    ("expected `,` or `}`", "a `,` or `}` is expected here"),
    ("expected `,` or `]`", "a `,` or `]` is expected here"),
    ("expected `:`", "a `:` is expected here"),
    ("trailing comma", "the `,` before the end is one too many"),
    (
        "trailing characters",
        "more follows after the end of the object",
    ),
    (
        "invalid escape",
        "there is no such escape: write \\\\ for a backslash",
    ),
];

/// What is wrong with a line of JSON, and in which column; `error` counts that line as its first.
pub(super) fn in_words(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    let what = text.strip_suffix(&place).unwrap_or(&text);
    let said = match error.classify() {
        Category::Eof => format!("the line ends before the JSON does: {what}"),
        _ => {
            let said = SAID.iter().find(|(says, _)| *says == what);
            said.map_or(what, |(_, said)| said).to_owned()
        }
    };
    match error.column() {
        0 => said,
        column => format!("{said} (column {column})"),
    }
}

#[cfg(test)]
mod tests {
    use super::in_words;

    #[test]
    fn what_is_wrong_is_said_with_its_column() {
        let says = |line: &str| {
            let parsed = serde_json::from_str::<serde_json::Value>(line);
            in_words(&parsed.expect_err("it is no JSON"))
        };
        for (line, start, column) in [
            ("nonsense", "there is a word that JSON does not know", 2),
            ("{\"a\": }", "a value is expected here", 7),
            ("{a: 1}", "a key in quotes is expected here", 2),
            ("{\"a\": 1 \"b\"}", "a `,` or `}` is expected here", 9),
            ("{\"a\": 1} x", "more follows after the end", 10),
            ("{\"a\": 1,}", "the `,` before the end is one too many", 9),
            ("{\"a\": ", "the line ends before the JSON does", 6),
        ] {
            let said = says(line);
            assert!(said.starts_with(start), "{line}: {said}");
            let place = format!("(column {column})");
            assert!(said.ends_with(&place), "{line}: {said}");
        }
    }
}
