//! Who has a file locked, as far as the system tells.

use std::fmt;
use std::fs::{self, Metadata};

use rustix::process::getpid;

use crate::files::FileId;
use crate::platform::descriptors::{self, is_write_locked};
use crate::platform::processes::{Stat, pids};

/// A process that has a file locked so that others wait for it.
#[derive(Clone, Debug)]
pub struct Holder {
    pid: i32,
    command: String,
}

impl Holder {
    /// Who has one of `files` locked, other than this process. They are not opened: closing a file
    /// gives back what this process itself has locked in it.
    ///
    /// The table of all locks names files by the device that their file system has, which is not
    /// always the one that a look at the file gives; so what each process has open is looked at.
    pub fn of(files: &[Metadata]) -> Option<Self> {
        let us = getpid().as_raw_pid();
        let mut pids = pids().filter(|pid| *pid != us);
        let holder = pids.find(|pid| has_locked(*pid, files))?;
        let stat = Stat::read(holder).filter(|stat| !stat.is_over())?;
        Some(Self {
            pid: stat.pid,
            command: stat.command_line(),
        })
    }

    /// Who has one of `files` locked, in words that follow a name.
    pub fn in_words(files: &[Metadata]) -> String {
        match Self::of(files) {
            Some(holder) => format!("which is locked by {holder}"),
            None => "which is locked by a process that cannot be seen from here: another user's, or in another \
                     container or on another machine".to_owned(),
        }
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "pid {}, `{}`", self.pid, self.command)
    }
}

/// Whether the process has one of `files` open, and locked for writing. What it has open can be
/// looked at by its owner and by root.
fn has_locked(pid: i32, files: &[Metadata]) -> bool {
    let Ok(open) = descriptors::of(pid) else {
        return false;
    };
    open.flatten().any(|entry| {
        let is_one = fs::metadata(entry.path()).is_ok_and(|found| {
            let mut files = files.iter();
            files.any(|file| FileId::of(file) == FileId::of(&found))
        });
        is_one && is_write_locked(pid, &entry.file_name().to_string_lossy())
    })
}

#[cfg(test)]
mod tests {
    use super::Holder;

    #[test]
    fn a_holder_that_nobody_sees_is_told_in_plain_words() {
        let told = Holder::in_words(&[]);
        assert!(
            told.starts_with("which is locked by a process that cannot be seen from here: "),
            "{told}"
        );
    }
}
