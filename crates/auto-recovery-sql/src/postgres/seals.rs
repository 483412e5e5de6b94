//! The seals of the store, and what is sealed.
//!
//! Transactions that seal are committed to the disk whatever the store's durability, and with them
//! everything that they could see.

use auto_recovery::Result;
use auto_recovery::audit::JournalEvent;
use auto_recovery::audit::sealing::{LeafLog, Log, SealStore, SealsWanted};
use auto_recovery::integrity::Seal;
use tokio_postgres::types::ToSql;

use super::cell::get;
use super::columns::hash_of;
use super::log::PostgresLog;
use super::migrate;
use super::read::Reader;
use super::recount;
use super::store::PostgresStore;
use crate::seal_line::SealLine;

/// Begins a transaction that is on the disk when its commit is acknowledged.
const BEGIN: &str = "BEGIN; SET LOCAL synchronous_commit = on";

/// How many seals are read at once.
const SEALS_A_PAGE: i64 = 1000;

const SEALS: &str =
    "SELECT id, v, at, note FROM auto_recovery.seal WHERE id > $1 ORDER BY id LIMIT $2";

/// The newest of each chain, and the last few.
const NEWEST: &str = "WITH RECURSIVE of (chain) AS (
        SELECT min(chain) FROM auto_recovery.seal
        UNION ALL
        SELECT (SELECT min(next.chain) FROM auto_recovery.seal AS next WHERE next.chain > of.chain)
        FROM of WHERE chain IS NOT NULL
    )
    SELECT id, v, at, note FROM auto_recovery.seal
    WHERE id > (SELECT max(id) FROM auto_recovery.seal) - 8 OR id IN (
        SELECT (
            SELECT id FROM auto_recovery.seal AS one WHERE one.chain = of.chain
            ORDER BY number DESC, id DESC LIMIT 1
        ) FROM of WHERE chain IS NOT NULL
    ) ORDER BY id";

const ADD: &str = "INSERT INTO auto_recovery.seal (chain, number, size, v, at, note) \
     VALUES ($1, $2, $3, $4, $5, $6)";

/// Keeps a trail from being removed, and nobody from adding to it.
const KEEP: &str =
    "SELECT id FROM auto_recovery.stored_session WHERE id = $1 AND session_id = $2 FOR KEY SHARE";

const RECORD: &str = "INSERT INTO auto_recovery.journal (session_id, at, event, record, hash, token) \
     VALUES ($1, $2, $3, $4::text::json, $5, $5)";

const TRAILS: &str = "SELECT session_id FROM auto_recovery.stored_session WHERE entries > 0";

impl Reader<'_> {
    /// What `write` gives, in a transaction that is on the disk once this returns.
    pub(super) fn to_disk<T>(&self, write: impl FnOnce() -> Result<T>) -> Result<T> {
        self.batch(BEGIN)?;
        self.run(migrate::known_version(&self.server.address, self.lease))?;
        let written = write()?;
        self.batch("COMMIT")?;
        Ok(written)
    }
}

impl SealStore for PostgresStore {
    fn seals_place(&self) -> String {
        "auto_recovery.seal".to_owned()
    }

    fn trail_place(&self, session_id: &str) -> String {
        format!("auto_recovery.stored_entry of {session_id}")
    }

    fn read_seals(
        &self,
        wanted: SealsWanted,
        visit: &mut dyn FnMut(&[u8]) -> Result<()>,
    ) -> Result<()> {
        self.outbox.ask(|reader| {
            let mut last = 0_i64;
            loop {
                let rows = match wanted {
                    SealsWanted::Newest => reader.rows(NEWEST, &[])?,
                    SealsWanted::All => reader.rows(SEALS, &[&last, &SEALS_A_PAGE])?,
                };
                for row in &rows {
                    last = get(row, 0)?;
                    let v: i32 = get(row, 1)?;
                    let line = SealLine {
                        v: v.unsigned_abs(),
                        at: get(row, 2)?,
                        note: get(row, 3)?,
                    };
                    visit(line.text().as_bytes())?;
                }
                let is_end = (rows.len() as i64) < SEALS_A_PAGE;
                if is_end || wanted == SealsWanted::Newest {
                    return Ok(());
                }
            }
        })
    }

    fn settle_seals(&self) -> Result<()> {
        // A row is there or not, and whatever is sealed next brings it to the disk.
        Ok(())
    }

    fn add_seal(&self, seal: &Seal, line: &str) -> Result<()> {
        let SealLine { v, at, note } = SealLine::read(line)?;
        let (number, size, v) = (seal.number as i64, seal.size as i64, v as i32);
        let params: [&(dyn ToSql + Sync); 6] = [&seal.chain, &number, &size, &v, &at, &note];
        self.outbox
            .ask(|reader| reader.to_disk(|| reader.rows(ADD, &params).map(drop)))
    }

    fn record_head(
        &self,
        trail: &dyn LeafLog,
        session_id: &str,
        event: JournalEvent,
    ) -> Result<bool> {
        let line = self.recorder.record(Some(session_id), event)?;
        let (at, name, json) = (&line.record().at, line.event(), line.json());
        let hash = hash_of(json.as_bytes());
        let row = trail.identity() as i64;
        self.outbox.ask(|reader| {
            reader.to_disk(|| {
                let kept = reader.rows(KEEP, &[&row, &session_id])?;
                if kept.is_empty() {
                    return Ok(false);
                }
                let params: [&(dyn ToSql + Sync); 5] = [&session_id, at, &name, &json, &hash];
                reader.rows(RECORD, &params).map(|_| true)
            })
        })
    }

    fn open_log(&self, log: Log<'_>) -> Result<Option<Box<dyn LeafLog + '_>>> {
        let opened = PostgresLog::open(&self.outbox, log)?;
        Ok(opened.map(|log| Box::new(log) as Box<dyn LeafLog + '_>))
    }

    fn trails(&self) -> Result<Vec<String>> {
        let rows = self.outbox.ask(|reader| reader.rows(TRAILS, &[]))?;
        let mut sessions: Vec<String> =
            rows.iter().map(|row| get(row, 0)).collect::<Result<_>>()?;
        sessions.sort_unstable();
        Ok(sessions)
    }

    fn sync_names(&self) -> Result<()> {
        Ok(())
    }

    fn recount(&self, session_id: &str) -> Result<Option<String>> {
        self.outbox
            .ask(|reader| recount::of_session(reader, session_id))
    }

    fn recount_all(&self) -> Result<Option<String>> {
        self.outbox.ask(recount::of_journal)
    }

    fn is_shared(&self) -> bool {
        true
    }
}
