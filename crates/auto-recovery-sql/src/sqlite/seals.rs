//! The seals of the store, and what is sealed.

use auto_recovery::audit::sealing::{LeafLog, Log, SealStore, SealsWanted};
use auto_recovery::audit::{Durability, JournalEvent};
use auto_recovery::error::{Error, ErrorKind, Result};
use auto_recovery::integrity::Seal;
use rusqlite::{Row, params};

use super::failure::At;
use super::log::SqliteLog;
use super::session::SessionRow;
use super::store::SqliteStore;
use super::{file, journal, recount, recount_all};
use crate::seal_line::SealLine;
use crate::text::from_column;

const SEALS: &str = "SELECT v, at, note FROM seal ORDER BY id";

/// The newest of each chain, and the last few.
const NEWEST: &str = "WITH RECURSIVE of (chain) AS (
        SELECT min(chain) FROM seal
        UNION ALL
        SELECT (SELECT min(chain) FROM seal WHERE chain > of.chain) FROM of WHERE chain IS NOT NULL
    )
    SELECT v, at, note FROM seal WHERE id > (SELECT max(id) FROM seal) - 8 OR id IN (
        SELECT (SELECT id FROM seal WHERE chain = of.chain ORDER BY number DESC, id DESC LIMIT 1)
        FROM of WHERE chain IS NOT NULL
    ) ORDER BY id";

const ADD: &str = "INSERT INTO seal (chain, number, size, v, at, note) VALUES (?, ?, ?, ?, ?, ?)";

impl SealStore for SqliteStore {
    fn seals_place(&self) -> String {
        format!("seals of {}", self.database.path.display())
    }

    fn trail_place(&self, session_id: &str) -> String {
        let path = self.database.path.display();
        format!("entries of {session_id} in {path}")
    }

    fn read_seals(
        &self,
        wanted: SealsWanted,
        visit: &mut dyn FnMut(&[u8]) -> Result<()>,
    ) -> Result<()> {
        let Some(reader) = self.database.reader()? else {
            return Ok(());
        };
        let path = &self.database.path;
        let sql = match wanted {
            SealsWanted::All => SEALS,
            SealsWanted::Newest => NEWEST,
        };
        let mut select = reader.database().prepare_cached(sql).at("read", path)?;
        let mut rows = select.query([]).at("read", path)?;
        while let Some(row) = rows.next().at("read", path)? {
            let line = line(row).map_err(|error| {
                let text = format!("{} cannot be read", self.seals_place());
                Error::new(ErrorKind::Damaged, text).with_source(error)
            })?;
            visit(line.text().as_bytes())?;
        }
        Ok(())
    }

    fn settle_seals(&self) -> Result<()> {
        self.database.sync()
    }

    fn add_seal(&self, seal: &Seal, line: &str) -> Result<()> {
        let SealLine { v, at, note } = SealLine::read(line)?;
        self.database.append(|batch| {
            let (number, size) = (seal.number as i64, seal.size as i64);
            batch
                .database
                .prepare_cached(ADD)?
                .execute(params![seal.chain, number, size, v, at, note])
        })?;
        match self.database.durability {
            Durability::Sync => Ok(()),
            Durability::Flush => self.database.sync(),
        }
    }

    fn record_head(
        &self,
        trail: &dyn LeafLog,
        session_id: &str,
        event: JournalEvent,
    ) -> Result<bool> {
        let line = self.recorder.record(Some(session_id), event)?;
        self.database.append(|batch| {
            // It may have been removed since it was read.
            let found = SessionRow::find(batch.database, session_id)?;
            if found.is_none_or(|session| session.id as u64 != trail.identity()) {
                return Ok(false);
            }
            journal::insert(batch.database, &line)?;
            Ok(true)
        })
    }

    fn open_log(&self, log: Log<'_>) -> Result<Option<Box<dyn LeafLog + '_>>> {
        let opened = SqliteLog::open(&self.database, log)?;
        Ok(opened.map(|log| Box::new(log) as Box<dyn LeafLog + '_>))
    }

    fn trails(&self) -> Result<Vec<String>> {
        const SESSIONS: &str = "SELECT session_id FROM session_now WHERE entries > 0";
        let Some(reader) = self.database.reader()? else {
            return Ok(Vec::new());
        };
        let path = &self.database.path;
        let mut select = reader
            .database()
            .prepare_cached(SESSIONS)
            .at("read", path)?;
        let mut rows = select.query([]).at("read", path)?;
        let mut sessions = Vec::new();
        while let Some(row) = rows.next().at("read", path)? {
            // A name that cannot be read is told of by who counts again what is kept of all.
            sessions.extend(row.get(0).ok().map(from_column));
        }
        sessions.sort_unstable();
        Ok(sessions)
    }

    fn sync_names(&self) -> Result<()> {
        file::sync_names(&self.database.path)
    }

    fn recount(&self, session_id: &str) -> Result<Option<String>> {
        recount::of_session(&self.database, session_id)
    }

    fn recount_all(&self) -> Result<Option<String>> {
        recount_all::of_all(&self.database)
    }
}

fn line(row: &Row<'_>) -> rusqlite::Result<SealLine> {
    Ok(SealLine {
        v: row.get(0)?,
        at: row.get(1)?,
        note: row.get(2)?,
    })
}
