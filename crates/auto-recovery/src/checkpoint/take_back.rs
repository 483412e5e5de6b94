//! Taking back what a session did, and not what came later.
//!
//! A session is a row of steps, each a pair of trees. A path that a step changed is put back as it
//! was before the first of them, where it still is as the last of them left it; any other is left
//! and named. Replaced contents are kept first, and the whole is one restore from one tree to
//! another, so one that is killed is finished later.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::Path;
use std::sync::Arc;

use crate::checkpoint::beside::Inbox;
use crate::checkpoint::commit::Checkpoint;
use crate::checkpoint::lines::come_and_gone;
use crate::checkpoint::replaced::RESTORE;
use crate::checkpoint::repository::blobs::Blobs;
use crate::checkpoint::repository::import::Importer;
use crate::checkpoint::restore::compare::stands;
use crate::checkpoint::restore::plan::{Beside, why_left};
use crate::checkpoint::restore::restored::{Refused, RestoreReport};
use crate::checkpoint::restore::tree_writer::TreeWriter;
use crate::checkpoint::session::CheckpointSession;
use crate::checkpoint::store::CheckpointStore;
use crate::checkpoint::tree::manifest::{ChangeKind, Entry, Manifest, Node, Told};
use crate::checkpoint::tree::mounts::Mounts;
use crate::checkpoint::tree::path::{RelPath, ancestors, display_path, is_within, split};
use crate::checkpoint::tree::root::{open_own_file_at, read_link_at};
use crate::checkpoint::tree::rules::Rules;
use crate::checkpoint::tree::watch::{Uncovered, reason};
use crate::checkpoint::unfinished::{Unfinished, UnfinishedRun};
use crate::error::Result;
use crate::host::{new_id, timestamp};

/// Files larger than this are not compared line by line in a preview.
const DIFF_BYTES_MAX: u64 = 1024 * 1024;

/// The change of a tree by one attempt, or one restore.
#[derive(Clone, Debug)]
pub struct Step {
    /// The tree before it.
    pub before: Checkpoint,
    /// The tree that it left, its verification included.
    pub after: Checkpoint,
    /// Whether its changes were put back later.
    pub is_undone: bool,
    /// Paths in it that others changed, as records name them.
    pub foreign: HashSet<String>,
    /// Paths of it that could not be put back, though the rest was.
    pub stayed: HashSet<String>,
    /// Whether it is a restore of the session: the state before it may come back, when a person
    /// takes the restore back.
    pub is_restore: bool,
}

/// The tree that is wanted back.
#[derive(Clone, Debug)]
pub enum Wanted {
    /// This whole tree.
    Tree(Checkpoint),
    /// The paths that these steps changed, as they were before the first of them.
    BeforeSteps(Vec<Step>),
    /// The paths that these steps changed, as the first of them left them.
    AfterFirst(Vec<Step>),
}

/// A tree that was put back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PutBack {
    /// Paths that were put back, sorted.
    pub restored: Vec<String>,
    /// Paths that others changed, or may have changed, during the session or since: kept.
    pub foreign: Vec<String>,
    /// Paths that differ and that no checkpoint holds.
    pub not_covered: Vec<Uncovered>,
    /// Directories that stay because they hold what is not covered.
    pub holding: Vec<String>,
    /// Such directories that stood where something else belongs, each with its name now.
    pub moved_aside: Vec<(String, String)>,
    /// Paths that could not be put back.
    pub refused: Vec<Refused>,
    /// Paths that a run beside may have changed: kept.
    pub beside: Vec<Beside>,
    /// The session that keeps what was replaced; `None` if nothing was.
    pub taken_back_by: Option<String>,
}

/// A path that a restore would change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Previewed {
    /// The path, as records name it.
    pub path: String,
    /// The change that a restore would make.
    pub kind: ChangeKind,
    /// Numbers of lines added and removed; `None` where nothing can be compared line by line.
    pub lines: Option<(usize, usize)>,
}

/// The changes that a restore would make.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Preview {
    /// Paths that it would change, sorted.
    pub changes: Vec<Previewed>,
    /// Paths that it would leave, because others changed, or may have changed, them.
    pub foreign: Vec<String>,
    /// Paths that it would leave, because no checkpoint holds them.
    pub not_covered: Vec<Uncovered>,
}

/// One path of a session: how it was left, and how it is wanted.
#[derive(Clone, Debug, PartialEq)]
struct Claimed {
    /// The states that the session, and restores of it, left; none where others had a part in it.
    left: Vec<Option<Node>>,
    wanted: Option<Node>,
}

