//! Small JSON files in the state that several processes change: read, change and write under a
//! lock.
//!
//! What they hold only restrains what `recover` does by itself, so a file that is damaged or cannot
//! be written restrains nothing: it is never a reason to fail.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::files::{Purpose, make_own_dir, open_own};
use crate::patience::a_moment;

/// The most that is read of such a file: far more than any of them holds.
const STATE_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// A JSON file in the state.
#[derive(Clone, Debug)]
pub(in crate::run) struct StateFile {
    path: PathBuf,
}

impl StateFile {
    pub(in crate::run) fn new(state_dir: &Path, name: &str) -> Self {
        Self {
            path: state_dir.join(name),
        }
    }

    /// Where it is.
    pub(in crate::run) fn path(&self) -> &Path {
        &self.path
    }

    /// Lets `change` change what the file holds, alone among all processes. `None` if it could not.
    pub(in crate::run) fn change<T, R>(&self, change: impl FnOnce(&mut T) -> R) -> Option<R>
    where
        T: Default + Serialize + DeserializeOwned,
    {
        let mut file = self.open().ok()?;
        // Whoever has it locked changes a few bytes. One that takes longer is stopped or hangs, and
        // what the file restrains is not worth waiting for that.
        if !a_moment(|| !matches!(file.try_lock(), Err(TryLockError::WouldBlock))) {
            return None;
        }
        let mut text = Vec::new();
        let limited = (&mut file).take(STATE_BYTES_MAX);
        { limited }.read_to_end(&mut text).ok()?;
        let mut held: T = serde_json::from_slice(&text).unwrap_or_default();
        let result = change(&mut held);
        let text = serde_json::to_vec(&held).ok()?;
        file.rewind().ok()?;
        file.set_len(0).ok()?;
        file.write_all(&text).ok()?;
        Some(result)
    }

    fn open(&self) -> std::io::Result<File> {
        if let Some(dir) = self.path.parent() {
            make_own_dir(dir, Path::new(""), Purpose::State)?;
        }
        let mut options = OpenOptions::new();
        options.create(true).truncate(false).read(true).write(true);
        open_own(&self.path, &mut options)
    }
}
