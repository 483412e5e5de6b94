//! The working tree of a run, guarded by checkpoints: fulfils what the manager asks of a tree.
//!
//! Each step's own changes lie between two snapshots, and only they are put back: what somebody
//! else changed between steps is in neither difference, so it stays.

use std::sync::{Arc, Mutex, MutexGuard};

use crate::checkpoint::{
    Checkpoint, CheckpointOptions, CheckpointSession, CheckpointStore, Good, GoodTree, Inbox,
    ProtectGlob, Protected, RestoreReport, Unfinished, UnfinishedRun,
};
use crate::error::{Error, ErrorKind, Result};
use crate::host::timestamp;
use crate::manager::{Acted, Before, Proof, Tree, Undone, Verified};
use crate::mutex;
use crate::run::event::RunEvent;
use crate::run::tree::claiming::Claim;
use crate::run::tree::left_behind::Leftovers;
use crate::run::tree::options::checkpoint_options;
use crate::run::under_way::Run;

/// The guarded tree of one recovery. Shared by the manager, the rollback and the approval.
#[derive(Clone)]
pub(in crate::run) struct GuardedTree(Arc<Mutex<Guarded>>);

/// What is known of the tree.
pub(in crate::run) struct Guarded {
    pub(in crate::run) store: Arc<CheckpointStore>,
    pub(in crate::run) session: CheckpointSession,
    /// The command and where it runs: what a good tree is good for.
    argv: Vec<String>,
    cwd: String,
    pub(in crate::run) protected: Protected,
    /// The tree as the recovery found it.
    pub(in crate::run) ground: Checkpoint,
    /// The tree as our last step left it.
    pub(in crate::run) ours: Checkpoint,
    /// The tree with the cure, while that is set aside.
    aside: Option<Checkpoint>,
    /// The attempts that cured, oldest first: what was built upon, and the last.
    pub(in crate::run) cure: Vec<Span>,
    /// The attempt under way: the tree before it, and as it was seen last.
    attempt: Option<Span>,
    /// Failed attempts whose changes are in the tree, oldest first.
    kept: Vec<Span>,
    /// What failed attempts changed that undo does not cover: it is ours, too.
    left: Leftovers,
    /// What the next run here would need if this one died; not inside another recovery.
    unfinished: Option<Unfinished>,
    /// Who runs beside; not inside another recovery.
    pub(in crate::run) beside: Option<Inbox>,
}

/// What one attempt did to the tree: from here to there.
#[derive(Clone)]
pub(in crate::run) struct Span {
    pub(in crate::run) attempt_number: u64,
    pub(in crate::run) before: Checkpoint,
    /// As the strategy left it, before the verification.
    pub(in crate::run) acted: Option<Checkpoint>,
    after: Option<Checkpoint>,
    /// Whether it is undone together with the attempt that came next.
    left_to_next: bool,
}

