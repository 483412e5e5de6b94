//! The kinds of secrets, as `kinds.toml` has them.

use std::sync::OnceLock;

use regex::bytes::{Regex, RegexBuilder};
use serde::Deserialize;

use super::checksum::Check;

const BUILT_IN: &str = include_str!("kinds.toml");

/// A kind of secret: a token that is known by its shape, or a context that says what a value is.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kind {
    /// Its name, which masks show.
    pub id: String,
    /// Whose secrets these are, or where they stand.
    pub of: String,
    /// Texts, one of them in every secret of the kind or beside it.
    pub literals: Vec<String>,
    #[serde(default)]
    any_case: bool,
    #[serde(default)]
    word: bool,
    #[serde(default)]
    run: usize,
    lead: Option<Pattern>,
    before: Option<Pattern>,
    body: Pattern,
    unless: Option<Pattern>,
    check: Option<Check>,
    value: Option<Value>,
    #[serde(default)]
    block: bool,
    #[serde(default)]
    lines: bool,
}

/// What a value that a context says to be secret must be like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Value {
    /// Anything but a placeholder.
    Exact,
    /// Nothing that stands for a value elsewhere either: a path, a name in code.
    Any,
    /// No plain word and no number either.
    Strong,
}

/// A pattern that is compiled when it is first asked for: most never are.
#[derive(Debug, Deserialize)]
#[serde(from = "String")]
pub(super) struct Pattern {
    text: String,
    compiled: OnceLock<Regex>,
}

impl From<String> for Pattern {
    fn from(text: String) -> Self {
        Self {
            text,
            compiled: OnceLock::new(),
        }
    }
}

impl Pattern {
    /// The pattern, matched from the beginning of a text only.
    pub(super) fn at_start(&self) -> &Regex {
        self.compiled(|text| format!(r"\A(?:{text})"))
    }

    /// The pattern, matched up to the end of a text only.
    pub(super) fn at_end(&self) -> &Regex {
        self.compiled(|text| format!(r"(?:{text})\z"))
    }

    fn compiled(&self, anchored: impl FnOnce(&str) -> String) -> &Regex {
        self.compiled.get_or_init(|| {
            RegexBuilder::new(&anchored(&self.text))
                .unicode(false)
                .build()
                .expect("a test compiles every pattern")
        })
    }
}

impl Kind {
    /// Whether its secrets are known by their place, not by their own shape.
    pub fn is_context(&self) -> bool {
        self.value.is_some()
    }

    /// Whether its secrets have several lines.
    pub(super) fn has_lines(&self) -> bool {
        self.block || self.lines
    }

    pub(super) fn parts(&self) -> Parts<'_> {
        Parts {
            any_case: self.any_case,
            word: self.word,
            run: self.run,
            lead: self.lead.as_ref(),
            before: self.before.as_ref(),
            body: &self.body,
            unless: self.unless.as_ref(),
            check: self.check,
            value: self.value,
            block: self.block,
            lines: self.lines,
        }
    }
}

/// How secrets of a kind are judged; `kinds.toml` says what each means.
#[derive(Clone, Copy)]
pub(super) struct Parts<'k> {
    pub(super) any_case: bool,
    pub(super) word: bool,
    pub(super) run: usize,
    pub(super) lead: Option<&'k Pattern>,
    pub(super) before: Option<&'k Pattern>,
    pub(super) body: &'k Pattern,
    pub(super) unless: Option<&'k Pattern>,
    pub(super) check: Option<Check>,
    pub(super) value: Option<Value>,
    pub(super) block: bool,
    pub(super) lines: bool,
}

/// All kinds, tokens first.
pub fn kinds() -> &'static [Kind] {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct File {
        kind: Vec<Kind>,
    }

    static KINDS: OnceLock<Vec<Kind>> = OnceLock::new();
    KINDS.get_or_init(|| {
        let file: File = toml::from_str(BUILT_IN).expect("a test reads the kinds");
        file.kind
    })
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::kinds;

    #[test]
    fn every_kind_can_be_judged_and_has_a_name_of_its_own() {
        let mut names = HashSet::new();
        for kind in kinds() {
            let parts = kind.parts();
            assert!(names.insert(&kind.id), "{}", kind.id);
            let is_plain =
                |byte: u8| byte.is_ascii_lowercase() || byte == b'-' || byte.is_ascii_digit();
            assert!(kind.id.bytes().all(is_plain), "{}", kind.id);
            assert!(!kind.of.is_empty() && !kind.literals.is_empty());
            assert!(kind.literals.iter().all(|literal| literal.len() >= 3));
            parts.body.at_start();
            let before = [parts.lead, parts.before].into_iter().flatten();
            before.for_each(|pattern| {
                pattern.at_end();
            });
            parts.unless.map(super::Pattern::at_start);
        }
        assert!(names.len() >= 95, "{}", names.len());
    }
}
