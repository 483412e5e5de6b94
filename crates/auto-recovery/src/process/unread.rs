//! Keys that nobody reads where they are typed, because a program reads its output's terminal.
//!
//! `more` reads its keys from its stderr, which is our pseudo terminal, on which nobody types; so
//! does whoever asks a question there. Nothing says so beforehand. So while the command has the
//! person's terminal, it is watched: when something was typed there, and a process of the
//! foreground waits to read from our pseudo terminal, what was typed is put there. What the program
//! has not come to wait for yet is looked at again after a while, which grows from 20 ms to a
//! second, for somebody may type what nobody ever reads. What a process waits for the
//! system does not always tell; where it does not, nothing is put anywhere.

use std::fs;
use std::path::Path;
use std::time::Duration;

use crate::platform::descriptors;
use crate::platform::processes::scan;
use crate::platform::waits::awaited_by;

/// The first and the longest wait before it is looked again.
const LOOK_MIN: Duration = Duration::from_millis(20);
const LOOK_MAX: Duration = Duration::from_secs(1);
/// When to look again at what nobody has read.
#[derive(Debug, Default)]
pub(super) struct Unread {
    wait: Option<Duration>,
}

impl Unread {
    /// How long until it is looked again; `None` while all was read.
    pub(super) fn wait(&self) -> Option<Duration> {
        self.wait
    }

    /// Nobody waited for it.
    pub(super) fn look_again(&mut self) {
        let next = self.wait.map_or(LOOK_MIN, |wait| wait.saturating_mul(2));
        self.wait = Some(next.min(LOOK_MAX));
    }

    /// It was read.
    pub(super) fn forget(&mut self) {
        self.wait = None;
    }
}

/// Whether a process of `group` waits to read from the terminal `name`.
pub(super) fn is_awaited(name: &Path, group: i32) -> bool {
    let members = scan().into_iter().filter(|stat| stat.group == group);
    members.into_iter().any(|stat| {
        let is_it = |number: i32| {
            let open = fs::read_link(descriptors::path(stat.pid, number));
            open.is_ok_and(|path| path == name)
        };
        awaited_by(stat.pid).into_iter().any(is_it)
    })
}
