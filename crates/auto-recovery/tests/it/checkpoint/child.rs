//! Running one of these tests again in a process of its own, to be killed or to have another
//! environment.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

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
