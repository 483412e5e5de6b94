//! What the guarded tree says of a cure: its patch, and the tree with it and without.

use std::collections::HashSet;
use std::io::Write;
use std::ops::ControlFlow;
use std::path::Path;

use crate::checkpoint::{Checkpoint, PatchForm, UserIndex};
use crate::error::Result;
use crate::run::tree::guarded::{Guarded, GuardedTree};
use crate::run::tree::session_patch::SessionPatch;

impl GuardedTree {
    /// What the cure changed, together with what it was built upon; `None` where nothing did.
    pub(in crate::run) fn cure(&self) -> Option<SessionPatch> {
        let guarded = self.lock();
        let spans = guarded.cure.iter();
        let steps: Vec<_> = spans
            .filter_map(|span| Some((span.before.clone(), span.acted.clone()?)))
            .collect();
        SessionPatch::of(&guarded.store, &steps, Vec::new())
    }

    /// Writes it to `out`, for `git apply`.
    pub(in crate::run) fn write_cure(&self, out: &mut dyn Write) -> Result<()> {
        let mut give = |piece: &[u8]| out.write_all(piece).map(ControlFlow::Continue);
        match self.cure() {
            Some(cure) => cure.read(PatchForm::Apply, &mut give).map(drop),
            None => Ok(()),
        }
    }

    /// The paths at which the tree is not as `then` any more. Only looked at: what somebody else
    /// changed is not ours by that.
    pub(in crate::run) fn changed_since(&self, then: &Checkpoint) -> Result<HashSet<Vec<u8>>> {
        let mut guarded = self.lock();
        let now = guarded.session.snapshot("after the cure")?;
        let changes = guarded.store.changes(then, &now).into_iter();
        Ok(changes.map(|change| change.path).collect())
    }

    /// The indexes of the user's repositories inside the tree, each with its directory relative to
    /// the workspace.
    pub(in crate::run) fn indexes_inside(&self) -> Vec<(Vec<u8>, UserIndex)> {
        let guarded = self.lock();
        let store = &guarded.store;
        let dirs = store.repositories_inside(&guarded.ground).into_iter();
        let indexes =
            dirs.filter_map(|dir| UserIndex::inside(store, &dir).map(|index| (dir, index)));
        indexes.collect()
    }

    /// The index at `file`, or the repository's own, of the user's repository here.
    pub(in crate::run) fn user_index(&self, file: Option<&Path>) -> Result<UserIndex> {
        UserIndex::of(&self.lock().store, file)
    }
}

impl Guarded {
    /// Puts the tree from `from`, as it is, to `to`; says why, if it is not exactly that then.
    pub(in crate::run) fn go_between(
        &mut self,
        from: &Checkpoint,
        to: &Checkpoint,
    ) -> Result<Option<String>> {
        self.store.check_root()?;
        self.look_beside();
        let beside = self.beside.as_ref();
        let report = self.session.restore_beside(to, Some(from), beside)?;
        let now = self.look("while a cure is confirmed")?;
        let differs = self.store.files_modified(to, &now);
        Ok(match (report.is_exact(), differs.is_empty()) {
            (true, true) => None,
            (_, false) => Some(format!("{} changed meanwhile", differs.join(", "))),
            (false, true) => Some("something could not be moved out of its way".to_owned()),
        })
    }
}
