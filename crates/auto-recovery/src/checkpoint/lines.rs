//! Numbers of lines added and removed between two texts, counted and not shown: git shows them.
//!
//! The count is exact: the fewest lines that can be added and removed. Texts too unlike for that
//! are not compared at all.

use std::collections::HashMap;

/// Most lines that may be added and removed beside those that only one text has. The search takes
/// half the square of it in steps, 50 million.
const EDITS_MAX: usize = 10_000;

/// Counts the lines added and the lines removed from `before` to `after`. A line ends at its `\n`.
pub(super) fn come_and_gone(before: &str, after: &str) -> Option<(usize, usize)> {
    let mut known = HashMap::new();
    let before = numbered(before, &mut known);
    let after = numbered(after, &mut known);
    let (old, new) = without_same_ends(&before, &after);
    let (old_shared, new_shared) = (shared(old, new, known.len()), shared(new, old, known.len()));
    let edits = edits(&old_shared, &new_shared)?;
    // A line that is not edited stays, on either side.
    let stay = (old_shared.len() + new_shared.len() - edits) / 2;
    Some((new.len() - stay, old.len() - stay))
}

/// The lines of `text` as numbers: equal lines have equal ones.
fn numbered<'t>(text: &'t str, known: &mut HashMap<&'t str, usize>) -> Vec<usize> {
    let number = |line| {
        let next = known.len();
        *known.entry(line).or_insert(next)
    };
    text.split_inclusive('\n').map(number).collect()
}

/// Cuts the lines off both that they begin with and end in alike.
fn without_same_ends<'l>(old: &'l [usize], new: &'l [usize]) -> (&'l [usize], &'l [usize]) {
    let start = old.iter().zip(new).take_while(|(a, b)| a == b).count();
    let (old, new) = (&old[start..], &new[start..]);
    let backwards = old.iter().rev().zip(new.iter().rev());
    let end = backwards.take_while(|(a, b)| a == b).count();
    (&old[..old.len() - end], &new[..new.len() - end])
}

/// The `lines`, which are numbers below `count`, that `other` has anywhere.
fn shared(lines: &[usize], other: &[usize], count: usize) -> Vec<usize> {
    let mut is_there = vec![false; count];
    for line in other {
        is_there[*line] = true;
    }
    let shared = lines.iter().copied().filter(|line| is_there[*line]);
    shared.collect()
}

/// The fewest lines added and removed from `old` to `new`, if that many are searched for: Myers,
/// "An O(ND) difference algorithm and its variations", 1986.
fn edits(old: &[usize], new: &[usize]) -> Option<usize> {
    let limit = EDITS_MAX.min(old.len() + new.len());
    // The furthest place in `old` that this many edits reach on each diagonal; diagonal `k` is at
    // `limit + 1 + k`.
    let mut reached = vec![0_usize; 2 * limit + 3];
    for edits in 0..=limit {
        for at in (limit + 1 - edits..=limit + 1 + edits).step_by(2) {
            let (left, right) = (reached[at - 1], reached[at + 1]);
            let is_lowest = at == limit + 1 - edits;
            let is_highest = at == limit + 1 + edits;
            let mut x = match is_lowest || !is_highest && left < right {
                true => right,
                false => left + 1,
            };
            let mut y = x + limit + 1 - at;
            while x < old.len() && y < new.len() && old[x] == new[y] {
                (x, y) = (x + 1, y + 1);
            }
            if x >= old.len() && y >= new.len() {
                return Some(edits);
            }
            reached[at] = x;
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lines_that_come_and_go_are_counted() {
        let check = |before: &str, after: &str, expected: (usize, usize)| {
            let counted = come_and_gone(before, after);
            assert_eq!(counted, Some(expected), "{before:?} {after:?}");
        };
        check("", "", (0, 0));
        check("", "a\nb", (2, 0));
        check("a\nb\n", "", (0, 2));
        check("a\nb\nc\n", "a\nx\nc\n", (1, 1));
        check("a\n", "a", (1, 1));
        check("a\r\nb\n", "a\nb\n", (1, 1));
        check("a\nb\na\n", "b\na\nb\n", (1, 1));
    }

    #[test]
    fn texts_too_unlike_are_not_compared() {
        let up: String = (0..EDITS_MAX).map(|line| format!("{line}\n")).collect();
        let down = (0..EDITS_MAX).rev().map(|line| format!("{line}\n"));
        let down: String = down.collect();
        assert_eq!(come_and_gone(&up, &down), None);
        assert_eq!(come_and_gone(&up, ""), Some((0, EDITS_MAX)));
    }

    /// The most lines that can stay, by trying all.
    fn stay(old: &[char], new: &[char]) -> usize {
        let mut row = vec![0; new.len() + 1];
        for a in old {
            let mut before = 0;
            for (at, b) in new.iter().enumerate() {
                let above = row[at + 1];
                row[at + 1] = match a == b {
                    true => before + 1,
                    false => above.max(row[at]),
                };
                before = above;
            }
        }
        row[new.len()]
    }

    proptest! {
        #[test]
        fn nothing_comes_or_goes_that_could_stay(old in "[a-e]{0,24}", new in "[b-f]{0,24}") {
            let text = |lines: &str| lines.chars().map(|line| format!("{line}\n")).collect::<String>();
            let (before, after): (Vec<char>, Vec<char>) = (old.chars().collect(), new.chars().collect());
            let stay = stay(&before, &after);
            let expected = (after.len() - stay, before.len() - stay);
            prop_assert_eq!(come_and_gone(&text(&old), &text(&new)), Some(expected));
        }
    }
}
