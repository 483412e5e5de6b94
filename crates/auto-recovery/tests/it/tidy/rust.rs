//! The part of Rust's grammar that the rules need: the text in it, and the bounds of functions.
//!
//! No parser: one pass that knows comments, strings, raw strings and characters, so that braces and
//! words inside them count for nothing.

/// `source` with the contents of comments, strings and characters turned into spaces. Lines and
/// byte offsets stay.
pub(super) fn blank_text(source: &str) -> String {
    let bytes = source.as_bytes();
    let mut out = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let word = word_len(&bytes[at..]);
        if let Some(len) = text_len(&bytes[at..], word) {
            for byte in &mut out[at..at + len] {
                if *byte != b'\n' {
                    *byte = b' ';
                }
            }
            at += len;
        } else {
            at += word.max(1);
        }
    }
    String::from_utf8(out).expect("only whole characters are replaced")
}

/// Length of the comment or literal that `bytes` begins with; `word` is the length of the word
/// there.
fn text_len(bytes: &[u8], word: usize) -> Option<usize> {
    let (prefix, rest) = bytes.split_at(word);
    let len = match (prefix, rest) {
        (b"", [b'/', b'/', ..]) => line_len(bytes),
        (b"", [b'/', b'*', ..]) => block_comment_len(bytes),
        (b"" | b"b" | b"c", [b'"', ..]) => word + string_len(rest),
        (b"" | b"b", [b'\'', ..]) => word + char_len(rest)?,
        (b"r" | b"br" | b"cr", [b'"' | b'#', ..]) => word + raw_string_len(rest)?,
        _ => return None,
    };
    Some(len.min(bytes.len()))
}

fn word_len(bytes: &[u8]) -> usize {
    bytes
        .iter()
        .position(|byte| !is_word(*byte))
        .unwrap_or(bytes.len())
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || !byte.is_ascii()
}

fn line_len(bytes: &[u8]) -> usize {
    bytes
        .iter()
        .position(|byte| *byte == b'\n')
        .unwrap_or(bytes.len())
}

fn block_comment_len(bytes: &[u8]) -> usize {
    let (mut at, mut depth) = (0, 0);
    while at < bytes.len() {
        if bytes[at..].starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if bytes[at..].starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    at
}

fn string_len(bytes: &[u8]) -> usize {
    let mut at = 1;
    while at < bytes.len() && bytes[at] != b'"' {
        at += if bytes[at] == b'\\' { 2 } else { 1 };
    }
    at + 1
}

/// Length of the character that `bytes` begins with; `None` for a lifetime or a label.
fn char_len(bytes: &[u8]) -> Option<usize> {
    let first_len = match *bytes.get(1)? {
        b'\\' => {
            let escaped = bytes.get(3..)?.iter().position(|byte| *byte == b'\'')?;
            return Some(3 + escaped + 1);
        }
        byte if byte.is_ascii() => 1,
        byte => byte.leading_ones() as usize,
    };
    (bytes.get(1 + first_len) == Some(&b'\'')).then_some(1 + first_len + 1)
}

/// Length of the `#"…"#` that `bytes` begins with; `None` for a raw identifier.
fn raw_string_len(bytes: &[u8]) -> Option<usize> {
    let hashes = bytes.iter().position(|byte| *byte != b'#')?;
    if bytes[hashes] != b'"' {
        return None;
    }
    let close = [b"\"".as_slice(), &bytes[..hashes]].concat();
    let body = hashes + 1;
    let end = bytes[body..]
        .windows(close.len())
        .position(|window| window == close);
    Some(end.map_or(bytes.len(), |end| body + end + close.len()))
}

/// `code`, which has its text blanked, without the items under `#[cfg(test)]`.
pub(super) fn without_tests(code: &str) -> String {
    shipped(code, code)
}

/// `text` without the items under `#[cfg(test)]`; `code` is the same file with its text blanked.
pub(super) fn shipped(code: &str, text: &str) -> String {
    const MARK: &str = "#[cfg(test)]";
    let mut kept = String::new();
    let mut from = 0;
    while let Some(at) = code[from..].find(MARK) {
        kept.push_str(&text[from..from + at]);
        from += at + MARK.len();
        let item = &code[from..];
        let end = match item.find(['{', ';']) {
            Some(open) if item.as_bytes()[open] == b'{' => close_of(item, open),
            other => other,
        };
        from = end.map_or(code.len(), |end| from + end + 1);
    }
    kept + &text[from..]
}

/// The strings of `source` as they are written, without their quotes, each with where it begins.
pub(super) fn strings(source: &str) -> Vec<(usize, &str)> {
    let bytes = source.as_bytes();
    let (mut found, mut at) = (Vec::new(), 0);
    while at < bytes.len() {
        let word = word_len(&bytes[at..]);
        let Some(len) = text_len(&bytes[at..], word) else {
            at += word.max(1);
            continue;
        };
        let literal = &source[at..at + len];
        if let (Some(open), Some(close)) = (literal.find('"'), literal.rfind('"'))
            && !literal.starts_with('/')
            && open < close
        {
            found.push((at, &literal[open + 1..close]));
        }
        at += len;
    }
    found
}

/// Offset at which the bracket that opens at `open` closes.
pub(super) fn close_of(code: &str, open: usize) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, byte) in code.bytes().enumerate().skip(open) {
        match byte {
            b'{' | b'(' | b'[' => depth += 1,
            b'}' | b')' | b']' => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    return Some(at);
                }
            }
            _ => {}
        }
    }
    None
}