impl GuardedTree {
    /// Takes the tree into safety before anything changes it. `guarded` are files that are
    /// protected though nobody said so.
    pub(in crate::run) fn open(
        run: &Run,
        claim: &Claim,
        session_id: &str,
        guarded: &[ProtectGlob],
    ) -> Result<Self> {
        let request = &run.runner.request;
        let root = claim.workspace().root();
        let globs = request.tree.protect.iter().chain(guarded);
        let protect: Vec<String> = globs.flat_map(|glob| glob.from_root(root)).collect();
        let protected = Protected::new(&protect)?;
        let beside = match claim.is_ours() {
            true => Some(Inbox::open(&request.state.dir, claim.workspace())?),
            false => None,
        };
        let options = CheckpointOptions {
            protect,
            ..checkpoint_options(
                &request.state.store_paths,
                claim.workspace(),
                request.command.search_path.as_deref(),
            )
        };
        let (state_dir, workspace) = (&request.state.dir, claim.workspace());
        let host = run.runner.host.clone();
        let store = if claim.is_ours() {
            let (store, aside) = CheckpointStore::open_whole(state_dir, workspace, options, host)?;
            if let Some(aside) = aside {
                let aside = aside.display();
                let what = format!("the checkpoints here are damaged, and set aside as {aside}");
                run.observe(&RunEvent::Cleaned { what: &what });
            }
            store
        } else {
            CheckpointStore::open(state_dir, workspace, options, host)?
        };
        let mut session = store.begin_session(session_id)?;
        let ground = session.snapshot("the tree as the recovery found it")?;
        session.clear_killed_restores(&ground)?;
        let unfinished = match claim.is_ours() {
            true => Some(begin_pending(run, claim, session_id, &ground)?),
            false => None,
        };
        Ok(Self(Arc::new(Mutex::new(Guarded {
            protected,
            argv: run.runner.shared_words(),
            cwd: request.command.cwd.display().to_string(),
            ours: ground.clone(),
            aside: None,
            cure: Vec::new(),
            ground,
            attempt: None,
            kept: Vec::new(),
            left: Leftovers::default(),
            unfinished,
            beside,
            session,
            store,
        }))))
    }

    /// The checkpoint of the tree as the recovery found it.
    pub(in crate::run) fn ground(&self) -> String {
        self.lock().ground.id()
    }

    /// Whether everything that no checkpoint covers was watched: only then is the tree as it was
    /// where nothing is named.
    pub(in crate::run) fn saw_all(&self) -> bool {
        let guarded = self.lock();
        guarded.store.saw_all(&guarded.ground, &guarded.ours)
    }

    /// What names the content of that tree: equal for equal trees.
    pub(in crate::run) fn fingerprint(&self) -> String {
        self.lock().ground.fingerprint()
    }

    /// The recovery is over. One that failed half-way leaves its mark, so that the next run here
    /// knows; unless the tree is as it was.
    pub(in crate::run) fn end(&self, in_order: bool) -> Result<()> {
        let mut guarded = self.lock();
        let settled = guarded.attempt.is_none() && guarded.kept.is_empty();
        match guarded.unfinished.take() {
            Some(unfinished) if in_order || settled => unfinished.end(),
            _ => Ok(()),
        }
    }

    pub(in crate::run) fn lock(&self) -> MutexGuard<'_, Guarded> {
        mutex::lock(&self.0)
    }
}

impl Tree for GuardedTree {
    fn before(&mut self, attempt_number: u64) -> Result<Before> {
        let mut guarded = self.lock();
        guarded.keep_last();
        guarded.look_beside();
        let now = guarded
            .session
            .snapshot(&format!("before attempt {attempt_number}"))?;
        let mut foreign = guarded.store.files_modified(&guarded.ours, &now);
        foreign.retain(|path| !guarded.left.contains(path));
        let left = guarded.left.still_in(&now);
        if guarded.kept.is_empty() {
            guarded.ground = now.clone();
        }
        let Guarded {
            unfinished,
            ground,
            kept,
            ..
        } = &mut *guarded;
        if let Some(unfinished) = unfinished {
            // Kept progress is put back together with what is built upon it.
            let grounds: Vec<_> = kept.iter().filter_map(|span| span.after.as_ref()).collect();
            unfinished.note_before(ground, &grounds)?;
        }
        guarded.ours = now.clone();
        guarded.attempt = Some(Span {
            attempt_number,
            before: now.clone(),
            acted: None,
            after: None,
            left_to_next: false,
        });
        Ok(Before {
            checkpoint: Some(now.id()),
            fingerprint: Some(now.fingerprint()),
            foreign,
            left,
        })
    }

