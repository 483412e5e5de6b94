//! Finding the processes that a command started, wherever they went.
//!
//! A process leaves its group with `setsid` or `setpgid` and loses its parent when that exits. It
//! is still found, in one reading of `/proc`, by any of these: it is in the command's group; a
//! chain of parents leads to one that is; it became our child, as it does when its parent exits and
//! we are a subreaper; it has the run's marker in the environment it was started with; it is in the
//! run's control group, where one may be made.
//!
//! A process is identified by its id and the moment it started, so that a later process with the
//! same id is never mistaken for it. Zombies have ended: they count as gone.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::fmt;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;

use rustix::process::{Pid, Signal, getpid};

use super::children::{collect_orphan, has_children, is_started};
use super::marker::Marker;
use crate::error::{Error, Result};
use crate::platform::control_group::ControlGroup;
use crate::platform::handle;
use crate::platform::orphans::{adopt, are_adopted};
use crate::platform::processes::{Stat, boot_id, children_of_main_thread, environment, scan};

/// A process, running or ended.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Process {
    /// Its id.
    pub pid: i32,
    /// Its command line, as a person would type it; cut at 200 bytes.
    pub command: String,
    /// The moment it started, in clock ticks since the system's own start.
    started: u64,
}

impl fmt::Display for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.pid, self.command)
    }
}

impl Process {
    /// A text by which a later program finds this very process again, and no other: the system's
    /// boot, the id and the moment of its start.
    pub fn identity(&self) -> String {
        format!("{}:{}:{}", boot_id(), self.pid, self.started)
    }

    /// The process that `identity` names, unless it has ended.
    pub fn find_again(identity: &str) -> Option<Self> {
        let (rest, started) = identity.rsplit_once(':')?;
        let (boot, pid) = rest.rsplit_once(':')?;
        let found = Self::find(Pid::from_raw(pid.parse().ok()?)?)?;
        (boot == boot_id() && started.parse() == Ok(found.started)).then_some(found)
    }

    /// The process that has the id `pid` now, unless it has ended.
    pub(super) fn find(pid: Pid) -> Option<Self> {
        let stat = Stat::read(pid.as_raw_pid())?;
        (!stat.is_over()).then(|| Self::of(&stat))
    }

    fn of(stat: &Stat) -> Self {
        Self {
            pid: stat.pid,
            command: stat.command_line(),
            started: stat.started,
        }
    }

    /// A handle to this very process, while it has not ended.
    pub(super) fn open(&self) -> Option<OwnedFd> {
        let handle = handle::open(Pid::from_raw(self.pid)?).ok()?;
        // The id may have been given to another between the look and the opening.
        let stat = Stat::read(self.pid)?;
        (stat.started == self.started && !stat.is_over()).then_some(handle)
    }

    /// Sends it `signal`, if it has not ended.
    pub(super) fn signal(&self, signal: Signal) {
        if let Some(handle) = self.open() {
            let _ = handle::signal(handle, signal);
        }
    }

    /// Whether it has not ended.
    pub fn is_alive(&self) -> bool {
        Stat::read(self.pid).is_some_and(|stat| stat.started == self.started && !stat.is_over())
    }

    /// Whether it was started with `marker` in its environment, and has not ended.
    pub fn is_marked(&self, marker: &Marker) -> bool {
        let stat = Stat::read(self.pid).filter(|stat| stat.started == self.started);
        stat.is_some_and(|stat| !stat.is_over() && carries(&stat, marker))
    }

    /// Its identity, which no other process has.
    pub(super) fn key(&self) -> (i32, u64) {
        (self.pid, self.started)
    }
}

/// Whether something that this program started, or that became its child, still runs though nobody
/// can say what: `/proc` cannot be read here.
pub fn left_unseen() -> bool {
    are_adopted() && !are_seen() && has_children()
}

/// Whether this system shows which processes there are.
pub fn are_seen() -> bool {
    Stat::ours().is_some()
}

/// A process of a run.
#[derive(Debug)]
pub(super) struct Relative {
    pub(super) process: Process,
    /// Set if it is still in the command's group.
    pub(super) in_group: bool,
    /// Set if it starts nothing now: it is stopped, or waits in the kernel.
    pub(super) is_still: bool,
}