/// Whether every bracket of `code` closes, and none closes that is not open.
pub(super) fn is_balanced(code: &str) -> bool {
    let mut open = Vec::new();
    for byte in code.bytes() {
        match byte {
            b'{' => open.push(b'}'),
            b'(' => open.push(b')'),
            b'[' => open.push(b']'),
            b'}' | b')' | b']' if open.pop() != Some(byte) => return false,
            _ => {}
        }
    }
    open.is_empty()
}

/// The offsets at which `word` occurs as a whole word.
pub(super) fn words<'a>(code: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    code.match_indices(word)
        .map(|(at, _)| at)
        .filter(move |at| {
            let bytes = code.as_bytes();
            let before = at.checked_sub(1).map(|before| bytes[before]);
            let after = bytes.get(at + word.len()).copied();
            !before.is_some_and(is_word) && !after.is_some_and(is_word)
        })
}

/// The word that `code` begins with, after white space.
pub(super) fn first_word(code: &str) -> &str {
    let code = code.trim_start();
    &code[..word_len(code.as_bytes())]
}

/// The line of an offset, from 1.
pub(super) fn line_at(code: &str, at: usize) -> usize {
    code[..at].matches('\n').count() + 1
}

/// A function with a body.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Function<'a> {
    pub(super) name: &'a str,
    /// The line of its `fn`.
    pub(super) line: usize,
    /// From that line to the one of its closing brace; `None` if that could not be found.
    pub(super) lines: Option<usize>,
}

/// Every function with a body in `code`, which has its text blanked.
pub(super) fn functions(code: &str) -> Vec<Function<'_>> {
    words(code, "fn")
        .filter(|at| !code[..*at].ends_with("r#"))
        .filter_map(|at| {
            let signature = code[at + 2..].trim_start();
            let name = signature.strip_prefix('$').unwrap_or(signature);
            let name = name.strip_prefix("r#").unwrap_or(name);
            let name = &name[..word_len(name.as_bytes())];
            let body = at + 2 + body_of(&code[at + 2..]).filter(|_| !name.is_empty())?;
            let line = line_at(code, at);
            Some(Function {
                name,
                line,
                lines: close_of(code, body).map(|close| line_at(code, close) - line + 1),
            })
        })
        .collect()
}

