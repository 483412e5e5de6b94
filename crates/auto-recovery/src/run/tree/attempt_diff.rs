//! What one attempt changed, as a diff that is made while it is read.

use std::io;
use std::ops::ControlFlow;
use std::sync::Arc;

use crate::checkpoint::{Checkpoint, CheckpointStore, DiffSink};
use crate::error::{Error, Result};
use crate::redaction::Redactor;
use crate::run::state::masked_output::read_masked;

/// What stands between what a strategy changed and what its verification did.
const DURING_THE_VERIFICATION: &[u8] = b"# changed during the verification:\n";

/// What one attempt changed. Nothing of the diff is made before it is read.
pub struct AttemptDiff {
    pub(in crate::run) store: Arc<CheckpointStore>,
    pub(in crate::run) before: Checkpoint,
    pub(in crate::run) acted: Checkpoint,
    /// The tree after the verification, where that changed it.
    pub(in crate::run) verified: Option<Checkpoint>,
    /// Masks the secrets in it.
    pub(in crate::run) redactor: Arc<Redactor>,
}

impl AttemptDiff {
    /// Gives `sink` a unified diff piece by piece, without its secrets: what the strategy did, then
    /// what its verification did. Once `sink` wants no more, git is ended and that is the answer.
    ///
    /// # Errors
    /// If the checkpoints cannot be read, or `sink` fails.
    pub fn read(&self, sink: &mut DiffSink<'_>) -> Result<ControlFlow<()>> {
        read_masked(&self.redactor, sink, |sink| self.read_as_it_is(sink))
    }

    fn read_as_it_is(&self, sink: &mut DiffSink<'_>) -> Result<ControlFlow<()>> {
        let Self {
            store,
            before,
            acted,
            verified,
            redactor: _,
        } = self;
        if store.patch(before, acted, sink)?.is_break() {
            return Ok(ControlFlow::Break(()));
        }
        let Some(verified) = verified else {
            return Ok(ControlFlow::Continue(()));
        };
        let given = sink(DURING_THE_VERIFICATION);
        let given = given.map_err(|e: io::Error| Error::os("failed to write the diff", e))?;
        match given {
            ControlFlow::Break(()) => Ok(given),
            ControlFlow::Continue(()) => store.patch(acted, verified, sink),
        }
    }
}

impl std::fmt::Debug for AttemptDiff {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AttemptDiff")
            .field("before", &self.before.id())
            .field("acted", &self.acted.id())
            .finish_non_exhaustive()
    }
}
