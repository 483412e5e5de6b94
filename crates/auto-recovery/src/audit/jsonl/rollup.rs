//! Sums that outlive a process, so that asking again costs what was appended since.
//!
//! They are derived and disposable: `DIR/rollups/<name>.json`, a line that says the version and the
//! hash of what follows, then JSON. Whoever sums up much leaves them, and nobody waits for them to
//! reach the disk; what cannot be read, or was written by another release, is as if it were not
//! there.
//!
//! A file that is as it was, by inode, length and both its times, says what it said. One that has
//! grown says what it said and more, if the record that was last still stands where it stood. Any
//! other is read anew.

use std::fs::{self, Metadata};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;

use super::cursor::fnv1a;
use super::root::Root;
use crate::audit::session_id;
use crate::files::{Links, read_small};

/// The directory in that of the store.
const DIR_NAME: &str = "rollups";

/// The version of all of them. One that a release does not know is read anew.
const VERSION: u32 = 3;

/// The most that is read of one: a million sessions have less.
const BYTES_MAX: u64 = 1024 * 1024 * 1024;

/// How coarse the times of files are, with room: the clock that stamps them ticks every 10 ms or
/// oftener. A file that was changed just now may be changed again and look the same.
const TICK: Duration = Duration::from_millis(30);

/// The name of what is known of all sessions together.
pub(super) const ALL: &str = "all";

/// The name of what is known of the journal.
pub(super) const JOURNAL: &str = "journal";

/// The name of what is known of a session.
pub(super) fn name_of(session_id: &str) -> Option<String> {
    session_id::encode(session_id)
        .ok()
        .map(|name| name + "_audit")
}

/// What tells whether a file is as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Stamp {
    device: u64,
    inode: u64,
    length: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    pub(super) fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            length: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }

    /// Whether the file of this stamp may have become that of `later` by appending.
    pub(super) fn may_have_grown_to(&self, later: &Self) -> bool {
        *self == *later
            || (self.device == later.device
                && self.inode == later.inode
                && self.length < later.length)
    }

    /// Whether a change that came after the stamp, at `now`, would show in another stamp.
    pub(super) fn is_settled(&self, now: SystemTime) -> bool {
        let (seconds, nanos) = self.changed;
        let (Ok(seconds), Ok(nanos)) = (u64::try_from(seconds), u32::try_from(nanos)) else {
            return false;
        };
        let changed = SystemTime::UNIX_EPOCH + Duration::new(seconds, nanos);
        now.duration_since(changed).is_ok_and(|age| age > TICK)
    }
}

/// What stands before the sums.
#[derive(Serialize, Deserialize)]
struct Header {
    v: u32,
    hash: u64,
}

/// What was left as `name`.
pub(super) fn load<T: DeserializeOwned>(root: &Root, name: &str) -> Option<T> {
    let bytes = read_small(&path_of(root, name), Links::Refuse, BYTES_MAX).ok()?;
    let end = memchr::memchr(b'\n', &bytes)?;
    let (header, body) = (&bytes[..end], &bytes[end + 1..]);
    let header: Header = serde_json::from_slice(header).ok()?;
    let is_whole = header.v == VERSION && header.hash == fnv1a(body.iter().copied());
    is_whole.then(|| serde_json::from_slice(body).ok())?
}

/// Leaves `value` as `name`, if that can be done. Only in a directory of one's own: another's could
/// not replace it.
pub(super) fn save<T: Serialize>(root: &Root, name: &str, value: &T) {
    let _ = try_save(root, name, value);
}

fn try_save<T: Serialize>(root: &Root, name: &str, value: &T) -> Option<()> {
    let owner = fs::metadata(&root.dir).ok()?.uid();
    if owner != rustix::process::geteuid().as_raw() {
        return None;
    }
    let dir = root.dir.join(DIR_NAME);
    fs::DirBuilder::new()
        .mode(0o700)
        .recursive(true)
        .create(&dir)
        .ok()?;
    // Through a link they would go to where somebody else wants them.
    fs::symlink_metadata(&dir).ok().filter(Metadata::is_dir)?;
    let body = serde_json::to_vec(value).ok()?;
    let header = Header {
        v: VERSION,
        hash: fnv1a(body.iter().copied()),
    };
    let mut file = NamedTempFile::new_in(&dir).ok()?;
    serde_json::to_writer(&mut file, &header).ok()?;
    file.write_all(b"\n").ok()?;
    file.write_all(&body).ok()?;
    file.persist(path_of(root, name)).ok()?;
    Some(())
}

/// Removes what was left as `name`.
pub(super) fn remove(root: &Root, name: &str) {
    let _ = fs::remove_file(path_of(root, name));
}

fn path_of(root: &Root, name: &str) -> PathBuf {
    root.dir
        .join(DIR_NAME)
        .join(name)
        .with_added_extension("json")
}
