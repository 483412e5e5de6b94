//! Differences between the trees of a recovery, for those who are told of them.

use std::io::Write;
use std::ops::ControlFlow;

use crate::checkpoint::{DiffSink, GoodTree, PatchForm};
use crate::error::Result;
use crate::run::tree::guarded::GuardedTree;

impl GuardedTree {
    /// Writes the difference between two checkpoints, for people, to `out`.
    pub(in crate::run) fn write_patch(
        &self,
        before: &str,
        after: &str,
        out: &mut dyn Write,
    ) -> Result<()> {
        let guarded = self.lock();
        let store = &guarded.store;
        let mut write = |piece: &[u8]| out.write_all(piece).map(ControlFlow::Continue);
        let (before, after) = (store.load(before)?, store.load(after)?);
        store.patch(&before, &after, &mut write).map(drop)
    }

    /// Gives `sink` the difference between two checkpoints, as `git apply` takes it.
    pub(in crate::run) fn patch_between(
        &self,
        before: &str,
        after: &str,
        sink: &mut DiffSink<'_>,
    ) -> Result<()> {
        let guarded = self.lock();
        let (store, ids) = (&guarded.store, (before, after));
        store
            .patch_between(ids, PatchForm::Apply, &[], sink)
            .map(drop)
    }

    /// The checkpoint of the tree as our last step left it.
    pub(in crate::run) fn now(&self) -> String {
        self.lock().ours.id()
    }

    /// The newest tree at which this command passed here, or that somebody marked.
    pub(in crate::run) fn last_good(&self) -> Result<Option<GoodTree>> {
        self.lock().last_good()
    }
}
