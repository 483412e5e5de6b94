//! Where `--result-file` and reports go: known to be writable before the command runs, whole in the
//! end.
//!
//! A file is replaced at once, never written bit by bit; a link stays, and what it points at is
//! replaced. What is no file (a device, a pipe, an open stream like /dev/stdout) is written into.

use std::cell::Cell;
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::fs::{FileTypeExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use auto_recovery::export;
use auto_recovery::host::{Host, Wait};
use auto_recovery::patience::{Waiting, over};
use auto_recovery::run::ResultFile;
use auto_recovery::{Error, ErrorKind, Result};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Access, AtFlags, CWD, OFlags, accessat, fcntl_setfl};
use rustix::io::Errno;

/// Links that are followed to see where a path leads, as many as the system follows.
const LINKS_MAX: usize = 40;

/// How often and how far apart a pipe is asked whether somebody reads it: 10 s in all, as long as a
/// process is given to end.
const READER_POLLS: u32 = 200;
const READER_POLL: Duration = Duration::from_millis(50);

/// Where a result goes.
pub(super) struct ResultPlace {
    /// The path, as it was typed.
    path: PathBuf,
    target: Target,
    /// Whether somebody was waited for who did not come to read.
    waited: Cell<bool>,
}

enum Target {
    /// This file, which is made or replaced.
    Whole(PathBuf),
    /// What is open already, and is written into.
    Stream(File),
    /// The pipe that nobody read when it was looked at.
    UnreadPipe,
}

impl ResultPlace {
    /// Makes sure that a result can be written to `path` in the end, and that what an earlier run
    /// says there is not taken for what this one does, whatever ends it.
    ///
    /// # Errors
    /// If it cannot, named as what is wrong with `flag`; nothing is changed then.
    pub(super) fn prepare(flag: &'static str, path: &Path) -> Result<Self> {
        Self::look(path).map_err(|error| error.context(flag))
    }

    fn look(path: &Path) -> Result<Self> {
        if let Some(own) = own_stream(path) {
            let own = own.map_err(|error| Error::io("open", path, error))?;
            return Ok(Self {
                path: path.to_owned(),
                target: Target::Stream(own),
                waited: Cell::new(false),
            });
        }
        let target = match fs::metadata(path) {
            Ok(metadata) if metadata.is_dir() => {
                return Err(refusal(path, "is a directory: name a file in it"));
            }
            Ok(metadata) if metadata.is_file() && !is_open_stream(path) => replaced(path)?,
            Ok(metadata) => stream(path, &metadata)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let target = behind_links(path);
                check_directory(&target)?;
                check_new(&target)?;
                Target::Whole(target)
            }
            Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
                return Err(refusal(directory(path), "is no directory: make it first"));
            }
            Err(error) => return Err(Error::io("look at", path, error)),
        };
        Ok(Self {
            path: path.to_owned(),
            target,
            waited: Cell::new(false),
        })
    }

    /// Puts `result` there: into a file whole or not at all, for its owner alone.
    ///
    /// # Errors
    /// If it cannot be written, or nobody comes to read a pipe.
    pub(super) fn write(&self, result: &ResultFile<'_>, host: &dyn Host) -> Result<()> {
        let text = serde_json::to_vec_pretty(result)
            .map_err(|error| Error::os("serialise the result", io::Error::from(error)))?;
        self.write_bytes(&text, host)
    }

    /// Puts `text` there, as [`ResultPlace::write`] does.
    ///
    /// # Errors
    /// If it cannot be written, or nobody comes to read a pipe.
    pub(super) fn write_bytes(&self, text: &[u8], host: &dyn Host) -> Result<()> {
        let failed = |error| Error::io("write the result to", &self.path, error);
        match &self.target {
            Target::Whole(target) => {
                export::replace(target, &mut |file| file.write_all(text).map_err(failed))
            }
            Target::Stream(stream) => self.pass_on(stream, text, host),
            // What cannot be told is not waited for once more to tell that.
            Target::UnreadPipe => {
                let stream = read_by_somebody(&self.path, host, self.waited.replace(true))?;
                self.pass_on(&stream, text, host)
            }
        }
    }

    /// Writes `text` into `stream` as its reader takes it, for as long as the user waits for that:
    /// what is said to be writable takes this much without blocking.
    fn pass_on(&self, mut stream: &File, text: &[u8], host: &dyn Host) -> Result<()> {
        const CHUNK_BYTES: usize = 4096;
        let failed = |error| Error::io("write the result to", &self.path, error);
        let what = || format!("the reader of {}", self.path.display());
        let mut left = text;
        let mut waiting = Waiting::default();
        while !left.is_empty() {
            let mut fds = [PollFd::new(stream, PollFlags::OUT)];
            match poll(&mut fds, Some(&Timespec::default())) {
                Ok(0) => waiting.pause(host, &what)?,
                Ok(_) => {
                    let count = stream.write(&left[..left.len().min(CHUNK_BYTES)]);
                    left = &left[count.map_err(failed)?..];
                    waiting = Waiting::default();
                }
                Err(Errno::INTR) => {}
                Err(errno) => return Err(failed(errno.into())),
            }
        }
        Ok(())
    }
}