/// The processes of one run.
#[derive(Clone, Debug)]
pub(super) struct Family {
    /// The command's group, named after its process.
    group: Option<Pid>,
    /// Processes that are known to be of this run.
    known: HashSet<(i32, u64)>,
    marker: Option<Marker>,
    control_group: Option<Arc<ControlGroup>>,
    /// Our descendants from before the run, which are not part of it.
    before: HashSet<(i32, u64)>,
    /// Processes that others than this run started later; their descendants are spared too.
    spared: HashSet<(i32, u64)>,
    adopting: bool,
}

impl Family {
    /// Lists our descendants before a run: any of them may become our child later.
    pub(super) fn descendants_before() -> HashSet<(i32, u64)> {
        if !are_adopted() || !has_children() {
            return HashSet::new();
        }
        let table = scan();
        let mut ours = HashSet::from([getpid().as_raw_pid()]);
        add_descendants(&table, &mut ours, &HashSet::new());
        let ours = table.iter().filter(|stat| ours.contains(&stat.pid));
        ours.map(Stat::identity).collect()
    }

    pub(super) fn new(group: Pid, marker: Option<Marker>, before: HashSet<(i32, u64)>) -> Self {
        Self {
            group: Some(group),
            known: HashSet::new(),
            marker,
            control_group: None,
            before,
            spared: HashSet::new(),
            adopting: are_adopted(),
        }
    }

    /// The same for a run that was started wholly in `control_group`.
    pub(super) fn within(self, control_group: Option<ControlGroup>) -> Self {
        Self {
            control_group: control_group.map(Arc::new),
            ..self
        }
    }

    /// The same once the command is over and left `known`: its group may be another's by now.
    pub(super) fn after(self, known: &[Process]) -> Self {
        Self {
            group: None,
            known: known.iter().map(Process::key).collect(),
            ..self
        }
    }

    /// The same without `others`, which were started later, outside of this run.
    pub(super) fn sparing(self, others: &[Process]) -> Self {
        Self {
            spared: others.iter().map(Process::key).collect(),
            ..self
        }
    }

    /// The processes that a finished run left: the `known` ones and their descendants, those with
    /// the marker, and those in the control group that was made for the run.
    pub(super) fn left(known: &[Process], marker: Option<Marker>) -> Self {
        Self {
            group: None,
            known: known.iter().map(Process::key).collect(),
            control_group: marker
                .as_ref()
                .and_then(|marker| ControlGroup::find(&marker.value))
                .map(Arc::new),
            marker,
            before: HashSet::new(),
            spared: HashSet::new(),
            adopting: false,
        }
    }

    /// Whether `/proc` need not be read: every started process has ended, because it would be our
    /// child by now. Holds only once the command's own status was collected.
    pub(super) fn is_surely_gone(&self) -> bool {
        self.adopting && !has_children()
    }

    /// Whether orphans of this run become our children.
    pub(super) fn is_adopting(&self) -> bool {
        self.adopting
    }

    /// Every living process of this run but those that we started ourselves: the command's own, and
    /// our sentinel in its group.
    pub(super) fn others(&self) -> Vec<Relative> {
        let table = scan();
        let members = self.members(&table);
        let living = table
            .iter()
            .filter(|stat| members.contains(&stat.pid) && !is_started(stat.pid) && !stat.is_over());
        let relative = |stat: &Stat| Relative {
            process: Process::of(stat),
            in_group: self.is_in_group(stat),
            is_still: stat.is_still(),
        };
        living.map(relative).collect()
    }

    /// Stops orphans that became our children, which are found faster than all others: a process
    /// that starts another of itself and exits exists for a moment only.
    pub(super) fn stop_children(&self) {
        if !self.adopting {
            return;
        }
        let children = children_of_main_thread().into_iter().filter_map(Stat::read);
        for stat in children.filter(|stat| !is_started(stat.pid) && self.is_adopted(stat)) {
            if !stat.is_over() && !stat.is_still() {
                Process::of(&stat).signal(Signal::STOP);
            }
        }
    }

    /// Kills the whole control group at once, unless a spared process is in it.
    pub(super) fn kill_control_group(&self) {
        let Some(group) = &self.control_group else {
            return;
        };
        let is_spared = |pid: i32| {
            let identity = Stat::read(pid).map(|stat| stat.identity());
            identity.is_some_and(|identity| self.spared.contains(&identity))
        };
        if self.spared.is_empty() || !group.members().into_iter().any(is_spared) {
            group.kill();
        }
    }