/// Offset at which the body of a signature opens; `None` for a declaration, or inside a macro's
/// pattern.
fn body_of(signature: &str) -> Option<usize> {
    let bytes = signature.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            // A brace right after `<` is a constant argument, `Buffer<{ LEN }>`.
            b'{' if signature[..at].trim_end().ends_with('<') => at = close_of(signature, at)?,
            b'{' => return Some(at),
            b'(' | b'[' => at = close_of(signature, at)?,
            b';' | b')' | b']' | b'}' => return None,
            _ => {}
        }
        at += 1;
    }
    None
}

#[test]
fn blanks_what_is_no_code() {
    let check = |source: &str, code: &str| {
        let blanked = blank_text(source);
        assert_eq!(blanked.len(), source.len(), "{source}");
        assert_eq!(blanked.lines().count(), source.lines().count(), "{source}");
        let left: Vec<_> = blanked.split_whitespace().collect();
        assert_eq!(left.join(" "), code, "{source}");
    };
    check("a // {\nb", "a b");
    check("a /* { /* } */ {\n */ b", "a b");
    check("a /* never closed {", "a");
    check(r#"f("}{")"#, "f( )");
    check(r#"f("\"{", a)"#, "f( , a)");
    check(r#"f("\\", '{')"#, "f( , )");
    check(r#"f(b"{", c"{", b'{')"#, "f( , , )");
    check(r#"f(r"\", '{')"#, "f( , )");
    check("f(r#\"\"{\"#, br##\"\"#{\"##, a)", "f( , , a)");
    check("f<'a>(x: &'a str) 'l: loop", "f<'a>(x: &'a str) 'l: loop");
    check(r"['\'', '\\', '\u{7d}', 'ß', '𝄞', a]", "[ , , , , , a]");
    check("r#fn bar\"{\" r#\"never closed", "r#fn bar");
}

#[test]
fn finds_functions_and_their_lengths() {
    let check = |source: &str, expected: &[(&str, usize, Option<usize>)]| {
        let code = blank_text(source);
        let found: Vec<_> = functions(&code)
            .iter()
            .map(|function| (function.name, function.line, function.lines))
            .collect();
        assert_eq!(found, expected, "{source}");
    };
    check("fn a() {}", &[("a", 1, Some(1))]);
    check(
        "\npub(crate) const fn a(\n  x: [u8; 4],\n) -> u8\n{\n  1\n}",
        &[("a", 2, Some(6))],
    );
    check("trait T { fn a(&self); fn b() {\n} }", &[("b", 1, Some(2))]);
    check(
        "fn a() {\n fn b() {\n }\n}",
        &[("a", 1, Some(4)), ("b", 2, Some(2))],
    );
    check("type F = fn(u8) -> u8; struct Fn {}", &[]);
    check("fn a() -> X<{ 1 }> {\n}", &[("a", 1, Some(2))]);
    check(
        "fn a<T>() where T: X<[u8; { 2 }]>, {\n}",
        &[("a", 1, Some(2))],
    );
    check("fn r#match() {}", &[("match", 1, Some(1))]);
    check(
        "macro_rules! m { ($(fn $f:ident;)*) => { $(fn $f() {\n})* } }",
        &[("f", 1, Some(2))],
    );
    check(
        "fn a() {\n '{'; \"{\"; // {\n /* { */ r#\"{\"#;\n}",
        &[("a", 1, Some(4))],
    );
    check("fn a() {\n {", &[("a", 1, None)]);
}

#[test]
fn leaves_tests_out() {
    let check = |code: &str, expected: &str| assert_eq!(without_tests(code), expected, "{code}");
    check(
        "a(); #[cfg(test)] mod tests { f(); { g() } } b();",
        "a();  b();",
    );
    check("#[cfg(test)]\nmod tests;\nb();", "\nb();");
    check(
        "#[cfg(unix)] mod unix { f(); }",
        "#[cfg(unix)] mod unix { f(); }",
    );
}
