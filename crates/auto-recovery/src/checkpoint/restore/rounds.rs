//! The way back: putting a tree from one snapshot to another.
//!
//! Only paths at which the two differ are touched, and each only while it still is what the
//! snapshot of the present says: an edit that came after it is foreign, is kept, and is named. What
//! is written comes before what is removed, each path changes in one step, so a restore that was
//! killed is run again to the exact end. What no snapshot holds (see [`Uncovered`]) is never
//! touched.
//!
//! [`Uncovered`]: crate::checkpoint::tree::watch::Uncovered

use std::collections::HashSet;

use crate::checkpoint::commit::Checkpoint;
use crate::checkpoint::restore::item::{Expect, Item};
use crate::checkpoint::restore::plan::Plan;
use crate::checkpoint::restore::restored::RestoreReport;
use crate::checkpoint::restore::restorer::{Restorer, Seen};
use crate::checkpoint::store::CheckpointStore;
use crate::checkpoint::tree::manifest::Node;
use crate::checkpoint::tree::path::{RelPath, display_path, is_within};
use crate::checkpoint::tree::watch::Uncovered;
use crate::error::Result;

/// How often a restore goes over paths that changed under it.
const ROUNDS_MAX: usize = 3;

/// Carries out `plan` towards `to`.
pub(in crate::checkpoint) fn run(
    store: &CheckpointStore,
    to: &Checkpoint,
    mut plan: Plan,
    seen: Seen<'_>,
) -> Result<RestoreReport> {
    if !plan.has_left_mounts {
        plan.leave_mounts(&to.rules.foreign_mounts(store.root.path()));
    }
    let mut report = RestoreReport {
        not_covered: plan.not_covered,
        ..RestoreReport::default()
    };
    let mut restorer = Restorer::new(store, to, seen)?;
    report.bits_back = restorer.begin((plan.moved, plan.older, plan.written), &plan.bits);
    let mut items = plan.items;
    let all = items.clone();
    // Once at least: names may be all that goes back.
    for _ in 0..ROUNDS_MAX {
        restorer.apply(&items)?;
        items = restorer.unfinished(&items)?;
        if items.is_empty() {
            break;
        }
    }
    let restless = items.into_iter().map(|item| item.path);
    let restless = restless.filter(|path| !restorer.refused.contains_key(path));
    restorer.foreign.extend(restless);
    report.not_covered.append(&mut restorer.not_covered);
    report.refused = restorer.refusals();
    let moved = std::mem::take(&mut restorer.moved);
    report.renamed_back = std::mem::take(&mut restorer.renamed_back);
    restorer.blobs.finish()?;
    report.foreign = restorer
        .foreign
        .iter()
        .map(|path| display_path(path))
        .collect();
    let holding = restorer.holding.iter();
    report.holding = holding.map(|path| display_path(path)).collect();
    report.moved_aside.clone_from(&restorer.moved_aside);
    let not_covered: HashSet<String> = shown(&report.not_covered);
    let is_not_covered =
        |path: &RelPath| !not_covered.is_empty() && not_covered.contains(&*display_path(path));
    let is_left = |path: &RelPath| {
        restorer.foreign.contains(path)
            || restorer.holding.contains(path)
            || moved.iter().any(|moved| is_within(path, &moved.now))
            || restorer.refused.contains_key(path)
            || is_not_covered(path)
    };
    // Of a blind plan most paths turn out to be as they shall be.
    let is_done = |item: &&Item| {
        !is_left(&item.path)
            && (matches!(item.from, Expect::Node(_)) || restorer.acted.contains(&item.path))
    };
    let done: Vec<&Item> = all.iter().filter(is_done).collect();
    let display = |item: &&Item| display_path(&item.path);
    report.restored = done.iter().map(display).collect();
    let is_bits = |item: &&&Item| item.to.as_ref().is_some_and(Node::is_opaque);
    let kept = done.iter().filter(is_bits).map(display);
    report.bits_back.extend(kept);
    let is_made = |item: &&&Item| is_made(item, &report.renamed_back);
    report.removed = done.iter().filter(is_made).map(display).collect();
    report.not_covered.append(&mut restorer.had_names);
    without_renamed(&mut report);
    Ok(report)
}

/// Whether a file stood there that an attempt had made, and that no checkpoint holds.
fn is_made(item: &Item, renamed_back: &[(String, String)]) -> bool {
    let Expect::Node(Some(from)) = &item.from else {
        return false;
    };
    let is_kept = item.to.as_ref().is_some_and(Node::is_opaque);
    let display = display_path(&item.path);
    let is_renamed = renamed_back.iter().any(|(now, _)| *now == display);
    from.secret().is_some() && !is_kept && !is_renamed
}

/// Sorts what is not covered, and leaves out what has its name back.
fn without_renamed(report: &mut RestoreReport) {
    let names = report.renamed_back.iter().flat_map(|(now, was)| [now, was]);
    let names: HashSet<&String> = names.collect();
    let not_covered = &mut report.not_covered;
    not_covered.retain(|one| !names.contains(&one.display));
    report.not_covered.sort_by(|a, b| a.display.cmp(&b.display));
}

fn shown(paths: &[Uncovered]) -> HashSet<String> {
    paths.iter().map(|one| one.display.clone()).collect()
}
