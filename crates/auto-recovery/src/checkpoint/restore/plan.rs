//! What a restore is to do: which paths go back, from what to what, and which must be left. Pure,
//! but for asking what a run beside may have changed.

use std::collections::{BTreeSet, HashSet};

use crate::checkpoint::beside::Inbox;
use crate::checkpoint::commit::Checkpoint;
use crate::checkpoint::restore::item::{Expect, Item, Moved, Older};
use crate::checkpoint::restore::secrets::{Fate, SecretsOf};
use crate::checkpoint::restore::writers::written_by_others;
use crate::checkpoint::tree::manifest::{Identity, Manifest, Node, Why};
use crate::checkpoint::tree::mounts::Mounts;
use crate::checkpoint::tree::path::{RelPath, ancestors, display_path, is_within};
use crate::checkpoint::tree::root::Root;
use crate::checkpoint::tree::rules::{Absences, Rules};
use crate::checkpoint::tree::watch::{Bits, Uncovered, Watch, reason};

/// Why something stays that a checkpoint does not have.
pub(in crate::checkpoint) const IGNORED_NOW: &str = "ignored by now";

/// A path that a run beside the recovery may have changed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Beside {
    /// The path as records name it.
    pub display: String,
    /// The run, in words.
    pub who: String,
}

/// What a restore does with a file that is watched for its name, and that the target lacks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::checkpoint) enum NewSecrets {
    /// It stays, whoever made it: no checkpoint holds it.
    Stay,
    /// It goes where the attempt that is undone made it.
    Go {
        /// When the attempt began, in nanoseconds since 1970, by the clock that stamps files.
        since_ns: i64,
        /// Ignored files of such names that it may have changed, as they were.
        ignored: Vec<Identity>,
    },
}

impl NewSecrets {
    /// For the undo of an attempt that began then, if that is known.
    pub(in crate::checkpoint) fn of_attempt(since_ns: Option<i64>) -> Self {
        since_ns.map_or(Self::Stay, |since_ns| Self::Go {
            since_ns,
            ignored: Vec::new(),
        })
    }

    /// The same for an attempt that found `then` and left `now`: without the one, what was written
    /// since it began may be changed.
    pub(in crate::checkpoint) fn seen(self, then: Option<&Watch>, now: &Watch) -> Self {
        match (self, then) {
            (Self::Go { .. }, Some(then)) if then.is_partial => Self::Stay,
            (Self::Go { since_ns, .. }, Some(then)) => Self::Go {
                since_ns,
                ignored: then.secrets_not_in(now),
            },
            (Self::Go { since_ns, .. }, None) => Self::Go {
                since_ns,
                ignored: now.secrets_since(since_ns),
            },
            (Self::Stay, _) => Self::Stay,
        }
    }
}

/// What a restore is to do, and what it must leave.
#[derive(Debug, Default)]
pub(in crate::checkpoint) struct Plan {
    pub(in crate::checkpoint) items: Vec<Item>,
    /// What is not covered and gets its name back.
    pub(in crate::checkpoint) moved: Vec<Moved>,
    pub(in crate::checkpoint) not_covered: Vec<Uncovered>,
    /// What is left because it is older than the target, and nothing else has it.
    pub(in crate::checkpoint) older: Vec<RelPath>,
    /// What is left because others have it open for writing.
    pub(in crate::checkpoint) written: Vec<RelPath>,
    /// Ignored files that get their permission bits back.
    pub(in crate::checkpoint) bits: Vec<Bits>,
    /// Whether mounts that are none of the tree were looked for, and left.
    pub(in crate::checkpoint) has_left_mounts: bool,
    /// The secrets on the way, where new ones go.
    secrets: Option<SecretsOf>,
}

