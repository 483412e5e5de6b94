//! What is written together: entries and journal records of one caller or of many, in one
//! transaction.

use std::collections::HashMap;

use auto_recovery::Result;
use auto_recovery::audit::{
    JournalLine, NewEntry, RecordedEntry, Recorder, StoredEntry, session_id,
};
use auto_recovery::host::Host;
use auto_recovery::spool::Waiting;

use super::columns::{Columns, hash_of};

/// One thing to be written.
pub(super) enum Item {
    /// An entry that we write.
    Entry(Box<Pending>),
    /// An entry that is kept as it is.
    Stored(Box<Kept>),
    /// A journal record.
    Record(Box<Line>),
}

/// An entry on its way, cut so that it fits.
pub(super) struct Pending {
    pub recorded: RecordedEntry,
    /// Its row, once it has its number and place.
    pub columns: Option<Columns>,
}

/// An entry that is kept to the byte.
pub(super) struct Kept {
    pub session_id: String,
    pub attempt_number: u64,
    pub columns: Columns,
    /// How many with its id came before it in what is taken over, if it is only to be added where
    /// there are no more.
    pub came_before: Option<i64>,
    /// Whether it was added.
    pub is_added: bool,
}

/// A journal record on its way.
pub(super) struct Line {
    pub journal: JournalLine,
    /// What happened, in the word of the record.
    pub event: String,
    pub hash: Vec<u8>,
    /// As [`Kept::came_before`].
    pub came_before: Option<i64>,
    /// As [`Kept::is_added`].
    pub is_added: bool,
}

impl Item {
    /// `new` with the id and the time that it lacks.
    ///
    /// # Errors
    /// If it cannot be recorded.
    pub(super) fn entry(new: NewEntry, recorder: &Recorder, text: &mut Vec<u8>) -> Result<Self> {
        session_id::encode(&new.entry.session_id)?;
        text.clear();
        // Its row is made of it once it has its number.
        let recorded = recorder.entry(std::process::id(), new, text)?;
        Ok(Self::Entry(Box::new(Pending {
            recorded,
            columns: None,
        })))
    }

    /// `stored` as it is.
    pub(super) fn stored(stored: StoredEntry<'_>, came_before: Option<i64>) -> Self {
        Self::Stored(Box::new(Kept {
            session_id: stored.session_id().into_owned(),
            attempt_number: stored.attempt_number(),
            columns: Columns::of_stored(stored),
            came_before,
            is_added: false,
        }))
    }

    /// `line` as it is.
    ///
    /// # Errors
    /// If there can be no such session.
    pub(super) fn record(line: JournalLine, came_before: Option<i64>) -> Result<Self> {
        if let Some(session_id) = &line.record().session_id {
            session_id::encode(session_id)?;
        }
        Ok(Self::Record(Box::new(Line {
            hash: hash_of(line.json().as_bytes()),
            event: line.event(),
            journal: line,
            came_before,
            is_added: false,
        })))
    }

    /// The session it is about.
    pub(super) fn session_id(&self) -> Option<&str> {
        match self {
            Self::Entry(pending) => Some(&pending.recorded.entry().session_id),
            Self::Stored(kept) => Some(&kept.session_id),
            Self::Record(line) => line.journal.record().session_id.as_deref(),
        }
    }
}

/// What of a spool is delivered with a group: what was delivered before must be what we think.
pub(super) struct Delivery {
    pub segment: String,
    /// Empty for the journal.
    pub session_id: String,
    /// How many things were delivered of it before, and how many are then.
    pub from: i64,
    pub to: i64,
    /// The hash of each thing that is delivered.
    pub digests: Vec<u8>,
}

/// What is written in one transaction.
#[derive(Default)]
pub(super) struct Group {
    pub items: Vec<Item>,
    pub delivery: Option<Delivery>,
    /// What tells this write from every other.
    pub token: Vec<u8>,
    /// The highest number of each session it wrote to, once it is written.
    pub highest: HashMap<String, u64>,
}

impl Group {
    /// `items`, in a write of their own.
    pub(super) fn new(items: Vec<Item>, host: &dyn Host) -> Self {
        let mut token = host.random().to_le_bytes().to_vec();
        token.extend_from_slice(&host.random().to_le_bytes());
        Self {
            items,
            delivery: None,
            token,
            highest: HashMap::new(),
        }
    }

    /// The sessions that it writes to, each once, in the order in which everybody locks them.
    pub(super) fn session_ids(&self) -> Vec<String> {
        let ids = self.items.iter().filter_map(Item::session_id);
        let mut ids: Vec<String> = ids.map(str::to_owned).collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    }

    /// The items as they wait in a spool.
    pub(super) fn waiting(&mut self) -> Vec<Waiting<'_>> {
        let items = self.items.iter_mut();
        items
            .map(|item| match item {
                Item::Entry(pending) => Waiting::Entry(&mut pending.recorded),
                Item::Record(line) => Waiting::Record(&line.journal),
                Item::Stored(_) => {
                    unreachable!("what is taken over is not acknowledged before the server has it")
                }
            })
            .collect()
    }

    /// What of it is added.
    pub(super) fn added(&self) -> (Vec<&Columns>, Vec<&Line>) {
        let (mut entries, mut records) = (Vec::new(), Vec::new());
        for item in &self.items {
            match item {
                Item::Entry(pending) => entries.extend(&pending.columns),
                Item::Stored(kept) if kept.is_added => entries.push(&kept.columns),
                Item::Record(line) if line.is_added => records.push(&**line),
                Item::Stored(_) | Item::Record(_) => {}
            }
        }
        (entries, records)
    }
}
