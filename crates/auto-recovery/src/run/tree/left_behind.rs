//! What undone attempts left in the tree: it is theirs, and no later attempt takes it for its own
//! or for somebody else's.

use std::collections::BTreeMap;

use crate::audit::LeftBehind;
use crate::checkpoint::{Checkpoint, CheckpointStore, RestoreReport, Uncovered, was_removed};
use crate::run::tree::session_trees::AttemptTrees;

/// What undone attempts left, by path as records name it.
#[derive(Debug, Default)]
pub(in crate::run) struct Leftovers(BTreeMap<String, Leftover>);

#[derive(Debug)]
struct Leftover {
    attempt_number: u64,
    reason: String,
    /// Whether it may be what is missing rather than what stands there.
    may_be_absent: bool,
}

impl Leftovers {
    /// Notes what the undo of an attempt did not put back.
    pub(in crate::run) fn note(&mut self, attempt_number: u64, report: &RestoreReport) {
        let mut add = |path: &String, reason: &str, may_be_absent| {
            let leftover = Leftover {
                attempt_number,
                reason: reason.to_owned(),
                may_be_absent,
            };
            self.0.insert(path.clone(), leftover);
        };
        for one in &report.not_covered {
            add(&one.display, one.reason, false);
        }
        for path in &report.holding {
            add(path, "holds what is not covered", false);
        }
        for (was, is) in &report.moved_aside {
            add(is, &format!("it is what {was} was"), false);
        }
        for one in &report.refused {
            add(&one.display, &one.reason, true);
        }
    }

    /// Notes what an attempt changed that no checkpoint covers, and that is not back.
    pub(in crate::run) fn note_uncovered(&mut self, attempt_number: u64, left: Vec<Uncovered>) {
        self.0.extend(left.into_iter().map(|one| {
            let leftover = Leftover {
                attempt_number,
                reason: one.reason.to_owned(),
                may_be_absent: false,
            };
            (one.display, leftover)
        }));
    }

    /// Whether that path is one of them.
    pub(in crate::run) fn contains(&self, path: &str) -> bool {
        self.0.contains_key(path)
    }

    /// Those that a checkpoint would cover by their names, and that still are in `now`.
    pub(in crate::run) fn still_in(&self, now: &Checkpoint) -> Vec<LeftBehind> {
        let left = self.0.iter();
        let left = left.filter(|(path, one)| one.may_be_absent || now.names(path));
        let left = left.map(|(path, one)| LeftBehind {
            path: path.clone(),
            attempt_number: one.attempt_number,
            reason: one.reason.clone(),
        });
        left.collect()
    }
}

/// Which of `attempts` left what is `named`; what those of them left whose tree could not be kept:
/// it was not so in `before`; and what the record of each says that no checkpoint holds, where
/// nothing tells that somebody has mended it since.
pub(in crate::run) fn by_attempts(
    store: &CheckpointStore,
    attempts: &[AttemptTrees],
    before: Option<&Checkpoint>,
    named: &[Uncovered],
) -> Vec<LeftBehind> {
    let mut left: BTreeMap<&str, LeftBehind> = BTreeMap::new();
    for attempt in attempts {
        for text in &attempt.not_covered {
            let Some((path, reason)) = path_and_reason(text) else {
                continue;
            };
            let is_named = named
                .iter()
                .any(|one| one.display == path && one.reason == reason);
            let is_unseen = attempt.after().is_none();
            let is_left = is_unseen && store.is_left_uncovered(path, before);
            if is_named || is_left || (!is_unseen && stays(store, path, reason)) {
                let one = LeftBehind {
                    path: path.to_owned(),
                    attempt_number: attempt.number,
                    reason: reason.to_owned(),
                };
                left.insert(path, one);
            }
        }
    }
    left.into_values().collect()
}

/// Whether `path`, on record for this `reason` and in no checkpoint, may still be as the attempt
/// left it: what it removed is not there, what it changed or made is.
fn stays(store: &CheckpointStore, path: &str, reason: &str) -> bool {
    was_removed(reason).is_some_and(|was_removed| store.is_at(path) != was_removed)
}

/// The halves of `path (reason)`.
fn path_and_reason(text: &str) -> Option<(&str, &str)> {
    text.strip_suffix(')')?.rsplit_once(" (")
}
