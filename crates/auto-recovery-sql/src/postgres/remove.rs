//! Removing a session: its row goes together with the record of it, its entries follow in bounded
//! steps.
//!
//! Entries belong to the row, not to the session's id: as soon as the row is gone nobody sees them,
//! and what comes under that id belongs to another row. Whoever dies before all are deleted leaves
//! a note, by which the next who writes or removes something goes on.

use auto_recovery::Result;
use auto_recovery::audit::{Digester, Recorder, Removal, Removed, SessionCleared};
use tokio_postgres::types::ToSql;

use super::cell::get;
use super::columns::hash_of;
use super::failure::explain;
use super::key_rows::{DESTROY, NOTE, note_of};
use super::leaves::leaves;
use super::link::Lease;
use super::read::Reader;
use super::server::Server;
use super::session::Session;

/// How many entries are deleted in one transaction.
const DELETED_AT_ONCE: i64 = 10_000;

const DELETE_SESSION: &str = "WITH gone AS (\
         DELETE FROM auto_recovery.stored_session WHERE id = $1 RETURNING id, entries\
     ) INSERT INTO auto_recovery.removed_trail (session, entries) SELECT id, entries FROM gone";

const RECORD: &str = "INSERT INTO auto_recovery.journal (session_id, at, event, record, hash, token) \
     VALUES ($1, $2, $3, $4::text::json, $5, $5)";

const NOTIFY: &str = "SELECT pg_notify('auto_recovery', $1)";

const LEFT: &str = "SELECT session, entries FROM auto_recovery.removed_trail ORDER BY session";

const DELETE_ENTRIES: &str =
    "DELETE FROM auto_recovery.stored_entry WHERE session = $1 AND place > $2 AND place <= $3";

const FORGET: &str = "DELETE FROM auto_recovery.removed_trail WHERE session = $1";

/// Removes the trail of `session_id` if `removal` allows it, but for its entries, which nobody sees
/// any more then: [`finish`] deletes them.
pub(super) fn remove(
    reader: &Reader<'_>,
    recorder: &Recorder,
    session_id: &str,
    removal: &Removal,
) -> Result<Removed> {
    reader.batch("BEGIN")?;
    let removed = match reader.session_locked(session_id)? {
        None => Removed::Unknown,
        Some(session) => remove_locked(reader, recorder, &session, removal)?,
    };
    reader.batch("COMMIT")?;
    Ok(removed)
}

fn remove_locked(
    reader: &Reader<'_>,
    recorder: &Recorder,
    session: &Session,
    removal: &Removal,
) -> Result<Removed> {
    if let Some(held) = &session.facts.held {
        return Ok(Removed::Held(held.clone()));
    }
    if !session.is_there() {
        return Ok(Removed::Unknown);
    }
    if let Some(expected) = removal.expected() {
        let mut digester = Digester::default();
        reader.entries(session, 0, &mut |stored| {
            digester.push(stored.raw());
            Ok(())
        })?;
        if *expected != digester.finish() {
            return Ok(Removed::Changed);
        }
    }
    let id = &session.session_id;
    let destroyed = destroy_keys(reader, id)?;
    let tally = session.tally();
    let cleared = SessionCleared {
        entries: tally.total,
        first_timestamp: tally.first_timestamp,
        last_timestamp: tally.last_timestamp,
        keys: (destroyed > 0).then_some(destroyed),
        // There is no file of it.
        ..SessionCleared::default()
    };
    let leaves = leaves(reader, session)?;
    let event = removal.event(cleared.with_head(&leaves));
    let event_name = match removal {
        Removal::Cleared | Removal::ClearedBy(_) => "session_cleared",
        Removal::Pruned(_) => "session_pruned",
    };
    let line = recorder.record(Some(id), event)?;
    let (at, json) = (&line.record().at, line.json());
    let hash = hash_of(json.as_bytes());
    let params: [&(dyn ToSql + Sync); 5] = [id, at, &event_name, &json, &hash];
    reader.rows(RECORD, &params)?;
    reader.rows(DELETE_SESSION, &[&session.id])?;
    reader.rows(NOTIFY, &[id])?;
    Ok(Removed::Gone {
        entries: tally.total,
    })
}

/// Destroys the keys of `session_id`, and returns how many: texts whose key is gone are gone,
/// wherever copies of the trail are. None comes back from a spool.
fn destroy_keys(reader: &Reader<'_>, session_id: &str) -> Result<u64> {
    let gone = reader.rows(DESTROY, &[&session_id])?;
    for row in &gone {
        let file: Vec<u8> = get(row, 0)?;
        reader.rows(NOTE, &[&note_of(&file), &session_id])?;
    }
    Ok(gone.len() as u64)
}

/// Deletes the entries of trails that were removed. Nobody sees them any more: what goes wrong
/// here, the next who writes does again.
pub(super) fn finish(server: &Server, lease: &Lease) {
    drop(delete_removed(server, lease));
}

fn delete_removed(server: &Server, lease: &Lease) -> Result<()> {
    let failed = |error| explain(&server.address, "delete what was removed", error);
    let limit = server.options.read_timeout;
    let run = |sql: &'static str, params: Vec<i64>| {
        let done = async {
            let params: Vec<&(dyn ToSql + Sync)> = params
                .iter()
                .map(|one| one as &(dyn ToSql + Sync))
                .collect();
            lease.rows(sql, &params).await.map_err(failed)
        };
        lease.link().run("delete what was removed", limit, done)
    };
    for row in run(LEFT, Vec::new())? {
        let (session, entries): (i64, i64) = (get(&row, 0)?, get(&row, 1)?);
        let mut from = 0;
        while from < entries {
            run(DELETE_ENTRIES, vec![session, from, from + DELETED_AT_ONCE])?;
            from += DELETED_AT_ONCE;
        }
        run(FORGET, vec![session])?;
    }
    Ok(())
}
