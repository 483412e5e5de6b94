//! Ancestors of this process, as the kernel reports them: any child inherits an environment, and
//! any program may set a variable.

use crate::platform::processes::Stat;

/// A process, distinguished by its start from a later one of the same id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Kin {
    pub(crate) pid: u32,
    /// In the kernel's own count.
    pub(crate) started: u64,
}

impl Kin {
    /// Whether a record means this process that says it was `pid`, which started at `started`.
    /// Older releases did not say when.
    pub(crate) fn is(&self, pid: u32, started: Option<u64>) -> bool {
        self.pid == pid && started.is_none_or(|started| started == self.started)
    }
}

/// This process and its ancestors, the nearest first, as far as the system shows them.
pub(crate) fn ancestors() -> Vec<Kin> {
    let mut found: Vec<Kin> = Vec::new();
    let mut pid = std::process::id();
    while let Some((kin, parent)) = look_up(pid) {
        if found.contains(&kin) {
            break;
        }
        found.push(kin);
        pid = parent;
    }
    found
}

/// The ancestors of this process, without itself: it waits for locks that another thread of it
/// holds.
pub(crate) fn parents() -> Vec<Kin> {
    ancestors().into_iter().skip(1).collect()
}

/// When the process `pid` started, if it is there.
pub(crate) fn started(pid: u32) -> Option<u64> {
    look_up(pid).map(|(kin, _)| kin.started)
}

/// A process and its parent's id.
fn look_up(pid: u32) -> Option<(Kin, u32)> {
    let stat = Stat::read(pid.try_into().ok()?)?;
    let started = stat.started;
    Some((Kin { pid, started }, stat.parent.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::{ancestors, started};

    #[test]
    fn the_line_begins_with_this_process_and_its_parent() {
        let line = ancestors();
        let pids: Vec<_> = line.iter().map(|kin| kin.pid).take(2).collect();
        let parent = rustix::process::getppid().expect("a parent");
        let parent = u32::try_from(parent.as_raw_nonzero().get()).expect("an id");
        assert_eq!(pids, [std::process::id(), parent]);
        let began = started(parent).expect("it runs");
        assert!(line[1].is(parent, Some(began)) && line[1].is(parent, None));
        assert!(
            !line[1].is(parent, Some(began + 1)),
            "a later one of that id"
        );
    }
}
