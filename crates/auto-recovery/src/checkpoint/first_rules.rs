//! Rules of a session's walks: those that hold for the whole tree from the first walk on, and those
//! of other snapshots that say something else.

use crate::checkpoint::commit::Checkpoint;
use crate::checkpoint::repository::user_git::{self, own_excludes};
use crate::checkpoint::store::CheckpointStore;
use crate::checkpoint::tree::ignore_files::{self, IgnoreBudget};
use crate::checkpoint::tree::mounts::Mounts;
use crate::checkpoint::tree::rules::Rules;
use crate::error::Result;

/// The rules of `also` that say something else than `rules`.
pub(super) fn other_rules<'r>(rules: &Rules, also: &[&'r Checkpoint]) -> Vec<&'r Rules> {
    let mut known = vec![rules.encode()];
    let mut others: Vec<&Rules> = Vec::new();
    for also in also {
        let is_known = others
            .iter()
            .any(|other| std::ptr::eq(*other, &*also.rules));
        if is_known || std::ptr::eq(rules, &*also.rules) {
            continue;
        }
        let encoded = also.rules.encode();
        if !known.contains(&encoded) {
            known.push(encoded);
            others.push(&also.rules);
        }
    }
    others
}

/// How messages name the user's own ignore file for all projects.
const GLOBAL: &str = "your ignore file for all projects (core.excludesFile)";

/// The rules that hold for the whole tree, before any of its ignore files is read.
pub(super) fn first_rules(
    store: &CheckpointStore,
    global: &mut Option<Vec<u8>>,
    budget: &IgnoreBudget,
) -> Result<Rules> {
    let root = store.root.path();
    let count = |file: &str, text: &Option<Vec<u8>>| {
        budget.count(root, file, text.as_deref().unwrap_or_default())
    };
    let default_global = store.options.excludes_file.as_deref();
    let mounts = Mounts::below(store.root.path());
    let Some(git_dir) = store.workspace.git_dir() else {
        // Without a repository at the top they hold in the repositories inside the tree only.
        *global = default_global.and_then(|file| ignore_files::read_at(file).ok());
        count(GLOBAL, global)?;
        let rules = Rules::new(Vec::new(), false, &store.options.protect)?;
        return Ok(rules.with_mounts(mounts));
    };
    let settings = user_git::ignore_settings(&store.git, git_dir, root, default_global);
    let own = own_excludes(git_dir);
    count(GLOBAL, &settings.global)?;
    count(".git/info/exclude", &own)?;
    global.clone_from(&settings.global);
    let texts = settings.global.into_iter().chain(own);
    let protect = &store.options.protect;
    let rules = Rules::new(texts.collect(), settings.ignores_case, protect)?;
    if rules.is_lost() {
        return Err(ignore_files::too_many(root, GLOBAL));
    }
    Ok(rules.with_mounts(mounts))
}
