//! The user's list of trusted workspaces and of contents of files: `STATE/trusted`.
//!
//! A workspace is its canonical root on a line: its `recover.toml` is used whole, whoever may write
//! in it, now and after every change. A content is `yes` or `no`, the SHA-256 in hex and the path
//! of a `recover.toml`, separated by one space: the user's answer for that file as it was then. In
//! a path, `\n` and `\\` stand for a line's end and a backslash. Lines in any other form are
//! ignored. The list is read and written only as a regular file of the user's or root's that only
//! its owner can write, never through a link, and by one process at a time; any other says nothing.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use auto_recovery::files::{Purpose, check_own_dir, make_own_dir, open_own};
use auto_recovery::host::Host;
use auto_recovery::patience::Holder;
use auto_recovery::patience::{impatiently, lock_file, over};
use auto_recovery::{Error, ErrorKind, Result};

/// Name of the list in the state.
const FILE: &str = "trusted";

/// The longest list that is read: 1 MiB, some 10,000 lines.
const LIST_BYTES_MAX: u64 = 1024 * 1024;

/// Contents of one file that are remembered; the oldest are forgotten first. A file changes to and
/// fro between branches, and no further.
const CONTENTS_MAX: usize = 16;

/// Longest wait for a list that another process holds: a write takes far less.
const LOCK_WAIT: Duration = Duration::from_secs(2);

/// The list of trusted workspaces and contents.
pub(crate) struct Trusted {
    path: PathBuf,
}

/// One line of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TrustLine {
    /// The workspace with this root.
    Workspace(PathBuf),
    /// A content of a file.
    Content(TrustedContent),
}

/// The user's answer for one content of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TrustedContent {
    /// The file.
    pub(crate) path: PathBuf,
    /// SHA-256 of its content, in hex.
    pub(crate) sha256: String,
    /// Whether its commands may run.
    pub(crate) may_run: bool,
}

impl Trusted {
    /// The list of the state in `state_dir`.
    pub(crate) fn of(state_dir: &Path) -> Self {
        Self {
            path: state_dir.join(FILE),
        }
    }

    /// Every line, in the order of writing.
    ///
    /// # Errors
    /// If there is a list and it cannot be read, or is not the user's alone.
    pub(crate) fn lines(&self) -> Result<Vec<TrustLine>> {
        self.check_state()?;
        match open_own(&self.path, File::options().read(true)) {
            Ok(file) => self.read(&file),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Err(self.refused()),
            Err(error) => Err(Error::io("open", &self.path, error)),
        }
    }

    /// Whether the workspace `root` is on it. An unreadable list has none.
    pub(crate) fn has(&self, root: &Path) -> bool {
        let workspace = TrustLine::Workspace(root.to_owned());
        self.lines().is_ok_and(|lines| lines.contains(&workspace))
    }

    /// The answer for the content `sha256` of `path`, if any. An unreadable list has none.
    pub(crate) fn said_of(&self, path: &Path, sha256: &str) -> Option<bool> {
        let lines = self.lines().ok()?;
        let said = lines.iter().filter_map(TrustLine::content);
        said.filter(|content| content.path == path && content.sha256 == sha256)
            .map(|content| content.may_run)
            .next_back()
    }

    /// Trusts the workspace `root`. Returns whether it was not trusted before.
    ///
    /// # Errors
    /// If the list cannot be read or written.
    pub(crate) fn add(&self, root: &Path, host: &dyn Host) -> Result<bool> {
        let mut file = self.locked(host)?;
        let line = TrustLine::Workspace(root.to_owned());
        let lines = self.read(&file)?;
        if lines.contains(&line) {
            return Ok(false);
        }
        self.append(&mut file, &line)?;
        Ok(true)
    }

