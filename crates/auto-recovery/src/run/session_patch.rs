//! What stays of a session, or what one attempt did, as a patch that is made while it is read.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::Arc;

use crate::checkpoint::{Checkpoint, CheckpointStore, DiffSink, PatchForm};
use crate::error::Result;

/// A change of a tree, from as it was to as steps of ours left it, without what others did between
/// these steps. Nothing of the patch is made before it is read.
pub struct SessionPatch {
    store: Arc<CheckpointStore>,
    before: Checkpoint,
    after: Checkpoint,
    /// Paths that differ and that none of the steps changed.
    but: Vec<Vec<u8>>,
    /// Attempts whose changes stayed and are not in it.
    left_out: Vec<u64>,
}

/// What one step did: the tree before it, and the one after it.
pub(super) type Span = (Checkpoint, Checkpoint);

impl SessionPatch {
    /// What `steps` did together, in their order: each from the tree before to the one after it.
    /// `None` without any.
    pub(super) fn of(
        store: &Arc<CheckpointStore>,
        steps: &[Span],
        left_out: Vec<u64>,
    ) -> Option<Self> {
        let (before, after) = (&steps.first()?.0, &steps.last()?.1);
        let but = match steps.len() {
            1 => Vec::new(),
            _ => {
                let changes = steps.iter().flat_map(|(from, to)| store.changes(from, to));
                let ours: BTreeSet<_> = changes.map(|change| change.path).collect();
                let all = store.changes(before, after).into_iter();
                let others =
                    all.filter(|change| change.is_of_file() && !ours.contains(&change.path));
                others.map(|change| change.path).collect()
            }
        };
        Some(Self {
            store: Arc::clone(store),
            before: before.clone(),
            after: after.clone(),
            but,
            left_out,
        })
    }

    /// Whether `earlier` and `later` steps make one difference that is theirs alone: nobody changed
    /// in between what either of them changed.
    pub(super) fn are_one(store: &CheckpointStore, earlier: &[Span], later: &[Span]) -> bool {
        let (Some((_, left)), Some((found, _))) = (earlier.last(), later.first()) else {
            return true;
        };
        let ours = earlier.iter().chain(later);
        let ours = ours.flat_map(|(from, to)| store.changes(from, to));
        let ours: BTreeSet<_> = ours.map(|change| change.path).collect();
        let between = store.changes(left, found).into_iter();
        let mut of_files = between.filter(|change| change.is_of_file());
        of_files.all(|change| !ours.contains(&change.path))
    }

    /// The attempts whose changes stayed too and are not in it: they worked in another tree, or
    /// somebody changed their files afterwards.
    pub fn left_out(&self) -> &[u64] {
        &self.left_out
    }

    /// Gives `sink` the patch in `form`, piece by piece. Once `sink` wants no more, git is ended
    /// and that is the answer.
    ///
    /// # Errors
    /// If the checkpoints cannot be read, or `sink` fails.
    pub fn read(&self, form: PatchForm, sink: &mut DiffSink<'_>) -> Result<ControlFlow<()>> {
        let (before, after) = (self.before.id(), self.after.id());
        self.store
            .patch_between((&before, &after), form, &self.but, sink)
    }

    /// What a patch has no words for, a line each: permissions beyond the executable bit, empty
    /// directories, what no checkpoint holds.
    pub fn beyond(&self) -> Vec<String> {
        self.store
            .beyond_patch(&self.before, &self.after, &self.but)
    }

    /// The paths of files and links that it changes, relative to the workspace, each with the way
    /// records name it.
    pub(super) fn paths(&self) -> Vec<(Vec<u8>, String)> {
        let changes = self.store.changes(&self.before, &self.after).into_iter();
        let files =
            changes.filter(|change| change.is_of_file() && !self.but.contains(&change.path));
        files.map(|change| (change.path, change.display)).collect()
    }

    /// The tree that it makes.
    pub(super) fn after(&self) -> &Checkpoint {
        &self.after
    }
}

impl std::fmt::Debug for SessionPatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SessionPatch")
            .field("before", &self.before.id())
            .field("after", &self.after.id())
            .finish_non_exhaustive()
    }
}
