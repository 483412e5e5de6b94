//! Reads the built-in files of rules, fast: every run of the command that fails pays for it.
//!
//! The files are TOML, so that a user's rules and ours look the same. This reads the part of TOML
//! that they use, one key a line, and refuses the rest; a test holds it against the real reader,
//! which takes ten times as long.

use super::rule::{Rule, Sign, Trace};
use super::text::Text;

/// Adds the rules of one built-in file to `rules`.
///
/// # Errors
/// The first line that is not understood.
pub(super) fn read(text: &'static str, rules: &mut Vec<Rule>) -> Result<(), &'static str> {
    let begun = rules.len();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if line == "[[rule]]" {
            rules.push(Rule::named(""));
            continue;
        }
        let known = line.split_once(' ').and_then(|(key, value)| {
            let value = value.strip_prefix("= ")?;
            let rule = rules[begun..].last_mut()?;
            if value == "[" {
                rule.names = lines
                    .by_ref()
                    .take_while(|line| *line != "]")
                    .map(|line| pair(line.trim().trim_end_matches(',')))
                    .collect::<Option<_>>()?;
                return Some(());
            }
            set(rule, key, value)
        });
        known.ok_or(line)?;
    }
    Ok(())
}

fn set(rule: &mut Rule, key: &str, value: &'static str) -> Option<()> {
    match key {
        "id" => rule.id = string(value)?,
        "category" => rule.category = string(value)?.parse().ok()?,
        "sign" => rule.sign = Sign::named(&string(value)?)?,
        "tools" => rule.tools = list(value)?,
        "find" => rule.find = list(value)?,
        "line" => rule.line = Some(string(value)?),
        "under" => rule.under = Some(string(value)?),
        "beats" => {
            let names = list(value)?;
            let categories = names.iter().map(|name| name.parse().ok());
            rule.beats = categories.collect::<Option<_>>()?;
        }
        "except" => rule.except = Some(string(value)?),
        "with" => rule.with = list(value)?,
        "without" => rule.without = list(value)?,
        "exit" => rule.exit = numbers(value)?,
        "signal" => rule.signal = numbers(value)?,
        "timed_out" => rule.timed_out = Some(value.parse().ok()?),
        "silent" => rule.silent = Some(value.parse().ok()?),
        "error_type" => rule.error_type = Some(string(value)?),
        "names" => rule.names = pairs(value)?,
        "message" => rule.message = Some(string(value)?),
        "source" => rule.source = Some(string(value)?),
        "above" => rule.above = Some(string(value)?),
        "below" => rule.below = Some(string(value)?),
        "trace" => rule.trace = Some(trace(&string(value)?)?),
        "last" => rule.last = value.parse().ok()?,
        _ => return None,
    }
    Some(())
}

/// A string, with nothing after it.
fn string(value: &'static str) -> Option<Text> {
    let (string, rest) = leading_string(value)?;
    rest.is_empty().then_some(string)
}

/// The string that `value` starts with, and what follows it.
fn leading_string(value: &'static str) -> Option<(Text, &'static str)> {
    if let Some(body) = value.strip_prefix("'''") {
        // Only whole lines are written so, and a quote may stand right before the closing three.
        return Some((body.strip_suffix("'''")?.into(), ""));
    }
    if let Some(body) = value.strip_prefix('\'') {
        let (string, rest) = body.split_once('\'')?;
        return Some((string.into(), rest));
    }
    let body = value.strip_prefix('"')?;
    let plain = body.find(['"', '\\'])?;
    if body.as_bytes()[plain] == b'"' {
        return Some((body[..plain].into(), &body[plain + 1..]));
    }
    let mut string = String::new();
    let mut characters = body.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some((string.into(), &body[at + 1..])),
            '\\' => string.push(match characters.next()?.1 {
                'n' => '\n',
                't' => '\t',
                same @ ('"' | '\\') => same,
                _ => return None,
            }),
            other => string.push(other),
        }
    }
    None
}

/// `["a", 'b']`
fn list(value: &'static str) -> Option<Vec<Text>> {
    let mut rest = value.strip_prefix('[')?;
    let mut strings = Vec::new();
    while !rest.starts_with(']') {
        let (string, after) = leading_string(rest)?;
        strings.push(string);
        rest = after.strip_prefix(", ").unwrap_or(after);
    }
    (rest == "]").then_some(strings)
}

/// `["a", "b"]`, two exactly
fn pair(value: &'static str) -> Option<(Text, Text)> {
    <[Text; 2]>::try_from(list(value)?)
        .ok()
        .map(|[from, to]| (from, to))
}

/// `[["a", "b"], ["c", "d"]]`
fn pairs(value: &'static str) -> Option<Vec<(Text, Text)>> {
    let body = value.strip_prefix('[')?.strip_suffix(']')?;
    body.split_inclusive(']')
        .map(|one| pair(one.strip_prefix(", ").unwrap_or(one)))
        .collect()
}

/// `[1, 2]`
fn numbers(value: &str) -> Option<Vec<i32>> {
    let body = value.strip_prefix('[')?.strip_suffix(']')?;
    body.split(", ").map(|number| number.parse().ok()).collect()
}

fn trace(name: &str) -> Option<Trace> {
    Some(match name {
        "python" => Trace::Python,
        "faulthandler" => Trace::Faulthandler,
        "node" => Trace::Node,
        "java" => Trace::Java,
        "ruby" => Trace::Ruby,
        "php" => Trace::Php,
        "go" => Trace::Go,
        "native" => Trace::Native,
        "dotnet" => Trace::Dotnet,
        "elixir" => Trace::Elixir,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::super::rules::{BUILTIN, Rules};
    use super::read;

    #[test]
    fn shipped_files_read_as_toml_does() {
        for (name, text) in BUILTIN {
            let mut rules = Vec::new();
            read(text, &mut rules).unwrap_or_else(|line| panic!("{name}.toml: {line}"));
            let parsed = Rules::parse(text).unwrap_or_else(|error| panic!("{}", error.chain()));
            assert_eq!(rules, parsed, "{name}.toml");
        }
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for text in [
            "id = 'a'",
            "[[rule]]\nid = 3",
            "[[rule]]\nwhat = 'a'",
            "[[rule]]\nid = \"a",
        ] {
            assert!(read(text, &mut Vec::new()).is_err(), "{text}");
        }
    }
}
