//! Ending everything a command started: ask, wait, kill, and look again until nothing is left.

use std::collections::HashSet;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::process::{Signal, pidfd_send_signal};

use super::descendants::{Family, Process, Relative};
use super::events::{Event, Waiting};
use super::interrupt::Interrupt;
use super::spec::Marker;
use crate::error::Result;
use crate::host::Host;

/// How long killed processes may take to vanish before they are named as left.
pub(super) const KILL_WAIT: Duration = Duration::from_millis(400);

/// Ends `processes`, which a run left, with all that descends from them and all that carries
/// `marker`: asks them, and kills them after `grace`, or at once when `interrupt` is raised for the
/// second time. Returns what could not be ended.
///
/// Also for a later program that finishes for one that died: a process is ended only if it is still
/// the one that was meant.
pub fn end(
    processes: &[Process],
    marker: Option<&Marker>,
    grace: Duration,
    interrupt: &Interrupt,
    host: &dyn Host,
) -> Result<Vec<Process>> {
    let family = Family::left(processes, marker.cloned());
    let mut others = Others::default();
    let kill_at = host.monotonic().saturating_add(grace);
    let mut hurried = false;
    loop {
        others.look(&family);
        if others.is_empty() {
            return Ok(Vec::new());
        }
        let now = host.monotonic();
        if hurried || now >= kill_at {
            break;
        }
        others.ask();
        hurried = others.wait(interrupt.second(), kill_at - now)?;
    }
    let give_up_at = host.monotonic().saturating_add(KILL_WAIT);
    while !others.is_empty() {
        let now = host.monotonic();
        if now >= give_up_at {
            break;
        }
        others.kill();
        others.wait(None, give_up_at - now)?;
        others.look(&family);
    }
    Ok(others.into_processes())
}

/// The living processes of a run beside the command's own, each held by a handle that can mean no
/// other process, and that becomes readable when it ends.
#[derive(Debug, Default)]
pub(super) struct Others {
    alive: Vec<(Relative, OwnedFd)>,
    asked: HashSet<Process>,
}

impl Others {
    /// Looks for them anew.
    pub(super) fn look(&mut self, family: &Family) {
        let found = family.others().into_iter();
        self.alive = found
            .filter_map(|other| other.process.open().map(|handle| (other, handle)))
            .collect();
    }

    /// Takes those as asked that were reached by a signal to their group.
    pub(super) fn group_was_asked(&mut self) {
        let members = self.alive.iter().filter(|(other, _)| other.in_group);
        self.asked
            .extend(members.map(|(other, _)| other.process.clone()));
    }

    /// Asks those to end that were not asked before. A stopped process acts on no signal until it
    /// is continued.
    pub(super) fn ask(&mut self) {
        for (other, handle) in &self.alive {
            if self.asked.insert(other.process.clone()) {
                let _ = pidfd_send_signal(handle, Signal::TERM);
                let _ = pidfd_send_signal(handle, Signal::CONT);
            }
        }
    }

    /// Asks all of them, also those that were asked before.
    pub(super) fn ask_again(&mut self) {
        self.asked.clear();
        self.ask();
    }

    /// Kills all of them.
    pub(super) fn kill(&self) {
        for (_, handle) in &self.alive {
            let _ = pidfd_send_signal(handle, Signal::KILL);
        }
    }

    /// Their handles.
    pub(super) fn handles(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.alive.iter().map(|(_, handle)| handle.as_fd())
    }

    /// Waits until one of them has ended, `limit` has passed or `hurry` is readable, and says
    /// whether the last is so.
    pub(super) fn wait(&self, hurry: Option<BorrowedFd<'_>>, limit: Duration) -> Result<bool> {
        let mut waiting = Waiting::default();
        waiting.readable(hurry, Event::Hurried);
        for (number, handle) in self.handles().enumerate() {
            waiting.readable(Some(handle), Event::Gone(number));
        }
        Ok(waiting.wait(Some(limit))?.contains(&Event::Hurried))
    }

    /// Forgets those of these numbers, which have ended.
    pub(super) fn forget(&mut self, ended: &[usize]) {
        let mut number = 0;
        self.alive.retain(|_| {
            number += 1;
            !ended.contains(&(number - 1))
        });
    }

    pub(super) fn is_empty(&self) -> bool {
        self.alive.is_empty()
    }

    pub(super) fn into_processes(self) -> Vec<Process> {
        self.alive
            .into_iter()
            .map(|(other, _)| other.process)
            .collect()
    }
}
