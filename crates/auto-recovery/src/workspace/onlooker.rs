//! Onlookers: runs whose command is under way, or has failed, and that have not claimed their
//! workspace yet. A recovery that lets go of the same tree meanwhile changed what they saw.
//!
//! An onlooker has a file in `STATE/onlookers` that it holds locked. Whoever lets go of a workspace
//! removes the files of those that it excluded, except of runs that it is a part of itself. So an
//! onlooker whose file is gone knows that another recovery ended since it began. None of it is left
//! when the run ends; the files of dead runs go with the next recovery.
//!
//! Looking on is a courtesy: it never waits, and where it cannot be done the command runs all the
//! same.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};

use crate::files::{Links, create_afresh, read_small, stands_at};
use crate::host::new_id;
use crate::workspace::directory::Workspace;
use crate::workspace::layout::{has_state, made_for_a_pass, make_in_state, remove_dirs};
use crate::workspace::lineage::{self, Kin};
use crate::workspace::locked_file::is_locked_at;

/// Where onlookers are, in a state directory.
const ONLOOKERS: &str = "onlookers";

/// The largest file of an onlooker that is read: some 2,000 directories above, at 32 bytes each.
const NOTE_BYTES_MAX: u64 = 64 * 1024;

/// A run that looks on, as its file tells of it.
#[derive(Debug, Serialize, Deserialize)]
struct Note {
    /// Its process, and when that started.
    pid: u32,
    pid_started: Option<u64>,
    ground: Ground,
}

/// The workspace of a run, by the names of locks: whoever takes one shares those above.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Ground {
    key: String,
    above: Vec<String>,
}

impl Ground {
    fn of(workspace: &Workspace) -> Self {
        Self {
            key: workspace.key(),
            above: workspace.keys_above(),
        }
    }

    /// Whether recoveries of the two exclude each other.
    fn overlaps(&self, other: &Self) -> bool {
        self.key == other.key || self.above.contains(&other.key) || other.above.contains(&self.key)
    }
}

/// A run that looks on; dropping it ends that.
#[derive(Debug)]
pub(crate) struct Onlooker {
    path: PathBuf,
    held: File,
    /// Directories that go with it if nobody else uses them, outermost first.
    made: Vec<PathBuf>,
}

impl Onlooker {
    /// Begins to look on in `workspace`; `None` where that cannot be done.
    pub(crate) fn begin(state_dir: &Path, workspace: &Workspace) -> Option<Self> {
        let pid = std::process::id();
        Self::begin_as(state_dir, workspace, (pid, lineage::started(pid)))
    }

    fn begin_as(
        state_dir: &Path,
        workspace: &Workspace,
        (pid, pid_started): (u32, Option<u64>),
    ) -> Option<Self> {
        // Not in what is somebody else's: not even to clean up.
        has_state(state_dir).ok()?;
        let note = Note {
            pid,
            pid_started,
            ground: Ground::of(workspace),
        };
        let made = made_for_a_pass(state_dir, ONLOOKERS);
        let path = state_dir.join(ONLOOKERS).join(new_id("run"));
        // Another run that ends may remove the empty directory in between.
        let held = hold(state_dir, &path, &note).or_else(|| hold(state_dir, &path, &note));
        let Some(held) = held else {
            let _not_made = fs::remove_file(&path);
            remove_dirs(&made);
            return None;
        };
        Some(Self { path, held, made })
    }

    /// Whether another recovery has let go of the tree since this began.
    pub(crate) fn missed_one(&self) -> bool {
        !stands_at(&self.held, &self.path)
    }
}

impl Drop for Onlooker {
    fn drop(&mut self) {
        let _gone = fs::remove_file(&self.path);
        remove_dirs(&self.made);
    }
}

/// The word of a recovery to onlookers, given when this is dropped.
#[derive(Debug)]
pub(crate) struct Farewell {
    state_dir: PathBuf,
    ground: Ground,
    /// The processes that the recovery descends from.
    parents: Vec<Kin>,
}

