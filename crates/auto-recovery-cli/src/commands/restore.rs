//! `recover restore`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use auto_recovery::audit::session_id::short;
use auto_recovery::audit::{LeftBehind, SessionSummary};
use auto_recovery::checkpoint::{ChangeKind, Preview, Previewed, Uncovered};
use auto_recovery::run::{Place, RestoreRequest, SessionTree, TreePreview, TreeRestored};
use auto_recovery::{Error, ErrorKind, Result};
use serde::Serialize;

use crate::args::RestoreArgs;
use crate::commands::restore_named::{is_of_here, named};
use crate::commands::session;
use crate::context::Context;
use crate::exit::Exit;
use crate::output::{counted, escape_text, session_argument, session_word};

/// Columns of the longest path that a preview lines up with.
const PATH_COLUMNS_MAX: usize = 50;
/// Most signs that stand for lines in a preview.
const SIGNS_MAX: usize = 40;
/// Paths that stay for one reason that are named each; of more, the number is told.
const NAMED_MAX: usize = 5;
/// Sessions before the newest among which one is looked for that changed files.
const BEFORE_MAX: usize = 20;

/// A tree that was put back.
#[derive(Serialize)]
struct Restored<'a> {
    session_id: &'a str,
    workspace: String,
    checkpoint: &'a str,
    restored: &'a [String],
    foreign: &'a [String],
    not_covered: Vec<&'a str>,
    left_behind: &'a [LeftBehind],
    holding_uncovered: &'a [String],
    moved_aside: Vec<MovedAside<'a>>,
    not_put_back: Vec<&'a str>,
    taken_back_by: Option<&'a str>,
    other_workspaces: Vec<String>,
}

/// A directory that was given another name.
#[derive(Serialize)]
struct MovedAside<'a> {
    was: &'a str,
    is: &'a str,
}

impl<'a> MovedAside<'a> {
    fn of((was, is): &'a (String, String)) -> Self {
        Self { was, is }
    }
}

/// A tree as it would be put back.
#[derive(Serialize)]
struct WouldRestore<'a> {
    session_id: &'a str,
    workspace: String,
    checkpoint: &'a str,
    would_restore: Vec<WouldChange<'a>>,
    foreign: &'a [String],
    not_covered: Vec<&'a str>,
    left_behind: &'a [LeftBehind],
    other_workspaces: Vec<String>,
}

#[derive(Serialize)]
struct WouldChange<'a> {
    path: &'a str,
    kind: &'static str,
    added: Option<usize>,
    removed: Option<usize>,
}

/// Takes back what a session did, or what came after its attempt N.
///
/// # Errors
/// If there is no such session, attempt or checkpoint, or a recovery works in the workspace.
pub(crate) fn restore(context: &Context, args: RestoreArgs) -> Result<Exit> {
    let RestoreArgs {
        session,
        attempt,
        last,
        whole_tree,
        preview,
    } = args;
    let place = context.place()?;
    // The id of a session of this workspace goes before a checkpoint's name. That goes before a
    // session of another workspace and before a piece of an id.
    if let (Some(typed), None) = (&session, attempt)
        && !is_of_here(context, &place, typed)?
        && let Some(named) = place.named_checkpoint(&context.settings.cwd, typed)?
    {
        if let Some(says) = &named.instead_of {
            context.printer.warn(format_args!("{typed}: {says}"));
        }
        return restore_checkpoint(context, &place, &named.checkpoint, preview);
    }
    let (session_id, before) = match session {
        // Whoever names one means it.
        Some(typed) => (named(context, &place, typed)?, Vec::new()),
        None => newest_here(context, &place)?,
    };
    let request = RestoreRequest {
        session_id: &session_id,
        tree: match attempt.or(last.flatten()) {
            Some(number) => SessionTree::After(number),
            None => SessionTree::Beginning,
        },
        whole: whole_tree,
        cwd: &context.settings.cwd,
    };
    let known = |error: Error| match error.kind() {
        ErrorKind::NotFound => session::existing_or_checkpoint(&*place.store, &session_id)
            .err()
            .unwrap_or(error),
        _ => error,
    };
    if session::tried_nothing(&*place.store, &session_id)? {
        let before = changed(&place, before)?;
        return nothing_tried(context, &session_id, before.as_deref());
    }
    if preview {
        let previewed = place.preview(&request).map_err(known)?;
        show_preview(context, &session_id, &previewed)?;
        let preview = &previewed.preview;
        let left = !preview.foreign.is_empty()
            || leaves_uncovered(&preview.not_covered, &[], &previewed.left_behind);
        return Ok(left_some_out(left));
    }
    let restored = place.restore(&request).map_err(known)?;
    tell(context, &session_id, &restored)?;
    let put = &restored.put;
    let left = !put.foreign.is_empty()
        || !put.refused.is_empty()
        || !put.holding.is_empty()
        || leaves_uncovered(&put.not_covered, &put.restored, &restored.left_behind);
    Ok(left_some_out(left))
}