impl Claimed {
    /// Whether the session left a file that was held then, and what is there now is only watched:
    /// it stays for that, not for being another.
    fn is_held_no_more(&self, here: Option<&Node>) -> bool {
        let is_watched = here.is_some_and(|here| here.secret().is_some());
        is_watched && self.left.iter().flatten().any(|left| !left.is_opaque())
    }

    /// Whether the session made a directory for what it mounted there: unmounted, its mode is
    /// unknown, and an empty one is as the session left it.
    fn is_from_mount(&self) -> bool {
        let mut left = self.left.iter().flatten();
        self.wanted.is_none() && left.any(Node::is_mount)
    }
}

impl Wanted {
    /// The checkpoint that gives it its name and its rules.
    pub fn checkpoint(&self) -> Option<&Checkpoint> {
        match self {
            Self::Tree(tree) => Some(tree),
            Self::BeforeSteps(steps) => steps.first().map(|step| &step.before),
            Self::AfterFirst(steps) => steps.first().map(|step| &step.after),
        }
    }

    /// Every path that the steps changed, except those that by their record are as wanted already.
    fn claimed(&self) -> BTreeMap<RelPath, Claimed> {
        let (steps, first_after) = match self {
            Self::Tree(_) => return BTreeMap::new(),
            Self::BeforeSteps(steps) => (steps, None),
            Self::AfterFirst(steps) => (steps, steps.first().map(|step| &step.after.manifest)),
        };
        let mut claimed: BTreeMap<RelPath, Claimed> = BTreeMap::new();
        let mut shared: BTreeMap<RelPath, Claimed> = BTreeMap::new();
        for step in steps {
            for difference in step.before.manifest.differences(&step.after.manifest) {
                let display = display_path(difference.path);
                let (before, after) = (difference.before, difference.after);
                let wanted = match first_after {
                    Some(manifest) => manifest.get(difference.path),
                    None => before,
                };
                if step.foreign.contains(&display) {
                    let one = Claimed {
                        left: Vec::new(),
                        wanted: wanted.cloned(),
                    };
                    shared.entry(difference.path.clone()).or_insert(one);
                    continue;
                }
                let has_stayed =
                    || step.stayed.contains(&display) || is_left_by_undo(after, before);
                let left = match step.is_undone && !has_stayed() {
                    true => before,
                    false => after,
                };
                let known = claimed.entry(difference.path.clone());
                let known = known.or_insert_with(|| Claimed {
                    left: Vec::new(),
                    wanted: wanted.cloned(),
                });
                if !step.is_restore {
                    known.left.clear();
                }
                known.left.push(left.cloned());
            }
        }
        claimed.retain(|_, path| path.left.iter().any(|left| *left != path.wanted));
        // A state that others had a part in is none that the session left: it is named, and kept.
        for (path, one) in shared {
            claimed.entry(path).or_insert(one);
        }
        claimed
    }

    fn checkpoints(&self) -> Vec<&Checkpoint> {
        match self {
            Self::Tree(tree) => vec![tree],
            Self::BeforeSteps(steps) | Self::AfterFirst(steps) => {
                let both = steps.iter().flat_map(|step| [&step.before, &step.after]);
                both.collect()
            }
        }
    }
}

/// The party that wants a tree back.
#[derive(Clone, Copy, Debug)]
pub enum AskedBy<'a> {
    /// A person, who has seen what is there.
    Person {
        /// The record of a run that was killed here, which this settles.
        died: Option<&'a Unfinished>,
    },
    /// A run that found what another one left. Workspaces inside that were cured since stay as they
    /// are.
    Run {
        /// The record of that other run, which this settles.
        died: &'a Unfinished,
        /// The runs beside, and the paths they may have changed, which stay.
        beside: &'a Inbox,
    },
}