impl Farewell {
    /// What the recovery that holds `workspace`, and descends from `parents`, will have to say.
    pub(crate) fn new(state_dir: &Path, workspace: &Workspace, parents: Vec<Kin>) -> Self {
        Self {
            state_dir: state_dir.to_owned(),
            ground: Ground::of(workspace),
            parents,
        }
    }

    fn concerns(&self, note: &Note) -> bool {
        let is_part = |kin: &Kin| kin.is(note.pid, note.pid_started);
        self.ground.overlaps(&note.ground) && !self.parents.iter().any(is_part)
    }
}

impl Drop for Farewell {
    fn drop(&mut self) {
        let dir = self.state_dir.join(ONLOOKERS);
        let onlookers = fs::read_dir(&dir).into_iter().flatten().flatten();
        for path in onlookers.map(|entry| entry.path()) {
            let Some(note) = read(&path) else {
                continue;
            };
            if self.concerns(&note) || !is_locked_at(&path) {
                let _gone = fs::remove_file(&path);
            }
        }
        // Only while it is empty.
        let _others = fs::remove_dir(&dir);
    }
}

fn hold(state_dir: &Path, path: &Path, note: &Note) -> Option<File> {
    make_in_state(state_dir, ONLOOKERS.as_ref()).ok()?;
    let mut file = create_afresh(path).ok()?;
    flock(&file, FlockOperation::NonBlockingLockExclusive).ok()?;
    file.write_all(&serde_json::to_vec(note).ok()?).ok()?;
    Some(file)
}

fn read(path: &Path) -> Option<Note> {
    let text = read_small(path, Links::Refuse, NOTE_BYTES_MAX).ok()?;
    serde_json::from_slice(&text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::lineage::ancestors;

    struct Place {
        state: tempfile::TempDir,
        outer: Workspace,
        inner: Workspace,
        beside: Workspace,
    }

    fn place() -> Place {
        let tree = tempfile::tempdir().unwrap().keep();
        let at = |below: &str| {
            let root = tree.join(below);
            fs::create_dir_all(&root).unwrap();
            Workspace::at(fs::canonicalize(root).unwrap(), None)
        };
        Place {
            state: tempfile::tempdir().unwrap(),
            outer: at("outer"),
            inner: at("outer/inner"),
            beside: at("beside"),
        }
    }

    #[test]
    fn who_overlaps_with_a_recovery_that_ended_missed_it() {
        let place = place();
        let state = place.state.path();
        let (outer, inner, beside) = (&place.outer, &place.inner, &place.beside);
        let check = |ended: &Workspace, looks_on: &Workspace, missed: bool| {
            let onlooker = Onlooker::begin(state, looks_on).unwrap();
            assert!(!onlooker.missed_one());
            drop(Farewell::new(state, ended, Vec::new()));
            assert_eq!(onlooker.missed_one(), missed, "{ended:?} {looks_on:?}");
        };
        check(outer, outer, true);
        check(outer, inner, true);
        check(inner, outer, true);
        check(beside, outer, false);
        check(inner, beside, false);
        assert!(!state.join(ONLOOKERS).exists());
    }

    #[test]
    fn a_recovery_that_is_a_part_of_the_run_is_not_another_one() {
        let place = place();
        let (state, workspace) = (place.state.path(), &place.outer);
        let parents: Vec<_> = ancestors().into_iter().skip(1).collect();
        let parent = parents[0];
        let begin = |started| Onlooker::begin_as(state, workspace, (parent.pid, Some(started)));
        let around = begin(parent.started).unwrap();
        let later = begin(parent.started + 1).unwrap();
        drop(Farewell::new(state, workspace, parents));
        assert!(!around.missed_one());
        assert!(later.missed_one(), "another had that id");
    }

    #[test]
    fn what_a_dead_run_left_goes_with_the_next_recovery() {
        let place = place();
        let (state, beside) = (place.state.path(), &place.beside);
        let alive = Onlooker::begin(state, beside).unwrap();
        let dead = state.join(ONLOOKERS).join("dead");
        fs::copy(&alive.path, &dead).unwrap();
        drop(Farewell::new(state, &place.outer, Vec::new()));
        assert!(!dead.exists());
        assert!(!alive.missed_one());
    }
}
