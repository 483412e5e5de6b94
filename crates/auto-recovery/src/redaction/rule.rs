//! A user's own rule: a pattern that says what else is secret.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use regex::bytes::{Regex, RegexBuilder};

use super::mask::label;

/// The largest compiled pattern, in bytes: a megabyte, as in rules of detection.
const PATTERN_SIZE_MAX: usize = 1 << 20;

/// A pattern, the part of it that is masked, and the name that masks have. It is matched within
/// lines.
#[derive(Clone)]
pub struct RedactionRule {
    label: Arc<str>,
    pattern: Regex,
    group: usize,
}

impl RedactionRule {
    /// The rule `name`, which masks group `group` of each match of `pattern`; 0 is the whole match.
    ///
    /// # Errors
    /// In words, if `pattern` is none, has no such group, or matches a text of no length.
    pub fn new(name: &str, pattern: &str, group: usize) -> Result<Self, String> {
        let mut builder = RegexBuilder::new(pattern);
        builder.size_limit(PATTERN_SIZE_MAX).multi_line(true);
        let pattern = builder.build().map_err(|error| error.to_string())?;
        let groups = pattern.captures_len();
        if group >= groups {
            let groups = groups - 1;
            return Err(format!("it has {groups} groups, and no group {group}"));
        }
        if pattern.is_match(b"") {
            return Err("it matches where nothing is".to_owned());
        }
        Ok(Self {
            label: label(name).into(),
            pattern,
            group,
        })
    }

    /// The name that its masks have.
    pub(super) fn label(&self) -> &Arc<str> {
        &self.label
    }

    /// Where `text` has what it masks.
    pub(super) fn matches<'t>(&'t self, text: &'t [u8]) -> impl Iterator<Item = Range<usize>> + 't {
        let found = self.pattern.captures_iter(text);
        let ranges = found.filter_map(|found| Some(found.get(self.group)?.range()));
        ranges.filter(|range| !range.is_empty())
    }
}

impl fmt::Debug for RedactionRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rule = f.debug_struct("RedactionRule");
        rule.field("name", &self.label).finish_non_exhaustive()
    }
}
