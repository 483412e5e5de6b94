//! The children that this room started, distinguished from those that became ours.
//!
//! A subreaper's children are of two kinds. Some it started and waits for; their exit status
//! belongs to the waiting code. The others are orphans of commands, without a waiter: they stay
//! zombies, each with its process id, until they are collected. Collecting one of the first kind
//! would lose a command's exit status, so children started here are on a list, and the list is
//! locked from before a child can end until it is on it.

use std::collections::BTreeSet;
use std::io;
use std::process::{Child, Command};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard};

use rustix::io::Errno;
use rustix::process::{Pid, WaitId, WaitIdOptions, WaitOptions, waitid, waitpid};

use crate::mutex;
use crate::platform::orphans::are_adopted;
use crate::platform::processes::{Stat, children_of_main_thread};

/// Process ids of children that were started here and not collected yet. They belong to the
/// process, as its children do.
static STARTED: Mutex<BTreeSet<i32>> = Mutex::new(BTreeSet::new());

/// Number of orphans that any thread has collected.
static ORPHANS: AtomicU64 = AtomicU64::new(0);

fn started() -> MutexGuard<'static, BTreeSet<i32>> {
    mutex::lock(&STARTED)
}

/// Starts `command`, which [`collected`] takes off the list again.
pub(super) fn spawn(command: &mut Command) -> io::Result<Child> {
    let mut started = started();
    let child = command.spawn()?;
    started.insert(Pid::from_child(&child).as_raw_pid());
    Ok(child)
}

/// Notes that the child's exit status was collected; its id may be another process's from here on.
pub(super) fn collected(child: Pid) {
    started().remove(&child.as_raw_pid());
}

/// Whether a child of this id was started here and not collected.
pub(super) fn is_started(pid: i32) -> bool {
    started().contains(&pid)
}

pub(super) fn has_children() -> bool {
    !matches!(peek(), Err(Errno::CHILD))
}

/// Collects the orphans that have ended. One in our own group stays: other code may wait for it.
pub(super) fn collect_orphans() {
    if !are_adopted() || !matches!(peek(), Ok(Some(_))) {
        return;
    }
    let Some(us) = Stat::ours() else {
        return;
    };
    let children = children_of_main_thread().into_iter();
    let ended = children.filter_map(Stat::read).filter(Stat::is_over);
    let ended: Vec<Stat> = ended.filter(|stat| stat.group != us.group).collect();
    // Looked at first, and locked then: the thread that waits for the command locks the list as the
    // command ends. A child that is being started is on the list before it is unlocked.
    let started = started();
    for orphan in ended.iter().filter(|stat| !started.contains(&stat.pid)) {
        collect_orphan(orphan);
    }
}

/// Collects an orphan that has ended, unless another thread just did.
pub(super) fn collect_orphan(stat: &Stat) {
    let collected = waitpid(Pid::from_raw(stat.pid), WaitOptions::NOHANG);
    if matches!(collected, Ok(Some(_))) {
        ORPHANS.fetch_add(1, Ordering::SeqCst);
    }
}

/// Number of orphans collected until now: while it grows, others end below us.
pub(super) fn orphans_collected() -> u64 {
    ORPHANS.load(Ordering::SeqCst)
}

/// Whether any child has ended.
fn peek() -> rustix::io::Result<Option<rustix::process::WaitIdStatus>> {
    let looking = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    waitid(WaitId::All, looking)
}
