//! The excerpts of a session's attempts in their order: what is said once is not said again.

use super::kept::{self, Excerpt};
use super::source::Source;

/// Something kept of an attempt, as a report shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Shown {
    /// It says this.
    Text(Excerpt),
    /// It says what stands there before.
    AsBefore,
}

/// What the reader has seen.
#[derive(Default)]
pub(super) struct Seen {
    changes: Option<String>,
    output: Option<String>,
}

impl Seen {
    /// The changes of the cure, which stand before those of the attempts.
    pub(super) fn cure(&mut self, source: &Source<'_>) -> Option<Excerpt> {
        let excerpt = kept::changes(source.kept, None)?;
        self.changes = Some(excerpt.text.clone());
        Some(excerpt)
    }

    /// The output of the command's first failure.
    pub(super) fn first_output(
        &mut self,
        source: &Source<'_>,
        file: Option<&str>,
    ) -> Option<Excerpt> {
        let excerpt = kept::output(source.kept, file)?;
        self.output = Some(excerpt.text.clone());
        Some(excerpt)
    }

    /// `changes` of the next attempt.
    pub(super) fn changes(&mut self, changes: Excerpt) -> Shown {
        shown(&mut self.changes, changes)
    }

    /// `output` of the next attempt.
    pub(super) fn output(&mut self, output: Excerpt) -> Shown {
        shown(&mut self.output, output)
    }
}

fn shown(before: &mut Option<String>, excerpt: Excerpt) -> Shown {
    let is_known = before
        .as_ref()
        .is_some_and(|before| say_the_same(before, &excerpt.text));
    if is_known {
        return Shown::AsBefore;
    }
    *before = Some(excerpt.text.clone());
    Shown::Text(excerpt)
}

/// Whether two texts that programs wrote say the same: without the lines that we wrote around an
/// output, and those of a diff that name contents by their hashes.
fn say_the_same(one: &str, other: &str) -> bool {
    let is_told = |line: &&str| !line.starts_with("[exit ") && !line.starts_with("index ");
    one.lines()
        .filter(is_told)
        .eq(other.lines().filter(is_told))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_once_is_not_said_again() {
        let excerpt = |text: &str| Excerpt {
            text: text.to_owned(),
            is_cut: false,
        };
        let mut seen = Seen::default();
        let first = excerpt("$ make\nno rule\n[exit 2, 5 ms]");
        assert_eq!(seen.output(first.clone()), Shown::Text(first));
        let again = excerpt("$ make\nno rule\n[exit 2, 7 ms]");
        assert_eq!(seen.output(again.clone()), Shown::AsBefore);
        let other = excerpt("$ make\nno space\n[exit 2, 7 ms]");
        assert_eq!(seen.output(other.clone()), Shown::Text(other));
        assert_eq!(seen.output(again.clone()), Shown::Text(again));
        let change = excerpt("index 1..2\n-a\n+b");
        assert_eq!(seen.changes(change.clone()), Shown::Text(change));
        assert_eq!(
            seen.changes(excerpt("index 123..234\n-a\n+b")),
            Shown::AsBefore
        );
    }
}
