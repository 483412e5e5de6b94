//! The cursor of those who read the feed besides streams, and what they keep with it.

use auto_recovery::Result;
use rusqlite::{Connection, params};

use super::database::{Database, meta, set_meta};
use super::rows::{self, Event};

/// The name of the cursor for OTLP, among the facts about a feed.
const OTLP: &str = "otlp";

/// Begins the names of facts that say: the session that follows was sent to have begun.
const OPEN: &str = "otlp.open.";

/// Rows at the beginning and at the end of a session that tell what one of them is about.
const FIRST_ROWS: i64 = 8;
const LAST_ROWS: i64 = 256;

impl Database {
    /// The number of the last row that was sent as OTLP; `None` before the first time.
    pub(crate) fn otlp_cursor(&self) -> Result<Option<i64>> {
        let text = self.read(|connection| meta(connection, OTLP))?;
        Ok(text.and_then(|text| text.parse().ok()))
    }

    /// Moves that cursor to `seq`: the sessions `opened` were sent to have begun, and `closed` to
    /// have ended.
    pub(crate) fn move_otlp_cursor(
        &self,
        seq: i64,
        opened: &[String],
        closed: &[String],
    ) -> Result<()> {
        self.write(|connection| {
            for id in opened {
                set_meta(connection, &format!("{OPEN}{id}"), "")?;
            }
            for id in closed {
                let mut delete = connection.prepare_cached("DELETE FROM meta WHERE name = ?")?;
                delete.execute([format!("{OPEN}{id}")])?;
            }
            set_meta(connection, OTLP, &seq.to_string())
        })
    }

    /// The sessions that were sent to have begun, and whose process died.
    pub(crate) fn otlp_dead(&self) -> Result<Vec<String>> {
        self.read(|connection| {
            let mut select = connection.prepare_cached(
                "SELECT position.session_id FROM meta
                 JOIN position ON meta.name = ?1 || position.session_id
                 WHERE meta.name GLOB ?1 || '*' AND position.outcome = 'interrupted' LIMIT 100",
            )?;
            let ids = select.query_map([OPEN], |row| row.get(0))?;
            ids.collect()
        })
    }

    /// The first and the last rows of the session `id` up to the number `seq`, in order.
    pub(crate) fn ends_of_session(&self, id: &str, seq: i64) -> Result<Vec<Event>> {
        self.read(|connection| of_session(connection, id, seq))
    }
}

fn of_session(connection: &Connection, id: &str, seq: i64) -> rusqlite::Result<Vec<Event>> {
    let mut select = connection.prepare_cached(
        "SELECT seq, kind, session_id, project, body FROM event WHERE seq IN (
            SELECT seq FROM (SELECT seq FROM event WHERE session_id = ?1 AND seq <= ?2
                             ORDER BY seq LIMIT ?3)
            UNION
            SELECT seq FROM (SELECT seq FROM event WHERE session_id = ?1 AND seq <= ?2
                             ORDER BY seq DESC LIMIT ?4))
         ORDER BY seq",
    )?;
    let events = select.query_map(params![id, seq, FIRST_ROWS, LAST_ROWS], rows::event)?;
    events.collect()
}
