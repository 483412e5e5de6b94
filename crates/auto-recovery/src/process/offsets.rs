//! Files that commands inherit beside their three streams, and where they stand.
//!
//! `3< words` gives every run of a command one and the same open file: what the first run read, a
//! second one would not find, and perhaps pass. So where each of them stood is kept, and a file
//! that was opened for reading alone is set back before another run, as standard input is. Two
//! kinds are not, and keep a command that moved them from being run again: what is also written to,
//! for a second run would overwrite what the first one wrote; and what our parent has open too when
//! we run in the background, as in a loop that reads a list: it may be the parent that moved it,
//! and it would read the same again. A file that our own output goes to is none of these.

use std::fs;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{FileType, SeekFrom, fstat, seek};
use rustix::process::getppid;

use super::signals::ignored;
use crate::files::FileId;
use crate::platform::descriptors::{
    ACCESS_MODE, CLOSE_ON_EXEC, WRITE_ONLY, field, flags, numbers, path, path_of_ours,
};
use crate::platform::handle::descriptor_of_ours;
use crate::platform::processes::Stat;

/// The inherited files of this process, as they stood when it was looked.
#[derive(Debug)]
pub struct InheritedFiles(Vec<Inherited>);

#[derive(Debug)]
struct Inherited {
    number: u32,
    stood_at: u64,
    /// The same open file, where it can be set back.
    file: Option<OwnedFd>,
}

impl InheritedFiles {
    /// Looks at what this process was started with.
    pub fn look() -> Self {
        let outputs = [
            FileId::of_open(std::io::stdout()),
            FileId::of_open(std::io::stderr()),
        ];
        let in_background = is_in_background();
        let found = numbers().filter(|&number| number > 2).filter_map(|number| {
            // Most are pipes, and asking for their kind is one call where their flags are six.
            let found = fs::metadata(path_of_ours(number)).ok()?;
            if !found.is_file() || outputs.contains(&Some(FileId::of(&found))) {
                return None;
            }
            // The others are mostly ours alone.
            let flags = flags(number).filter(|flags| flags & CLOSE_ON_EXEC == 0)?;
            let access = flags & ACCESS_MODE;
            if access == WRITE_ONLY {
                return None;
            }
            let is_ours = access == 0 && !(in_background && is_our_parents(number));
            Some(Inherited {
                number,
                stood_at: stands_at(number)?,
                file: is_ours.then(|| open_file(number)).flatten(),
            })
        });
        Self(found.collect())
    }

    /// Why another run would not read what the first one read, if so.
    pub fn why_lost(&self) -> Option<String> {
        let mut lost = self.0.iter().filter(|file| file.file.is_none());
        lost.find(|file| file.has_moved()).map(|file| {
            let number = file.number;
            format!(
                "the command inherits an open file (descriptor {number}) that was read on, and \
                 cannot be set back: give it by its name, or close it with `{number}<&-`"
            )
        })
    }

    /// Sets back what can be, for another run.
    pub fn set_back(&self) {
        for inherited in self.0.iter().filter(|file| file.has_moved()) {
            if let Some(file) = &inherited.file {
                // A regular file that stood there can stand there again.
                let _ = seek(file, SeekFrom::Start(inherited.stood_at));
            }
        }
    }
}

impl Inherited {
    fn has_moved(&self) -> bool {
        stands_at(self.number).is_some_and(|at| at != self.stood_at)
    }
}

/// Whether our parent went on while we run: at a terminal another group has the foreground then,
/// and a script's shell has us ignore what is typed.
fn is_in_background() -> bool {
    let is_behind = |us: Stat| us.foreground > 0 && us.foreground != us.group;
    ignored().contains(&libc::SIGINT) || Stat::ours().is_some_and(is_behind)
}

/// Whether our parent has the same file open under the same number.
fn is_our_parents(number: u32) -> bool {
    let file = |path: String| {
        let found = fs::metadata(path).ok()?;
        Some(FileId::of(&found))
    };
    let theirs = getppid().and_then(|parent| file(path(parent.as_raw_pid(), number)));
    theirs.is_some() && theirs == file(path_of_ours(number))
}

/// Our descriptor `number`, once more, if it is a file and the system allows it.
fn open_file(number: u32) -> Option<OwnedFd> {
    let file = descriptor_of_ours(i32::try_from(number).ok()?).ok()?;
    let kind = FileType::from_raw_mode(fstat(file.as_fd()).ok()?.st_mode);
    (kind == FileType::RegularFile).then_some(file)
}

/// Where our descriptor `number` stands.
fn stands_at(number: u32) -> Option<u64> {
    field(number, "pos:")?.parse().ok()
}