/// Puts the tree of `store` back to what is wanted, and keeps what that replaces.
///
/// # Errors
/// If what is replaced cannot be kept, or the checkpoints cannot be read.
pub fn put_back(
    state_dir: &Path,
    store: &Arc<CheckpointStore>,
    wanted: &Wanted,
    by: AskedBy<'_>,
) -> Result<PutBack> {
    let (died, beside) = match by {
        AskedBy::Person { died } => (died, None),
        AskedBy::Run { died, beside } => (Some(died), Some(beside)),
    };
    let cured = match by {
        AskedBy::Person { .. } => Vec::new(),
        AskedBy::Run { died, .. } => died.cured_inside(state_dir, store.root.path()),
    };
    let claimed = wanted.claimed();
    let Some(like) = wanted.checkpoint() else {
        return Ok(PutBack::default());
    };
    let mounts = like.rules.foreign_mounts(store.root.path());
    if !matches!(wanted, Wanted::Tree(_)) {
        let left = would_leave_all(store, &claimed, &mounts)?;
        if let Some((foreign, not_covered)) = left {
            return Ok(PutBack {
                foreign,
                not_covered,
                ..PutBack::default()
            });
        }
    }
    let taken_back_by = new_id(RESTORE);
    let mut session = CheckpointSession::begin(Arc::clone(store), &taken_back_by)?;
    // What a later ignore file hides is seen all the same.
    session.rules = Some(Arc::clone(&like.rules));
    if let (Wanted::Tree(_), AskedBy::Person { .. }) = (wanted, by) {
        session.rules_now = Some(rules_now(store)?);
    }
    let now = session.snapshot_covering("before a restore", &wanted.checkpoints())?;
    let (target, left_out) = match wanted {
        Wanted::Tree(tree) if cured.is_empty() => (tree.clone(), Vec::new()),
        Wanted::Tree(tree) => {
            let manifest = with_dirs_of(&tree.manifest, &now.manifest, &cured);
            let importer = Importer::start(&store.git)?;
            let target = session.commit_as(importer, "wanted by a restore", manifest, like)?;
            (target, cured.iter().map(|dir| display_path(dir)).collect())
        }
        _ => {
            let (manifest, left_out) = overlaid(&now.manifest, &claimed, &mounts);
            let importer = Importer::start(&store.git)?;
            let target = session.commit_as(importer, "wanted by a restore", manifest, like)?;
            (target, left_out)
        }
    };
    store.keep(&now)?;
    store.goes_with(&now, &taken_back_by, like.session())?;
    let unfinished = begin_pending(state_dir, store, &taken_back_by, (&target, &now), died)?;
    let report = session.restore_beside(&target, Some(&now), beside)?;
    // What a restore left is what taking it back begins from.
    session.snapshot("after a restore")?;
    unfinished.end()?;
    Ok(told(report, left_out, taken_back_by))
}

/// Previews [`put_back`]. Nothing is written.
///
/// # Errors
/// If the checkpoints cannot be read.
pub fn preview(store: &Arc<CheckpointStore>, wanted: &Wanted) -> Result<Preview> {
    let mut session = CheckpointSession::begin(Arc::clone(store), "preview")?;
    // In a whole tree no path counts as foreign.
    let is_whole = matches!(wanted, Wanted::Tree(_));
    let mut preview = Preview::default();
    let claimed = match wanted {
        Wanted::Tree(tree) => {
            let (differing, not_covered) = session.differing(tree, Some(&*rules_now(store)?))?;
            preview.not_covered = not_covered;
            let claimed = differing.into_iter().map(|(path, wanted)| {
                let left = Vec::new();
                (path, Claimed { left, wanted })
            });
            claimed.collect()
        }
        _ => wanted.claimed(),
    };
    let rules = wanted.checkpoint().map(|like| &like.rules);
    let mounts = rules.map(|rules| rules.foreign_mounts(store.root.path()));
    let mounts = mounts.unwrap_or_default();
    let mut writer = TreeWriter::new(&store.root);
    let mut blobs = Blobs::start(&store.git)?;
    for (path, one) in claimed {
        let to = one.wanted.as_ref();
        match would_be(&mut writer, &mut blobs, (&path, &one), &mounts)? {
            Would::Stand => {}
            Would::Differ if !is_whole => preview.foreign.push(display_path(&path)),
            Would::Differ | Would::GoBack => {
                let one = previewed(&mut writer, &mut blobs, &path, to)?;
                preview.changes.push(one);
            }
            Would::Stay(uncovered) => preview.not_covered.push(uncovered),
        }
    }
    preview.not_covered.sort();
    preview.not_covered.dedup();
    let closed = writer.close(|_| None);
    closed.map_err(|e| writer.error("set modes below", b"", e.into()))?;
    blobs.finish()?;
    Ok(preview)
}

/// The rules of now, which say what is ignored.
fn rules_now(store: &Arc<CheckpointStore>) -> Result<Arc<Rules>> {
    let mut session = CheckpointSession::begin(Arc::clone(store), "rules now")?;
    session.scan(&[])?;
    Ok(session.rules.expect("the first walk collects them"))
}

/// The fate of a claimed path.
enum Would {
    /// It is as wanted.
    Stand,
    GoBack,
    /// It is not as the session left it, or not the session's alone.
    Differ,
    /// No checkpoint holds it.
    Stay(Uncovered),
}

