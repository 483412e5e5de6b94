//! The rooms of the state: what stands in the state directory, and which of it has a limit.
//!
//! Checkpoints and outputs go when they are old, or when all that counts is too much. What waits in
//! the spool is the record of attempts that nobody else has: it neither goes nor counts. Trails are
//! the store's, which may live in the same directory, and have rules of their own.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rustix::fs::Access;

use crate::audit::{AuditStore, session_id};
use crate::checkpoint::{OtherRooms, size};
use crate::error::ErrorKind;
use crate::run::state::outputs::{OUTPUTS, lock_unused};

/// Rooms that are small, and count: what runs leave for each other.
const SMALL: [&str; 4] = ["beside", "locks", "onlookers", "running"];

/// The others.
const LARGE: [&str; 2] = ["checkpoints", OUTPUTS];

/// What of `state_dir`, which may not be there yet, no run could use, in words.
pub(in crate::run) fn problems(state_dir: &Path) -> Vec<String> {
    let Some(there) = state_dir
        .ancestors()
        .find(|dir| dir.symlink_metadata().is_ok())
    else {
        return Vec::new();
    };
    if !there.is_dir() {
        return vec![format!("{} is no directory", there.display())];
    }
    let mut problems = Vec::new();
    let wanted = Access::WRITE_OK | Access::EXEC_OK;
    if let Err(errno) = rustix::fs::access(there, wanted) {
        let why = io::Error::from(errno).kind();
        problems.push(format!("{} cannot be written: {why}", there.display()));
    }
    let rooms = LARGE.iter().chain(&SMALL).map(|room| state_dir.join(room));
    let wrong = rooms.filter(|room| room.symlink_metadata().is_ok() && !room.is_dir());
    problems.extend(wrong.map(|room| format!("{} is no directory", room.display())));
    problems
}

/// What is kept beside checkpoints, and may go.
pub(in crate::run) struct StateRooms<'s> {
    /// Bytes that count.
    bytes: u64,
    /// The outputs of sessions, the oldest last.
    outputs: Vec<Kept>,
    store: &'s dyn AuditStore,
    /// The session of this very run.
    own: &'s str,
    /// Whether the store cannot say who is held: then nobody knows who is not.
    is_silent: bool,
}

/// The outputs of one session.
struct Kept {
    session_id: String,
    dir: PathBuf,
    bytes: u64,
    newest: SystemTime,
}

impl<'s> StateRooms<'s> {
    /// Those of `state_dir`, whose sessions `store` knows. The session `own` stays.
    pub(in crate::run) fn of(state_dir: &Path, store: &'s dyn AuditStore, own: &'s str) -> Self {
        let small = SMALL.iter().map(|room| size(&state_dir.join(room)));
        let sessions = fs::read_dir(state_dir.join(OUTPUTS));
        let sessions = sessions.into_iter().flatten().flatten();
        let mut outputs: Vec<_> = sessions.filter_map(|entry| kept(&entry)).collect();
        outputs.sort_by_key(|kept| std::cmp::Reverse(kept.newest));
        Self {
            bytes: small.sum::<u64>() + outputs.iter().map(|kept| kept.bytes).sum::<u64>(),
            outputs,
            store,
            own,
            is_silent: false,
        }
    }

    /// Removes the outputs to which nothing was added since `oldest`.
    pub(in crate::run) fn drop_older(&mut self, oldest: SystemTime) {
        while self.oldest().is_some_and(|newest| newest < oldest) {
            self.drop_oldest();
        }
    }
}

impl OtherRooms for StateRooms<'_> {
    fn bytes(&self) -> u64 {
        self.bytes
    }

    fn oldest(&self) -> Option<SystemTime> {
        self.outputs.last().map(|kept| kept.newest)
    }

    fn drop_oldest(&mut self) {
        let Some(kept) = self.outputs.pop() else {
            return;
        };
        let is_gone = match lock_unused(&kept.dir) {
            Some(_lock) if !self.must_stay(&kept.session_id) => {
                // One that stays is tried again with the next look.
                fs::remove_dir_all(&kept.dir).is_ok()
            }
            _ => false,
        };
        if is_gone {
            self.bytes -= kept.bytes;
        }
    }

    fn must_stay(&mut self, session_id: &str) -> bool {
        if self.is_silent || session_id == self.own {
            return true;
        }
        match self.store.held(session_id) {
            Ok(held) => held.is_some(),
            // What is damaged says nothing of other sessions.
            Err(error) if error.kind() == ErrorKind::Damaged => true,
            // Not asked again: each question may wait for a server that does not answer.
            Err(_) => {
                self.is_silent = true;
                true
            }
        }
    }
}

/// What `entry` keeps of a session. What has a name that we do not give is not ours.
fn kept(entry: &fs::DirEntry) -> Option<Kept> {
    let session_id = session_id::decode(entry.file_name().to_str()?)?;
    let found = entry.metadata().ok()?;
    if !found.is_dir() {
        return None;
    }
    let mut kept = Kept {
        session_id,
        dir: entry.path(),
        bytes: 0,
        newest: found.modified().ok()?,
    };
    for file in fs::read_dir(&kept.dir).into_iter().flatten().flatten() {
        let Ok(found) = file.metadata() else {
            continue;
        };
        kept.bytes += found.len();
        kept.newest = found
            .modified()
            .map_or(kept.newest, |at| at.max(kept.newest));
    }
    Some(kept)
}
