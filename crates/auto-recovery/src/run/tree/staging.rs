//! A cure and the index: in a hook of git's, the commit takes what is staged, not the tree.
//!
//! What the cure changed and the index does not have is named. Where the user asked for it, the
//! paths that were staged before, and wholly, are added as the cure left them: nothing else is.
//!
//! A check that mends what it finds, and fails once for that, passes when it is run again. What it
//! changed is no cure of ours, so it is named and never staged: a commit would go on without it.

use std::collections::{BTreeMap, HashSet};

use crate::checkpoint::{Staged, UserIndex, display_path, some_names};
use crate::error::Result;
use crate::manager::RecoveryEnd;
use crate::run::advice::Advice;
use crate::run::event::RunEvent;
use crate::run::tree::guarded::GuardedTree;
use crate::run::tree::session_patch::SessionPatch;
use crate::run::tree_rules::Checkpoints;
use crate::run::under_way::Run;

/// Paths that a line names; more are counted.
const PATHS_SHOWN: usize = 10;

/// The index as it was before anything was tried.
pub(in crate::run) struct Staging {
    index: UserIndex,
    before: BTreeMap<Vec<u8>, Staged>,
}

/// What becomes of the paths that a cure changed and the index does not have.
#[derive(Default)]
struct Sorted {
    add: Vec<Named>,
    partly: Vec<String>,
    unstaged: Vec<String>,
    restless: Vec<String>,
    beyond: Vec<String>,
}

/// A path, relative to the work tree, and the way records name it.
type Named = (Vec<u8>, String);

impl Staging {
    /// Looks at the index, where a commit is made from it or the user wants it to have the cure.
    /// That it cannot be seen is told, and stops nothing.
    pub(in crate::run) fn look(run: &Run, tree: Option<&GuardedTree>) -> Option<Self> {
        let request = &run.runner.request;
        if !request.tree.stage && !request.exits.fail_on_change && request.tree.git_index.is_none()
        {
            return None;
        }
        let warn = |why: &str| {
            if !request.tree.stage {
                return;
            }
            let what = format!("what a cure changes will not be staged: {why}");
            run.observe(&RunEvent::Warning { what: &what });
        };
        let Some(tree) = tree else {
            if request.tree.stage && request.tree.checkpoints == Checkpoints::Off {
                warn("without a checkpoint nobody can tell what it changes");
            }
            return None;
        };
        let index = tree.user_index(request.tree.git_index.as_deref());
        let looked = index.and_then(|index| {
            let before = index.standing(false)?;
            Ok(Self { index, before })
        });
        looked.inspect_err(|error| warn(&error.chain())).ok()
    }

    /// Stages what the cure changed, if that is wanted, and names what stays outside of the index.
    /// Returns whether other files of the repository changed while the command ran, and `end` is a
    /// recovery: a person or the command itself did that, it cannot be told which.
    pub(in crate::run) fn settle(
        looked: Option<Self>,
        run: &Run,
        tree: Option<&GuardedTree>,
        end: RecoveryEnd,
    ) -> bool {
        let (Some(staging), Some(tree), RecoveryEnd::Recovered) = (looked, tree, end) else {
            return false;
        };
        let request = &run.runner.request;
        let cure = tree.cure();
        let placed = match &cure {
            Some(cure) => {
                let paths = staging.name_inside(run, cure);
                match request.tree.stage || request.tree.git_index.is_some() {
                    true => staging.place(run, tree, (cure, paths)),
                    false => Ok(()),
                }
            }
            None => Ok(()),
        };
        let by_itself = placed.and_then(|()| staging.changed_by_itself(run, tree, cure.as_ref()));
        by_itself.unwrap_or_else(|error| {
            let what = format!("the cure is not staged: {}", error.chain());
            run.observe(&RunEvent::Warning { what: &what });
            false
        })
    }

    /// Whether what git knows here or in a repository inside, other than the `cure`, changed since
    /// the run began and is not in the index. In a hook it is named.
    fn changed_by_itself(
        &self,
        run: &Run,
        tree: &GuardedTree,
        cure: Option<&SessionPatch>,
    ) -> Result<bool> {
        let ours = cure.map(|cure| [cure.paths(), cure.paths_inside()].concat());
        let ours = ours.unwrap_or_default().into_iter();
        let ours: HashSet<_> = ours.map(|(path, _)| path).collect();
        let began = run.runner.host.now().checked_sub(run.elapsed());
        let changed = |index: &UserIndex, dir: &[u8]| -> Result<Vec<String>> {
            let standing = index.standing(false)?.into_iter();
            let differs = standing.filter(|(_, one)| one.differs && !one.is_unmerged);
            let changed = differs.filter(|(path, _)| index.changed_since(path, began));
            let paths = changed.map(|(path, _)| match dir {
                b"" => path,
                dir => [dir, b"/", &path].concat(),
            });
            let others = paths.filter(|path| !ours.contains(path));
            Ok(others.map(|path| display_path(&path)).collect())
        };
        let here = changed(&self.index, b"")?;
        let mut inside = Vec::new();
        for (dir, index) in tree.indexes_inside() {
            inside.extend(changed(&index, &dir)?);
        }
        for (names, what, then) in [
            (&here, "", "`git add` it"),
            (&inside, ", in a repository of its own", "commit it there"),
        ] {
            if !names.is_empty() && run.runner.request.tree.git_index.is_some() {
                let what = format!(
                    "the commit takes what is staged, and not what changed while the command \
                     ran{what}: {} · {then}",
                    some_names(names, PATHS_SHOWN)
                );
                run.observe(&RunEvent::Warning { what: &what });
            }
        }
        Ok(!here.is_empty() || !inside.is_empty())
    }

