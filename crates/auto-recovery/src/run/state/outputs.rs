//! The kept output of a session's commands: `STATE/outputs/<session>/`.
//!
//! `000.log` is what the command wrote when it failed first. `NNN.log` is what attempt NNN wrote:
//! the strategy's command, then the verification, each below a line `$ command`; where several runs
//! share a session, the second of a number is `NNN-2.log`. `failure-RUN.json` and `failure-RUN.log`
//! are what strategy commands are given: the failure they face and the output that shows it;
//! `context-RUN.json` and `prompt-RUN.md` are what else they are told, `since-good-RUN.patch` and
//! `try-NNN-RUN.patch` the patches that those name;
//! `approve-RUN.diff` is what an approval command is given; `cure-RUN.patch` is what a cure
//! changed, for `git apply`. Directories are 0700 and files 0600; each stream is kept with a
//! bounded head and tail, and without its secrets: [`crate::run::state::masked_output`].
//!
//! Where texts are encrypted, `NNN.log.age` and `cure-RUN.patch.age` stand in the place of logs and
//! patches, and strategy commands are given files in memory: [`crate::run::state::vault`].
//!
//! A run has the directory locked, shared with others of the session, for as long as it lives: so
//! pruning sees from the kernel which session is under way.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{BufWriter, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use crate::audit::session_id;
use crate::error::{Error, Result};
use crate::failure::Failure;
use crate::files::{Purpose, Synced, create_afresh, make_own_dir, open_own, stands_at};
use crate::mutex;
use crate::process::Completion;
use crate::run::state::vault::{SEALED_SUFFIX, Vault};
use crate::wording::spelled;

/// Characters of a run's id that tell its files from those of another run.
const RUN_CHARS: usize = 8;

/// Directory of the outputs in the state.
pub(in crate::run) const OUTPUTS: &str = "outputs";

/// Number of times the directory is made again when others remove it at that very moment.
const REMOVED_MAX: u32 = 100;

/// Attempts of one number that runs of a session may keep apart: far more than run at once.
const SAME_NUMBER_MAX: u32 = 1000;

/// The largest patch of a cure that is kept: 64 MiB, which is more than a person reviews.
const CURE_BYTES_MAX: u64 = 64 << 20;

/// The directory of one session's outputs.
#[derive(Clone, Debug)]
pub struct Outputs {
    state_dir: PathBuf,
    dir: PathBuf,
    /// Part of the names of this run's own files, where several runs share a session.
    run: String,
    /// The logs that this run began, by the number of the attempt.
    begun: Arc<Mutex<HashMap<u64, PathBuf>>>,
    /// Encrypts what is kept, where texts are encrypted.
    vault: Option<Vault>,
    /// The directory, locked.
    held: Arc<Mutex<Option<File>>>,
}

impl Outputs {
    /// The outputs of `session_id` below `state_dir`, for the run `run_id`. Nothing is created
    /// before something is kept.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`](crate::ErrorKind::InvalidInput) if it cannot be an id.
    pub fn of(state_dir: &Path, session_id: &str, run_id: &str) -> Result<Self> {
        let name = session_id::encode(session_id)?;
        // The end of an id is what differs.
        let from = run_id.len().saturating_sub(RUN_CHARS);
        Ok(Self {
            state_dir: state_dir.to_owned(),
            dir: state_dir.join(OUTPUTS).join(name),
            run: run_id.get(from..).unwrap_or(run_id).to_owned(),
            begun: Arc::default(),
            vault: None,
            held: Arc::default(),
        })
    }

    /// The same, where texts are encrypted by `vault`.
    #[must_use]
    pub(in crate::run) fn encrypted_by(self, vault: Option<Vault>) -> Self {
        Self { vault, ..self }
    }

    /// Whether strategy commands are given files on a disk though texts are encrypted.
    pub(in crate::run) fn are_given_in_plain(&self) -> bool {
        self.vault
            .as_ref()
            .is_some_and(|vault| vault.given().is_none())
    }

