//! The entries of a session as a list that is serialised while it is read: documents of any size in
//! constant memory.

use std::cell::RefCell;

use serde::ser::SerializeSeq;
use serde::{Serialize, Serializer};

use crate::audit::{AuditStore, Damage};
use crate::error::{Error, ErrorKind, Result};

/// The first `count` entries of a session. Those that arrive while it is written are left out, so that
/// a document says the same everywhere.
pub(crate) struct Entries<'s> {
    store: &'s dyn AuditStore,
    session_id: &'s str,
    count: u64,
    outcome: &'s Outcome,
}

/// What became of the reading, which serde has no way to tell.
#[derive(Default)]
pub(crate) struct Outcome {
    damage: RefCell<Vec<Damage>>,
    error: RefCell<Option<Error>>,
}

impl Outcome {
    /// What could not be read.
    pub(crate) fn take_damage(&self) -> Vec<Damage> {
        self.damage.take()
    }

    /// The reader's error if there was one; otherwise it was the writer's.
    pub(crate) fn take_error(&self) -> Option<Error> {
        self.error.borrow_mut().take()
    }
}

impl<'s> Entries<'s> {
    /// The first `count` entries of `session_id`; `outcome` learns what became of reading them.
    pub(crate) fn new(
        store: &'s dyn AuditStore,
        session_id: &'s str,
        count: u64,
        outcome: &'s Outcome,
    ) -> Self {
        Self {
            store,
            session_id,
            count,
            outcome,
        }
    }
}

impl Serialize for Entries<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(None)?;
        let mut written = 0;
        let mut refused = None;
        let read = self.store.read_trail(self.session_id, &mut |stored| {
            if written == self.count {
                return Ok(());
            }
            written += 1;
            list.serialize_element(&stored.entry).map_err(|error| {
                refused = Some(error);
                Error::new(ErrorKind::Io, "write an entry")
            })
        });
        if let Some(error) = refused {
            return Err(error);
        }
        match read {
            Ok(damage) if written == self.count => {
                self.outcome.damage.borrow_mut().extend(damage);
                list.end()
            }
            Ok(_) => Err(self.fail(changed(self.session_id))),
            Err(error) => Err(self.fail(error)),
        }
    }
}

impl Entries<'_> {
    fn fail<E: serde::ser::Error>(&self, error: Error) -> E {
        let words = E::custom(&error);
        *self.outcome.error.borrow_mut() = Some(error);
        words
    }
}

/// A trail had fewer entries when it was read than when they were counted.
fn changed(session_id: &str) -> Error {
    Error::new(
        ErrorKind::Busy,
        format!("session {session_id} was cleared while it was read: try again"),
    )
}