/// Predicts the fate of a claimed path, by looking at it.
fn would_be(
    writer: &mut TreeWriter<'_>,
    blobs: &mut Blobs,
    (path, one): (&RelPath, &Claimed),
    mounts: &Mounts,
) -> Result<Would> {
    if let Some(place) = mounts.above(path) {
        let uncovered = Uncovered::new(place, mounts.reason(place));
        return Ok(Would::Stay(uncovered));
    }
    let wanted = one.wanted.as_ref();
    if stands(writer, blobs, path, wanted)? {
        return Ok(Would::Stand);
    }
    if one.is_from_mount() {
        return Ok(match writer.is_empty_dir(path) {
            true => Would::GoBack,
            false => Would::Differ,
        });
    }
    for left in &one.left {
        let left = left.as_ref();
        if stands(writer, blobs, path, left)? {
            return Ok(match why_left(left, wanted) {
                Some(why) => Would::Stay(Uncovered::new(path, reason(why))),
                None => Would::GoBack,
            });
        }
    }
    Ok(Would::Differ)
}

/// Whether an undo leaves the present node `now`, though something else is wanted: no checkpoint
/// holds it. A file that is watched for its name goes where the attempt made it.
fn is_left_by_undo(now: Option<&Node>, wanted: Option<&Node>) -> bool {
    let is_mount = now.is_some_and(Node::is_mount);
    let is_new =
        now.is_some_and(|now| now.secret().is_some()) && !wanted.is_some_and(Node::is_opaque);
    is_mount || (!is_new && why_left(now, wanted).is_some())
}

/// The paths that would be left, foreign and not covered, if nothing at all would be put back;
/// `None` if something would.
fn would_leave_all(
    store: &Arc<CheckpointStore>,
    claimed: &BTreeMap<RelPath, Claimed>,
    mounts: &Mounts,
) -> Result<Option<(Vec<String>, Vec<Uncovered>)>> {
    let mut writer = TreeWriter::new(&store.root);
    let mut blobs = Blobs::start(&store.git)?;
    let (mut foreign, mut not_covered) = (Vec::new(), Vec::new());
    let mut is_any = false;
    for (path, one) in claimed {
        match would_be(&mut writer, &mut blobs, (path, one), mounts)? {
            Would::Stand => {}
            Would::GoBack => {
                is_any = true;
                break;
            }
            Would::Differ => foreign.push(display_path(path)),
            Would::Stay(uncovered) => not_covered.push(uncovered),
        }
    }
    not_covered.sort();
    not_covered.dedup();
    let closed = writer.close(|_| None);
    closed.map_err(|e| writer.error("set modes below", b"", e.into()))?;
    blobs.finish()?;
    Ok((!is_any).then_some((foreign, not_covered)))
}

fn told(report: RestoreReport, left_out: Vec<String>, taken_back_by: String) -> PutBack {
    let mut foreign = report.foreign;
    foreign.extend(left_out);
    foreign.sort_unstable();
    foreign.dedup();
    let is_named = |path: &str| foreign.iter().any(|known| known == path);
    let not_covered = report.not_covered.into_iter();
    PutBack {
        restored: report.restored,
        not_covered: not_covered.filter(|one| !is_named(&one.display)).collect(),
        foreign,
        holding: report.holding,
        moved_aside: report.moved_aside,
        refused: report.refused,
        beside: report.beside,
        taken_back_by: Some(taken_back_by),
    }
}

/// `tree`, with what `now` has in each of `dirs`.
fn with_dirs_of(tree: &Manifest, now: &Manifest, dirs: &[RelPath]) -> Manifest {
    let is_in = |entry: &&Entry| dirs.iter().any(|dir| is_within(&entry.path, dir));
    let kept = now.entries.iter().filter(is_in);
    let rest = tree.entries.iter().filter(|entry| !is_in(entry));
    let above = now.entries.iter().filter(|entry| {
        let mut above = dirs.iter().flat_map(|dir| ancestors(dir));
        above.any(|dir| *dir == *entry.path) && tree.get(&entry.path).is_none()
    });
    Manifest::from_unsorted(kept.chain(rest).chain(above).cloned().collect())
}

