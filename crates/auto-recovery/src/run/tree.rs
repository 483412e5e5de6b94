//! The working tree of a run, guarded by checkpoints: fulfils what the manager asks of a tree.
//!
//! Each step's own changes lie between two snapshots, and only they are put back: what somebody
//! else changed between steps is in neither difference, so it stays.

use std::collections::HashSet;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::checkpoint::{
    Checkpoint, CheckpointOptions, CheckpointSession, CheckpointStore, Good, Mark, Pending,
    PendingRun, Protected, RestoreReport,
};
use crate::error::Result;
use crate::host::timestamp;
use crate::manager::{Acted, Before, Proof, Tree, Undone};
use crate::run::flow::Run;
use crate::run::guard::Claim;

/// The guarded tree of one recovery. Shared by the manager, the rollback and the approval.
#[derive(Clone)]
pub(super) struct GuardedTree(Arc<Mutex<Guarded>>);

/// What is known of the tree.
pub(super) struct Guarded {
    pub(super) store: Arc<CheckpointStore>,
    pub(super) session: CheckpointSession,
    /// The command and where it runs: what a good tree is good for.
    argv: Vec<String>,
    cwd: String,
    protected: Protected,
    /// The tree as the recovery found it.
    ground: Checkpoint,
    /// The tree as our last step left it.
    ours: Checkpoint,
    /// The attempt under way: the tree before it, and as it was seen last.
    attempt: Option<Span>,
    /// Failed attempts whose changes are in the tree, oldest first.
    kept: Vec<Span>,
    /// What failed attempts changed that undo does not cover: it is ours, too.
    left: HashSet<String>,
    /// What the next run here would need if this one died; not inside another recovery.
    pending: Option<Pending>,
}

/// What one attempt did to the tree: from here to there.
#[derive(Clone)]
struct Span {
    before: Checkpoint,
    after: Option<Checkpoint>,
    /// Whether it is undone together with the attempt that came next.
    left_to_next: bool,
}

impl GuardedTree {
    /// Takes the tree into safety before anything changes it.
    pub(super) fn open(run: &Run, claim: &Claim, session_id: &str) -> Result<Self> {
        let request = &run.runner.request;
        let protect = from_root(&request.protect, claim.workspace().root());
        let protected = Protected::new(&protect)?;
        let options = CheckpointOptions {
            protect,
            exclude: request.store_paths.clone(),
            ..CheckpointOptions::default()
        };
        let host = run.runner.host.clone();
        let store = CheckpointStore::open(&request.state_dir, claim.workspace(), options, host)?;
        let mut session = store.begin_session(session_id)?;
        let ground = session.snapshot("the tree as the recovery found it")?;
        let pending = match claim.is_ours() {
            true => Some(begin_pending(run, claim, session_id, &ground)?),
            false => None,
        };
        Ok(Self(Arc::new(Mutex::new(Guarded {
            protected,
            argv: request.words(),
            cwd: request.cwd.display().to_string(),
            ours: ground.clone(),
            ground,
            attempt: None,
            kept: Vec::new(),
            left: HashSet::new(),
            pending,
            session,
            store,
        }))))
    }

    /// The checkpoint of the tree as the recovery found it.
    pub(super) fn ground(&self) -> String {
        self.lock().ground.id()
    }

    /// What names the content of that tree: equal for equal trees.
    pub(super) fn fingerprint(&self) -> String {
        self.lock().ground.fingerprint()
    }

    /// The difference between two checkpoints, for people.
    pub(super) fn patch(&self, before: &str, after: &str) -> Result<Vec<u8>> {
        let guarded = self.lock();
        let store = &guarded.store;
        let mut text = Vec::new();
        store.patch(&store.load(before)?, &store.load(after)?, &mut text)?;
        Ok(text)
    }

