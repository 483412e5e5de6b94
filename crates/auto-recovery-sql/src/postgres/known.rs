//! The items of a write that are stored already, and the places of the rest.

use std::collections::HashMap;

use auto_recovery::Result;

use super::columns::{Columns, hash_of};
use super::connection::Connection;
use super::group::{Group, Item};
use super::session::Session;

const KNOWN_ENTRIES: &str = "SELECT session, id_hash, count(*) FROM auto_recovery.stored_entry \
     WHERE (session, id_hash) IN (SELECT * FROM unnest($1::bigint[], $2::bytea[])) GROUP BY 1, 2";

/// Records from before their session's trail was removed do not count any more.
const KNOWN_RECORDS: &str = "SELECT hash, count(*) FROM auto_recovery.journal AS known \
     WHERE hash = ANY($1::bytea[]) AND id > coalesce((SELECT max(id) FROM auto_recovery.journal AS gone \
     WHERE gone.session_id = known.session_id AND gone.event IN ('session_cleared', 'session_pruned')), 0) \
     GROUP BY 1";

/// Number of stored copies of each new item.
#[derive(Default)]
pub(super) struct Known {
    entries: HashMap<(i64, Vec<u8>), i64>,
    records: HashMap<Vec<u8>, i64>,
}

impl Known {
    /// Reads the stored copies of the items that `group` adds. Its sessions are locked.
    pub(super) async fn read(
        connection: &Connection,
        group: &Group,
        sessions: &HashMap<String, Session>,
    ) -> Result<Self, tokio_postgres::Error> {
        let mut known = Self::default();
        let (mut ids, mut hashes, mut lines) = (Vec::new(), Vec::new(), Vec::new());
        for item in &group.items {
            let hash = match item {
                Item::Entry(pending) if pending.recorded.has_new_id() => continue,
                Item::Entry(pending) => hash_of(pending.recorded.entry().entry_id.as_bytes()),
                Item::Stored(kept) => kept.columns.id_hash.clone(),
                Item::Record(line) => {
                    lines.extend(line.came_before.map(|_| &line.hash));
                    continue;
                }
            };
            let session = item.session_id().and_then(|id| sessions.get(id));
            if let Some(session) = session.filter(|session| session.entries > 0) {
                ids.push(session.id);
                hashes.push(hash);
            }
        }
        if !ids.is_empty() {
            for row in connection.rows(KNOWN_ENTRIES, &[&ids, &hashes]).await? {
                known
                    .entries
                    .insert((row.try_get(0)?, row.try_get(1)?), row.try_get(2)?);
            }
        }
        if !lines.is_empty() {
            for row in connection.rows(KNOWN_RECORDS, &[&lines]).await? {
                known.records.insert(row.try_get(0)?, row.try_get(1)?);
            }
        }
        Ok(known)
    }

    /// Gives `item` its place in its session, unless it is there already.
    pub(super) fn place(
        &mut self,
        item: &mut Item,
        sessions: &mut HashMap<String, Session>,
    ) -> Result<()> {
        let session = item.session_id().and_then(|id| sessions.get_mut(id));
        match (item, session) {
            (Item::Entry(pending), Some(session)) => {
                let recorded = &mut pending.recorded;
                if recorded.number_by_store() {
                    recorded.set_number(session.next_number()?);
                }
                let mut columns = Columns::new(recorded.clone());
                if !pending.recorded.has_new_id() {
                    columns.occurrence = self.next(session.id, &columns.id_hash);
                }
                session.add(&mut columns, pending.recorded.entry().attempt_number);
                pending.columns = Some(columns);
            }
            (Item::Stored(kept), Some(session)) => {
                let there = self.entry(session.id, &kept.columns.id_hash);
                kept.is_added = kept.came_before.is_none_or(|came| came >= *there);
                if kept.is_added {
                    kept.columns.occurrence = self.next(session.id, &kept.columns.id_hash);
                    session.add(&mut kept.columns, kept.attempt_number);
                }
            }
            (Item::Record(line), session) => {
                let there = self.records.entry(line.hash.clone()).or_default();
                line.is_added = line.came_before.is_none_or(|came| came >= *there);
                if line.is_added {
                    *there += 1;
                    if let Some(session) = session {
                        let record = line.journal.record();
                        session.apply(&record.at, &record.event);
                    }
                }
            }
            (Item::Entry(_) | Item::Stored(_), None) => {
                unreachable!("the sessions of all entries were locked")
            }
        }
        Ok(())
    }

    fn entry(&mut self, session: i64, id_hash: &[u8]) -> &mut i64 {
        self.entries.entry((session, id_hash.to_vec())).or_default()
    }

    /// Counts one more entry of this id, and returns how many came before.
    fn next(&mut self, session: i64, id_hash: &[u8]) -> i32 {
        let there = self.entry(session, id_hash);
        *there += 1;
        i32::try_from(*there - 1).unwrap_or(i32::MAX)
    }
}
