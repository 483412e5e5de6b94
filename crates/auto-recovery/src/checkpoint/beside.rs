//! Runs beside a recovery: a command that runs in the same tree without recovering anything.
//!
//! A run registers while its command runs, by a file in `STATE/running` that it holds locked; none
//! of it is left when the run ends. A recovery has an inbox, `STATE/beside/<workspace>`: a run that
//! ends leaves a note there of the changes during it, but only where a recovery is at work. So a
//! recovery knows of each path that another run may have changed, and does not put it back.
//!
//! Registering is a courtesy: it never waits, and where it cannot be done the command runs all the
//! same.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, Timespec, Timestamps, UTIME_NOW, flock, futimens};
use serde::{Deserialize, Serialize};

use crate::checkpoint::tree::path;
use crate::checkpoint::tree::root::Root;
use crate::checkpoint::tree::stamp::Stamp;
use crate::error::{Error, Result};
use crate::files::{Links, Synced, create_afresh, open_own, open_regular, read_small, replace};
use crate::host::new_id;
use crate::patience::a_moment;
use crate::workspace::Workspace;
use crate::workspace::layout::{
    ROOT_BYTES_MAX, has_state, made_for_a_pass, make_in_state, remove_dirs,
};
use crate::workspace::lineage::{Kin, ancestors};
use crate::workspace::lock::is_held;

/// Directory in the state where runs register.
const RUNNING: &str = "running";

/// Directory of the recoveries' inboxes.
const INBOXES: &str = "beside";

/// Nanoseconds in a second.
const NANOS: i64 = 1_000_000_000;

/// Paths that a note lists; with more, only the time of the run counts. 100,000 paths are some 10
/// MB.
const PATHS_MAX: usize = 100_000;

/// The largest file of a registration or note that is read: its paths, at 160 bytes each.
const NOTE_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// A run beside, as files tell of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Note {
    /// Unique to the run.
    id: String,
    /// Its process.
    pid: u32,
    /// The root of its workspace, as bytes.
    root: Vec<u8>,
    /// Its command, as argv.
    command: Vec<String>,
    /// When its command began, in nanoseconds since 1970.
    since_ns: i64,
    /// When its command ended.
    until_ns: Option<i64>,
    /// Paths in the recovery's workspace that changed meanwhile, relative to its root; `None` if
    /// there were too many to list.
    paths: Option<Vec<Vec<u8>>>,
}

/// A run that has registered; dropping it ends that.
#[derive(Debug)]
pub struct Registration {
    state_dir: PathBuf,
    workspace: Workspace,
    path: PathBuf,
    note: Note,
    /// Directories removed with it if no other run uses them, outermost first.
    made: Vec<PathBuf>,
    _held: File,
}

impl Registration {
    /// Registers a run of `command` in `workspace`; `None` where that cannot be done or has no use.
    pub fn begin(state_dir: &Path, workspace: &Workspace, command: &[String]) -> Option<Self> {
        // Not in another user's state: not even to clean up.
        has_state(state_dir).ok()?;
        let note = Note {
            id: new_id("run"),
            pid: std::process::id(),
            root: workspace.root().as_os_str().as_bytes().to_vec(),
            command: command.to_vec(),
            ..Note::default()
        };
        let dir = state_dir.join(RUNNING);
        let made = made_for_a_pass(state_dir, RUNNING);
        let path = dir.join(&note.id);
        // Another run that ends may remove the empty directory in between.
        let held = register(state_dir, &note).or_else(|| register(state_dir, &note));
        let Some((held, since_ns)) = held else {
            let _not_made = fs::remove_file(&path);
            remove_dirs(&made);
            return None;
        };
        let note = Note { since_ns, ..note };
        Some(Self {
            state_dir: state_dir.to_owned(),
            workspace: workspace.clone(),
            path,
            note,
            made,
            _held: held,
        })
    }

    /// Ends it: what recoveries beside must know is left to them, and nothing else.
    pub fn end(self) {
        leave_notes(&self.state_dir, self.workspace.root(), &self.note, None);
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        let _gone = fs::remove_file(&self.path);
        remove_dirs(&self.made);
    }
}

/// The inbox of a recovery, and what it knows of runs beside it.
#[derive(Debug)]
pub struct Inbox {
    state_dir: PathBuf,
    dir: PathBuf,
    root: PathBuf,
    known: Vec<Note>,
    /// This process and those that it descends from.
    ancestors: Vec<Kin>,
}

impl Inbox {
    /// Makes the inbox of the recovery that holds `workspace`. Notes that a dead one left in it are
    /// removed.
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn open(state_dir: &Path, workspace: &Workspace) -> Result<Self> {
        let dir = state_dir.join(INBOXES).join(workspace.key());
        let inbox = Self {
            state_dir: state_dir.to_owned(),
            dir,
            root: workspace.root().to_owned(),
            known: Vec::new(),
            ancestors: ancestors(),
        };
        has_state(state_dir)?;
        inbox.remove();
        make_in_state(state_dir, &Path::new(INBOXES).join(workspace.key()))?;
        let root_file = inbox.dir.join("root");
        let root = inbox.root.as_os_str().as_bytes();
        create_afresh(&root_file)
            .and_then(|mut file| file.write_all(root))
            .map_err(|e| Error::io("write", &root_file, e))?;
        Ok(inbox)
    }

