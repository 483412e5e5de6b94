//! Ending all programs of a command: ask, wait, kill, and look again until nothing is left.

use std::collections::HashSet;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::process::Signal;

use super::children::orphans_collected;
use super::descendants::{Family, Process, Relative};
use super::events::{Event, Waiting};
use super::marker::Marker;
use crate::error::Result;
use crate::host::Host;
use crate::interrupt::Interrupt;
use crate::platform::handle;

/// Looks in a row that must find nothing, and nothing just ended, before nothing counts as left;
/// and the most looks made for that.
const QUIET_LOOKS: usize = 2;
const LOOKS_MAX: usize = 20;

/// Growth of a run that was asked to end beyond which it is killed: a script that tidies up starts
/// some programs; one that starts far more does not mean to end.
const GROWTH_MAX: usize = 64;

/// Longest time for all to be stopped, and to end once killed, while ever more are found. Thousands
/// take a second.
const STOP_WAIT: Duration = Duration::from_secs(2);
pub(super) const END_WAIT: Duration = Duration::from_secs(10);

/// Processes held by handles. A process may often have no more than 1,024 files.
const HANDLES_MAX: usize = 200;

/// Pause between looks for the processes that were asked to end.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// Longest time for killed processes to vanish before they are named as left.
pub(super) const KILL_WAIT: Duration = Duration::from_millis(400);

/// Ends `processes`, which a run left, with all their descendants and all that have `marker`: asks
/// them, and kills them after `grace`, or at once when `interrupt` is raised for the second time.
/// Returns the processes that could not be ended.
///
/// Also for a later program that finishes for one that died: a process is ended only if it is still
/// the same one.
pub fn end(
    processes: &[Process],
    marker: Option<&Marker>,
    grace: Duration,
    interrupt: &Interrupt,
    host: &dyn Host,
) -> Result<Vec<Process>> {
    end_family(
        &Family::left(processes, marker.cloned()),
        grace,
        interrupt,
        host,
    )
}

/// The processes that a finished command left running, and their later descendants.
#[derive(Clone, Debug)]
pub struct Remains {
    family: Family,
    is_empty: bool,
}

impl Remains {
    pub(super) fn new(family: Family, left: &[Process], is_empty: bool) -> Self {
        Self {
            family: family.after(left),
            is_empty,
        }
    }

    /// Ends them as [`end`] does, wherever they went and whatever they started since, but for
    /// `others` and their descendants. Returns the processes that could not be ended.
    ///
    /// # Errors
    /// If waiting fails.
    pub fn end(
        self,
        others: &[Process],
        grace: Duration,
        interrupt: &Interrupt,
        host: &dyn Host,
    ) -> Result<Vec<Process>> {
        if self.is_empty {
            return Ok(Vec::new());
        }
        end_family(&self.family.sparing(others), grace, interrupt, host)
    }
}

fn end_family(
    family: &Family,
    grace: Duration,
    interrupt: &Interrupt,
    host: &dyn Host,
) -> Result<Vec<Process>> {
    let mut others = Others::default();
    others.look(family);
    if others.is_empty() && is_quiet(family, &mut others) {
        return Ok(Vec::new());
    }
    if others.ask_and_wait(family, grace, interrupt, host)? {
        return Ok(Vec::new());
    }
    others.put_down(family, host)?;
    Ok(others.into_processes())
}

/// Whether repeated looks still find nothing of the family, after one that found nothing: a process
/// that starts another of itself and exits leaves its dead to its adopter.
pub(super) fn is_quiet(family: &Family, others: &mut Others) -> bool {
    if !family.is_adopting() {
        return true;
    }
    let mut quiet = 0;
    let mut dead = orphans_collected();
    for _ in 0..LOOKS_MAX {
        others.look(family);
        if !others.is_empty() {
            return false;
        }
        family.collect_ended();
        let dead_by_now = orphans_collected();
        quiet = if dead == dead_by_now { quiet + 1 } else { 0 };
        dead = dead_by_now;
        if quiet == QUIET_LOOKS {
            return true;
        }
    }
    false
}

/// The living processes of a run beside the command's own, each held by a handle that can mean no
/// other process, and that becomes readable when it ends.
#[derive(Debug, Default)]
pub(super) struct Others {
    alive: Vec<(Relative, Option<OwnedFd>)>,
    asked: HashSet<Process>,
}

impl Others {
    /// Looks for them anew. Of very many, not all are held.
    pub(super) fn look(&mut self, family: &Family) {
        self.alive.clear();
        for other in family.others() {
            if self.alive.len() >= HANDLES_MAX {
                self.alive.push((other, None));
            } else if let Some(handle) = other.process.open() {
                self.alive.push((other, Some(handle)));
            }
        }
    }