/// The first of `sessions` whose cure changed files: it may be the one that is meant.
fn changed(place: &Place, sessions: Vec<String>) -> Result<Option<String>> {
    for session in sessions {
        let mut has_changed = false;
        place.store.read_trail(&session, &mut |stored| {
            let entry = stored.entry();
            has_changed |= entry.success && !entry.files_modified.is_empty();
            Ok(())
        })?;
        if has_changed {
            return Ok(Some(session));
        }
    }
    Ok(None)
}

/// Says that `session` has nothing to take back, which it needs no checkpoint for, and what takes
/// back what the one `before` it changed.
fn nothing_tried(context: &Context, session: &str, before: Option<&str>) -> Result<Exit> {
    let workspace = context.settings.workspace.display().to_string();
    let before = before
        .map(session_argument)
        .map_or(String::new(), |before| {
            format!("; the cure of {before} before it changed files: `recover undo {before}`")
        });
    context.printer.note(format_args!(
        "nothing to put back in {workspace}: nothing was tried in session {}{before}",
        session_word(session)
    ));
    if context.printer.json {
        context.printer.json(&Restored {
            session_id: session,
            workspace,
            checkpoint: "",
            restored: &[],
            foreign: &[],
            not_covered: Vec::new(),
            left_behind: &[],
            holding_uncovered: &[],
            moved_aside: Vec::new(),
            not_put_back: Vec::new(),
            taken_back_by: None,
            other_workspaces: Vec::new(),
        })?;
    }
    Ok(Exit::OK)
}

/// Puts the whole tree back to `checkpoint`.
fn restore_checkpoint(
    context: &Context,
    place: &Place,
    checkpoint: &str,
    preview: bool,
) -> Result<Exit> {
    let cwd = &context.settings.cwd;
    if preview {
        let previewed = place.preview_checkpoint(cwd, checkpoint)?;
        show_preview(context, checkpoint, &previewed)?;
        let preview = &previewed.preview;
        return Ok(left_some_out(leaves_uncovered(
            &preview.not_covered,
            &[],
            &[],
        )));
    }
    let restored = place.restore_checkpoint(cwd, checkpoint)?;
    tell(context, checkpoint, &restored)?;
    let put = &restored.put;
    let left = !put.refused.is_empty()
        || !put.holding.is_empty()
        || leaves_uncovered(&put.not_covered, &put.restored, &[]);
    Ok(left_some_out(left))
}

/// The newest session of this workspace, and some before it: another project's tree is restored
/// only by its name. One that went on elsewhere is of each workspace that it worked in.
fn newest_here(context: &Context, place: &Place) -> Result<(String, Vec<String>)> {
    let root = &context.settings.workspace;
    let sessions = place.store.sessions()?;
    let newest = session::newest_of(&sessions, root);
    let newest = newest.map(|newest| newest.session_id.clone());
    let workspace = root.display().to_string();
    let mut sessions = sessions.into_iter();
    // What stands before it in the order is newer.
    let newer = sessions.find(|one| {
        newest.as_ref() == Some(&one.session_id) || place.worked_in(&one.session_id, root)
    });
    match newer {
        Some(SessionSummary { session_id: id, .. }) => {
            context
                .printer
                .note(format_args!("newest session here: {}", short(&id)));
            let before = sessions.filter(|one| one.workspace.as_ref() == Some(&workspace));
            let before = before.take(BEFORE_MAX).map(|one| one.session_id);
            Ok((id, before.collect()))
        }
        None => Err(Error::new(
            ErrorKind::NotFound,
            format!(
                "no session in {}: `recover sessions --all` lists those of other workspaces, which are \
                 restored by their names only",
                root.display()
            ),
        )),
    }
}

fn left_some_out(left: bool) -> Exit {
    if left { Exit::NOT_FOUND } else { Exit::OK }
}