/// `now` with each claimed path as it is wanted where it is as the session left it, and the paths
/// where it is not. Paths at or below one of `mounts` are named by the code that leaves them.
fn overlaid(
    now: &Manifest,
    claimed: &BTreeMap<RelPath, Claimed>,
    mounts: &Mounts,
) -> (Manifest, Vec<String>) {
    let mut left_out = Vec::new();
    let mut tree: BTreeMap<RelPath, Node> = now
        .entries
        .iter()
        .map(|entry| (entry.path.clone(), entry.node.clone()))
        .collect();
    let mut put: Vec<(&RelPath, &Claimed)> = Vec::new();
    for (path, one) in claimed {
        let here = now.get(path);
        if here == one.wanted.as_ref() {
            continue;
        }
        let is_unmounted = || one.is_from_mount() && here.is_some_and(Node::is_dir);
        let is_as_left = || one.left.iter().any(|left| here == left.as_ref());
        let is_meant = || is_unmounted() || is_as_left() || one.is_held_no_more(here);
        if mounts.above(path).is_some() || is_meant() {
            put.push((path, one));
        } else {
            left_out.push(display_path(path));
        }
    }
    for (path, one) in &put {
        match &one.wanted {
            Some(node) => tree.insert((*path).clone(), node.clone()),
            None => tree.remove(*path),
        };
    }
    // Deepest first: a directory stays while something stays in it.
    for (path, one) in put.iter().rev() {
        let stays_dir = matches!(one.wanted, Some(Node::Dir { .. }));
        let below = RelPath::from([path, &b"/"[..]].concat());
        let mut below = tree.range(below..);
        let holds = below
            .next()
            .is_some_and(|(other, _)| is_within(other, path));
        if holds && !stays_dir {
            left_out.push(display_path(path));
            if let Some(node) = now.get(path) {
                tree.insert((*path).clone(), node.clone());
            }
        }
    }
    let mut missing: BTreeSet<RelPath> = BTreeSet::new();
    for path in tree.keys() {
        let mut dir = split(path).0;
        while !dir.is_empty() && !tree.contains_key(dir) && missing.insert(dir.into()) {
            dir = split(dir).0;
        }
    }
    tree.extend(missing.into_iter().map(|dir| {
        (
            dir,
            Node::Dir {
                mode: 0o755,
                owner: Told(None),
            },
        )
    }));
    let entries = tree.into_iter().map(|(path, node)| Entry { path, node });
    (Manifest::from_unsorted(entries.collect()), left_out)
}

/// Leaves word for the next run here, in case this restore dies half-way. Replaces the note that a
/// dead run left, but keeps the mark of its processes, which must still be ended.
fn begin_pending(
    state_dir: &Path,
    store: &CheckpointStore,
    taken_back_by: &str,
    (target, now): (&Checkpoint, &Checkpoint),
    died: Option<&Unfinished>,
) -> Result<Unfinished> {
    let word = UnfinishedRun {
        session_id: taken_back_by.to_owned(),
        run_id: died.map_or_else(String::new, |died| died.run().run_id.clone()),
        pid: std::process::id(),
        at: timestamp(store.host.now()),
        before: target.id(),
        after: Some(now.id()),
        heads: now.head().map(str::to_owned).into_iter().collect(),
        is_restore: true,
        ..UnfinishedRun::default()
    };
    Unfinished::begin(state_dir, store.workspace(), word)
}

/// Previews the change of a path.
fn previewed(
    writer: &mut TreeWriter<'_>,
    blobs: &mut Blobs,
    path: &RelPath,
    to: Option<&Node>,
) -> Result<Previewed> {
    let here = bytes_here(writer, path);
    let there = match to {
        Some(Node::File { id, .. }) => blobs.read(&id.to_string())?,
        Some(Node::Link { target, .. }) => Some(target.to_vec()),
        _ => None,
    };
    let stamp = writer.stamp(path)?;
    let kind = match (stamp, to) {
        (None, _) => ChangeKind::Added,
        (_, None) => ChangeKind::Removed,
        _ if here == there => ChangeKind::Mode,
        _ => ChangeKind::Modified,
    };
    let text = |bytes: Option<Vec<u8>>| match bytes {
        Some(bytes) if bytes.len() as u64 > DIFF_BYTES_MAX => None,
        Some(bytes) => String::from_utf8(bytes).ok(),
        None => Some(String::new()),
    };
    let both = text(here).zip(text(there));
    let lines = both.and_then(|(here, there)| come_and_gone(&here, &there));
    Ok(Previewed {
        path: display_path(path),
        kind,
        lines,
    })
}

/// The present contents of a file or a link, up to a little more than is compared.
fn bytes_here(writer: &mut TreeWriter<'_>, path: &[u8]) -> Option<Vec<u8>> {
    use std::io::Read as _;
    let (dir, name) = split(path);
    let dir = writer.dir(dir).ok()?;
    if let Ok(target) = read_link_at(dir, name) {
        return Some(target.into_vec());
    }
    let file = open_own_file_at(dir, name).ok()?;
    if !file.metadata().ok()?.is_file() {
        return None;
    }
    let mut bytes = Vec::new();
    file.take(DIFF_BYTES_MAX + 1).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}