    fn acted(&mut self) -> Result<Acted> {
        let mut guarded = self.lock();
        let now = match guarded.look("after the strategy acted") {
            Ok(now) => now,
            Err(error) => {
                return Ok(Acted {
                    overflow: Some(overflow(error)?),
                    ..Acted::default()
                });
            }
        };
        let before = guarded
            .attempt
            .as_ref()
            .map_or(&guarded.ground, |span| &span.before);
        let files_modified = guarded.store.files_modified(before, &now);
        let acted = Acted {
            checkpoint: Some(now.id()),
            fingerprint: Some(now.fingerprint()),
            protected: guarded.protected_between(before, &now),
            files_modified,
            overflow: None,
        };
        if let Some(span) = &mut guarded.attempt {
            span.acted = Some(now);
        }
        Ok(acted)
    }

    fn verified(&mut self) -> Result<Verified> {
        let mut guarded = self.lock();
        let acted = guarded.ours.clone();
        let now = match guarded.look("after verification") {
            Ok(now) => now,
            Err(error) => {
                return Ok(Verified {
                    overflow: Some(overflow(error)?),
                    ..Verified::default()
                });
            }
        };
        Ok(Verified {
            checkpoint: Some(now.id()),
            fingerprint: Some(now.fingerprint()),
            files_modified: guarded.store.files_modified(&acted, &now),
            protected: guarded.protected_between(&acted, &now),
            overflow: None,
        })
    }

    fn is_as_verified(&mut self) -> Result<bool> {
        let mut guarded = self.lock();
        // Only looked at: what somebody else changed meanwhile must not be undone as ours.
        let now = guarded.session.snapshot("after approval")?;
        Ok(now.fingerprint() == guarded.ours.fingerprint())
    }

    fn not_covered(&mut self) -> Vec<String> {
        let guarded = self.lock();
        let Some(Span {
            before,
            after: Some(after),
            ..
        }) = &guarded.attempt
        else {
            return Vec::new();
        };
        let found = guarded.store.not_covered_changes(before, after);
        found
            .iter()
            .map(|path| format!("{} ({})", path.display, path.reason))
            .collect()
    }

    fn history_moved(&mut self) -> Option<String> {
        let guarded = self.lock();
        let span = guarded.attempt.as_ref()?;
        guarded.store.head_moved(&span.before, span.after.as_ref()?)
    }

    fn built_upon(&self) -> Option<String> {
        let guarded = self.lock();
        guarded.kept.first().map(|span| span.before.id())
    }

    fn leave(&mut self) {
        if let Some(span) = &mut self.lock().attempt {
            span.left_to_next = true;
        }
    }

    fn undo(&mut self) -> Result<Undone> {
        self.lock().put_back_while(|span| span.left_to_next)
    }

    fn undo_all(&mut self) -> Result<Undone> {
        self.lock().put_back_while(|_| true)
    }

    fn is_kept(&self) -> bool {
        self.lock().store.is_there()
    }

    fn set_aside(&mut self) -> Result<Option<String>> {
        let mut guarded = self.lock();
        let last = guarded.attempt.as_ref();
        let first = guarded
            .kept
            .first()
            .or(last)
            .map(|span| span.before.clone());
        let with = last.and_then(|span| span.after.clone());
        let (Some(first), Some(with)) = (first, with) else {
            return Ok(Some("the tree with it could not be kept".to_owned()));
        };
        guarded.aside = Some(with.clone());
        guarded.go_between(&with, &first)
    }

    fn put_again(&mut self) -> Result<Option<String>> {
        let mut guarded = self.lock();
        let Some(with) = guarded.aside.take() else {
            return Ok(None);
        };
        let now = guarded.look("without the cure")?;
        if let Some(unfinished) = &mut guarded.unfinished {
            // Of a run that dies while it is brought back, this is what goes.
            unfinished.note_after(&with)?;
        }
        guarded.go_between(&now, &with)
    }

