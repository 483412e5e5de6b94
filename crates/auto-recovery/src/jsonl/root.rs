//! What readers and writers of a store share: its directory, and what its journal says.

use std::sync::Arc;

use super::dir::Dir;
use super::read::journal_index::{EventsBySession, JournalIndex, Told};
use super::read::keyed::Placed;
use super::read::session_events::SessionEvents;
use crate::error::Result;

/// A store's directory, and its journal as far as that was read.
pub(super) struct Root {
    pub dir: Dir,
    index: JournalIndex,
}

impl Root {
    pub(super) fn new(dir: Dir) -> Self {
        Self {
            dir,
            index: JournalIndex::default(),
        }
    }

    /// What the journal says of `session_id`, for whoever is to change something by it.
    ///
    /// # Errors
    /// [`ErrorKind::Damaged`](crate::ErrorKind::Damaged) if it cannot be opened: it may say that
    /// the session is held.
    pub(super) fn events(&self, session_id: &str) -> Result<Arc<SessionEvents>> {
        self.index.of(&self.dir, session_id)
    }

    /// What the journal says of `session_id`, for readers.
    pub(super) fn told_of(&self, session_id: &str) -> Result<Told<Arc<SessionEvents>>> {
        self.index.told_of(&self.dir, session_id)
    }

    /// Each record of the journal about `session_id`, for readers.
    pub(super) fn records_of(&self, session_id: &str) -> Result<Told<Vec<Placed>>> {
        self.index.records_of(&self.dir, session_id)
    }

    /// What the journal says of all sessions, for readers.
    pub(super) fn told_of_all(&self) -> Result<Told<EventsBySession>> {
        self.index.told_of_all(&self.dir)
    }
}
