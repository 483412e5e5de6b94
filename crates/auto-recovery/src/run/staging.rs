//! A cure and the index: in a hook of git's, the commit takes what is staged, not the tree.
//!
//! What the cure changed and the index does not have is named. Where the user asked for it, the
//! paths that were staged before, and wholly, are added as the cure left them: nothing else is.

use std::collections::BTreeMap;

use crate::checkpoint::{Staged, UserIndex, some_names};
use crate::error::Result;
use crate::run::event::RunEvent;
use crate::run::tree::GuardedTree;
use crate::run::under_way::Run;

/// Paths that a line names; more are counted.
const PATHS_SHOWN: usize = 10;

/// The index as it was before anything was tried.
pub(super) struct Staging {
    index: UserIndex,
    before: BTreeMap<Vec<u8>, Staged>,
}

/// What becomes of the paths that a cure changed and the index does not have.
#[derive(Default)]
struct Sorted {
    add: Vec<(Vec<u8>, String)>,
    partly: Vec<String>,
    unstaged: Vec<String>,
    restless: Vec<String>,
}

impl Staging {
    /// Looks at the index, where a commit is made from it or the user wants it to have the cure.
    /// That it cannot be seen is told, and stops nothing.
    pub(super) fn look(run: &Run, tree: Option<&GuardedTree>) -> Option<Self> {
        let request = &run.runner.request;
        if !request.stage && request.git_index.is_none() {
            return None;
        }
        let warn = |why: &str| {
            if !request.stage {
                return;
            }
            let what = format!("what a cure changes will not be staged: {why}");
            run.observe(&RunEvent::Warning { what: &what });
        };
        let Some(tree) = tree else {
            if request.stage && !request.checkpoint {
                warn("without a checkpoint nobody can tell what it changes");
            }
            return None;
        };
        let index = tree.user_index(request.git_index.as_deref());
        let looked = index.and_then(|index| {
            let before = index.standing(false)?;
            Ok(Self { index, before })
        });
        looked.inspect_err(|error| warn(&error.chain())).ok()
    }

    /// Stages what the cure changed, if that is wanted, and names what stays outside of the index.
    pub(super) fn settle(looked: Option<Self>, run: &Run, tree: Option<&GuardedTree>) {
        let (Some(staging), Some(tree)) = (looked, tree) else {
            return;
        };
        if let Err(error) = staging.try_settle(run, tree) {
            let what = format!("the cure is not staged: {}", error.chain());
            run.observe(&RunEvent::Warning { what: &what });
        }
    }

    fn try_settle(&self, run: &Run, tree: &GuardedTree) -> Result<()> {
        let Some(cure) = tree.cure() else {
            return Ok(());
        };
        let standing = self.index.standing(true)?;
        let outside = |path: &[u8]| standing.get(path).is_some_and(|one| one.differs);
        let paths = cure.paths().into_iter();
        let paths: Vec<_> = paths.filter(|(path, _)| outside(path)).collect();
        if paths.is_empty() {
            return Ok(());
        }
        let names = |paths: &[String]| some_names(paths, PATHS_SHOWN);
        let warn = |what: String| run.observe(&RunEvent::Warning { what: &what });
        if !run.runner.request.stage {
            let all: Vec<_> = paths.into_iter().map(|(_, shown)| shown).collect();
            warn(format!(
                "the commit takes what is staged, and the cure is not: {} · `git add` it, or let \
                 --stage add what was staged before",
                names(&all)
            ));
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
        ] {
            if !paths.is_empty() {
                warn(format!("not staged, for {why}: {}", names(&paths)));
            }
        }
        Ok(())
    }

    /// Which of `paths` are added: what was staged before, and wholly, and still is as the cure
    /// left it.
    fn sort(&self, paths: Vec<(Vec<u8>, String)>, changed: impl Fn(&[u8]) -> bool) -> Sorted {
        let mut sorted = Sorted::default();
        for (path, shown) in paths {
            let then = self.before.get(&path).copied().unwrap_or_default();
            if then.is_staged && (then.differs || then.is_unmerged) {
                sorted.partly.push(shown);
            } else if !then.is_staged {
                sorted.unstaged.push(shown);
            } else if changed(&path) {
                sorted.restless.push(shown);
            } else {
                sorted.add.push((path, shown));
            }
        }
        sorted
    }
}