    fn accept(&mut self, proof: Proof) -> Result<()> {
        let mut guarded = self.lock();
        // A tree that could not be kept as the command passed on it is none to go back to.
        let last = guarded.attempt.take();
        let is_unseen = last.as_ref().is_some_and(|span| span.after.is_none());
        guarded.cure = std::mem::take(&mut guarded.kept);
        guarded.cure.extend(last);
        let Guarded {
            store,
            unfinished,
            ours,
            argv,
            cwd,
            ..
        } = &mut *guarded;
        if let Some(unfinished) = unfinished {
            // From here on this is the tree to come back to.
            unfinished.note_before(ours, &[])?;
        }
        if proof == Proof::StoodIn || is_unseen {
            return Ok(());
        }
        let good = Good::Passed {
            argv: argv.clone(),
            cwd: cwd.clone(),
        };
        store.mark_good(ours, good).map(drop)
    }
}

impl Guarded {
    /// The newest tree at which this command passed here, or that somebody marked.
    pub(in crate::run) fn last_good(&self) -> Result<Option<GoodTree>> {
        self.store.last_good(&self.argv, &self.cwd)
    }

    /// Why going to `target`, the last good tree, would go behind what was committed since; `None`
    /// if it would not.
    pub(in crate::run) fn is_behind(&mut self, target: &Checkpoint) -> Result<Option<String>> {
        let marks = self.store.good_trees()?;
        let mark = marks.iter().rfind(|mark| mark.checkpoint == target.id());
        let then = mark.and_then(|mark| mark.head.as_deref());
        let short = |commit: &str| match commit {
            "" => "no commit".to_owned(),
            commit => commit.chars().take(10).collect(),
        };
        match (then, self.ours.head()) {
            (Some(then), Some(now)) if then != now => {
                let (then, now) = (short(then), short(now));
                return Ok(Some(format!("HEAD was {then} then and is {now} now")));
            }
            _ => {}
        }
        let lost = self.session.tracked_lost(&self.ours, target);
        Ok(match lost {
            0 => None,
            1 => Some("1 file that git tracks now is not in it".to_owned()),
            lost => Some(format!("{lost} files that git tracks now are not in it")),
        })
    }

    /// The tree that checking out `revision` here would give.
    pub(in crate::run) fn import_revision(&mut self, revision: &str) -> Result<Checkpoint> {
        self.session.import_revision(revision, &self.ours)
    }

    /// Puts the tree to `target` and says what that changed, and what not. Everything it replaces
    /// is in a checkpoint first, also what is ignored now and was not then.
    pub(in crate::run) fn go_to(&mut self, target: &Checkpoint) -> Result<RestoreReport> {
        let from = self
            .session
            .snapshot_covering("before the rollback", &[target])?;
        self.store.keep(&from)?;
        if let Some(span) = &mut self.attempt {
            span.before = from.clone();
        }
        self.look_beside();
        let beside = self.beside.as_ref();
        self.session.restore_beside(target, Some(&from), beside)
    }

    /// Notes who runs beside now, and who did.
    pub(in crate::run) fn look_beside(&mut self) {
        if let Some(beside) = &mut self.beside {
            beside.look();
        }
    }

    /// Takes a snapshot as the tree that our step left.
    pub(in crate::run) fn look(&mut self, label: &str) -> Result<Checkpoint> {
        self.look_beside();
        let taken = self.session.snapshot(label);
        if let (Err(_), Some(span)) = (&taken, &mut self.attempt) {
            // What was seen before says nothing of the tree any more.
            span.after = None;
        }
        let now = taken?;
        if let Some(unfinished) = &mut self.unfinished {
            unfinished.note_after(&now)?;
        }
        self.ours = now.clone();
        if let Some(span) = &mut self.attempt {
            span.after = Some(now.clone());
        }
        Ok(now)
    }

    /// The attempt before the next one was neither undone nor accepted: its changes stay for now.
    fn keep_last(&mut self) {
        if let Some(span) = self.attempt.take() {
            self.kept.push(span);
        }
    }

