//! Fix: ask the fix generator for a suggestion and account for what it holds.

use std::sync::LazyLock;

use regex::Regex;

use crate::failure::{Context, Failure};
use crate::strategy::{Did, HandlerResult, Outcome};

/// Makes a fix for a failure and says what it did; an empty text means that it found none.
pub type FixGenerator = Box<dyn FnMut(&Failure, &Context) -> HandlerResult<String> + Send>;

/// List items taken over from a suggestion. Five say what was done; the whole text is the
/// handler's.
const LIST_ITEMS_MAX: usize = 5;
/// Characters of a suggestion that has no structure.
const SUMMARY_CHARS: usize = 100;

/// Asks `generator` for a fix.
///
/// # Errors
/// What the generator fails with.
pub fn generate_fix(
    generator: Option<&mut FixGenerator>,
    failure: &Failure,
    context: &Context,
) -> HandlerResult<Outcome> {
    let Some(generator) = generator else {
        return Ok(Outcome::not_possible("Fix generator not configured"));
    };
    let suggestion =
        generator(failure, context).map_err(|error| format!("Fix generation failed: {error}"))?;
    if suggestion.trim().is_empty() {
        let message = "No fix suggestions generated";
        return Ok(Outcome {
            did: Did::Nothing,
            ..Outcome::not_possible(message)
        });
    }
    let changes = parse_fix_changes(&suggestion);
    let message = format!("Generated {} fix suggestion(s)", changes.len());
    Ok(Outcome::success(message).with_changes(changes))
}

/// The changes a fix suggestion speaks of: how many fenced code blocks it has, then its first list
/// items; the beginning of its text if it has neither.
pub fn parse_fix_changes(suggestion: &str) -> Vec<String> {
    static CODE_BLOCK: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"(?s)```[A-Za-z0-9_+.-]*[ \t]*\r?\n.*?```").expect("a valid pattern")
    });
    static LIST_ITEM: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"(?m)^[*\-][ \t]+(\S.*?)\r?$").expect("a valid pattern"));

    let mut changes = Vec::new();
    let blocks = CODE_BLOCK.find_iter(suggestion).count();
    if blocks > 0 {
        changes.push(format!("Generated {blocks} code fix(es)"));
    }
    let items = LIST_ITEM.captures_iter(suggestion).take(LIST_ITEMS_MAX);
    changes.extend(items.map(|item| item[1].to_owned()));
    if changes.is_empty() {
        changes.push(summary(suggestion));
    }
    changes
}

fn summary(suggestion: &str) -> String {
    match suggestion.char_indices().nth(SUMMARY_CHARS) {
        _ if suggestion.is_empty() => "No specific changes identified".to_owned(),
        Some((end, _)) => format!("Applied fix: {}...", &suggestion[..end]),
        None => format!("Applied fix: {suggestion}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_of_a_suggestion() {
        let six = "- a\n- b\n* c\n- d\n- e\n- f";
        let long = "x".repeat(200);
        let cases: [(&str, Vec<String>); 5] = [
            (
                "```python\nx = 1\n```\n```\ny\n```",
                vec!["Generated 2 code fix(es)".into()],
            ),
            (six, ["a", "b", "c", "d", "e"].map(String::from).to_vec()),
            (
                "Do:\n- rename it\n```rust\nfn f() {}\n```",
                vec!["Generated 1 code fix(es)".into(), "rename it".into()],
            ),
            ("add a colon", vec!["Applied fix: add a colon".into()]),
            (&long, vec![format!("Applied fix: {}...", "x".repeat(100))]),
        ];
        for (suggestion, expected) in cases {
            assert_eq!(parse_fix_changes(suggestion), expected, "{suggestion}");
        }
    }

    #[test]
    fn without_a_generator_it_says_so_and_is_not_repeated() {
        let outcome = generate_fix(None, &Failure::default(), &Context::new()).unwrap();
        assert_eq!(outcome.did, Did::NotPossible);
        assert!(outcome.message.contains("not configured"));
    }
}
