//! Output files: where what this process says ends up in a directory, by its own descriptors and by
//! those of the programs that read it: `tee`, a terminal that keeps a log, who started us.
//!
//! It looks and changes nothing. What another user's program, or one in another container, does
//! cannot be seen.

use std::collections::HashSet;
use std::fs;
use std::io::{stderr, stdout};
use std::path::{Path, PathBuf};

use rustix::net::sockopt::socket_peercred;
use rustix::process::getpid;

use crate::files::FileId;
use crate::platform::descriptors::{self, Open, opened_by};
use crate::platform::processes;

/// The regular files below `root` to which the output of this process goes.
pub(crate) fn output_files(root: &Path) -> HashSet<FileId> {
    let ours = opened_by(getpid().as_raw_pid());
    let mut search = Search::new(root);
    for open in ours.iter().filter(|open| open.is_output()) {
        search.follow(open);
    }
    let peers = [socket_peercred(stdout()), socket_peercred(stderr())];
    search
        .programs
        .extend(peers.iter().flatten().map(|peer| peer.pid.as_raw_pid()));
    if search.is_elsewhere() {
        search.look_at_programs();
    }
    search.files
}

/// Output on its way to files.
struct Search<'a> {
    root: &'a Path,
    files: HashSet<FileId>,
    /// Pipes by their names, and terminals by their numbers, into which output goes.
    pipes: HashSet<PathBuf>,
    terminals: HashSet<u32>,
    /// Programs that read it.
    programs: HashSet<i32>,
}

impl<'a> Search<'a> {
    fn new(root: &'a Path) -> Self {
        Self {
            root,
            files: HashSet::new(),
            pipes: HashSet::new(),
            terminals: HashSet::new(),
            programs: HashSet::new(),
        }
    }

    fn is_elsewhere(&self) -> bool {
        !(self.pipes.is_empty() && self.terminals.is_empty() && self.programs.is_empty())
    }

    /// Goes after output that is written to `open`.
    fn follow(&mut self, open: &Open) {
        if !open.is_written {
            return;
        }
        if let Some(number) = descriptors::terminal(&open.name) {
            self.terminals.insert(number);
        } else if !open.name.is_absolute() {
            self.pipes.insert(open.name.clone());
        } else {
            self.add(open);
        }
    }

    fn add(&mut self, open: &Open) {
        // One elsewhere is not asked for: it may lie on a file system that does not answer.
        if open.is_written
            && open.name.starts_with(self.root)
            && let Ok(metadata) = fs::metadata(&open.path)
            && metadata.is_file()
        {
            self.files.insert(FileId::of(&metadata));
        }
    }

    /// Adds the files of the programs that read it, and of those that read what these say.
    fn look_at_programs(&mut self) {
        let ours = getpid().as_raw_pid();
        let others = processes::pids().filter(|pid| *pid != ours);
        let mut others: Vec<(i32, Vec<Open>)> = others.map(|pid| (pid, opened_by(pid))).collect();
        loop {
            let is_reader = |(pid, open): &mut (i32, Vec<Open>)| self.is_read_by(*pid, open);
            let readers: Vec<_> = others.extract_if(.., is_reader).collect();
            if readers.is_empty() {
                return;
            }
            for open in readers.iter().flat_map(|(_, open)| open) {
                match open.is_output() {
                    true => self.follow(open),
                    false => self.add(open),
                }
            }
        }
    }

    fn is_read_by(&self, pid: i32, open: &[Open]) -> bool {
        self.programs.contains(&pid)
            || open.iter().filter(|open| open.is_read).any(|open| {
                let is_terminal = |number| self.terminals.contains(&number);
                self.pipes.contains(&open.name) || open.terminal(pid).is_some_and(is_terminal)
            })
    }
}
