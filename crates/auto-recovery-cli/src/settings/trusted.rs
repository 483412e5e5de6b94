//! The workspaces that the user said to trust, whoever may write in them: `STATE/trusted`.
//!
//! One canonical root a line, `\n` and `\\` standing for a line's end and a backslash in a name. A
//! list that somebody else can write says nothing.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use auto_recovery::files::{Purpose, check_own_dir, make_own_dir, open_own};
use auto_recovery::{Error, ErrorKind, Result};

/// Name of the list in the state.
const FILE: &str = "trusted";

/// The longest list that is read: 1 MiB, some 10,000 workspaces.
const LIST_BYTES_MAX: u64 = 1024 * 1024;

/// The list of trusted workspaces.
pub(crate) struct Trusted {
    path: PathBuf,
}

impl Trusted {
    /// The list of the state in `state_dir`.
    pub(crate) fn of(state_dir: &Path) -> Self {
        Self {
            path: state_dir.join(FILE),
        }
    }

    /// The trusted workspaces, in the order in which they came to be.
    ///
    /// # Errors
    /// If there is a list and it cannot be read, or is not the user's alone.
    pub(crate) fn roots(&self) -> Result<Vec<PathBuf>> {
        self.check_state()?;
        match open_own(&self.path, File::options().read(true)) {
            Ok(mut file) => self.read(&mut file),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(Error::io("open", &self.path, error)),
        }
    }

    /// Whether `root` is one of them. A list that cannot be read says so of none.
    pub(crate) fn has(&self, root: &Path) -> bool {
        self.roots()
            .is_ok_and(|roots| roots.iter().any(|one| one == root))
    }

    /// Trusts `root`. Returns whether it was not trusted before.
    ///
    /// # Errors
    /// If the list cannot be read or written.
    pub(crate) fn add(&self, root: &Path) -> Result<bool> {
        let mut file = self.locked()?;
        if self.read(&mut file)?.iter().any(|one| one == root) {
            return Ok(false);
        }
        self.write(&mut file, &line(root))?;
        Ok(true)
    }

    /// Trusts `root` no more. Returns whether it was trusted.
    ///
    /// # Errors
    /// If the list cannot be read or written.
    pub(crate) fn remove(&self, root: &Path) -> Result<bool> {
        self.check_state()?;
        if !self.path.exists() {
            return Ok(false);
        }
        let mut file = self.locked()?;
        let roots = self.read(&mut file)?;
        let left: Vec<u8> = roots
            .iter()
            .filter(|one| *one != root)
            .flat_map(|one| line(one))
            .collect();
        if !roots.iter().any(|one| one == root) {
            return Ok(false);
        }
        // Cut short by a crash, it trusts less, never more.
        file.set_len(0)
            .map_err(|error| Error::io("write", &self.path, error))?;
        self.write(&mut file, &left)?;
        Ok(true)
    }

    /// The list, made where there is none, for this process alone.
    fn locked(&self) -> Result<File> {
        let failed = |error| Error::io("open", &self.path, error);
        if let Some(dir) = self.path.parent() {
            make_own_dir(dir, Path::new(""), Purpose::State)
                .map_err(|error| Error::io("use the state directory", dir, error))?;
        }
        let mut options = OpenOptions::new();
        options.create(true).read(true).append(true);
        let file = open_own(&self.path, &mut options).map_err(failed)?;
        file.lock().map_err(failed)?;
        Ok(file)
    }

    /// Makes sure that the state, if there is one, is the user's own.
    fn check_state(&self) -> Result<()> {
        let Some(dir) = self.path.parent() else {
            return Ok(());
        };
        match check_own_dir(dir, Purpose::State) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(Error::io("use the state directory", dir, error))
            }
            _ => Ok(()),
        }
    }

    fn read(&self, file: &mut File) -> Result<Vec<PathBuf>> {
        let failed = |error| Error::io("read", &self.path, error);
        let metadata = file.metadata().map_err(failed)?;
        let user = rustix::process::geteuid().as_raw();
        let is_own = metadata.uid() == user || metadata.uid() == 0;
        if !metadata.is_file() || !is_own || metadata.mode() & 0o022 != 0 {
            let path = self.path.display();
            return Err(Error::new(
                ErrorKind::Refused,
                format!("{path} is not a file of yours alone: look who wrote it, then remove it"),
            ));
        }
        let mut bytes = Vec::new();
        file.take(LIST_BYTES_MAX)
            .read_to_end(&mut bytes)
            .map_err(failed)?;
        // What has no end was cut short.
        let lines = bytes.split_inclusive(|byte| *byte == b'\n');
        Ok(lines
            .filter_map(|line| root(line.strip_suffix(b"\n")?))
            .collect())
    }

    fn write(&self, file: &mut File, text: &[u8]) -> Result<()> {
        file.write_all(text)
            .and_then(|()| file.sync_all())
            .map_err(|error| Error::io("write", &self.path, error))
    }
}

/// `root` as a line.
fn line(root: &Path) -> Vec<u8> {
    let mut line = Vec::new();
    for byte in root.as_os_str().as_bytes() {
        match byte {
            b'\\' => line.extend(b"\\\\"),
            b'\n' => line.extend(b"\\n"),
            byte => line.push(*byte),
        }
    }
    line.push(b'\n');
    line
}

/// The root that `line`, without its end, says; none for what nobody wrote.
fn root(line: &[u8]) -> Option<PathBuf> {
    let mut bytes = Vec::new();
    let mut rest = line.iter();
    while let Some(byte) = rest.next() {
        bytes.push(match (byte, byte == &b'\\') {
            (_, true) => match rest.next()? {
                b'n' => b'\n',
                b'\\' => b'\\',
                _ => return None,
            },
            (byte, false) => *byte,
        });
    }
    let path = PathBuf::from(OsString::from_vec(bytes));
    path.is_absolute().then_some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_root_is_read_back_whatever_its_name_is() {
        for path in [
            &b"/w"[..],
            b"/a b",
            b"/a\nb",
            b"/a\\nb",
            b"/\\",
            b"/\xff\n\n\\",
        ] {
            let path = PathBuf::from(OsString::from_vec(path.to_vec()));
            let line = line(&path);
            assert_eq!(line.iter().filter(|byte| **byte == b'\n').count(), 1);
            assert_eq!(root(&line[..line.len() - 1]), Some(path));
        }
        for nonsense in [&b""[..], b"w", b"/a\\", b"/a\\x"] {
            assert_eq!(root(nonsense), None);
        }
    }
}
