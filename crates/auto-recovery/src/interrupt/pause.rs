//! Stopping ourselves as job control does, until somebody continues us.
//!
//! Where nobody could continue us, nothing is stopped.

use rustix::process::{Signal, getpid, kill_current_process_group};

use crate::platform::processes::Stat;

/// Stops our whole group, as the terminal does; returns when we are continued. Says whether that
/// was done: a group that nobody could continue is not stopped.
pub(crate) fn stop_our_group() -> bool {
    !is_orphaned() && kill_current_process_group(Signal::STOP).is_ok()
}

/// Stops this process only; the rest of its group was told by whoever told us.
pub(crate) fn stop_ourselves() -> bool {
    !is_orphaned() && rustix::process::kill_process(getpid(), Signal::STOP).is_ok()
}

/// Whether nobody in our session could continue our group: none of its members has a parent in
/// another group of the session. The chain of our own parents decides.
fn is_orphaned() -> bool {
    let Some(us) = Stat::ours() else {
        return true;
    };
    let mut parent = us.parent;
    while let Some(stat) = Stat::read(parent).filter(|stat| stat.session == us.session) {
        if stat.group != us.group {
            return false;
        }
        parent = stat.parent;
    }
    true
}
