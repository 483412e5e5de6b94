//! What a restore is to do: which paths go back, from what to what, and which must be left. Pure,
//! but for asking what a run beside may have changed.

use std::collections::{BTreeSet, HashSet};

use crate::checkpoint::beside::Inbox;
use crate::checkpoint::commit::Checkpoint;
use crate::checkpoint::manifest::{Node, Why};
use crate::checkpoint::mounts::Mounts;
use crate::checkpoint::moved::Moved;
use crate::checkpoint::path::{RelPath, ancestors, display_path};
use crate::checkpoint::root::Root;
use crate::checkpoint::watch::{Uncovered, reason};

/// A path that a run beside the recovery may have changed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Beside {
    /// The path as records name it.
    pub display: String,
    /// The run, in words.
    pub who: String,
}

/// What a path must be for a restore to touch it.
#[derive(Clone, Debug)]
pub(super) enum Expect {
    /// Just this (`None`: nothing).
    Node(Option<Node>),
    /// Anything: there is no snapshot of the present.
    Any,
}

/// One path to put back.
#[derive(Clone, Debug)]
pub(super) struct Item {
    pub(super) path: RelPath,
    pub(super) from: Expect,
    pub(super) to: Option<Node>,
}

/// What a restore is to do, and what it must leave.
#[derive(Debug, Default)]
pub(super) struct Plan {
    pub(super) items: Vec<Item>,
    /// What is not covered and gets its name back.
    pub(super) moved: Vec<Moved>,
    pub(super) not_covered: Vec<Uncovered>,
}

impl Plan {
    /// From the tree of `from` to that of `to`.
    pub(super) fn between(from: &Checkpoint, to: &Checkpoint) -> Self {
        let mut plan = Self::default();
        for difference in from.manifest.differences(&to.manifest) {
            // What an attempt closed to us is unknown, and what was there before is not.
            let is_hidden = ancestors(difference.path)
                .any(|dir| from.manifest.get(dir).is_some_and(Node::is_opaque));
            let expect = if is_hidden {
                Expect::Any
            } else {
                Expect::Node(difference.before.cloned())
            };
            plan.add(
                difference.path,
                difference.before,
                expect,
                difference.after,
                to,
            );
        }
        plan
    }

    /// Takes out of the plan what is or lies below a mount that is none of the tree, and names the
    /// mount.
    pub(super) fn leave_mounts(&mut self, mounts: &Mounts) {
        let mut left = BTreeSet::new();
        self.items.retain(|item| match mounts.above(&item.path) {
            Some(place) => {
                left.insert(place.to_vec());
                false
            }
            None => true,
        });
        let named = left
            .iter()
            .map(|place| Uncovered::new(place, reason(Why::Mount)));
        self.not_covered.extend(named);
    }

    /// Takes out of the plan what runs beside may have changed.
    pub(super) fn leave_to(&mut self, beside: Option<&Inbox>, root: &Root) -> Vec<Beside> {
        let mut kept = Vec::new();
        let Some(inbox) = beside.filter(|inbox| !inbox.is_empty()) else {
            return kept;
        };
        let leaving = self.items.iter().filter(|item| item.to.is_none());
        let leaving: HashSet<RelPath> = leaving.map(|item| item.path.clone()).collect();
        let who_changed = |path: &RelPath| {
            let new = ancestors(path).filter(|dir| leaving.contains(*dir));
            inbox.who_changed(root, path, new)
        };
        self.moved.retain(|moved| who_changed(&moved.now).is_none());
        self.items.retain(|item| match who_changed(&item.path) {
            Some(who) => {
                let display = display_path(&item.path);
                kept.push(Beside { display, who });
                false
            }
            None => true,
        });
        kept
    }

    /// Adds a path at which `now` stands and `target` shall stand, unless it must be left.
    pub(super) fn add(
        &mut self,
        path: &RelPath,
        now: Option<&Node>,
        from: Expect,
        target: Option<&Node>,
        to: &Checkpoint,
    ) {
        let left = match (now, target) {
            (_, Some(Node::Opaque { why, .. })) => Some(reason(*why)),
            (
                Some(Node::Opaque {
                    why: Why::TooLarge, ..
                }),
                _,
            ) => Some(reason(Why::TooLarge)),
            (
                Some(Node::Opaque {
                    why: Why::Unreadable,
                    ..
                }),
                None,
            ) => Some(reason(Why::Unreadable)),
            (Some(now), None) if !to.rules.knows(path, now.is_dir()) => {
                Some("ignored at that time")
            }
            _ => None,
        };
        match left {
            Some(reason) => self.not_covered.push(Uncovered::new(path, reason)),
            None => self.items.push(Item {
                path: path.clone(),
                from,
                to: target.cloned(),
            }),
        }
    }
}
