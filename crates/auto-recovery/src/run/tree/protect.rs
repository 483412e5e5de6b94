//! Protected paths in the tree of a recovery: which were touched, and globs that protect nothing.

use std::path::Path;

use crate::checkpoint::{Checkpoint, ProtectGlob, Protected, scripts_of};
use crate::run::advice::Advice;
use crate::run::event::RunEvent;
use crate::run::request::{Policy, StrategyCommand};
use crate::run::tree::guarded::{Guarded, GuardedTree};
use crate::run::under_way::Run;
use crate::workspace::Workspace;

impl GuardedTree {
    /// Those of `globs` that match nothing in the tree, each with one that would.
    pub(in crate::run) fn unmatched(&self, globs: &[ProtectGlob]) -> Vec<(String, Option<String>)> {
        let guarded = self.lock();
        let root = guarded.store.workspace().root();
        let matches = |patterns: &[String]| {
            Protected::new(patterns).is_ok_and(|known| guarded.ground.has_any(&known))
        };
        let unmatched = globs.iter().filter(|glob| !matches(&glob.from_root(root)));
        let unmatched = unmatched.map(|glob| {
            let mut others = others_meant(glob, root).into_iter();
            let other = others.find(|other| matches(&other.from_root(root)));
            (glob.glob.clone(), other.map(|other| other.glob))
        });
        unmatched.collect()
    }
}

impl Guarded {
    /// The protected paths at which two trees differ, what is ignored included.
    pub(in crate::run) fn protected_between(
        &self,
        before: &Checkpoint,
        after: &Checkpoint,
    ) -> Vec<String> {
        let changes = self.store.changes(before, after);
        let changed = changes
            .iter()
            .filter(|change| self.protected.matches(&change.path));
        let uncovered = self.store.not_covered_changes(before, after);
        let uncovered = uncovered
            .into_iter()
            .filter(|one| self.protected.matches(one.display.as_bytes()));
        let mut protected: Vec<_> = changed
            .map(|change| change.display.clone())
            .chain(uncovered.map(|one| one.display))
            .collect();
        protected.sort_unstable();
        protected.dedup();
        protected
    }
}

/// What somebody may have meant by a glob that matches nothing: the same in the letters of the
/// tree, anywhere below, or from the root of the tree.
fn others_meant(glob: &ProtectGlob, root: &Path) -> Vec<ProtectGlob> {
    let trimmed = glob.glob.trim_start_matches("./").trim_start_matches('/');
    let anywhere = ProtectGlob {
        glob: format!("**/{trimmed}"),
        base: glob.base.clone(),
    };
    let from_root = ProtectGlob {
        glob: root.join(trimmed).display().to_string(),
        base: glob.base.clone(),
    };
    let anywhere_in_tree = ProtectGlob {
        glob: root.join("**").join(trimmed).display().to_string(),
        base: glob.base.clone(),
    };
    let others = vec![anywhere, from_root, anywhere_in_tree];
    glob.as_spelt_in(root).into_iter().chain(others).collect()
}

/// Says which globs protect nothing: a typing error, or a glob that is meant from elsewhere.
pub(in crate::run) fn warn_of_unmatched(run: &Run, tree: &GuardedTree) {
    let request = &run.runner.request;
    for (glob, other) in tree.unmatched(&request.tree.protect) {
        let would = other.as_ref().map(|other| format!(": `{other}` would"));
        let would = would.unwrap_or_default();
        let says = format!("`{glob}`, which is protected, matches nothing in this tree{would}");
        let what = request.advise(says, &Advice::ProtectOther { glob, other });
        run.observe(&RunEvent::Warning { what: &what });
    }
}

/// What no attempt may change though nobody said so: the configuration, and the scripts that mend
/// and decide.
pub(in crate::run) fn guarded_files(
    run: &Run,
    policy: &Policy,
    workspace: &Workspace,
) -> Vec<ProtectGlob> {
    let request = &run.runner.request;
    let given = policy.fixes.iter().chain(&policy.alternatives);
    let asked = request
        .people
        .approve
        .iter()
        .chain(&request.people.on_escalate);
    let words = |command: &StrategyCommand| -> Vec<String> {
        let words = command.argv.iter();
        words
            .map(|word| word.to_string_lossy().into_owned())
            .collect()
    };
    let scripts = given
        .chain(asked)
        .flat_map(|command| scripts_of(&words(command), &request.command.cwd, workspace.root()));
    let files = request.tree.guarded_files.iter().cloned().chain(scripts);
    files.map(|file| ProtectGlob::of_file(&file)).collect()
}