fn tell(context: &Context, session_id: &str, restored: &TreeRestored) -> Result<()> {
    let printer = &context.printer;
    let workspace = restored.root.display().to_string();
    let put = &restored.put;
    if printer.json {
        let refused = put.refused.iter();
        return printer.json(&Restored {
            session_id,
            workspace,
            checkpoint: &restored.checkpoint,
            restored: &put.restored,
            foreign: &put.foreign,
            not_covered: uncovered(&put.not_covered, &restored.left_behind),
            left_behind: &restored.left_behind,
            holding_uncovered: &put.holding,
            moved_aside: put.moved_aside.iter().map(MovedAside::of).collect(),
            not_put_back: refused.map(|one| one.display.as_str()).collect(),
            taken_back_by: put.taken_back_by.as_deref(),
            other_workspaces: shown(&restored.others),
        });
    }
    for path in &put.restored {
        printer.text(&format!("{}\n", escape_text(path)))?;
    }
    tell_of_foreign(
        context,
        &put.foreign,
        "is kept · --whole-tree takes it back too",
    );
    tell_of_uncovered(
        context,
        &restored.root,
        &put.not_covered,
        &restored.left_behind,
    );
    for path in &put.holding {
        printer.warn(format_args!("{path} holds what is not covered, and stays"));
    }
    for (was, is) in &put.moved_aside {
        printer.warn(format_args!(
            "{was} held what is not covered, and is {is} now"
        ));
    }
    for one in &put.refused {
        printer.warn(format_args!(
            "{} could not be put back: {}",
            one.display, one.reason
        ));
    }
    match (put.restored.len(), &put.taken_back_by) {
        (count @ 1.., Some(id)) => printer.note(format_args!(
            "put back {} in {workspace} · take it back with `recover restore {}`",
            counted(count as u64, "path"),
            session_argument(id)
        )),
        _ => printer.note(format_args!(
            "nothing to put back in {workspace}{}",
            way_forward(restored)
        )),
    }
    tell_of_others(context, session_id, &restored.others);
    Ok(())
}

/// Names what others had a part in, and what becomes of it.
fn tell_of_foreign(context: &Context, foreign: &[String], kept: &str) {
    let printer = &context.printer;
    for path in foreign.iter().take(NAMED_MAX) {
        printer.warn(format_args!(
            "{path} was not changed by the session alone, and {kept}"
        ));
    }
    if let Some(more @ 1..) = foreign.len().checked_sub(NAMED_MAX) {
        let more = counted(more as u64, "path");
        printer.warn(format_args!("the same of {more} more · --json names each"));
    }
}

/// Whether something stays that no checkpoint holds. What was put back, and is named for its other
/// names, is not meant.
fn leaves_uncovered(
    not_covered: &[Uncovered],
    restored: &[String],
    left_behind: &[LeftBehind],
) -> bool {
    let mut stay = not_covered.iter();
    !left_behind.is_empty() || stay.any(|one| !restored.contains(&one.display))
}

/// Every path that no checkpoint holds, sorted.
fn uncovered<'a>(not_covered: &'a [Uncovered], left_behind: &'a [LeftBehind]) -> Vec<&'a str> {
    let not_covered = not_covered.iter().map(|one| one.display.as_str());
    let left_behind = left_behind.iter().map(|one| one.path.as_str());
    let all: BTreeSet<_> = not_covered.chain(left_behind).collect();
    all.into_iter().collect()
}

fn tell_of_uncovered(
    context: &Context,
    root: &Path,
    not_covered: &[Uncovered],
    left_behind: &[LeftBehind],
) {
    tell_of_left_behind(context, root, left_behind);
    let is_told = |one: &&Uncovered| left_behind.iter().any(|left| left.path == one.display);
    for one in not_covered.iter().filter(|one| !is_told(one)) {
        context.printer.warn(format_args!(
            "{} differs, and no checkpoint holds it: {}",
            one.display, one.reason
        ));
    }
}

fn tell_of_left_behind(context: &Context, root: &Path, left_behind: &[LeftBehind]) {
    let mut told: BTreeMap<(u64, &str, bool), usize> = BTreeMap::new();
    for one in left_behind {
        let (path, number) = (&one.path, one.attempt_number);
        let is_there = root.join(path).symlink_metadata().is_ok();
        let reason = match is_there {
            true => &*one.reason,
            false => one.reason.strip_suffix(", gone").unwrap_or(&one.reason),
        };
        let count = told.entry((number, reason, is_there)).or_default();
        *count += 1;
        if *count > NAMED_MAX {
            continue;
        }
        context.printer.warn(&match is_there {
            true => format!(
                "{path} was left by attempt {number} and stays: {reason}, and no checkpoint holds \
                 it"
            ),
            false => format!(
                "{path} is gone since attempt {number}: {reason}, and no checkpoint holds it"
            ),
        });
    }
    for ((number, reason, is_there), count) in told {
        let Some(more @ 1..) = count.checked_sub(NAMED_MAX) else {
            continue;
        };
        let more = counted(more as u64, "path");
        context.printer.warn(&match is_there {
            true => format!("attempt {number} left {more} more: {reason} · --json names each"),
            false => {
                format!("{more} more gone since attempt {number}: {reason} · --json names each")
            }
        });
    }
}

