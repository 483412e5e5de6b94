//! Going back within a session: restoring a tree, and holding the present against two of them.

use std::sync::Arc;

use crate::checkpoint::beside::Inbox;
use crate::checkpoint::commit::Checkpoint;
use crate::checkpoint::reading::Reading;
use crate::checkpoint::repository::blobs::Blobs;
use crate::checkpoint::restore::compare::{is_between, stands};
use crate::checkpoint::restore::item::Expect;
use crate::checkpoint::restore::moved::older;
use crate::checkpoint::restore::plan::{NewSecrets, Plan};
use crate::checkpoint::restore::reserve;
use crate::checkpoint::restore::restored::RestoreReport;
use crate::checkpoint::restore::rounds;
use crate::checkpoint::restore::temp;
use crate::checkpoint::restore::tree_writer::TreeWriter;
use crate::checkpoint::session::CheckpointSession;
use crate::checkpoint::tree::cache::{Known, manifest_of};
use crate::checkpoint::tree::manifest::Node;
use crate::checkpoint::tree::path::{RelPath, display_path};
use crate::checkpoint::tree::rules::Rules;
use crate::checkpoint::tree::scan::Kind;
use crate::checkpoint::tree::watch::Uncovered;
use crate::error::{ErrorKind, Result};

/// Which of two trees a path matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Candidate {
    Before,
    After,
    Neither,
}

/// Paths, and what is wanted there.
type Differing = Vec<(RelPath, Option<Node>)>;

impl CheckpointSession {
    /// Puts the tree from `from`, a snapshot of the present, back to `to`. What differs from `from`
    /// by now is foreign: it is kept and named, and so is what appeared since.
    ///
    /// Without `from` (a full disk allows no snapshot) the tree is compared with `to` directly, and
    /// whatever differs is put back: edits by others cannot be distinguished then.
    pub fn restore(&mut self, to: &Checkpoint, from: Option<&Checkpoint>) -> Result<RestoreReport> {
        self.restore_beside(to, from, None)
    }

    /// Like [`CheckpointSession::restore`], and keeps what a run that `beside` knows of may have
    /// changed.
    pub fn restore_beside(
        &mut self,
        to: &Checkpoint,
        from: Option<&Checkpoint>,
        beside: Option<&Inbox>,
    ) -> Result<RestoreReport> {
        self.go_back((to, from), beside, NewSecrets::Stay)
    }

    /// Like [`CheckpointSession::restore_beside`], for the undo of an attempt that began at `to`
    /// and left `from`: files that it made and that no checkpoint holds, for their names, go too,
    /// and those that were there get back the names that they had.
    pub fn undo(
        &mut self,
        to: &Checkpoint,
        from: Option<&Checkpoint>,
        beside: Option<&Inbox>,
    ) -> Result<RestoreReport> {
        self.go_back((to, from), beside, NewSecrets::of_attempt(to.seen_ns()))
    }

    pub(super) fn go_back(
        &mut self,
        (to, from): (&Checkpoint, Option<&Checkpoint>),
        beside: Option<&Inbox>,
        new_secrets: NewSecrets,
    ) -> Result<RestoreReport> {
        let mut plan = match from {
            Some(from) => {
                let new_secrets = self.seen_of(new_secrets, (from, to))?;
                Plan::between(from, to, (new_secrets, &self.store.root))
            }
            // Nobody can say who made what is there.
            None => self.plan_blindly(to, None, NewSecrets::Stay)?,
        };
        let rules_now = self.rules_now.as_ref().or(self.rules.as_ref());
        if let Some(rules) = rules_now.filter(|rules| !Arc::ptr_eq(rules, &to.rules)) {
            plan.leave_ignored(rules);
        }
        if let Some(from) = from {
            let new_secrets = from.manifest.secrets().map(|(_, path)| path);
            let new_secrets = new_secrets.filter(|path| to.manifest.get(path).is_none());
            let older = older(&self.store.root, (from, to), &plan.items, new_secrets);
            plan.leave_older(older);
            plan.leave_written(&self.store.root);
            let watched = from.watch.as_deref().zip(to.watch.as_deref());
            let bits = watched.map(|(now, then)| now.bits_since(then).collect());
            plan.bits = bits.unwrap_or_default();
        }
        let kept = plan.leave_to(beside, &self.store.root);
        self.clear_temps(to, from)?;
        let begin = || temp::begin(&self.store.dir, &temp::name(&to.id()));
        match begin() {
            Err(error) if error.kind() == ErrorKind::NoSpace => {
                reserve::release(&self.store.state_dir);
                begin()?;
            }
            begun => begun?,
        }
        let mut report = rounds::run(&self.store, to, plan, self.seen_at(from))?;
        temp::end(&self.store.dir)?;
        report.beside = kept;
        if let Some(from) = from {
            let known =
                |path: &[u8]| to.manifest.get(path).is_some() || from.manifest.get(path).is_some();
            let mut absences = to.rules.absences();
            let found = self.scan(&[to, from])?.found;
            let appeared = found.into_iter().filter(|found| {
                !known(&found.path) && absences.are_known(&found.path, found.kind == Kind::Dir)
            });
            let appeared: Vec<_> = appeared
                .map(|found| display_path(&found.path))
                .filter(|path| !report.is_moved_aside(path))
                .collect();
            report.foreign.extend(appeared);
            report.foreign.sort_unstable();
            report.foreign.dedup();
        }
        Ok(report)
    }