    /// Looks who runs beside, and who did.
    pub fn look(&mut self) {
        let now_ns = stamped_now(&self.dir);
        let mut has_dead = false;
        // Runs first: one that ends now leaves its note before its registration is removed.
        for entry in entries(&self.state_dir.join(RUNNING)) {
            let Some((note, is_alive)) = read_registration(&entry) else {
                continue;
            };
            if is_alive {
                self.note(note);
            } else {
                has_dead = true;
                let dead = Note {
                    until_ns: now_ns,
                    ..note
                };
                leave_notes(&self.state_dir, &root_of(&dead), &dead, Some(&self.dir));
                let _gone = fs::remove_file(&entry);
                // Only while it is empty.
                let _others = fs::remove_dir(self.state_dir.join(RUNNING));
                self.note(dead);
            }
        }
        if has_dead {
            // Files are stamped by a clock that ticks: what we change from here on must not look as
            // if it had changed when the dead was still alive.
            a_moment(|| now_ns.is_none() || stamped_now(&self.dir) > now_ns);
        }
        for entry in entries(&self.dir) {
            if let Some(note) = read(&entry) {
                self.note(note);
            }
        }
    }

    /// Keeps what is known of a run; what it says of its end counts most. One that this recovery is
    /// a part of is not beside it.
    fn note(&mut self, note: Note) {
        if self.ancestors.iter().any(|kin| kin.pid == note.pid) {
            return;
        }
        let root = root_of(&note);
        if !(root.starts_with(&self.root) || self.root.starts_with(&root)) {
            return;
        }
        match self.known.iter_mut().find(|known| known.id == note.id) {
            Some(known) if note.until_ns.is_some() => *known = note,
            Some(_) => {}
            None => self.known.push(note),
        }
    }

    /// Whether no run was seen beside.
    pub(super) fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// The run that may have changed `path`, in words; `None` if there was none. `root` is the open
    /// root of the workspace.
    ///
    /// A file is theirs if it changed while they ran, or if one of `new_dirs` that it lies in did:
    /// a file moved in keeps its times. Where the file is missing, the directory that would hold it
    /// decides.
    pub(super) fn who_changed<'p>(
        &self,
        root: &Root,
        path: &'p [u8],
        new_dirs: impl Iterator<Item = &'p [u8]>,
    ) -> Option<String> {
        if self.known.is_empty() {
            return None;
        }
        let stamp_of = |path: &'p [u8]| {
            let named = if path.is_empty() { b"." } else { path };
            Some((path, root.stamp(named).ok().flatten()?))
        };
        let telling: Vec<(&[u8], Stamp)> = match stamp_of(path) {
            Some(here) => [here]
                .into_iter()
                .chain(new_dirs.filter_map(stamp_of))
                .collect(),
            None => {
                let above = [&b""[..]].into_iter().chain(path::ancestors(path));
                above.filter_map(stamp_of).last().into_iter().collect()
            }
        };
        let found = self.known.iter().find(|note| {
            let mut telling = telling.iter();
            telling.any(|(path, stamp)| match &note.paths {
                Some(paths) => paths.binary_search_by(|known| (**known).cmp(path)).is_ok(),
                None => is_during(note, stamp.ctime_ns),
            })
        })?;
        let command = found.command.join(" ");
        Some(format!("`{command}`, pid {}", found.pid))
    }

    fn remove(&self) {
        let _not_there = fs::remove_dir_all(&self.dir);
    }
}

impl Drop for Inbox {
    fn drop(&mut self) {
        self.remove();
        // Only while it is empty.
        let _others = fs::remove_dir(self.state_dir.join(INBOXES));
    }
}

fn is_during(note: &Note, at_ns: i64) -> bool {
    let ended = note.until_ns.is_some_and(|until| at_ns > until);
    at_ns >= note.since_ns && !ended
}

/// Leaves a note for every recovery at work in a tree that overlaps with `root`, but not that of
/// `except`.
fn leave_notes(state_dir: &Path, root: &Path, run: &Note, except: Option<&Path>) {
    for inbox in entries(&state_dir.join(INBOXES)) {
        let key = inbox.file_name().unwrap_or_default().to_string_lossy();
        let Ok(theirs) = read_small(&inbox.join("root"), Links::Refuse, ROOT_BYTES_MAX) else {
            continue;
        };
        let theirs = PathBuf::from(std::ffi::OsString::from_vec(theirs));
        let overlaps = theirs.starts_with(root) || root.starts_with(&theirs);
        if Some(&*inbox) == except || !overlaps || !is_held(state_dir, &key) {
            continue;
        }
        let note = Note {
            paths: changed_since(root, &theirs, run.since_ns),
            until_ns: stamped_now(&inbox),
            ..run.clone()
        };
        // A run whose note cannot be written is still known by its registration until that is
        // removed.
        let _not_told = write_whole(&inbox.join(&note.id), &note);
    }
}