/// A session may go through several workspaces, and each is put back by itself.
fn tell_of_others(context: &Context, session_id: &str, others: &[PathBuf]) {
    let word = session_argument(session_id);
    for other in shown(others) {
        context.printer.warn(format_args!(
            "session {} worked in {other} too: `recover restore {word}` there takes that back",
            short(session_id)
        ));
    }
}

fn shown(paths: &[PathBuf]) -> Vec<String> {
    paths
        .iter()
        .map(|path| path.display().to_string())
        .collect()
}

/// How to have again what an earlier restore took back.
fn way_forward(restored: &TreeRestored) -> String {
    match &restored.earlier {
        Some(earlier) => format!(
            " · a restore before this one did that: `recover restore {}` takes it back",
            session_argument(earlier)
        ),
        None => String::new(),
    }
}

fn show_preview(context: &Context, session_id: &str, previewed: &TreePreview) -> Result<()> {
    let printer = &context.printer;
    let Preview {
        changes,
        foreign,
        not_covered,
    } = &previewed.preview;
    let workspace = previewed.root.display().to_string();
    if printer.json {
        return printer.json(&WouldRestore {
            session_id,
            workspace,
            checkpoint: &previewed.checkpoint,
            would_restore: changes.iter().map(would_change).collect(),
            foreign,
            not_covered: uncovered(not_covered, &previewed.left_behind),
            left_behind: &previewed.left_behind,
            other_workspaces: shown(&previewed.others),
        });
    }
    let columns = |change: &Previewed| change.path.chars().count();
    let widest = changes.iter().map(columns).max().unwrap_or(0);
    let width = widest.min(PATH_COLUMNS_MAX);
    for change in changes {
        let path = escape_text(&change.path);
        printer.text(&format!(" {path:<width$} | {}\n", stat(change)))?;
    }
    tell_of_foreign(context, foreign, "would be kept");
    tell_of_uncovered(
        context,
        &previewed.root,
        not_covered,
        &previewed.left_behind,
    );
    let (added, removed) = changes
        .iter()
        .filter_map(|change| change.lines)
        .fold((0, 0), |(added, removed), (a, r)| (added + a, removed + r));
    printer.note(format_args!(
        "{} would change in {workspace}, {} would come and {} go · nothing was changed",
        counted(changes.len() as u64, "path"),
        counted(added as u64, "line"),
        removed
    ));
    tell_of_others(context, session_id, &previewed.others);
    Ok(())
}

/// The lines that would come and go, as `git diff --stat` draws them.
fn stat(change: &Previewed) -> String {
    let Some((added, removed)) = change.lines else {
        return format!("{}, not compared by lines", kind(change.kind));
    };
    let all = added + removed;
    let scaled = |count: usize| match all {
        0..=SIGNS_MAX => count,
        _ => (count * SIGNS_MAX).div_ceil(all),
    };
    let signs = "+".repeat(scaled(added)) + &"-".repeat(scaled(removed));
    match change.kind {
        ChangeKind::Modified => format!("{all} {signs}"),
        other => format!("{all} {signs} ({})", kind(other)),
    }
}

fn kind(kind: ChangeKind) -> &'static str {
    match kind {
        ChangeKind::Added => "comes back",
        ChangeKind::Removed => "goes",
        ChangeKind::Mode => "mode",
        ChangeKind::Modified => "changes",
        _ => "type",
    }
}

fn would_change(change: &Previewed) -> WouldChange<'_> {
    WouldChange {
        path: &change.path,
        kind: match change.kind {
            ChangeKind::Added => "added",
            ChangeKind::Removed => "removed",
            ChangeKind::Modified => "modified",
            ChangeKind::Mode => "mode",
            _ => "type",
        },
        added: change.lines.map(|(added, _)| added),
        removed: change.lines.map(|(_, removed)| removed),
    }
}
