//! The system's table of processes.
//!
//! Numbers are those of our own container. A group or a session that was made outside of it has no
//! number there and is 0, which the calls that ask for one process's do not allow for.

use std::fs;
use std::io;

use rustix::process::{
    DumpableBehavior, Pid, Resource, Rlimit, getpid, prlimit, set_dumpable_behavior,
};

use super::told;

/// Bytes of a command line that are shown.
const COMMAND_MAX: usize = 200;

/// One line of the process table.
#[derive(Debug)]
pub(crate) struct Stat {
    pub(crate) pid: i32,
    pub(crate) name: String,
    pub(crate) state: u8,
    pub(crate) parent: i32,
    pub(crate) group: i32,
    pub(crate) session: i32,
    /// The group that has the foreground of its terminal; -1 without one.
    pub(crate) foreground: i32,
    pub(crate) started: u64,
    /// How long it has worked, by itself and in the kernel, in clock ticks.
    pub(crate) worked: u64,
}

impl Stat {
    /// The process `pid`, if it is there.
    pub(crate) fn read(pid: i32) -> Option<Self> {
        Self::parse(pid, &told::read(format!("/proc/{pid}/stat")).ok()?)
    }

    /// This process.
    pub(crate) fn ours() -> Option<Self> {
        Self::read(getpid().as_raw_pid())
    }

    /// `pid (name) state parent group session terminal foreground …`, the start time being field
    /// 22. The name may hold anything, brackets included, so the fields are counted from its last
    /// bracket.
    fn parse(pid: i32, line: &[u8]) -> Option<Self> {
        let open = memchr::memchr(b'(', line)?;
        let close = memchr::memrchr(b')', line)?;
        let rest = std::str::from_utf8(line.get(close + 2..)?).ok()?;
        let mut fields = rest.split_ascii_whitespace();
        let state = *fields.next()?.as_bytes().first()?;
        let parent = fields.next()?.parse().ok()?;
        let group = fields.next()?.parse().ok()?;
        let session = fields.next()?.parse().ok()?;
        let foreground = fields.nth(1)?.parse().ok()?;
        let fields_until_worked = 14 - 9;
        let worked = [fields.nth(fields_until_worked)?, fields.next()?];
        let worked = worked.iter().filter_map(|ticks| ticks.parse::<u64>().ok());
        let worked = worked.sum();
        let fields_until_start = 22 - 16;
        let started = fields.nth(fields_until_start)?.parse().ok()?;
        Some(Self {
            pid,
            name: String::from_utf8_lossy(line.get(open + 1..close)?).into_owned(),
            state,
            parent,
            group,
            session,
            foreground,
            started,
            worked,
        })
    }

    /// What it runs, as a person would type it; cut at 200 bytes.
    pub(crate) fn command_line(&self) -> String {
        let raw = told::read(format!("/proc/{}/cmdline", self.pid)).unwrap_or_default();
        let words: Vec<_> = raw
            .split(|&byte| byte == 0)
            .filter(|word| !word.is_empty())
            .map(String::from_utf8_lossy)
            .collect();
        if words.is_empty() {
            return format!("[{}]", self.name);
        }
        let mut line = words.join(" ");
        if line.len() > COMMAND_MAX {
            line.truncate(line.floor_char_boundary(COMMAND_MAX));
            line.push('…');
        }
        line
    }

    /// What no other process has.
    pub(crate) fn identity(&self) -> (i32, u64) {
        (self.pid, self.started)
    }

    /// Stopped, or waiting in the kernel: it does nothing before it is continued, or goes on.
    pub(crate) fn is_still(&self) -> bool {
        matches!(self.state, b'T' | b't' | b'D')
    }

    /// A zombie, or dead altogether.
    pub(crate) fn is_over(&self) -> bool {
        matches!(self.state, b'Z' | b'X' | b'x')
    }
}

/// All processes that can be seen; one that ends while we read is left out.
pub(crate) fn scan() -> Vec<Stat> {
    pids().filter_map(Stat::read).collect()
}

/// The ids of all processes that can be seen.
pub(crate) fn pids() -> impl Iterator<Item = i32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok())
}

/// The environment that `pid` was started with, each variable with a zero byte behind it.
pub(crate) fn environment(pid: i32) -> io::Result<Vec<u8>> {
    told::read(format!("/proc/{pid}/environ"))
}

/// The main thread's children: the system gives orphans to it. Where the system keeps no list of
/// children, none are found, and they are collected when the command is over.
pub(crate) fn children_of_main_thread() -> Vec<i32> {
    let path = format!("/proc/self/task/{}/children", getpid().as_raw_pid());
    let list = told::read_text(path).unwrap_or_default();
    list.split_ascii_whitespace()
        .filter_map(|pid| pid.parse().ok())
        .collect()
}

/// The signals that this program was started to ignore, as bits: the lowest is signal 1.
pub(crate) fn ignored_signals() -> u64 {
    let status = told::read_text("/proc/self/status").unwrap_or_default();
    status
        .lines()
        .find_map(|line| line.strip_prefix("SigIgn:"))
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .unwrap_or(0)
}

/// Changes with every start of the system, whose clock ticks begin anew.
pub(crate) fn boot_id() -> String {
    let id = told::read_text("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    id.trim_end().to_owned()
}

/// No core is written when this process dies.
pub(crate) fn leave_no_core() {
    let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
}

/// No core is written when the process `pid` dies.
pub(crate) fn have_leave_no_core(pid: Pid) {
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    let _ = prlimit(Some(pid), Resource::Core, none);
}
