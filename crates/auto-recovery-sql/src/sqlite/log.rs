//! The journal and trails as logs of leaves.

use auto_recovery::audit::sealing::{LeafLog, Log};
use auto_recovery::error::{Error, ErrorKind, Result};
use rusqlite::{Connection, OptionalExtension, Row};

use super::connection::Database;
use super::entry;
use super::failure::At;
use super::session::{PLACE_BITS, SessionRow};

/// A log whose leaves are read. Its positions are ids: of the last record that was read, or of the
/// next entry.
pub(super) struct SqliteLog<'s> {
    database: &'s Database,
    of: Of,
}

enum Of {
    Journal,
    Trail { session: i64, session_id: String },
}

/// The callback for each leaf.
type Visit<'v> = dyn FnMut(&[u8]) -> Result<()> + 'v;

impl<'s> SqliteLog<'s> {
    /// Opens `log`; `None` if there is nothing in it.
    pub(super) fn open(database: &'s Database, log: Log<'_>) -> Result<Option<Self>> {
        let Some(reader) = database.reader()? else {
            return Ok(None);
        };
        let (connection, path) = (reader.database(), &database.path);
        let of = match log {
            Log::Journal => is_begun(connection)
                .at("read", path)?
                .then_some(Of::Journal),
            Log::Trail(session_id) => SessionRow::find(connection, session_id)
                .at("read", path)?
                .filter(|session| session.tally.total > 0)
                .map(|session| Of::Trail {
                    session: session.id,
                    session_id: session.session_id,
                }),
        };
        Ok(of.map(|of| Self { database, of }))
    }

    /// What `ask` gives, of the database as it is now.
    fn ask<T>(&self, ask: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T> {
        let path = &self.database.path;
        match self.database.reader()? {
            Some(reader) => ask(reader.database()).at("read", path),
            None => {
                let text = format!("{} is gone", path.display());
                Err(Error::new(ErrorKind::Damaged, text))
            }
        }
    }

    fn unreadable(&self, row: &str, error: rusqlite::Error) -> Error {
        let text = format!("{row} of {} cannot be read", self.place());
        Error::new(ErrorKind::Damaged, text).with_source(error)
    }

    fn read_journal(&self, from: i64, to: i64, visit: &mut Visit<'_>) -> Result<i64> {
        const RECORDS: &str =
            "SELECT id, record FROM journal WHERE id > ?1 AND id <= ?2 ORDER BY id";
        let mut last = from;
        self.each(RECORDS, [from, to], &mut |row| {
            let id: i64 = row.get(0).at("read", &self.database.path)?;
            let record = row.get_ref(1).and_then(|record| Ok(record.as_bytes()?));
            visit(record.map_err(|error| self.unreadable(&format!("record {id}"), error))?)?;
            last = id;
            Ok(())
        })?;
        Ok(last)
    }

    fn read_trail(
        &self,
        session_id: &str,
        (from, to): (i64, i64),
        visit: &mut Visit<'_>,
    ) -> Result<i64> {
        let mut next = from;
        let mut made = Vec::new();
        self.each(entry::SELECT, [from, to - 1], &mut |row| {
            let id: i64 = row.get(14).at("read", &self.database.path)?;
            let leaf = entry::raw(row, session_id, &mut made);
            let place = id & ((1 << PLACE_BITS) - 1);
            let leaf =
                leaf.map_err(|error| self.unreadable(&format!("entry {}", place + 1), error))?;
            visit(leaf)?;
            next = id + 1;
            Ok(())
        })?;
        Ok(next)
    }

    fn each(
        &self,
        sql: &str,
        bounds: [i64; 2],
        take: &mut dyn FnMut(&Row<'_>) -> Result<()>,
    ) -> Result<()> {
        let path = &self.database.path;
        let Some(reader) = self.database.reader()? else {
            return Ok(());
        };
        let mut select = reader.database().prepare_cached(sql).at("read", path)?;
        let mut rows = select.query(bounds).at("read", path)?;
        while let Some(row) = rows.next().at("read", path)? {
            take(row)?;
        }
        Ok(())
    }
}

/// Whether anything was ever written.
fn is_begun(database: &Connection) -> rusqlite::Result<bool> {
    const ANY: &str = "SELECT EXISTS (SELECT 1 FROM journal) OR EXISTS (SELECT 1 FROM session)";
    database
        .prepare_cached(ANY)?
        .query_row([], |row| row.get(0))
}

impl LeafLog for SqliteLog<'_> {
    fn place(&self) -> String {
        let path = self.database.path.display();
        match &self.of {
            Of::Journal => format!("journal of {path}"),
            Of::Trail { session_id, .. } => format!("entries of {session_id} in {path}"),
        }
    }

    fn identity(&self) -> u64 {
        match &self.of {
            Of::Journal => 1,
            Of::Trail { session, .. } => *session as u64,
        }
    }

    fn start(&self) -> u64 {
        match &self.of {
            Of::Journal => 0,
            Of::Trail { session, .. } => (session << PLACE_BITS) as u64,
        }
    }

    fn end(&self) -> Result<u64> {
        let end = match &self.of {
            Of::Journal => self.ask(|database| {
                database
                    .prepare_cached("SELECT coalesce(max(id), 0) FROM journal")?
                    .query_row([], |row| row.get::<_, i64>(0))
            }),
            Of::Trail { session, .. } => self.ask(|database| {
                const LAST: &str = "SELECT coalesce(max(id) + 1, ?1) FROM entry \
                     WHERE id >= ?1 AND id < ?2";
                let bounds = [session << PLACE_BITS, (session + 1) << PLACE_BITS];
                database
                    .prepare_cached(LAST)?
                    .query_row(bounds, |row| row.get(0))
            }),
        };
        end.map(|end| end as u64)
    }

    fn hold(&self) -> Result<bool> {
        // Nobody is kept from anything: ids are given in order, and the head of a trail is recorded
        // only if that is still there.
        let Of::Trail { session, .. } = &self.of else {
            return Ok(true);
        };
        let found = self.ask(|database| {
            database
                .prepare_cached("SELECT 1 FROM session WHERE id = ?")?
                .query_row([session], |_| Ok(()))
                .optional()
        })?;
        Ok(found.is_some())
    }

    fn let_go(&self) {}

    fn sync(&self) -> Result<()> {
        self.database.sync()
    }

    fn read(&self, from: u64, to: u64, visit: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<u64> {
        let (from, to) = (from as i64, to as i64);
        let read = match &self.of {
            Of::Journal => self.read_journal(from, to, visit),
            Of::Trail { session_id, .. } => self.read_trail(session_id, (from, to), visit),
        };
        read.map(|end| end as u64)
    }
}