    /// Collects the exit statuses of descendants that ended as our children.
    pub(super) fn collect_ended(&self) {
        if !self.adopting {
            return;
        }
        let table = scan();
        for stat in table
            .iter()
            .filter(|s| s.state == b'Z' && self.is_adopted(s) && !is_started(s.pid))
        {
            collect_orphan(stat);
        }
    }

    fn members(&self, table: &[Stat]) -> HashSet<i32> {
        let mut spared: HashSet<i32> = table
            .iter()
            .filter(|stat| self.spared.contains(&stat.identity()))
            .map(|stat| stat.pid)
            .collect();
        add_descendants(table, &mut spared, &HashSet::new());
        spared.extend(ancestors(table));
        let group = self.control_group.as_ref();
        let in_control_group = group.map(|group| group.members()).unwrap_or_default();
        let mut members: HashSet<i32> = table
            .iter()
            .filter(|stat| in_control_group.contains(&stat.pid) || self.is_known(stat))
            .map(|stat| stat.pid)
            .filter(|pid| !spared.contains(pid))
            .collect();
        add_descendants(table, &mut members, &spared);
        members
    }

    fn is_known(&self, stat: &Stat) -> bool {
        self.is_in_group(stat)
            || self.known.contains(&stat.identity())
            || self.is_adopted(stat)
            || self.marker.as_ref().is_some_and(|m| carries(stat, m))
    }

    fn is_in_group(&self, stat: &Stat) -> bool {
        self.group
            .is_some_and(|group| stat.group == group.as_raw_pid())
    }

    fn is_command(&self, stat: &Stat) -> bool {
        self.group
            .is_some_and(|group| stat.pid == group.as_raw_pid())
    }

    /// Whether a child of ours was not started by us: our own programs are in our group, or lead
    /// the group of a run.
    fn is_adopted(&self, stat: &Stat) -> bool {
        self.adopting
            && stat.parent == getpid().as_raw_pid()
            && !self.is_command(stat)
            && Some(stat.group) != Stat::ours().map(|us| us.group)
            && !self.before.contains(&stat.identity())
    }
}

/// Adds all descendants of `members` to them, but the `spared` ones.
fn add_descendants(table: &[Stat], members: &mut HashSet<i32>, spared: &HashSet<i32>) {
    // A child may come before its parent in the table, so the search repeats until nothing is
    // added.
    loop {
        let before = members.len();
        for stat in table {
            if members.contains(&stat.parent) && !spared.contains(&stat.pid) {
                members.insert(stat.pid);
            }
        }
        if members.len() == before {
            return;
        }
    }
}

/// Makes orphans below this program its children, so that no program of a command can escape its
/// end. For a binary that runs one command at a time and starts programs only through
/// [`run`](super::run()) or in its own process group; a library must not change its host so.
pub fn become_subreaper() -> Result<()> {
    adopt().map_err(|e| Error::os("become a subreaper", e.into()))
}

/// Whether the process is stopped by job control now.
pub(super) fn is_stopped(pid: Pid) -> bool {
    Stat::read(pid.as_raw_pid()).is_some_and(|stat| stat.state == b'T')
}

/// This process and its ancestors, which a run must never end.
fn ancestors(table: &[Stat]) -> HashSet<i32> {
    let mut spared = HashSet::new();
    let mut pid = getpid().as_raw_pid();
    while pid > 0 && spared.insert(pid) {
        pid = table
            .iter()
            .find(|stat| stat.pid == pid)
            .map_or(0, |stat| stat.parent);
    }
    spared
}

/// Whether the process was started with `marker` in its environment.
fn carries(stat: &Stat, marker: &Marker) -> bool {
    let Ok(environment) = environment(stat.pid) else {
        return false;
    };
    let holds = |variable: &[u8]| -> Option<bool> {
        let value = variable
            .strip_prefix(marker.name.as_bytes())?
            .strip_prefix(b"=")?;
        Some(OsStr::from_bytes(value) == marker.value)
    };
    environment
        .split(|&byte| byte == 0)
        .any(|variable| holds(variable) == Some(true))
}