/// The paths below the inner one of two roots that changed since a moment, relative to `theirs` and
/// sorted; `None` if there are too many.
fn changed_since(root: &Path, theirs: &Path, since_ns: i64) -> Option<Vec<Vec<u8>>> {
    let from = if root.starts_with(theirs) {
        root
    } else {
        theirs
    };
    let mut found = BTreeSet::new();
    let changed_ns = |of: &fs::Metadata| of.ctime() * NANOS + of.ctime_nsec();
    let top = from.symlink_metadata().ok()?;
    if changed_ns(&top) >= since_ns {
        let below = from.strip_prefix(theirs).ok()?;
        found.insert(below.as_os_str().as_bytes().to_vec());
    }
    let mut todo = vec![from.to_owned()];
    while let Some(dir) = todo.pop() {
        for path in entries(&dir) {
            if path.file_name().is_some_and(|name| name == ".git") {
                continue;
            }
            let Ok(metadata) = path.symlink_metadata() else {
                continue;
            };
            if changed_ns(&metadata) >= since_ns
                && let Ok(below) = path.strip_prefix(theirs)
            {
                found.insert(below.as_os_str().as_bytes().to_vec());
            }
            if metadata.is_dir() {
                todo.push(path);
            }
            if found.len() > PATHS_MAX {
                return None;
            }
        }
    }
    Some(found.into_iter().collect())
}

/// Writes a registration, and says when: by the clock that stamps files, so that no change of the
/// run seems to come before it.
fn register(state_dir: &Path, note: &Note) -> Option<(File, i64)> {
    let dir = make_in_state(state_dir, RUNNING.as_ref()).ok()?;
    let mut file = create_afresh(&dir.join(&note.id)).ok()?;
    flock(&file, FlockOperation::NonBlockingLockExclusive).ok()?;
    file.write_all(&serde_json::to_vec(note).ok()?).ok()?;
    let since_ns = written_at(&file)?;
    Some((file, since_ns))
}

/// The time by the clock that stamps files, which is behind other clocks by up to a tick.
fn stamped_now(inbox: &Path) -> Option<i64> {
    let file = open_own(&inbox.join("root"), File::options().write(true)).ok()?;
    let now = Timespec {
        tv_sec: 0,
        tv_nsec: UTIME_NOW,
    };
    let times = Timestamps {
        last_access: now,
        last_modification: now,
    };
    futimens(&file, &times).ok()?;
    written_at(&file)
}

fn written_at(file: &File) -> Option<i64> {
    let metadata = file.metadata().ok()?;
    Some(metadata.mtime() * NANOS + metadata.mtime_nsec())
}

/// A registration, and whether its run is alive. One that cannot be read is just being written.
fn read_registration(path: &Path) -> Option<(Note, bool)> {
    let file = open_regular(path, Links::Refuse).ok()?;
    let is_alive = flock(&file, FlockOperation::NonBlockingLockShared).is_err();
    let since_ns = written_at(&file)?;
    let note = parse(file)?;
    Some((Note { since_ns, ..note }, is_alive))
}

fn read(path: &Path) -> Option<Note> {
    parse(open_regular(path, Links::Refuse).ok()?)
}

fn parse(file: File) -> Option<Note> {
    let mut text = Vec::new();
    file.take(NOTE_BYTES_MAX).read_to_end(&mut text).ok()?;
    serde_json::from_slice(&text).ok()
}

/// Writes a note whole or not at all.
fn write_whole(path: &Path, note: &Note) -> Option<()> {
    replace(path, Synced::No, &serde_json::to_vec(note).ok()?).ok()
}

fn root_of(note: &Note) -> PathBuf {
    PathBuf::from(std::ffi::OsStr::from_bytes(&note.root))
}

fn entries(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changes_right_after_a_dead_run_was_found_is_not_the_dead_ones() {
        let (state, tree) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let root = fs::canonicalize(tree.path()).unwrap();
        let workspace = Workspace::find(&root, None).unwrap();
        let mut inbox = Inbox::open(state.path(), &workspace).unwrap();
        let open_root = Root::open(&root).unwrap();
        // Of this many rounds, some do not meet a tick of the clock.
        for round in 0..20 {
            let run = Registration::begin(state.path(), &workspace, &["run".to_owned()]).unwrap();
            let dead = Note {
                id: format!("dead-{round}"),
                pid: u32::MAX,
                ..run.note.clone()
            };
            let left = state.path().join(RUNNING).join(&dead.id);
            fs::write(&left, serde_json::to_vec(&dead).unwrap()).unwrap();
            run.end();
            let (before, after) = (format!("before-{round}"), format!("after-{round}"));
            fs::write(root.join(&before), "theirs").unwrap();
            inbox.look();
            fs::write(root.join(&after), "ours").unwrap();
            let who = |name: &str| inbox.who_changed(&open_root, name.as_bytes(), [].into_iter());
            assert!(who(&before).is_some(), "{round}");
            assert_eq!(who(&after), None, "{round}");
        }
    }
}