    /// Removes what this run gave strategy commands, where texts are encrypted.
    pub(in crate::run) fn forget_given(&self) {
        if let Some(vault) = &self.vault {
            vault.forget_given(&self.run);
            for name in ["failure", "context", "prompt", "since-good", "approve"] {
                for extension in ["log", "json", "md", "patch", "diff"] {
                    self.remove_own(name, extension);
                }
            }
        }
    }

    /// The output that shows the failure in question.
    pub(in crate::run) fn failure_log(&self) -> PathBuf {
        self.of_run("failure", "log")
    }

    /// The failure in question.
    pub(in crate::run) fn failure_json(&self) -> PathBuf {
        self.of_run("failure", "json")
    }

    /// The change that waits for approval.
    pub(in crate::run) fn diff(&self) -> PathBuf {
        self.of_run("approve", "diff")
    }

    /// This run's own file `name`.
    pub(in crate::run) fn of_run(&self, name: &str, extension: &str) -> PathBuf {
        let given = self.vault.as_ref().and_then(Vault::given);
        let dir = given.unwrap_or(&self.dir);
        dir.join(format!("{name}-{}.{extension}", self.run))
    }

    /// Replaces the contents of `path`, a file of these outputs, with the output of `write`.
    pub(in crate::run) fn write_afresh(
        &self,
        path: &Path,
        write: impl FnOnce(&mut dyn Write) -> Result<()>,
    ) -> Result<()> {
        self.create_dir()?;
        let file = create_afresh(path).map_err(|error| Error::io("write", path, error))?;
        let mut file = BufWriter::new(file);
        write(&mut file)?;
        file.flush()
            .map_err(|error| Error::io("write", path, error))
    }

    /// Keeps the change that cured, as `write` writes it, [`CURE_BYTES_MAX`] at most; returns its
    /// path. A change that cannot be kept whole leaves no file.
    pub(in crate::run) fn keep_cure(
        &self,
        write: impl FnOnce(&mut dyn Write) -> Result<()>,
    ) -> Result<PathBuf> {
        self.create_dir()?;
        if let Some(vault) = &self.vault {
            return self.keep_closed_cure(vault, write);
        }
        let path = self.of_run("cure", "patch");
        let mut options = OpenOptions::new();
        let file = options.create_new(true).write(true).mode(0o600).open(&path);
        let file = file.map_err(|error| Error::io("create", &path, error))?;
        let written = write(&mut Limited {
            out: file,
            left: CURE_BYTES_MAX,
        });
        match written {
            Ok(()) => Ok(path),
            Err(error) => {
                // The reason why it cannot be kept is what matters.
                fs::remove_file(&path).ok();
                Err(error)
            }
        }
    }

    /// The same, encrypted by `vault`.
    fn keep_closed_cure(
        &self,
        vault: &Vault,
        write: impl FnOnce(&mut dyn Write) -> Result<()>,
    ) -> Result<PathBuf> {
        let mut patch = Limited {
            out: Vec::new(),
            left: CURE_BYTES_MAX,
        };
        write(&mut patch)?;
        let name = format!("cure-{}.patch{SEALED_SUFFIX}", self.run);
        let path = self.dir.join(name);
        replace(&path, &vault.close(&patch.out))?;
        Ok(path)
    }

    /// Appends what `command` wrote, `output`, to the log of attempt `number`.
    pub(in crate::run) fn keep(
        &self,
        number: u64,
        command: &str,
        (ran, output): (&Completion, &[u8]),
    ) -> Result<PathBuf> {
        self.create_dir()?;
        let (path, mut file) = self.log(number)?;
        let took = spelled(ran.duration);
        let write = |out: &mut dyn Write| -> std::io::Result<()> {
            writeln!(out, "$ {}", command.replace('\n', "\\n"))?;
            out.write_all(output)?;
            if !output.ends_with(b"\n") && !output.is_empty() {
                writeln!(out)?;
            }
            writeln!(out, "[{}, {took}]", ran.exit)
        };
        let failed = |error| Error::io("write", &path, error);
        match &self.vault {
            None => write(&mut file).map_err(failed)?,
            Some(vault) => {
                let mut text = Vec::new();
                write(&mut text).map_err(failed)?;
                crate::files::replace(&path, Synced::No, &vault.with_more(&path, &text)?)?;
            }
        }
        Ok(path)
    }