/// The file at `path`, out of the way.
fn replaced(path: &Path) -> Result<Target> {
    let target = fs::canonicalize(path).map_err(|error| Error::io("find", path, error))?;
    check_directory(&target)?;
    fs::remove_file(&target).map_err(|error| Error::io("remove", path, error))?;
    Ok(Target::Whole(target))
}

/// What is no file at `path`, opened.
fn stream(path: &Path, metadata: &fs::Metadata) -> Result<Target> {
    let kind = metadata.file_type();
    if kind.is_socket() || kind.is_block_device() {
        return Err(refusal(
            path,
            "is nothing that a result can be written to: name a file",
        ));
    }
    match open_stream(path) {
        Ok(stream) => Ok(Target::Stream(stream)),
        Err(error) if kind.is_fifo() && is_unread(&error) => Ok(Target::UnreadPipe),
        Err(error) => Err(Error::io("open", path, error)),
    }
}

/// Opens what is there for writing, without waiting for a reader, at its end, and never as the
/// terminal that controls this process.
fn open_stream(path: &Path) -> io::Result<File> {
    let flags = OFlags::NONBLOCK | OFlags::NOCTTY;
    let stream = OpenOptions::new()
        .append(true)
        .custom_flags(flags.bits().cast_signed())
        .open(path)?;
    // From here on a reader that is slow is waited for.
    fcntl_setfl(&stream, OFlags::APPEND)?;
    Ok(stream)
}

fn is_unread(error: &io::Error) -> bool {
    error.raw_os_error() == Some(Errno::NXIO.raw_os_error())
}

/// The pipe at `path` once somebody reads it; after `waited`, if somebody does now.
fn read_by_somebody(path: &Path, host: &dyn Host, waited: bool) -> Result<File> {
    for _ in 0..if waited { 1 } else { READER_POLLS } {
        match open_stream(path) {
            Ok(stream) => return Ok(stream),
            Err(error) if !is_unread(&error) => {
                return Err(Error::io("write the result to", path, error));
            }
            Err(_) if waited => break,
            Err(_) if over(host).is_some() || host.sleep(READER_POLL) == Wait::Interrupted => break,
            Err(_) => {}
        }
    }
    let context = format!(
        "nobody reads {}, which is a pipe: start its reader first",
        path.display()
    );
    Err(Error::new(ErrorKind::Io, context))
}

/// This process's stdout or stderr, if `path` leads to one of them, as /dev/stdout does: the stream
/// itself, for a file that is opened once more is written from its beginning.
fn own_stream(path: &Path) -> Option<io::Result<File>> {
    let (directory, name) = open_stream_name(path)?;
    if directory != fs::canonicalize("/proc/self/fd").ok()? {
        return None;
    }
    let stream = match name.to_str()? {
        "1" => io::stdout().as_fd().try_clone_to_owned(),
        "2" => io::stderr().as_fd().try_clone_to_owned(),
        _ => return None,
    };
    Some(stream.map(File::from))
}

/// Whether `path` leads to something that a process has open, as /dev/fd/3 does: whoever opened it
/// may still write to it, so it is not to be replaced.
fn is_open_stream(path: &Path) -> bool {
    open_stream_name(path).is_some()
}

/// The directory in /proc and the name in it that `path` leads to, if it does.
fn open_stream_name(path: &Path) -> Option<(PathBuf, OsString)> {
    let mut path = path.to_owned();
    for _ in 0..LINKS_MAX {
        let to = fs::read_link(&path).ok()?;
        let at = fs::canonicalize(directory(&path)).ok()?;
        if at.starts_with("/proc") {
            return Some((at, path.file_name()?.to_owned()));
        }
        path = at.join(to);
    }
    None
}

/// Refuses a file in a directory where none can be made.
fn check_directory(path: &Path) -> Result<()> {
    let dir = directory(path);
    if !dir.is_dir() {
        return Err(refusal(dir, "is no directory: make it first"));
    }
    let wanted = Access::WRITE_OK | Access::EXEC_OK;
    accessat(CWD, dir, wanted, AtFlags::EACCESS)
        .map_err(|errno| Error::io("make a file in", dir, errno.into()))
}

/// Refuses a place where a file cannot be made though the directory says otherwise, as in /proc.
fn check_new(path: &Path) -> Result<()> {
    let dir = directory(path);
    let probe = dir.join(format!(".recover-result-{}", std::process::id()));
    let made = OpenOptions::new().write(true).create_new(true).open(&probe);
    match made.and_then(|_| fs::remove_file(&probe)) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            Err(Error::io("make a file in", dir, error))
        }
        _ => Ok(()),
    }
}

/// Where a file is made that `path` names: what a link points at, which is not there yet.
fn behind_links(path: &Path) -> PathBuf {
    let mut path = path.to_owned();
    for _ in 0..LINKS_MAX {
        let Ok(to) = fs::read_link(&path) else {
            break;
        };
        path = directory(&path).join(to);
    }
    path
}

fn directory(path: &Path) -> &Path {
    match path.parent() {
        Some(dir) if !dir.as_os_str().is_empty() => dir,
        _ => Path::new("."),
    }
}

fn refusal(path: &Path, reason: &str) -> Error {
    let context = format!("{} {reason}", path.display());
    Error::new(ErrorKind::InvalidInput, context)
}
