//! The keys of sessions: `DIR/keys/<session>.age`, the second `<session>.2.age`, and so on.
//!
//! A session whose own name ends like a number has `.1` in the name of its first key too, so that
//! no two keys have one name. The directory is 0700, files are 0600.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::io::{FileIo, make_dirs};
use crate::audit::encrypting::{KeyFile, KeyStamp, KeyStore};
use crate::audit::session_id;
use crate::error::{Error, ErrorKind, Result};
use crate::files::{Links, open_own, read_small, rename_synced, sync_names_above};

/// The directory of the keys in that of the store.
const DIR_NAME: &str = "keys";

const SUFFIX: &str = ".age";

/// What a new file is called until all of them are there.
const NEW_SUFFIX: &str = ".new";

/// The longest file that is read: one for a thousand recipients has 100 KB.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// The keys that a session may have: one for each process that recorded some of it.
const NUMBER_MAX: u64 = 1_000_000;

/// The keys of a store of files, or of a spool.
pub(crate) struct KeyDir {
    store: PathBuf,
    io: Arc<dyn FileIo>,
}

impl KeyDir {
    /// Those of the store in `store`.
    pub(crate) fn new(store: PathBuf, io: Arc<dyn FileIo>) -> Self {
        Self { store, io }
    }

    /// The directory that they are in.
    pub(crate) fn dir(&self) -> PathBuf {
        self.store.join(DIR_NAME)
    }

    fn path(&self, session_id: &str, number: u64) -> Result<PathBuf> {
        let mut name = session_id::encode(session_id)?;
        if number > 1 || number_at_end(&name).is_some() {
            name.push_str(&format!(".{number}"));
        }
        Ok(self.dir().join(name + SUFFIX))
    }

    fn make_dir(&self) -> Result<()> {
        let dir = self.dir();
        make_dirs(&*self.io, &dir)?;
        // A key is worth nothing if the name of its directory is lost.
        let placed = sync_names_above(&dir, &|above| self.io.sync_dir(above));
        placed.map_err(|error| Error::io("sync the directories above", &dir, error))
    }

    fn sync(&self) -> Result<()> {
        let dir = self.dir();
        let synced = self.io.sync_dir(&dir);
        synced.map_err(|error| Error::io("sync directory", &dir, error))
    }

    /// Writes `file` to the new file `path`, and brings it to the disk, without its name.
    fn write_new(&self, path: &Path, file: &[u8]) -> io::Result<()> {
        let made = self.io.create_new(path)?;
        let mut rest = file;
        while !rest.is_empty() {
            match self.io.write(&made, rest) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => rest = &rest[count..],
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.io.sync_data(&made)
    }

    /// How many keys `session_id` has.
    pub(super) fn count(&self, session_id: &str) -> Result<u64> {
        let mut count = 0;
        while self.path(session_id, count + 1)?.symlink_metadata().is_ok() {
            count += 1;
        }
        Ok(count)
    }
}

/// The number at the end of `name`, behind a dot, in its one form.
fn number_at_end(name: &str) -> Option<(&str, u64)> {
    let (name, digits) = name.rsplit_once('.')?;
    let number = digits.parse().ok()?;
    let is_canonical = digits.bytes().all(|byte| byte.is_ascii_digit()) && !digits.starts_with('0');
    is_canonical.then_some((name, number))
}

/// The session and the number of the key in the file `name`.
fn key_of(name: &str) -> Option<(String, u64)> {
    let name = name.strip_suffix(SUFFIX)?;
    let (name, number) = number_at_end(name).unwrap_or((name, 1));
    Some((session_id::decode(name)?, number))
}

impl KeyStore for KeyDir {
    fn keys_place(&self) -> String {
        self.dir().display().to_string()
    }

    fn read_keys(&self, session_id: &str) -> Result<Vec<KeyFile>> {
        let mut keys = Vec::new();
        for number in 1..=NUMBER_MAX {
            let path = self.path(session_id, number)?;
            match read_small(&path, Links::Refuse, FILE_BYTES_MAX) {
                Ok(file) => keys.push(KeyFile { number, file }),
                Err(error) if error.kind() == io::ErrorKind::NotFound => break,
                Err(error) => return Err(Error::io("read", &path, error)),
            }
        }
        Ok(keys)
    }

