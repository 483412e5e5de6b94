//! The time of one command: how long it has run, and when it must end.

use std::time::Duration;

use super::spec::CommandSpec;
use crate::host::Host;

/// The host's clock, without the time that the command was stopped by job control.
pub(super) struct Clock<'a> {
    pub(super) host: &'a dyn Host,
    pub(super) started: Duration,
    pub(super) paused: Duration,
}

impl Clock<'_> {
    pub(super) fn now(&self) -> Duration {
        self.host.monotonic().saturating_sub(self.paused)
    }

    /// How long it has run.
    pub(super) fn elapsed(&self) -> Duration {
        self.now().saturating_sub(self.started)
    }

    /// The limit on time that comes first.
    pub(super) fn limit(&self, spec: &CommandSpec) -> Option<Limit> {
        let timeout = spec.timeout.map(|timeout| Limit {
            at: self.started.saturating_add(timeout),
            is_deadline: false,
        });
        let deadline = spec.deadline.map(|at| Limit {
            at,
            is_deadline: true,
        });
        [timeout, deadline]
            .into_iter()
            .flatten()
            .min_by_key(|limit| limit.at)
    }
}

/// A limit on time.
pub(super) struct Limit {
    pub(super) at: Duration,
    pub(super) is_deadline: bool,
}