    /// The fate of new secrets, for an attempt between two trees, whose watches say what it lost.
    fn seen_of(
        &mut self,
        new_secrets: NewSecrets,
        (from, to): (&Checkpoint, &Checkpoint),
    ) -> Result<NewSecrets> {
        Ok(match (&to.watch, &from.watch) {
            _ if new_secrets == NewSecrets::Stay => new_secrets,
            (Some(then), Some(now)) => new_secrets.seen(Some(then), now),
            _ => new_secrets.seen(None, &self.scan(&[to, from])?.watch),
        })
    }

    /// Removes what a restore that was killed left in the tree, which now is as `ground`. Only for
    /// who holds the workspace: else the restore may be at work.
    ///
    /// # Errors
    /// If the tree cannot be read or written.
    pub fn clear_killed_restores(&mut self, ground: &Checkpoint) -> Result<()> {
        if temp::names(&self.store.dir).is_empty() {
            return Ok(());
        }
        self.clear_temps(ground, None)?;
        temp::end(&self.store.dir)
    }

    /// Removes what a restore that was killed left under its temporary names.
    fn clear_temps(&mut self, to: &Checkpoint, from: Option<&Checkpoint>) -> Result<()> {
        if temp::names(&self.store.dir).is_empty() {
            return Ok(());
        }
        let covering: Vec<_> = [to].into_iter().chain(from).collect();
        let temps = self.scan(&covering)?.temps;
        let store = Arc::clone(&self.store);
        let mut writer = TreeWriter::new(&store.root);
        for path in temps {
            // One that stays is met again.
            let _stays = writer.remove_file(&path);
        }
        let closed = writer.close(|_| None);
        closed.map_err(|e| writer.error("set modes below", b"", e.into()))
    }

    /// The stamps of `from`, if it is the last snapshot that was taken here.
    fn seen_at(&self, from: Option<&Checkpoint>) -> &[Known] {
        let last = self.last.as_ref().map(|last| last.id);
        let is_last = from.is_some_and(|from| Some(from.id) == last);
        let cache = self.cache.as_ref().filter(|_| is_last);
        cache.map_or(&[], |cache| &cache.known)
    }

    /// Every path that may be other than in `before`, and whether it is as `before` or `after`
    /// says.
    pub(super) fn hold_against(
        &mut self,
        before: &Checkpoint,
        after: Option<&Checkpoint>,
        new_secrets: NewSecrets,
    ) -> Result<Vec<(RelPath, Candidate)>> {
        self.rules = Some(Arc::clone(&before.rules));
        let plan = self.plan_blindly(before, after, new_secrets)?;
        let store = Arc::clone(&self.store);
        let mut writer = TreeWriter::new(&store.root);
        let mut blobs = Blobs::start(&store.git)?;
        let mut held = Vec::new();
        for item in plan.items {
            let after = after.map(|after| after.manifest.get(&item.path));
            let to = item.to.as_ref();
            let candidate = if stands(&mut writer, &mut blobs, &item.path, to)? {
                match (to, writer.stamp(&item.path)?) {
                    // A directory that a killed restore left open for itself.
                    (Some(Node::Dir { mode, .. }), Some(stamp)) if stamp.permissions() != *mode => {
                        Candidate::After
                    }
                    _ => Candidate::Before,
                }
            } else if let Some(after) = after
                && (stands(&mut writer, &mut blobs, &item.path, after)?
                    || is_between(&mut writer, &item.path, after, to)?)
            {
                Candidate::After
            } else {
                Candidate::Neither
            };
            held.push((item.path, candidate));
        }
        let closed = writer.close(|_| None);
        closed.map_err(|e| writer.error("set modes below", b"", e.into()))?;
        blobs.finish()?;
        Ok(held)
    }

    /// Every path that may be other than `to` says, and what that says of it; and those that would
    /// not be put back, under the rules of now. Nothing is written.
    pub(super) fn differing(
        &mut self,
        to: &Checkpoint,
        now: Option<&Rules>,
    ) -> Result<(Differing, Vec<Uncovered>)> {
        self.rules = Some(Arc::clone(&to.rules));
        let mut plan = self.plan_blindly(to, None, NewSecrets::Stay)?;
        if let Some(now) = now {
            plan.leave_ignored(now);
        }
        let items = plan.items.into_iter();
        let differing = items.map(|item| (item.path, item.to)).collect();
        Ok((differing, plan.not_covered))
    }

    /// Plans the changes from the present tree to `to`, by looking rather than by a snapshot.
    fn plan_blindly(
        &mut self,
        to: &Checkpoint,
        also: Option<&Checkpoint>,
        new_secrets: NewSecrets,
    ) -> Result<Plan> {
        let now_ns = self.tick();
        let covering: Vec<_> = [to].into_iter().chain(also).collect();
        let scan = self.scan(&covering)?;
        let new_secrets = new_secrets.seen(to.watch.as_deref(), &scan.watch);
        let found = scan.found;
        let base = self
            .cache
            .as_ref()
            .map(|cache| cache.known.clone())
            .unwrap_or_default();
        let known = Reading::new(&found, base, now_ns, true).known;
        let now = manifest_of(&known);
        let root = &self.store.root;
        let mut plan = Plan::towards(&to.manifest, &now, (new_secrets, root));
        let mut absences = to.rules.absences();
        let mounts = to.rules.foreign_mounts(root.path());
        for difference in now.differences(&to.manifest) {
            plan.add(
                difference.path,
                difference.before,
                Expect::Any,
                difference.after,
                &mut absences,
            );
        }
        plan.leave_mounts(&mounts);
        Ok(plan)
    }
}
