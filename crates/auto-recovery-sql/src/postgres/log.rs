//! The journal and trails as logs of leaves.
//!
//! The ids of journal records are not given in the order of commits, so one with a lower id may
//! come to be seen later. Their order is that in which they are numbered, by whoever seals: a
//! record that has its number is committed, and keeps it.

use auto_recovery::audit::sealing::{LeafLog, Log};
use auto_recovery::{Error, ErrorKind, Result};

use super::cell::get;
use super::connection::Params;
use super::leaves::{read_entries, read_leaves, read_unnumbered};
use super::outbox::Outbox;

/// Keeps those apart who number records.
const LOCK_LEAVES: &str = "SELECT pg_advisory_xact_lock(4702394921427287)";

/// Gives the next numbers to the records that have none.
const NUMBER: &str = "INSERT INTO auto_recovery.journal_leaf (leaf, id) \
     SELECT coalesce((SELECT max(leaf) FROM auto_recovery.journal_leaf), 0) \
     + row_number() OVER (ORDER BY id), id FROM auto_recovery.journal AS record \
     WHERE NOT EXISTS (SELECT FROM auto_recovery.journal_leaf AS leaf WHERE leaf.id = record.id)";

const LAST_LEAF: &str = "SELECT coalesce(max(leaf), 0) FROM auto_recovery.journal_leaf";

const RECORDS: &str = "SELECT count(*) FROM auto_recovery.journal";

const IS_BEGUN: &str = "SELECT EXISTS (SELECT FROM auto_recovery.journal) \
     OR EXISTS (SELECT FROM auto_recovery.stored_session)";

/// The last place of a trail, unless that was removed.
const LAST_PLACE: &str = "SELECT coalesce(max(place), 0) FROM auto_recovery.stored_entry \
     WHERE session = $1 AND EXISTS (SELECT FROM auto_recovery.stored_session WHERE id = $1)";

const IS_THERE: &str = "SELECT EXISTS (SELECT FROM auto_recovery.stored_session WHERE id = $1)";

/// A log whose leaves are read. Its positions are the numbers of records, and places of entries.
pub(super) struct PostgresLog<'s> {
    outbox: &'s Outbox,
    of: Of,
}

enum Of {
    Journal,
    Trail { session: i64, session_id: String },
}

impl<'s> PostgresLog<'s> {
    /// Opens `log`; `None` if there is nothing in it.
    pub(super) fn open(outbox: &'s Outbox, log: Log<'_>) -> Result<Option<Self>> {
        let of = outbox.ask(|reader| match log {
            Log::Journal => {
                let rows = reader.rows(IS_BEGUN, &[])?;
                let is_begun = rows.first().map(|row| get(row, 0)).transpose()?;
                Ok((is_begun == Some(true)).then_some(Of::Journal))
            }
            Log::Trail(session_id) => {
                let session = reader.session(session_id)?;
                let session = session.filter(|session| session.entries > 0);
                Ok(session.map(|session| Of::Trail {
                    session: session.id,
                    session_id: session.session_id,
                }))
            }
        })?;
        Ok(of.map(|of| Self { outbox, of }))
    }

    fn number(&self, sql: &'static str, params: Params<'_>) -> Result<u64> {
        let rows = self.outbox.ask(|reader| reader.rows(sql, params))?;
        let number: Option<i64> = rows.first().map(|row| get(row, 0)).transpose()?;
        Ok(number.unwrap_or(0) as u64)
    }
}

impl LeafLog for PostgresLog<'_> {
    fn place(&self) -> String {
        match &self.of {
            Of::Journal => "auto_recovery.journal".to_owned(),
            Of::Trail { session_id, .. } => {
                format!("auto_recovery.stored_entry of {session_id}")
            }
        }
    }

    fn identity(&self) -> u64 {
        match &self.of {
            Of::Journal => 1,
            Of::Trail { session, .. } => *session as u64,
        }
    }

    fn start(&self) -> u64 {
        0
    }

    fn end(&self) -> Result<u64> {
        match &self.of {
            Of::Journal => self.number(LAST_LEAF, &[]),
            Of::Trail { session, .. } => self.number(LAST_PLACE, &[session]),
        }
    }

    fn hold(&self) -> Result<bool> {
        // Nobody is kept from anything: what has its number or place keeps it, and the head of a
        // trail is recorded only if that is still there.
        self.outbox.ask(|reader| match &self.of {
            Of::Journal => reader.to_disk(|| {
                reader.batch(LOCK_LEAVES)?;
                reader.rows(NUMBER, &[]).map(|_| true)
            }),
            Of::Trail { session, .. } => {
                let rows = reader.rows(IS_THERE, &[session])?;
                let is_there = rows.first().map(|row| get(row, 0)).transpose()?;
                Ok(is_there == Some(true))
            }
        })
    }

    fn let_go(&self) {}

    fn sync(&self) -> Result<()> {
        // What is written about it next brings it to the disk: the head of a trail, or the numbers
        // of records.
        Ok(())
    }

    fn read(&self, from: u64, to: u64, visit: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<u64> {
        let (from, to) = (from as i64, i64::try_from(to).unwrap_or(i64::MAX));
        let end = self.outbox.ask(|reader| {
            reader.at_one_moment(|| match &self.of {
                Of::Journal => read_leaves(reader, from, to, visit),
                Of::Trail {
                    session,
                    session_id,
                } => read_entries(
                    reader,
                    (*session, session_id),
                    (from, to),
                    &mut |place, leaf| match leaf {
                        Ok(leaf) => visit(leaf.as_bytes()),
                        Err(error) => {
                            let text = format!("entry {place} of {} cannot be read", self.place());
                            Err(Error::new(ErrorKind::Damaged, text).with_source(error))
                        }
                    },
                ),
            })
        })?;
        Ok(end as u64)
    }

    fn read_all(&self, visit: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> {
        match &self.of {
            Of::Journal => self.outbox.ask(|reader| {
                reader.at_one_moment(|| {
                    read_leaves(reader, 0, i64::MAX, visit)?;
                    read_unnumbered(reader, visit)
                })
            }),
            Of::Trail { .. } => self.read(0, u64::MAX, visit).map(drop),
        }
    }

    fn state(&self) -> Result<u64> {
        match &self.of {
            Of::Journal => self.number(RECORDS, &[]),
            Of::Trail { .. } => self.end(),
        }
    }
}