    /// Remembers the user's answer for a content. Returns whether that is news.
    ///
    /// # Errors
    /// If the list cannot be read or written.
    pub(crate) fn say(&self, content: &TrustedContent, host: &dyn Host) -> Result<bool> {
        let mut file = self.locked(host)?;
        let lines = self.read(&file)?;
        let is_same_file =
            |one: &TrustLine| one.content().is_some_and(|one| one.path == content.path);
        let is_same = |one: &TrustLine| {
            let same = one.content().filter(|one| one.path == content.path);
            same.is_some_and(|one| one.sha256 == content.sha256)
        };
        let said = lines.iter().rfind(|one| is_same(one));
        if said.and_then(TrustLine::content) == Some(content) {
            return Ok(false);
        }
        let of_file = lines.iter().filter(|one| is_same_file(one)).count();
        let line = TrustLine::Content(content.clone());
        if said.is_none() && of_file < CONTENTS_MAX {
            self.append(&mut file, &line)?;
            return Ok(true);
        }
        let mut too_many = (of_file + 1).saturating_sub(CONTENTS_MAX);
        let mut left = lines.clone();
        left.retain(|one| !is_same(one));
        left.retain(|one| {
            let goes = said.is_none() && too_many > 0 && is_same_file(one);
            too_many -= usize::from(goes);
            !goes
        });
        left.push(line);
        self.replace(&mut file, &left)?;
        Ok(true)
    }

    /// Removes every line for which `goes` holds. Returns whether there was one.
    ///
    /// # Errors
    /// If the list cannot be read or written.
    pub(crate) fn forget(
        &self,
        goes: impl Fn(&TrustLine) -> bool,
        host: &dyn Host,
    ) -> Result<bool> {
        if self.path.symlink_metadata().is_err() {
            return Ok(false);
        }
        let mut file = self.locked(host)?;
        let mut lines = self.read(&file)?;
        let before = lines.len();
        lines.retain(|line| !goes(line));
        if lines.len() == before {
            return Ok(false);
        }
        self.replace(&mut file, &lines)?;
        Ok(true)
    }

    /// The list, created if missing, locked by this process.
    fn locked(&self, host: &dyn Host) -> Result<File> {
        let failed = |error| Error::io("open", &self.path, error);
        if let Some(dir) = self.path.parent() {
            make_own_dir(dir, Path::new(""), Purpose::State)
                .map_err(|error| Error::io("cannot use the state directory", dir, error))?;
        }
        let mut options = OpenOptions::new();
        options.create(true).read(true).append(true);
        let file = match open_own(&self.path, &mut options) {
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                return Err(self.refused());
            }
            opened => opened.map_err(failed)?,
        };
        let locked = impatiently(host, LOCK_WAIT, || {
            lock_file(host, &self.path, &file, &mut || Ok(file.try_lock()?))
        });
        match locked {
            Err(error) if error.kind() == ErrorKind::TimedOut && over(host).is_none() => {
                let held = Holder::in_words(&file.metadata().into_iter().collect::<Vec<_>>());
                let path = self.path.display();
                let context =
                    format!("{path}, {held}, is not written: try again when that has ended");
                Err(Error::new(ErrorKind::Busy, context))
            }
            locked => locked.map(|()| file),
        }
    }

    /// Makes sure that the state, if there is one, is the user's own.
    fn check_state(&self) -> Result<()> {
        let Some(dir) = self.path.parent() else {
            return Ok(());
        };
        match check_own_dir(dir, Purpose::State) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(Error::io("cannot use the state directory", dir, error))
            }
            _ => Ok(()),
        }
    }

    fn read(&self, file: &File) -> Result<Vec<TrustLine>> {
        let failed = |error| Error::io("read", &self.path, error);
        let metadata = file.metadata().map_err(failed)?;
        let user = rustix::process::geteuid().as_raw();
        let is_own = metadata.uid() == user || metadata.uid() == 0;
        if !metadata.is_file() || !is_own || metadata.mode() & 0o022 != 0 {
            return Err(self.refused());
        }
        let mut bytes = Vec::new();
        file.take(LIST_BYTES_MAX + 1)
            .read_to_end(&mut bytes)
            .map_err(failed)?;
        if bytes.len() as u64 > LIST_BYTES_MAX {
            return Err(self.full());
        }
        // A last line without an end was cut short.
        let lines = bytes.split_inclusive(|byte| *byte == b'\n');
        Ok(lines
            .filter_map(|line| parsed(line.strip_suffix(b"\n")?))
            .collect())
    }

    fn append(&self, file: &mut File, line: &TrustLine) -> Result<()> {
        let line = written(line);
        let size = file.metadata().map_or(0, |metadata| metadata.len());
        if size + line.len() as u64 > LIST_BYTES_MAX {
            return Err(self.full());
        }
        self.write(file, &line)
    }

    /// Rewrites the list. Cut short by a crash, it trusts less, never more.
    fn replace(&self, file: &mut File, lines: &[TrustLine]) -> Result<()> {
        let text: Vec<u8> = lines.iter().flat_map(written).collect();
        file.set_len(0)
            .map_err(|error| Error::io("write", &self.path, error))?;
        self.write(file, &text)
    }

    fn write(&self, file: &mut File, text: &[u8]) -> Result<()> {
        file.write_all(text)
            .and_then(|()| file.sync_all())
            .map_err(|error| Error::io("write", &self.path, error))
    }

    fn refused(&self) -> Error {
        let path = self.path.display();
        Error::new(
            ErrorKind::Refused,
            format!("{path} is not a file of yours alone: look who wrote it, then remove it"),
        )
    }

    fn full(&self) -> Error {
        let path = self.path.display();
        Error::new(
            ErrorKind::Refused,
            format!(
                "{path} holds more than 1 MiB: `recover trust --revoke` what is gone, or remove it"
            ),
        )
    }
}