    /// Names what the `cure` changed in repositories of their own, which no index here holds.
    /// Returns the other paths.
    fn name_inside(&self, run: &Run, cure: &SessionPatch) -> Vec<Named> {
        let paths = cure.paths().into_iter();
        let (more, paths): (Vec<_>, Vec<_>) =
            paths.partition(|(path, _)| self.index.is_in_another(path));
        let inside = cure.paths_inside().into_iter().chain(more);
        let names: Vec<_> = inside.map(|(_, shown)| shown).collect();
        if !names.is_empty() {
            let names = some_names(&names, PATHS_SHOWN);
            let request = &run.runner.request;
            let what = match request.tree.stage || request.tree.git_index.is_some() {
                true => "the commit goes on without what the cure changed",
                false => "the cure changed what is",
            };
            let what = format!("{what} in a repository of its own: {names} · commit it there");
            run.observe(&RunEvent::Warning { what: &what });
        }
        paths
    }

    /// Names those of `paths` that the index says git is not to look at, and so does not add.
    /// Returns the others.
    fn name_overlooked(&self, run: &Run, paths: Vec<Named>) -> Result<Vec<Named>> {
        let all: Vec<_> = paths.iter().map(|(path, _)| &**path).collect();
        let overlooked = self.index.overlooked(&all)?;
        let (overlooked, others): (Vec<_>, Vec<_>) = paths
            .into_iter()
            .partition(|(path, _)| overlooked.contains(path));
        if !overlooked.is_empty() {
            let names: Vec<_> = overlooked.into_iter().map(|(_, shown)| shown).collect();
            let what = format!(
                "not staged, for the index says that git is not to look at it: {} · `git \
                 update-index --no-assume-unchanged --no-skip-worktree` it, and `git add` it",
                some_names(&names, PATHS_SHOWN)
            );
            run.observe(&RunEvent::Warning { what: &what });
        }
        Ok(others)
    }

    fn place(
        &self,
        run: &Run,
        tree: &GuardedTree,
        (cure, paths): (&SessionPatch, Vec<Named>),
    ) -> Result<()> {
        let standing = self.index.standing(true)?;
        let outside = |path: &[u8]| standing.get(path).is_some_and(|one| one.differs);
        let paths = self.name_overlooked(run, paths)?.into_iter();
        let paths: Vec<_> = paths.filter(|(path, _)| outside(path)).collect();
        if paths.is_empty() {
            return Ok(());
        }
        let names = |paths: &[String]| some_names(paths, PATHS_SHOWN);
        let warn = |what: String| run.observe(&RunEvent::Warning { what: &what });
        if !run.runner.request.tree.stage {
            let all: Vec<_> = paths.into_iter().map(|(_, shown)| shown).collect();
            let says = format!(
                "the commit takes what is staged, and the cure is not: {} · `git add` it",
                names(&all)
            );
            warn(run.runner.request.advise(says, &Advice::LetStage));
            return Ok(());
        }
        if self.index.is_of_some_paths() {
            let all: Vec<_> = paths.into_iter().map(|(_, shown)| shown).collect();
            warn(format!(
                "not staged: {} · a commit of named paths has an index of its own, which is gone \
                 after it: `git add` them and commit without naming paths",
                names(&all)
            ));
            return Ok(());
        }
        let since = tree.changed_since(cure.after())?;
        let sorted = self.sort(paths, |path| since.contains(path));
        let (add, added): (Vec<_>, Vec<_>) = sorted.add.into_iter().unzip();
        if !add.is_empty() {
            self.index.add(&add)?;
            let what = format!("staged {}", names(&added));
            run.observe(&RunEvent::Note { what: &what });
        }
        for (paths, why) in [
            (
                sorted.partly,
                "it is staged in part, and your other changes are not",
            ),
            (sorted.unstaged, "it was not staged before"),
            (sorted.restless, "it changed again after the cure"),
            (sorted.beyond, "a link stands where its directory was"),
        ] {
            if !paths.is_empty() {
                warn(format!("not staged, for {why}: {}", names(&paths)));
            }
        }
        Ok(())
    }

    /// Which of `paths` are added: what was staged before, and wholly, and still is as the cure
    /// left it.
    fn sort(&self, paths: Vec<Named>, changed: impl Fn(&[u8]) -> bool) -> Sorted {
        let mut sorted = Sorted::default();
        for (path, shown) in paths {
            let then = self.before.get(&path).copied().unwrap_or_default();
            if then.is_staged && (then.differs || then.is_unmerged) {
                sorted.partly.push(shown);
            } else if !then.is_staged {
                sorted.unstaged.push(shown);
            } else if self.index.is_beyond_link(&path) {
                sorted.beyond.push(shown);
            } else if changed(&path) {
                sorted.restless.push(shown);
            } else {
                sorted.add.push((path, shown));
            }
        }
        sorted
    }
}
