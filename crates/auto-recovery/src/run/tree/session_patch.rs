//! What stays of a session, or what one attempt did, as a patch that is made while it is read.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::Arc;

use crate::checkpoint::{
    Change, Checkpoint, CheckpointStore, DiffSink, PatchForm, is_within, some_names,
};
use crate::error::Result;
use crate::redaction::Redactor;
use crate::run::state::masked_output::read_masked;

/// Paths that a line names; more are counted.
const PATHS_SHOWN: usize = 10;

/// A change of a tree, from as it was to as steps of ours left it, without what others did between
/// these steps. Nothing of the patch is made before it is read.
pub struct SessionPatch {
    store: Arc<CheckpointStore>,
    before: Checkpoint,
    after: Checkpoint,
    /// Paths that differ and that none of the steps changed.
    but: Vec<Vec<u8>>,
    /// Directories of repositories inside the tree in which files changed: `git apply` goes into
    /// none of them.
    inside: Vec<Vec<u8>>,
    /// Attempts whose changes stayed and are not in it.
    left_out: Vec<u64>,
    /// Masks the secrets in it.
    redactor: Option<Arc<Redactor>>,
}

/// What one step did: the tree before it, and the one after it.
pub(in crate::run) type Span = (Checkpoint, Checkpoint);

impl SessionPatch {
    /// What `steps` did together, in their order: each from the tree before to the one after it.
    /// `None` without any.
    pub(in crate::run) fn of(
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
        let mut patch = Self {
            store: Arc::clone(store),
            before: before.clone(),
            after: after.clone(),
            but,
            inside: Vec::new(),
            left_out,
            redactor: None,
        };
        let changes = patch.changes();
        let mut inside = store.repositories_inside(before);
        inside.retain(|dir| changes.iter().any(|change| is_within(&change.path, dir)));
        patch.inside = inside;
        Some(patch)
    }

    /// The same, without its secrets where it is read: masked by `redactor`.
    pub(in crate::run) fn masked_by(self, redactor: &Arc<Redactor>) -> Self {
        Self {
            redactor: Some(Arc::clone(redactor)),
            ..self
        }
    }

    /// Whether `earlier` and `later` steps make one difference that is theirs alone: nobody changed
    /// in between what either of them changed.
    pub(in crate::run) fn are_one(
        store: &CheckpointStore,
        earlier: &[Span],
        later: &[Span],
    ) -> bool {
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
        let but = match form {
            PatchForm::Apply => self.not_applied(),
            PatchForm::Stat(_) => self.but.clone(),
        };
        let read = |sink: &mut DiffSink<'_>| {
            let ids = (&*before, &*after);
            self.store.patch_between(ids, form, &but, sink)
        };
        match &self.redactor {
            Some(redactor) => read_masked(redactor, sink, read),
            None => read(sink),
        }
    }

    /// What a patch has no words for, a line each: permissions beyond the executable bit, empty
    /// directories, what no checkpoint holds, and what lies in a repository of its own.
    pub fn beyond(&self) -> Vec<String> {
        let left_out = self.not_applied();
        let mut beyond = self
            .store
            .beyond_patch(&self.before, &self.after, &left_out);
        beyond.extend(self.beyond_repository());
        beyond
    }

    /// The line that names what lies in repositories inside the tree.
    pub(in crate::run) fn beyond_repository(&self) -> Option<String> {
        let names = self.paths_inside().into_iter().map(|(_, name)| name);
        let names: Vec<_> = names.collect();
        let why = match names.len() {
            0 => return None,
            1 => "it is in a repository of its own",
            _ => "they are in a repository of their own",
        };
        Some(format!("{}: {why}", some_names(&names, PATHS_SHOWN)))
    }

    /// The paths of files and links that it changes, relative to the workspace, each with the way
    /// records name it, but for those in repositories inside the tree.
    pub(in crate::run) fn paths(&self) -> Vec<(Vec<u8>, String)> {
        let changes = self.changes().into_iter();
        let own = changes.filter(|change| !self.is_inside(&change.path));
        own.map(|change| (change.path, change.display)).collect()
    }

    /// Those in repositories inside the tree.
    pub(in crate::run) fn paths_inside(&self) -> Vec<(Vec<u8>, String)> {
        let changes = self.changes().into_iter();
        let inside = changes.filter(|change| self.is_inside(&change.path));
        inside.map(|change| (change.path, change.display)).collect()
    }

    fn is_inside(&self, path: &[u8]) -> bool {
        self.inside.iter().any(|dir| is_within(path, dir))
    }

    fn changes(&self) -> Vec<Change> {
        let mut changes = self.store.changes(&self.before, &self.after);
        changes.retain(|change| change.is_of_file() && !self.but.contains(&change.path));
        changes
    }

    fn not_applied(&self) -> Vec<Vec<u8>> {
        [&self.but[..], &self.inside].concat()
    }

    /// The tree that it makes.
    pub(in crate::run) fn after(&self) -> &Checkpoint {
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