    /// Asks them to end, and waits for that for `grace`, or until the user hurries, or until they
    /// become ever more. Returns whether nothing is left.
    fn ask_and_wait(
        &mut self,
        family: &Family,
        grace: Duration,
        interrupt: &Interrupt,
        host: &dyn Host,
    ) -> Result<bool> {
        let kill_at = host.monotonic().saturating_add(grace);
        let at_first = self.alive.len();
        loop {
            if self.is_empty() && is_quiet(family, self) {
                return Ok(true);
            }
            let left = kill_at.saturating_sub(host.monotonic());
            if left.is_zero() || self.alive.len() > at_first + GROWTH_MAX {
                return Ok(false);
            }
            self.ask();
            if self.wait(interrupt.second(), left.min(LOOK_AGAIN))? {
                return Ok(false);
            }
            self.look(family);
        }
    }

    /// Stops all of them, so that they start nothing new, and kills them; again and again, until
    /// nothing is left or the rest does not end.
    fn put_down(&mut self, family: &Family, host: &dyn Host) -> Result<()> {
        let give_up_at = host.monotonic().saturating_add(END_WAIT);
        let mut killed = HashSet::new();
        loop {
            family.kill_control_group();
            self.freeze(family, host);
            self.kill();
            let is_late = host.monotonic() >= give_up_at;
            if is_late || (self.is_empty() && is_quiet(family, self)) {
                return Ok(());
            }
            let found = self.alive.iter().map(|(one, _)| one.process.key());
            let found: HashSet<_> = found.collect();
            if !found.is_empty() && found.is_subset(&killed) {
                return Ok(());
            }
            killed.extend(found);
            self.wait_for_all(host)?;
            self.look(family);
        }
    }

    /// Waits until all held processes have ended, for as long as killed ones may take.
    fn wait_for_all(&mut self, host: &dyn Host) -> Result<()> {
        let until = host.monotonic().saturating_add(KILL_WAIT);
        loop {
            let left = until.saturating_sub(host.monotonic());
            let mut waiting = Waiting::default();
            for (number, handle) in self.handles().enumerate() {
                waiting.readable(Some(handle), Event::Gone(number));
            }
            if left.is_zero() || !self.has_handles() {
                return Ok(());
            }
            let gone = waiting.wait(Some(left))?;
            let number = |event: &Event| match event {
                Event::Gone(number) => Some(*number),
                _ => None,
            };
            let gone: Vec<_> = gone.iter().filter_map(number).collect();
            self.forget(&gone);
        }
    }

    /// Stops all of them, and looks for more, until none is found that could start another.
    pub(super) fn freeze(&mut self, family: &Family, host: &dyn Host) {
        let until = host.monotonic().saturating_add(STOP_WAIT);
        let mut stopped = HashSet::new();
        loop {
            family.stop_children();
            self.look(family);
            let before = stopped.len();
            for (other, handle) in &self.alive {
                if !other.is_still {
                    signal(other, handle.as_ref(), Signal::STOP);
                }
                stopped.insert(other.process.key());
            }
            if self.is_empty() {
                return;
            }
            let all_still = self.alive.iter().all(|(other, _)| other.is_still);
            if (all_still && stopped.len() == before) || host.monotonic() >= until {
                return;
            }
        }
    }

    /// Notes the processes that a signal to their group has asked.
    pub(super) fn group_was_asked(&mut self) {
        let members = self.alive.iter().filter(|(other, _)| other.in_group);
        self.asked
            .extend(members.map(|(other, _)| other.process.clone()));
    }

    /// Asks the processes that were not asked before. A stopped process acts on no signal until it
    /// is continued.
    pub(super) fn ask(&mut self) {
        for (other, handle) in &self.alive {
            if self.asked.insert(other.process.clone()) {
                signal(other, handle.as_ref(), Signal::TERM);
                signal(other, handle.as_ref(), Signal::CONT);
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
        for (other, handle) in &self.alive {
            signal(other, handle.as_ref(), Signal::KILL);
        }
    }

    /// The handles of the held processes.
    pub(super) fn handles(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        let handles = self.alive.iter().filter_map(|(_, handle)| handle.as_ref());
        handles.map(AsFd::as_fd)
    }

    /// Whether the end of any of them shows by a handle.
    pub(super) fn has_handles(&self) -> bool {
        self.handles().next().is_some()
    }

    /// Waits until one of them has ended, `limit` has passed or `hurry` is readable, and returns
    /// whether it was the last of these.
    pub(super) fn wait(&self, hurry: Option<BorrowedFd<'_>>, limit: Duration) -> Result<bool> {
        let mut waiting = Waiting::default();
        waiting.readable(hurry, Event::Hurried);
        for (number, handle) in self.handles().enumerate() {
            waiting.readable(Some(handle), Event::Gone(number));
        }
        Ok(waiting.wait(Some(limit))?.contains(&Event::Hurried))
    }

    /// Forgets the processes whose handles have these numbers: they have ended.
    pub(super) fn forget(&mut self, ended: &[usize]) {
        let mut number = 0;
        self.alive.retain(|(_, handle)| {
            if handle.is_none() {
                return true;
            }
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

/// Sends `other` the signal by its handle, or by a new one.
fn signal(other: &Relative, handle: Option<&OwnedFd>, signal: Signal) {
    match handle {
        Some(handle) => {
            let _ = handle::signal(handle, signal);
        }
        None => other.process.signal(signal),
    }
}