    /// The log of attempt `number`, open at its end. Another run of the session may have one of
    /// that number: it is not touched.
    fn log(&self, number: u64) -> Result<(PathBuf, File)> {
        let mut begun = mutex::lock(&self.begun);
        let mut options = OpenOptions::new();
        options.append(true).mode(0o600);
        if let Some(path) = begun.get(&number) {
            let opened = open_own(path, &mut options);
            let file = opened.map_err(|error| Error::io("open", path, error))?;
            return Ok((path.clone(), file));
        }
        for copy in 1..=SAME_NUMBER_MAX {
            let suffix = self.vault.as_ref().map_or("", |_| SEALED_SUFFIX);
            let path = self.dir.join(match copy {
                1 => format!("{number:03}.log{suffix}"),
                copy => format!("{number:03}-{copy}.log{suffix}"),
            });
            match options.create_new(true).open(&path) {
                Ok(file) => {
                    begun.insert(number, path.clone());
                    return Ok((path, file));
                }
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => return Err(Error::io("create", &path, error)),
            }
        }
        let context = format!("the session has {SAME_NUMBER_MAX} outputs of attempt {number}");
        Err(Error::new(crate::error::ErrorKind::Busy, context))
    }

    /// Replaces the failure in question, and the output that shows it.
    pub(in crate::run) fn keep_failure(&self, failure: &Failure, output: &[u8]) -> Result<()> {
        self.create_dir()?;
        let json = serde_json::to_vec(failure)
            .map_err(|error| Error::os("serialise the failure", std::io::Error::from(error)))?;
        replace(&self.failure_log(), output)?;
        replace(&self.failure_json(), &json)
    }

    /// Removes this run's own file `name`, if it is there.
    pub(in crate::run) fn remove_own(&self, name: &str, extension: &str) {
        // What cannot be removed is removed with the session.
        fs::remove_file(self.of_run(name, extension)).ok();
    }

    /// Removes everything kept.
    ///
    /// # Errors
    /// If a file cannot be removed.
    pub fn remove(&self) -> Result<()> {
        match fs::remove_dir_all(&self.dir) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(Error::io("remove", &self.dir, error))
            }
            _ => Ok(()),
        }
    }

    /// Makes the directory, and has it locked from then on.
    fn create_dir(&self) -> Result<()> {
        let failed = |error| Error::io("create", &self.dir, error);
        if let Some(vault) = &self.vault {
            vault.make_given()?;
        }
        let mut held = mutex::lock(&self.held);
        for _ in 0..REMOVED_MAX {
            let below = self.dir.strip_prefix(&self.state_dir);
            let below = below.expect("outputs stand in the state");
            make_own_dir(&self.state_dir, below, Purpose::State).map_err(failed)?;
            if held.as_ref().is_some_and(|held| stands_at(held, &self.dir)) {
                return Ok(());
            }
            let dir = File::open(&self.dir).map_err(failed)?;
            // Where nothing can be locked, nothing is removed by itself either.
            let _unlocked = dir.lock_shared();
            *held = Some(dir);
        }
        let context = format!("{} is removed as often as it is made", self.dir.display());
        Err(Error::new(crate::error::ErrorKind::Busy, context))
    }
}

/// The locked directory at `dir`, if no run of its session lives.
pub(in crate::run) fn lock_unused(dir: &Path) -> Option<File> {
    let file = File::open(dir).ok()?;
    file.try_lock().ok()?;
    stands_at(&file, dir).then_some(file)
}

/// A place that takes this many more bytes.
struct Limited<W> {
    out: W,
    left: u64,
}

impl<W: Write> Write for Limited<W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if bytes.len() as u64 > self.left {
            return Err(std::io::Error::new(
                ErrorKind::FileTooLarge,
                format!("it is larger than {} MiB", CURE_BYTES_MAX >> 20),
            ));
        }
        let count = self.out.write(bytes)?;
        self.left -= count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.out.flush()
    }
}

fn replace(path: &Path, bytes: &[u8]) -> Result<()> {
    // The old file stays as it was for readers that still have it open.
    let write = || create_afresh(path)?.write_all(bytes);
    write().map_err(|error| Error::io("write", path, error))
}