    /// Puts back the attempt under way, and then those that were kept, newest first, while they are
    /// `meant`.
    fn put_back_while(&mut self, meant: impl Fn(&Span) -> bool) -> Result<Undone> {
        let mut all = Undone::default();
        let mut next = self.attempt.take();
        loop {
            let kept = || self.kept.pop_if(|span| meant(span));
            let Some(span) = next.take().or_else(kept) else {
                // What stays is met once in each attempt.
                for paths in [&mut all.foreign, &mut all.holding] {
                    unique(paths);
                }
                for pairs in [&mut all.beside, &mut all.refused, &mut all.moved_aside] {
                    unique(pairs);
                }
                return Ok(all);
            };
            let undone = match self.put_back(&span) {
                Ok(undone) => undone,
                Err(error) => {
                    // It is still to be undone: by us, by the next run here, or by a person.
                    self.attempt = Some(span);
                    return Err(error);
                }
            };
            all.paths += undone.paths;
            all.foreign.extend(undone.foreign);
            all.beside.extend(undone.beside);
            all.refused.extend(undone.refused);
            all.holding.extend(undone.holding);
            all.moved_aside.extend(undone.moved_aside);
            all.renamed_back.extend(undone.renamed_back);
            all.bits_back.extend(undone.bits_back);
            all.removed.extend(undone.removed);
            all.not_covered.extend(undone.not_covered);
        }
    }

    fn put_back(&mut self, span: &Span) -> Result<Undone> {
        let Span { before, after, .. } = span;
        self.store.check_root()?;
        self.look_beside();
        let beside = self.beside.as_ref();
        let report = self.session.undo(before, after.as_ref(), beside)?;
        // Told with this attempt already, and nobody else's.
        self.left.note(span.attempt_number, &report);
        self.ours = before.clone();
        let RestoreReport {
            restored,
            foreign,
            not_covered,
            holding,
            moved_aside,
            renamed_back,
            refused,
            beside,
            bits_back,
            removed,
        } = report;
        let refused = refused.into_iter().map(|one| (one.display, one.reason));
        let beside = beside.into_iter().map(|one| (one.display, one.who));
        // Where the attempt was seen it is told with it; it was never claimed to be put back.
        let not_covered = not_covered.into_iter().filter(|_| after.is_none());
        let not_covered = not_covered.map(|one| format!("{} ({})", one.display, one.reason));
        let undone = Undone {
            paths: restored.len() as u64,
            foreign,
            beside: beside.collect(),
            refused: refused.collect(),
            holding,
            moved_aside,
            renamed_back,
            bits_back,
            removed,
            not_covered: not_covered.collect(),
        };
        if let Some(after) = after {
            let mut left = self.store.not_covered_changes(before, after);
            left.retain(|one| !undone.has_back(&one.display));
            self.left.note_uncovered(span.attempt_number, left);
        }
        Ok(undone)
    }
}

/// Leaves word for the next run here, in case this one dies.
fn begin_pending(
    run: &Run,
    claim: &Claim,
    session_id: &str,
    ground: &Checkpoint,
) -> Result<Unfinished> {
    let request = &run.runner.request;
    let word = UnfinishedRun {
        session_id: session_id.to_owned(),
        run_id: run.runner.run_id().to_owned(),
        store: request.state.store.url(),
        command: run.runner.shared_words(),
        pid: std::process::id(),
        at: timestamp(run.runner.host.now()),
        before: ground.id(),
        since_ns: ground.seen_ns(),
        heads: ground.head().map(str::to_owned).into_iter().collect(),
        ..UnfinishedRun::default()
    };
    Unfinished::begin(&request.state.dir, claim.workspace(), word)
}

fn unique<T: Ord>(list: &mut Vec<T>) {
    list.sort_unstable();
    list.dedup();
}

/// Why a tree cannot be kept, if it is too much or the disk is full.
fn overflow(error: Error) -> Result<String> {
    match error.kind() {
        ErrorKind::NoSpace => Ok(error.chain()),
        _ => Err(error),
    }
}
