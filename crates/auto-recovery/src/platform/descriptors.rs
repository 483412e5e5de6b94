//! Open files of processes: a directory of numbers for each, with the system's facts on them.

use std::fmt::Display;
use std::fs::{self, ReadDir};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};

use super::told;

/// The directory of our own descriptors, each under its number. A file opened there is opened anew;
/// a change of its mode is one of the open file's.
pub(crate) const OURS: &str = "/proc/self/fd";

/// The kernel's flags of an open file, as `/proc` shows them.
pub(crate) const ACCESS_MODE: u32 = 0o3;
pub(crate) const WRITE_ONLY: u32 = 0o1;
pub(crate) const CLOSE_ON_EXEC: u32 = 0o2_000_000;

/// The path of our descriptor `number`.
pub(crate) fn path_of_ours(number: u32) -> String {
    format!("{OURS}/{number}")
}

/// The path of the descriptor `number` of `pid`.
pub(crate) fn path(pid: i32, number: impl Display) -> String {
    format!("/proc/{pid}/fd/{number}")
}

/// The open files of `pid`: its owner and root may look.
pub(crate) fn of(pid: i32) -> io::Result<ReadDir> {
    fs::read_dir(format!("/proc/{pid}/fd"))
}

/// An open file of a process.
pub(crate) struct Open {
    /// What it is by the system's name for it: a path, `pipe:[4711]`, `socket:[4712]`.
    pub(crate) name: PathBuf,
    number: String,
    /// A name that means the file itself, whatever became of its own.
    pub(crate) path: PathBuf,
    pub(crate) is_read: bool,
    pub(crate) is_written: bool,
}

impl Open {
    /// Whether a program shows its output or its errors there.
    pub(crate) fn is_output(&self) -> bool {
        self.number == "1" || self.number == "2"
    }

    /// The number of the terminal whose other end this is.
    pub(crate) fn terminal(&self, pid: i32) -> Option<u32> {
        if self.name.file_name()? != "ptmx" {
            return None;
        }
        field_of(pid, &self.number, "tty-index:")?.parse().ok()
    }
}

/// The open files of `pid` with what they are open for; none where that may not be seen.
pub(crate) fn opened_by(pid: i32) -> Vec<Open> {
    let open = of(pid).into_iter().flatten().flatten();
    let looked = open.filter_map(|entry| {
        let path = entry.path();
        // The system shows what a file is open for as the access to its link.
        let access = entry.metadata().ok()?.mode();
        Some(Open {
            name: fs::read_link(&path).ok()?,
            number: entry.file_name().into_string().ok()?,
            path,
            is_read: access & 0o400 != 0,
            is_written: access & 0o200 != 0,
        })
    });
    looked.collect()
}

/// The number of the terminal that `name` is.
pub(crate) fn terminal(name: &Path) -> Option<u32> {
    let number = name.strip_prefix("/dev/pts").ok()?;
    number.to_str()?.parse().ok()
}

/// Opens the file behind `fd` once more, with flags of its own.
pub(crate) fn open_anew(fd: BorrowedFd<'_>, flags: OFlags) -> rustix::io::Result<OwnedFd> {
    rustix::fs::open(format!("{OURS}/{}", fd.as_raw_fd()), flags, Mode::empty())
}

/// Whether `path` is in one of the system's own places, whose files are no regular ones.
pub(crate) fn is_of_system(path: &Path) -> bool {
    ["/dev", "/proc"].iter().any(|dir| path.starts_with(dir))
}

/// The numbers of our descriptors.
pub(crate) fn numbers() -> impl Iterator<Item = u32> {
    let open = fs::read_dir(OURS).into_iter().flatten().flatten();
    open.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// The flags of our descriptor `number`.
pub(crate) fn flags(number: u32) -> Option<u32> {
    u32::from_str_radix(&field(number, "flags:")?, 8).ok()
}

/// The value under `name` in `/proc` for our descriptor `number`.
pub(crate) fn field(number: u32, name: &str) -> Option<String> {
    field_of("self", number, name)
}

/// The same for the descriptor `number` of `process`.
fn field_of(process: impl Display, number: impl Display, name: &str) -> Option<String> {
    let info = told::read_text(format!("/proc/{process}/fdinfo/{number}")).ok()?;
    let value = info.lines().find_map(|line| line.strip_prefix(name))?;
    Some(value.trim().to_owned())
}

/// Whether `pid` has locked its open file `number`, so that others wait. The system's text on an
/// open file has a line for each lock on it:
/// `lock:\t1: FLOCK  ADVISORY  WRITE 359 00:13:11691 0 EOF`.
pub(crate) fn is_write_locked(pid: i32, number: &str) -> bool {
    let info = told::read_text(format!("/proc/{pid}/fdinfo/{number}")).unwrap_or_default();
    info.lines()
        .any(|line| line.starts_with("lock:") && line.contains(" WRITE "))
}
