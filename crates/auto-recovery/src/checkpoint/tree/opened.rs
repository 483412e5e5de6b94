//! Directories of this user's whose own modes close them to us, opened while a walk looks inside.
//!
//! Each is reset when the walk and the reading after it end. Opened directories are noted in the
//! state before, so that after a kill the next walk here resets them. Other users' directories are
//! left closed.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process};

use crate::checkpoint::tree::path::{RelPath, split};
use crate::checkpoint::tree::root::{Own, Root};
use crate::files::{Links, open_own, read_small};
use crate::mutex;

/// Permission to list and enter a directory.
const OWNER_LOOK: u16 = 0o500;

/// Permission bits that are added to a directory when it is opened.
const OPENED: u16 = 0o700;

/// Longest note that is read: ten thousand directories of the longest names.
const NOTE_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Prefix of the notes of opened directories, one a process; its id ends the name.
const NOTE: &str = "opened-";

/// The directories that are open now, each with the permission bits it had.
#[derive(Debug)]
pub(in crate::checkpoint) struct Opened {
    root: Arc<Root>,
    /// The note of opened directories.
    note: PathBuf,
    modes: Mutex<BTreeMap<RelPath, u16>>,
}

impl Opened {
    /// No directories yet, below `root`; noted in `state`. Those that an earlier walk left open are
    /// reset.
    pub(in crate::checkpoint) fn none(root: &Arc<Root>, state: &Path) -> Self {
        let here = |name: &str| Self {
            root: Arc::clone(root),
            note: state.join(name),
            modes: Mutex::default(),
        };
        for entry in fs::read_dir(state).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let pid = name.to_str().and_then(|name| name.strip_prefix(NOTE));
            if let Some(pid) = pid.and_then(|pid| pid.parse().ok())
                && !is_alive(pid)
            {
                let left = here(&format!("{NOTE}{pid}"));
                let text = read_small(&left.note, Links::Refuse, NOTE_BYTES_MAX);
                let text = text.unwrap_or_default();
                *left.lock() = noted(&text);
            }
        }
        here(&format!("{NOTE}{}", std::process::id()))
    }

    /// Opens the directory `path`, if it is ours and closed to us; says whether it did.
    pub(in crate::checkpoint) fn open(&self, path: &RelPath) -> bool {
        let (dir, name) = split(path);
        let held = self.root.open_dir(dir).and_then(|dir| Own::at(&dir, name));
        let Ok(own) = held else {
            return false;
        };
        if !own.is_dir() || own.mode & OWNER_LOOK == OWNER_LOOK {
            return false;
        }
        let mut modes = self.lock();
        self.put_down(path, own.mode);
        if own.set_mode(own.mode | OPENED).is_err() {
            return false;
        }
        modes.insert(Arc::clone(path), own.mode);
        true
    }

    /// Adds to the note. A note that cannot be written costs only the way back after a kill.
    fn put_down(&self, path: &[u8], mode: u16) {
        let mut options = OpenOptions::new();
        options.append(true).create(true);
        let line = [format!("{mode:o} ").as_bytes(), path, b"\0"].concat();
        let _unnoted =
            open_own(&self.note, &mut options).and_then(|mut file| file.write_all(&line));
    }

    /// Resets opened directories, deepest first; modes that were set since are left.
    fn close(&self) {
        let mut modes = self.lock();
        if modes.is_empty() {
            return;
        }
        while let Some((path, mode)) = modes.pop_last() {
            let (dir, name) = split(&path);
            let held = self.root.open_dir(dir).and_then(|dir| Own::at(&dir, name));
            if let Ok(own) = held
                && own.is_dir()
                && own.mode == mode | OPENED
            {
                let _stays = own.set_mode(mode);
            }
        }
        let _stays = fs::remove_file(&self.note);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<RelPath, u16>> {
        mutex::lock(&self.modes)
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        self.close();
    }
}

fn is_alive(pid: i32) -> bool {
    let pid = Pid::from_raw(pid);
    pid.is_some_and(|pid| test_kill_process(pid) != Err(Errno::SRCH))
}

/// Parses a note; a record that was cut short is skipped.
fn noted(text: &[u8]) -> BTreeMap<RelPath, u16> {
    let mut modes = BTreeMap::new();
    for record in text.split_inclusive(|byte| *byte == 0) {
        let Some((record, space)) = record
            .strip_suffix(b"\0")
            .and_then(|record| Some((record, memchr::memchr(b' ', record)?)))
        else {
            continue;
        };
        let mode = std::str::from_utf8(&record[..space]);
        let mode = mode.ok().and_then(|text| u16::from_str_radix(text, 8).ok());
        if let Some(mode) = mode {
            // The first record has the mode from before any opening.
            modes.entry(record[space + 1..].into()).or_insert(mode);
        }
    }
    modes
}