impl TrustLine {
    /// The answer for a content, if the line is one.
    pub(crate) fn content(&self) -> Option<&TrustedContent> {
        match self {
            Self::Workspace(_) => None,
            Self::Content(content) => Some(content),
        }
    }
}

/// `line` with its end.
fn written(line: &TrustLine) -> Vec<u8> {
    let (mut bytes, path) = match line {
        TrustLine::Workspace(root) => (Vec::new(), root),
        TrustLine::Content(content) => {
            let word = if content.may_run { "yes" } else { "no" };
            let head = format!("{word} {} ", content.sha256);
            (head.into_bytes(), &content.path)
        }
    };
    for byte in path.as_os_str().as_bytes() {
        match byte {
            b'\\' => bytes.extend(b"\\\\"),
            b'\n' => bytes.extend(b"\\n"),
            byte => bytes.push(*byte),
        }
    }
    bytes.push(b'\n');
    bytes
}

/// Parses `line`, which has no end; `None` if it is in no form of ours.
fn parsed(line: &[u8]) -> Option<TrustLine> {
    let content = |rest: &[u8], may_run| {
        let (sha256, path) = rest.split_at_checked(64)?;
        let is_hex = |byte: &u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(byte);
        Some(TrustLine::Content(TrustedContent {
            path: absolute(path.strip_prefix(b" ")?)?,
            sha256: String::from_utf8(sha256.to_vec())
                .ok()
                .filter(|_| sha256.iter().all(is_hex))?,
            may_run,
        }))
    };
    if let Some(rest) = line.strip_prefix(b"yes ") {
        return content(rest, true);
    }
    if let Some(rest) = line.strip_prefix(b"no ") {
        return content(rest, false);
    }
    absolute(line).map(TrustLine::Workspace)
}

