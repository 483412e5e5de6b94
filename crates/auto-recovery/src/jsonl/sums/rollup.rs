//! Sums that outlive a process, so that asking again costs what was appended since.
//!
//! They are derived and disposable: `DIR/rollups/<name>.json`, a line with the version and the hash
//! of the rest, then JSON. A reader that read much writes them, without syncing. A rollup that is
//! unreadable or from another release is ignored.
//!
//! While a file's inode, length and both times are unchanged, its totals hold. One that has grown
//! is read on from there, if the record that was last is still in its place. Any other is read
//! anew.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::audit::session_id;
use crate::error::Error;
use crate::files::hash::fnv64;
use crate::files::{Links, Purpose, Synced, make_own_dir, read_small, replace_at_once};
use crate::jsonl::dir::Dir;

/// The directory in that of the store.
const DIR_NAME: &str = "rollups";

/// The version of all of them. One that a release does not know is read anew.
const VERSION: u32 = 3;

/// The most that is read of one: a million sessions, or the names of some million files, have less.
const BYTES_MAX: u64 = 1024 * 1024 * 1024;

/// Name of the rollup of all sessions together.
pub(in crate::jsonl) const ALL: &str = "all";

/// Name of the rollup of the journal.
pub(in crate::jsonl) const JOURNAL: &str = "journal";

/// Name of the rollup of a session.
pub(in crate::jsonl) fn name_of(session_id: &str) -> Option<String> {
    session_id::encode(session_id)
        .ok()
        .map(|name| name + "_audit")
}

/// The line before the sums.
#[derive(Serialize, Deserialize)]
struct Header {
    v: u32,
    hash: u64,
}

/// Reads the rollup called `name`.
pub(in crate::jsonl) fn load<T: DeserializeOwned>(dir: &Dir, name: &str) -> Option<T> {
    let bytes = read_small(&path_of(dir, name), Links::Refuse, BYTES_MAX).ok()?;
    let end = memchr::memchr(b'\n', &bytes)?;
    let (header, body) = (&bytes[..end], &bytes[end + 1..]);
    let header: Header = serde_json::from_slice(header).ok()?;
    let is_whole = header.v == VERSION && header.hash == fnv64(body.iter().copied());
    is_whole.then(|| serde_json::from_slice(body).ok())?
}

/// Leaves `value` as `name`, if that can be done. Only in a directory of one's own: another's could
/// not replace it.
pub(in crate::jsonl) fn save<T: Serialize>(dir: &Dir, name: &str, value: &T) {
    let _ = try_save(dir, name, value);
}

fn try_save<T: Serialize>(dir: &Dir, name: &str, value: &T) -> Option<()> {
    own_dir(dir)?;
    let body = serde_json::to_vec(value).ok()?;
    let header = Header {
        v: VERSION,
        hash: fnv64(body.iter().copied()),
    };
    let path = path_of(dir, name);
    let replaced = replace_at_once(&path, Synced::No, &mut |file| {
        let header = serde_json::to_writer(&mut *file, &header).map_err(io::Error::from);
        let written = header.and_then(|()| file.write_all(b"\n"));
        let written = written.and_then(|()| file.write_all(&body));
        written.map_err(|error| Error::io("write", &path, error))
    });
    replaced.ok().map(drop)
}

/// The directory of them, made if there is none.
pub(in crate::jsonl) fn own_dir(dir: &Dir) -> Option<PathBuf> {
    let owner = fs::metadata(&dir.path).ok()?.uid();
    if owner != rustix::process::geteuid().as_raw() {
        return None;
    }
    make_own_dir(&dir.path, DIR_NAME.as_ref(), Purpose::Store).ok()
}

/// The directory of rollups, which may not exist.
pub(in crate::jsonl) fn dir_of(dir: &Dir) -> PathBuf {
    dir.path.join(DIR_NAME)
}

/// Removes what was left as `name`.
pub(in crate::jsonl) fn remove(dir: &Dir, name: &str) {
    let _ = fs::remove_file(path_of(dir, name));
}

fn path_of(dir: &Dir, name: &str) -> PathBuf {
    dir_of(dir).join(name).with_added_extension("json")
}