impl Plan {
    /// From the tree of `from` to that of `to`. Where new secrets go, those of the target that have
    /// another name at `root` get theirs back.
    pub(in crate::checkpoint) fn between(
        from: &Checkpoint,
        to: &Checkpoint,
        (new_secrets, root): (NewSecrets, &Root),
    ) -> Self {
        let mut plan = Self::towards(&to.manifest, &from.manifest, (new_secrets, root));
        let mut absences = to.rules.absences();
        let opaque = from
            .manifest
            .entries
            .iter()
            .filter(|entry| entry.node.is_opaque());
        let opaque: HashSet<&[u8]> = opaque.map(|entry| &*entry.path).collect();
        plan.take_moved_secrets();
        for difference in from.manifest.differences(&to.manifest) {
            // What an attempt closed to us is unknown, and what was there before is not.
            let is_hidden =
                !opaque.is_empty() && ancestors(difference.path).any(|dir| opaque.contains(dir));
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
                &mut absences,
            );
        }
        plan
    }

    /// A plan without a path, from the tree `now` to the tree `to`.
    pub(in crate::checkpoint) fn towards(
        to: &Manifest,
        now: &Manifest,
        (new_secrets, root): (NewSecrets, &Root),
    ) -> Self {
        let secrets = match new_secrets {
            NewSecrets::Stay => None,
            NewSecrets::Go { since_ns, ignored } => {
                Some(SecretsOf::new(root, (now, to), (since_ns, &ignored)))
            }
        };
        Self {
            secrets,
            ..Self::default()
        }
    }

    /// Has what is older than the target its name back, or leaves it.
    pub(in crate::checkpoint) fn leave_older(&mut self, older: Older) {
        let known: HashSet<RelPath> = self.moved.iter().map(|moved| moved.now.clone()).collect();
        let new = older.moved.into_iter();
        self.moved
            .extend(new.filter(|moved| !known.contains(&moved.now)));
        self.older.extend(older.left);
        // What gets its name back is not left where it is.
        let moved = self.moved.iter().map(|moved| display_path(&moved.now));
        let moved: HashSet<String> = moved.collect();
        self.not_covered.retain(|one| !moved.contains(&one.display));
    }

    /// Leaves what the target does not have and `rules`, those of now, ignore: nobody who ignores a
    /// file means it to go with a restore. Of a directory the topmost is named.
    pub(in crate::checkpoint) fn leave_ignored(&mut self, rules: &Rules) {
        let mut absences = rules.absences();
        let mut top: Option<RelPath> = None;
        let mut holding: HashSet<Vec<u8>> = HashSet::new();
        let not_covered = &mut self.not_covered;
        self.items.retain(|item| {
            if item.to.is_some() {
                return true;
            }
            if top.as_ref().is_some_and(|top| is_within(&item.path, top)) {
                return false;
            }
            let is_file = matches!(&item.from, Expect::Node(Some(node)) if !node.is_dir());
            let is_dir = !is_file;
            if absences.are_known(&item.path, is_dir) {
                return true;
            }
            not_covered.push(Uncovered::new(&item.path, IGNORED_NOW));
            holding.extend(ancestors(&item.path).map(<[u8]>::to_vec));
            top = is_dir.then(|| item.path.clone());
            false
        });
        self.items
            .retain(|item| item.to.is_some() || !holding.contains(&*item.path));
    }

    /// Leaves the files that others have open for writing: what they write from now on would go to
    /// a file without a name.
    pub(in crate::checkpoint) fn leave_written(&mut self, root: &Root) {
        let replaces = |item: &Item| match (&item.from, &item.to) {
            (Expect::Node(Some(Node::File { .. })), to) => !matches!(to, Some(Node::Opaque { .. })),
            _ => false,
        };
        if !self.items.iter().any(replaces) {
            return;
        }
        let written = written_by_others(root);
        if written.is_empty() {
            return;
        }
        let left = &mut self.written;
        self.items.retain(|item| {
            let stamp = || root.stamp(&item.path).ok().flatten();
            let is_left = replaces(item) && stamp().is_some_and(|is| written.contains(&is.ino));
            if is_left {
                left.push(item.path.clone());
            }
            !is_left
        });
    }

    /// Has secrets that got another name get theirs back.
    fn take_moved_secrets(&mut self) {
        let moved = self
            .secrets
            .as_ref()
            .map(|secrets| secrets.moved().cloned());
        self.moved.extend(moved.into_iter().flatten());
    }

    /// Takes out of the plan what is or lies below a mount that is none of the tree, and names the
    /// mount.
    pub(in crate::checkpoint) fn leave_mounts(&mut self, mounts: &Mounts) {
        self.has_left_mounts = true;
        let mut left = BTreeSet::new();
        self.items.retain(|item| match mounts.above(&item.path) {
            Some(place) => {
                left.insert(place.to_vec());
                false
            }
            None => true,
        });
        self.bits.retain(|bits| mounts.above(&bits.path).is_none());
        let named = left
            .iter()
            .map(|place| Uncovered::new(place, mounts.reason(place)));
        self.not_covered.extend(named);
    }

    /// Takes out of the plan what runs beside may have changed.
    pub(in crate::checkpoint) fn leave_to(
        &mut self,
        beside: Option<&Inbox>,
        root: &Root,
    ) -> Vec<Beside> {
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
        self.bits.retain(|bits| who_changed(&bits.path).is_none());
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
    pub(in crate::checkpoint) fn add(
        &mut self,
        path: &RelPath,
        now: Option<&Node>,
        from: Expect,
        target: Option<&Node>,
        absences: &mut Absences<'_>,
    ) {
        let mut is_known = || now.is_none_or(|now| absences.are_known(path, now.is_dir()));
        let fate = match (&self.secrets, now) {
            (Some(secrets), Some(now)) => secrets.fate(path, now, target),
            _ => Fate::Usual,
        };
        let (why, target) = match fate {
            Fate::Usual => (why_left(now, target), target),
            Fate::Goes => (None, target),
            Fate::MakesRoom => (None, None),
        };
        let left = match why {
            Some(why) => Some(reason(why)),
            None if target.is_none() && !is_known() => Some("ignored at that time"),
            None => None,
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

/// Why what stands `now` cannot become what is wanted, where no checkpoint holds one of them.
pub(in crate::checkpoint) fn why_left(now: Option<&Node>, target: Option<&Node>) -> Option<Why> {
    match (now, target) {
        // What is not kept can have its bits back all the same.
        (Some(now), Some(target)) if can_have_access_back(now, target) => None,
        (_, Some(Node::Opaque { why, .. })) => Some(*why),
        (
            Some(Node::Opaque {
                why: why @ (Why::TooLarge | Why::Secret | Why::Written),
                ..
            }),
            _,
        )
        | (
            Some(Node::Opaque {
                why: why @ Why::Unreadable,
                ..
            }),
            None,
        ) => Some(*why),
        _ => None,
    }
}

/// Whether a path that is seen and not kept differs in its access alone. A mount is left as it is.
fn can_have_access_back(now: &Node, target: &Node) -> bool {
    !target.is_mount() && now.is_same_but_access(target)
}
