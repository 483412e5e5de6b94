//! The user's stashes: which were made or dropped meanwhile, and the way back.
//!
//! Read from git's log of them, where it keeps that in a file. Nothing here writes: the way back is
//! a command for a person.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;

use crate::checkpoint::repository::user_git::{common_dir, shortened};
use crate::files::{Links, open_regular};

/// Bytes of the log that are read: some 8,000 stashes.
const LOG_BYTES_MAX: u64 = 1024 * 1024;

/// Stashes for which the way back is told.
const TOLD_MAX: usize = 5;

/// The commits of the stashes, oldest first.
pub(super) fn all(git_dir: &Path) -> Vec<String> {
    let log = common_dir(git_dir).join("logs/refs/stash");
    let Ok(log) = open_regular(&log, Links::Follow) else {
        return Vec::new();
    };
    let lines = BufReader::new(log.take(LOG_BYTES_MAX)).split(b'\n');
    let commit = |line: Vec<u8>| {
        let line = String::from_utf8_lossy(&line);
        let commit = line.split(' ').nth(1)?;
        let is_one = !commit.is_empty() && commit.bytes().all(|c| c.is_ascii_hexdigit());
        is_one.then(|| commit.to_owned())
    };
    lines.map_while(Result::ok).filter_map(commit).collect()
}

/// What became of the stashes between `from` and `to`, with the way back: a stash keeps what was
/// staged as the second parent of its commit, and one that was dropped stays until git tidies up.
pub(super) fn changed(from: &[String], to: &[String]) -> Option<String> {
    let made: Vec<_> = to.iter().filter(|one| !from.contains(one)).collect();
    let gone: Vec<_> = from.iter().filter(|one| !to.contains(one)).collect();
    let count = made.len();
    let made = made.first().map(|first| {
        format!(
            "made {}: `git read-tree {}^2` brings back what was staged, `git stash list` shows the \
             rest",
            stashes(count),
            shortened(first)
        )
    });
    let gone = (!gone.is_empty()).then(|| {
        let newest = &gone[gone.len().saturating_sub(TOLD_MAX)..];
        let store = |one: &&String| format!("git stash store {}", shortened(one));
        let back: Vec<_> = newest.iter().map(store).collect();
        format!(
            "took {} away: `{}` brings back {}",
            stashes(gone.len()),
            back.join(" && "),
            match gone.len() > TOLD_MAX {
                true => format!("the newest {TOLD_MAX}"),
                false => "what it held".to_owned(),
            }
        )
    });
    let told: Vec<_> = made.into_iter().chain(gone).collect();
    (!told.is_empty()).then(|| told.join("; "))
}

fn stashes(count: usize) -> String {
    match count {
        1 => "a stash".to_owned(),
        count => format!("{count} stashes"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_made_and_what_is_gone_is_told_with_the_way_back() {
        let list =
            |digits: &str| -> Vec<_> { digits.chars().map(|c| c.to_string().repeat(40)).collect() };
        let told = |from: &str, to: &str| changed(&list(from), &list(to));
        assert_eq!(told("ab", "ab"), None);
        let made = told("a", "abc").unwrap();
        assert!(
            made.contains("made 2 stashes: `git read-tree bbbbbbbbbb^2`"),
            "{made}"
        );
        let gone = told("abc", "b").unwrap();
        let back =
            "`git stash store aaaaaaaaaa && git stash store cccccccccc` brings back what it held";
        assert!(gone.contains(back), "{gone}");
        let many = told("0123456789", "").unwrap();
        assert!(many.contains("brings back the newest 5"), "{many}");
        assert!(
            !many.contains("4444444444") && many.contains("5555555555"),
            "{many}"
        );
        let both = told("a", "b").unwrap();
        assert!(
            both.contains("made a stash") && both.contains("took a stash away"),
            "{both}"
        );
    }
}