/// The path in `text`.
fn absolute(text: &[u8]) -> Option<PathBuf> {
    let mut bytes = Vec::new();
    let mut rest = text.iter();
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
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use auto_recovery::host::SystemHost;

    use super::*;

    fn content(path: &str, digit: char, may_run: bool) -> TrustedContent {
        TrustedContent {
            path: PathBuf::from(path),
            sha256: digit.to_string().repeat(64),
            may_run,
        }
    }

    #[test]
    fn a_line_is_read_back_whatever_the_name_is() {
        for path in [
            &b"/w"[..],
            b"/a b",
            b"/a\nb",
            b"/a\\nb",
            b"/\\",
            b"/\xff\n\n\\",
        ] {
            let path = PathBuf::from(OsString::from_vec(path.to_vec()));
            for line in [
                TrustLine::Workspace(path.clone()),
                TrustLine::Content(TrustedContent {
                    path: path.clone(),
                    ..content("/", 'a', true)
                }),
                TrustLine::Content(TrustedContent {
                    path,
                    ..content("/", '0', false)
                }),
            ] {
                let bytes = written(&line);
                assert_eq!(bytes.iter().filter(|byte| **byte == b'\n').count(), 1);
                assert_eq!(parsed(&bytes[..bytes.len() - 1]), Some(line));
            }
        }
        let short = format!("yes {} /a", "a".repeat(63));
        let no_hex = format!("no {} /a", "g".repeat(64));
        let relative = format!("yes {} a", "a".repeat(64));
        let texts = ["", "w", "/a\\", "/a\\x", &short, &no_hex, &relative, "yes "];
        for nonsense in texts {
            assert_eq!(parsed(nonsense.as_bytes()), None, "{nonsense}");
        }
    }

    #[test]
    fn what_is_said_of_a_content_holds_for_that_content_until_it_is_forgotten() {
        let state = tempfile::tempdir().unwrap();
        let (list, host) = (Trusted::of(state.path()), SystemHost::new());
        let say = |content: &TrustedContent| list.say(content, &host).unwrap();
        assert!(say(&content("/a", '1', true)));
        assert!(!say(&content("/a", '1', true)), "that is no news");
        assert!(say(&content("/a", '2', false)));
        let of = |path, digit: &str| list.said_of(Path::new(path), &digit.repeat(64));
        assert_eq!(of("/a", "1"), Some(true));
        assert_eq!(of("/a", "2"), Some(false));
        assert_eq!((of("/a", "3"), of("/b", "1")), (None, None));
        assert!(say(&content("/a", '2', true)), "somebody thought again");
        assert_eq!(of("/a", "2"), Some(true));
        for digit in "3456789abcdef".chars().chain("0".chars()) {
            say(&content("/a", digit, true));
        }
        let far = TrustedContent {
            sha256: "01".repeat(32),
            ..content("/a", '0', true)
        };
        say(&far);
        assert_eq!(list.lines().unwrap().len(), CONTENTS_MAX);
        assert_eq!(of("/a", "1"), None, "the oldest is forgotten");
        let is_a = |line: &TrustLine| line.content().is_some_and(|c| c.path == Path::new("/a"));
        assert!(list.forget(is_a, &host).unwrap());
        assert!(!list.forget(is_a, &host).unwrap());
        assert_eq!(list.lines().unwrap(), []);
    }

    #[test]
    fn a_list_that_is_not_the_users_alone_says_nothing_and_is_not_written() {
        let state = tempfile::tempdir().unwrap();
        let (list, host) = (Trusted::of(state.path()), SystemHost::new());
        let path = state.path().join(FILE);
        let victim = state.path().join("victim");
        std::fs::write(&victim, "/w\n").unwrap();
        symlink(&victim, &path).unwrap();
        assert!(!list.has(Path::new("/w")), "a link is not followed");
        assert!(list.add(Path::new("/x"), &host).is_err());
        assert_eq!(std::fs::read_to_string(&victim).unwrap(), "/w\n");
        std::fs::remove_file(&path).unwrap();
        let mode = rustix::fs::Mode::from_raw_mode(0o600);
        rustix::fs::mkfifoat(rustix::fs::CWD, &path, mode).unwrap();
        assert!(!list.has(Path::new("/w")), "a FIFO is not waited for");
        assert!(list.add(Path::new("/x"), &host).is_err());
        std::fs::remove_file(&path).unwrap();
        assert!(list.add(Path::new("/x"), &host).unwrap());
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o620)).unwrap();
        assert!(!list.has(Path::new("/x")));
        assert!(list.add(Path::new("/y"), &host).is_err());
    }

    #[test]
    fn a_list_that_is_full_or_held_is_not_added_to() {
        let state = tempfile::tempdir().unwrap();
        let (list, host) = (Trusted::of(state.path()), SystemHost::new());
        list.add(Path::new("/x"), &host).unwrap();
        let path = state.path().join(FILE);
        let file = File::options().append(true).open(&path).unwrap();
        file.set_len(LIST_BYTES_MAX).unwrap();
        assert_eq!(
            list.add(Path::new("/y"), &host).unwrap_err().kind(),
            ErrorKind::Refused
        );
        file.lock().unwrap();
        let busy = list.add(Path::new("/y"), &host).unwrap_err();
        assert_eq!(busy.kind(), ErrorKind::Busy);
        // The deadline ends that wait too, and is reported as a deadline.
        host.set_deadline(Some(host.monotonic()));
        let late = list.add(Path::new("/y"), &host).unwrap_err();
        assert_eq!(late.kind(), ErrorKind::TimedOut);
    }
}
