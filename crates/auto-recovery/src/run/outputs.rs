//! The kept output of a session's commands: `STATE/outputs/<session>/`.
//!
//! `000.log` is what the command wrote when it failed first. `NNN.log` is what attempt NNN wrote:
//! the strategy's command, then the verification, each below a line `$ command`. `failure.json` and
//! `failure.log` are what strategy commands are given: the failure they face and the output that
//! shows it; `approve.diff` is what an approval command is given. Directories are 0700 and files
//! 0600; each stream is kept with a bounded head and tail.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use crate::audit::session_id;
use crate::error::{Error, Result};
use crate::failure::Failure;
use crate::process::Completion;

/// Where outputs stand in the state.
pub(super) const OUTPUTS: &str = "outputs";

/// The directory of one session's outputs.
#[derive(Clone, Debug)]
pub struct Outputs {
    dir: PathBuf,
}

impl Outputs {
    /// Those of `session_id` below `state_dir`. Nothing is created before something is kept.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`](crate::ErrorKind::InvalidInput) if it cannot be an id.
    pub fn of(state_dir: &Path, session_id: &str) -> Result<Self> {
        let name = session_id::encode(session_id)?;
        Ok(Self {
            dir: state_dir.join(OUTPUTS).join(name),
        })
    }

    /// The log of attempt `number`; 0 is the command's first run.
    pub fn log(&self, number: u64) -> PathBuf {
        self.dir.join(format!("{number:03}.log"))
    }

    /// The output that shows the failure in question.
    pub(super) fn failure_log(&self) -> PathBuf {
        self.dir.join("failure.log")
    }

    /// The failure in question.
    pub(super) fn failure_json(&self) -> PathBuf {
        self.dir.join("failure.json")
    }

    /// The change that waits for approval.
    pub(super) fn diff(&self) -> PathBuf {
        self.dir.join("approve.diff")
    }

    /// Replaces the change that waits for approval.
    pub(super) fn keep_diff(&self, diff: &[u8]) -> Result<()> {
        self.create_dir()?;
        replace(&self.diff(), diff)
    }

    /// Appends what `command` wrote to the log of attempt `number`.
    pub(super) fn keep(&self, number: u64, command: &str, ran: &Completion) -> Result<PathBuf> {
        let path = self.log(number);
        self.create_dir()?;
        let mut file = OpenOptions::new()
            .create(true)
            .append(true)
            .mode(0o600)
            .open(&path)
            .map_err(|error| Error::io("open", &path, error))?;
        let seconds = ran.duration.as_secs_f64();
        let mut write = || -> std::io::Result<()> {
            writeln!(file, "$ {}", command.replace('\n', "\\n"))?;
            let output = ran.capture.interleaved();
            file.write_all(&output)?;
            if !output.ends_with(b"\n") && !output.is_empty() {
                writeln!(file)?;
            }
            writeln!(file, "[{}, {seconds:.1} s]", ran.exit)
        };
        write().map_err(|error| Error::io("write", &path, error))?;
        Ok(path)
    }

    /// Replaces the failure in question, and the output that shows it.
    pub(super) fn keep_failure(&self, failure: &Failure, output: &[u8]) -> Result<()> {
        self.create_dir()?;
        let json = serde_json::to_vec(failure)
            .map_err(|error| Error::os("serialise the failure", std::io::Error::from(error)))?;
        replace(&self.failure_log(), output)?;
        replace(&self.failure_json(), &json)
    }

    /// Removes everything kept.
    ///
    /// # Errors
    /// If a file cannot be removed.
    pub fn remove(&self) -> Result<()> {
        match fs::remove_dir_all(&self.dir) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(Error::io("remove", &self.dir, error))
            }
            _ => Ok(()),
        }
    }

    fn create_dir(&self) -> Result<()> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.dir)
            .map_err(|error| Error::io("create", &self.dir, error))
    }
}

fn replace(path: &Path, bytes: &[u8]) -> Result<()> {
    let write = || -> std::io::Result<()> {
        let mut options = OpenOptions::new();
        let mut file = options
            .create(true)
            .write(true)
            .truncate(true)
            .mode(0o600)
            .open(path)?;
        file.write_all(bytes)
    };
    write().map_err(|error| Error::io("write", path, error))
}
