//! Running one of these tests again in a process of its own, to be killed or to have another
//! environment.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

/// Names the directory that a child works on; not set in an ordinary run.
const DIRECTORY: &str = "RECOVER_TEST_DIRECTORY";

/// The directory to work on, when this process is such a child.
#[expect(
    clippy::disallowed_methods,
    reason = "how a child of a test is told what to do"
)]
pub(crate) fn directory() -> Option<PathBuf> {
    std::env::var_os(DIRECTORY).map(PathBuf::from)
}

/// This binary, told to run the test `name` as a child on `directory`.
#[expect(clippy::disallowed_methods, reason = "the process is a test of ours")]
pub(crate) fn command(name: &str, directory: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", name, "--nocapture", "--test-threads=1"])
        .env(DIRECTORY, directory)
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    command
}

/// The user that stands for anybody who is not root.
pub(crate) const NOBODY: u32 = 65_534;

/// Runs `check`, the body of the test `name`, as whoever runs the tests, and where that is root as
/// somebody who is not, too: root is let in everywhere.
pub(crate) fn as_user_too(name: &str, check: fn()) {
    check();
    if directory().is_some() || !rustix::process::geteuid().is_root() {
        return;
    }
    if let Some(nobody) = Nobody::start(name) {
        nobody.finish();
    }
}

/// A test that runs as somebody who is not root, in a directory of theirs.
pub(crate) struct Nobody {
    dir: TempDir,
    child: Child,
}

impl Nobody {
    /// Starts the test `name`; `None` where nobody else can be run as.
    pub(crate) fn start(name: &str) -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let program = dir.path().join("tests");
        copy(&std::env::current_exe().unwrap(), &program);
        std::os::unix::fs::chown(dir.path(), Some(NOBODY), Some(NOBODY)).unwrap();
        match as_nobody(&program, name, dir.path()).spawn() {
            Ok(child) => Some(Self { dir, child }),
            Err(error) => {
                skipped(&format!("nobody else can be run as: {error}"));
                None
            }
        }
    }

    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Waits for the test, which must pass.
    pub(crate) fn finish(self) {
        let done = self.child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&done.stdout);
        let failed = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success(), "as a user: {said}{failed}");
        assert!(said.contains("1 passed"), "as a user: {said}");
    }
}

/// Says why a test ends early.
pub(crate) fn skipped(why: &str) {
    use std::io::Write as _;
    let _nobody_reads = writeln!(std::io::stderr(), "skipped: {why}");
}

/// Copies a program by another process: one that is open for writing here may be inherited by a
/// child of another test, and cannot be started then.
#[expect(clippy::disallowed_methods, reason = "a copy as a user would make it")]
fn copy(from: &Path, to: &Path) {
    let copied = Command::new("cp").args([from, to]).status().unwrap();
    assert!(copied.success());
}

#[expect(clippy::disallowed_methods, reason = "the process is a test of ours")]
fn as_nobody(program: &Path, name: &str, dir: &Path) -> Command {
    let mut command = Command::new("setpriv");
    command
        .args([format!("--reuid={NOBODY}"), format!("--regid={NOBODY}")])
        .arg("--clear-groups")
        .arg(program)
        .args(["--exact", name, "--nocapture", "--test-threads=1"])
        .env(DIRECTORY, dir)
        .env("TMPDIR", dir)
        .current_dir(dir)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// A program that appends to a file which it keeps open.
pub(crate) struct Writer {
    child: Child,
    path: PathBuf,
}

/// A program that has the file at `path` open for writing.
#[expect(clippy::disallowed_methods, reason = "a server that is none of ours")]
pub(crate) fn writer_of(path: &Path) -> Writer {
    let file = std::fs::OpenOptions::new().append(true).open(path).unwrap();
    let mut cat = Command::new("cat");
    let cat = cat.stdin(Stdio::piped()).stdout(file);
    Writer {
        child: cat.spawn().unwrap(),
        path: path.to_owned(),
    }
}

impl Writer {
    /// Has it write `text`, and waits until it has.
    pub(crate) fn write(&mut self, text: &str) {
        use std::io::Write as _;
        let stdin = self.child.stdin.as_mut().unwrap();
        stdin.write_all(text.as_bytes()).unwrap();
        while !std::fs::read_to_string(&self.path).unwrap().ends_with(text) {
            std::thread::yield_now();
        }
    }

    /// Ends it.
    pub(crate) fn end(mut self) {
        drop(self.child.stdin.take());
        assert!(self.child.wait().unwrap().success());
    }
}