    fn add_key(&self, session_id: &str, _kid: &str, file: &[u8]) -> Result<u64> {
        self.make_dir()?;
        for number in self.count(session_id)? + 1..=NUMBER_MAX {
            let path = self.path(session_id, number)?;
            match self.write_new(&path, file) {
                Ok(()) => {
                    self.sync()?;
                    return Ok(number);
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => {
                    // Nothing is encrypted with it.
                    drop(self.io.remove(&path));
                    return Err(Error::io("write", &path, error));
                }
            }
        }
        let text = format!("session {session_id} has {NUMBER_MAX} keys");
        Err(Error::new(ErrorKind::NoSpace, text))
    }

    fn key_stamp(&self, session_id: &str, number: u64) -> Result<Option<KeyStamp>> {
        let path = self.path(session_id, number)?;
        match fs::symlink_metadata(&path) {
            Ok(found) => Ok(Some(format!(
                "{}:{}:{}.{}",
                found.dev(),
                found.ino(),
                found.mtime(),
                found.mtime_nsec()
            ))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Error::io("look at", &path, error)),
        }
    }

    fn key_sessions(&self) -> Result<Vec<String>> {
        let dir = self.dir();
        let failed = |error| Error::io("list", &dir, error);
        let names = match fs::read_dir(&dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            names => names.map_err(failed)?,
        };
        let mut sessions = std::collections::BTreeSet::new();
        for name in names {
            let name = name.map_err(failed)?.file_name();
            sessions.extend(name.to_str().and_then(key_of).map(|(session, _)| session));
        }
        Ok(sessions.into_iter().collect())
    }

    fn replace_keys(&self, keys: &[(String, KeyFile)]) -> Result<()> {
        let mut made = Vec::new();
        let write = |made: &mut Vec<(PathBuf, PathBuf)>| -> Result<()> {
            for (session_id, key) in keys {
                let path = self.path(session_id, key.number)?;
                let new = path.with_added_extension(NEW_SUFFIX.trim_start_matches('.'));
                // One that a process which died left.
                drop(fs::remove_file(&new));
                let failed = |error| Error::io("write", &new, error);
                if path.symlink_metadata().is_err() {
                    return Err(failed(io::ErrorKind::NotFound.into()));
                }
                made.push((new.clone(), path));
                self.write_new(&new, &key.file).map_err(failed)?;
            }
            self.sync()
        };
        if let Err(error) = write(&mut made) {
            for (new, _) in made {
                drop(fs::remove_file(new));
            }
            return Err(error);
        }
        for (new, path) in &made {
            let failed = |error| Error::io("replace", path, error);
            let old = open_own(path, OpenOptions::new().write(true)).map_err(failed)?;
            rename_synced(new, path).map_err(failed)?;
            // Only now: whoever is killed in between has the old key or the new one.
            overwrite(old).map_err(failed)?;
        }
        Ok(())
    }

    fn destroy_keys(&self, session_id: &str) -> Result<u64> {
        let count = self.count(session_id)?;
        // From the last to the first: whoever is killed here and comes again finds what is left.
        for number in (1..=count).rev() {
            let path = self.path(session_id, number)?;
            let opened = open_own(&path, OpenOptions::new().write(true));
            match opened
                .and_then(overwrite)
                .and_then(|()| self.io.remove(&path))
            {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(Error::io("destroy", &path, error));
                }
                _ => {}
            }
        }
        if count > 0 {
            self.sync()?;
        }
        Ok(count)
    }
}

/// Overwrites the bytes of `file` in their place, on the disk.
fn overwrite(mut file: File) -> io::Result<()> {
    let length = file.metadata()?.len().min(FILE_BYTES_MAX);
    file.write_all(&vec![0; usize::try_from(length).unwrap_or(0)])?;
    file.sync_data()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jsonl::SystemIo;

    fn keys() -> (tempfile::TempDir, KeyDir) {
        let dir = tempfile::tempdir().unwrap();
        let keys = KeyDir::new(dir.path().join("audit"), Arc::new(SystemIo));
        (dir, keys)
    }

    #[test]
    fn sessions_named_like_the_second_key_of_others_have_keys_of_their_own() {
        let (_dir, keys) = keys();
        let names = ["a", "a.2", "a.2.1", "a.02", "b.age", "ü x", "a.1"];
        for (at, name) in names.iter().enumerate() {
            for number in 1..=3_u8 {
                let file = [u8::try_from(at).unwrap(), number];
                assert_eq!(keys.add_key(name, "", &file).unwrap(), u64::from(number));
            }
        }
        for (at, name) in names.iter().enumerate() {
            let found = keys.read_keys(name).unwrap();
            let files: Vec<_> = found.iter().map(|key| key.file.clone()).collect();
            let at = u8::try_from(at).unwrap();
            assert_eq!(files, [vec![at, 1], vec![at, 2], vec![at, 3]], "{name}");
        }
        let mut sorted = names.map(str::to_owned);
        sorted.sort();
        assert_eq!(keys.key_sessions().unwrap(), sorted);
        assert_eq!(keys.destroy_keys("a").unwrap(), 3);
        assert_eq!(keys.destroy_keys("a").unwrap(), 0);
        assert_eq!(keys.read_keys("a.2").unwrap().len(), 3);
    }

    #[test]
    fn keys_are_replaced_all_or_none() {
        let (_dir, keys) = keys();
        for session in ["a", "b"] {
            keys.add_key(session, "", b"old").unwrap();
        }
        let new = |session: &str, number| {
            let file = b"new".to_vec();
            (session.to_owned(), KeyFile { number, file })
        };
        keys.replace_keys(&[new("a", 1), new("b", 2)]).unwrap_err();
        for session in ["a", "b"] {
            assert_eq!(keys.read_keys(session).unwrap()[0].file, b"old");
        }
        assert_eq!(fs::read_dir(keys.dir()).unwrap().count(), 2);
        let stamp = keys.key_stamp("a", 1).unwrap();
        keys.replace_keys(&[new("a", 1), new("b", 1)]).unwrap();
        for session in ["a", "b"] {
            assert_eq!(keys.read_keys(session).unwrap()[0].file, b"new");
        }
        assert_ne!(keys.key_stamp("a", 1).unwrap(), stamp);
    }
}