    /// The recovery is over. One that failed half-way leaves its mark, so that the next run here
    /// knows; unless the tree is as it was.
    pub(super) fn end(&self, in_order: bool) -> Result<()> {
        let mut guarded = self.lock();
        let settled = guarded.attempt.is_none() && guarded.kept.is_empty();
        match guarded.pending.take() {
            Some(pending) if in_order || settled => pending.end(),
            _ => Ok(()),
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Guarded> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tree for GuardedTree {
    fn before(&mut self, attempt_number: u64) -> Result<Before> {
        let mut guarded = self.lock();
        guarded.keep_last();
        let now = guarded
            .session
            .snapshot(&format!("before attempt {attempt_number}"))?;
        let mut foreign = guarded.store.files_modified(&guarded.ours, &now);
        foreign.retain(|path| !guarded.left.contains(path));
        if guarded.kept.is_empty() {
            guarded.ground = now.clone();
        }
        let Guarded {
            pending, ground, ..
        } = &mut *guarded;
        if let Some(pending) = pending {
            // Kept progress is put back together with what is built upon it.
            pending.note_before(ground)?;
        }
        guarded.ours = now.clone();
        guarded.attempt = Some(Span {
            before: now.clone(),
            after: None,
            left_to_next: false,
        });
        Ok(Before {
            checkpoint: Some(now.id()),
            foreign,
        })
    }

    fn acted(&mut self) -> Result<Acted> {
        let mut guarded = self.lock();
        let now = guarded.look("after the strategy acted")?;
        let before = guarded
            .attempt
            .as_ref()
            .map_or(&guarded.ground, |span| &span.before);
        let files_modified = guarded.store.files_modified(before, &now);
        let changes = guarded.store.changes(before, &now);
        let changed = changes
            .iter()
            .filter(|change| guarded.protected.matches(&change.path));
        let uncovered = guarded.store.not_covered_changes(before, &now);
        let uncovered = uncovered
            .into_iter()
            .filter(|one| guarded.protected.matches(one.display.as_bytes()));
        let mut protected: Vec<_> = changed
            .map(|change| change.display.clone())
            .chain(uncovered.map(|one| one.display))
            .collect();
        protected.sort_unstable();
        protected.dedup();
        Ok(Acted {
            checkpoint: Some(now.id()),
            fingerprint: Some(now.fingerprint()),
            files_modified,
            protected,
        })
    }

    fn verified(&mut self) -> Result<Option<String>> {
        Ok(Some(self.lock().look("after verification")?.id()))
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

    fn accept(&mut self, proof: Proof) -> Result<()> {
        let mut guarded = self.lock();
        guarded.attempt = None;
        guarded.kept.clear();
        let Guarded {
            store,
            pending,
            ours,
            argv,
            cwd,
            ..
        } = &mut *guarded;
        if let Some(pending) = pending {
            // From here on this is the tree to come back to.
            pending.note_before(ours)?;
        }
        if proof == Proof::StoodIn {
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
    pub(super) fn last_good(&self) -> Result<Option<Mark>> {
        self.store.last_good(&self.argv, &self.cwd)
    }

    /// The tree that checking out `revision` here would give.
    pub(super) fn import_revision(&mut self, revision: &str) -> Result<Checkpoint> {
        self.session.import_revision(revision, &self.ours)
    }

    /// Puts the tree to `target` and says how many paths that changed. Everything it replaces is in
    /// a checkpoint first, also what is ignored now and was not then.
    pub(super) fn go_to(&mut self, target: &Checkpoint) -> Result<u64> {
        let from = self
            .session
            .snapshot_covering("before the rollback", &[target])?;
        self.store.keep(&from)?;
        if let Some(span) = &mut self.attempt {
            span.before = from.clone();
        }
        let report = self.session.restore(target, Some(&from))?;
        Ok(report.restored.len() as u64)
    }

    /// Takes a snapshot as the tree that our step left.
    fn look(&mut self, label: &str) -> Result<Checkpoint> {
        let now = self.session.snapshot(label)?;
        if let Some(pending) = &mut self.pending {
            pending.note_after(&now)?;
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
        }
    }

    fn put_back(&mut self, span: &Span) -> Result<Undone> {
        let Span { before, after, .. } = span;
        self.store.check_root()?;
        let report = self.session.restore(before, after.as_ref())?;
        if let Some(after) = after {
            let left = self.store.not_covered_changes(before, after).into_iter();
            self.left.extend(left.map(|one| one.display));
        }
        self.ours = before.clone();
        let RestoreReport {
            restored,
            foreign,
            not_covered,
        } = report;
        // What is not covered is told with the attempt; it was never claimed to be put back.
        drop(not_covered);
        Ok(Undone {
            paths: restored.len() as u64,
            foreign,
        })
    }
}

/// Leaves word for the next run here, in case this one dies.
fn begin_pending(
    run: &Run,
    claim: &Claim,
    session_id: &str,
    ground: &Checkpoint,
) -> Result<Pending> {
    let request = &run.runner.request;
    let word = PendingRun {
        session_id: session_id.to_owned(),
        run_id: run.runner.run_id().to_owned(),
        store: request.store.url(),
        command: request.words(),
        pid: std::process::id(),
        at: timestamp(run.runner.host.now()),
        before: ground.id(),
        ..PendingRun::default()
    };
    Pending::begin(&request.state_dir, claim.workspace(), word)
}

/// What `patterns` say of the tree at `root`: whole paths into it are meant as those from there.
fn from_root(patterns: &[String], root: &Path) -> Vec<String> {
    let of = |pattern: &String| match Path::new(pattern).strip_prefix(root) {
        Ok(below) => format!("/{}", below.display()),
        Err(_) => pattern.clone(),
    };
    patterns.iter().map(of).collect()
}
