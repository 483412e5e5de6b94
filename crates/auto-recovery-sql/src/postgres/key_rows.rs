//! The rows of `session_key`, and what is noted of keys that came with a spool.
//!
//! What changes them is one transaction, under a lock that keeps those apart who change the keys of
//! one session, and on the disk once it is acknowledged.

use std::collections::HashSet;

use auto_recovery::audit::encrypting::{KeyFile, KeyStamp};
use auto_recovery::integrity::hex;
use auto_recovery::{Error, ErrorKind, Result};
use tokio_postgres::Row;

use super::address::Address;
use super::cell::get;
use super::columns::hash_of;
use super::connection::Connection;
use super::failure::explain;
use super::migrate;

/// What fails, in messages.
pub(super) const DOING: &str = "keep the keys of encrypted sessions";

/// Begins a transaction that is on the disk when its commit is acknowledged: what a key closed may
/// be on another disk.
const BEGIN: &str = "BEGIN; SET LOCAL synchronous_commit = on";

/// Keeps those apart who change the keys of a session.
const LOCK: &str = "SELECT pg_advisory_xact_lock(4702394, hashtext($1))";

pub(super) const READ: &str = "SELECT number, file FROM auto_recovery.session_key \
     WHERE session_id = $1 ORDER BY number";

const READ_ONE: &str = "SELECT number, file FROM auto_recovery.session_key \
     WHERE session_id = $1 AND number = $2";

/// Adds a key, unless it is there: whoever lost the answer adds it again.
const ADD: &str = "WITH there AS (
        SELECT number FROM auto_recovery.session_key
        WHERE session_id = $1 AND file = $3 ORDER BY number LIMIT 1
    ), added AS (
        INSERT INTO auto_recovery.session_key (session_id, number, kid, file)
        SELECT $1, (
            SELECT coalesce(max(number), 0) + 1 FROM auto_recovery.session_key WHERE session_id = $1
        ), $2, $3 WHERE NOT EXISTS (SELECT FROM there)
        RETURNING number
    ) SELECT number FROM there UNION ALL SELECT number FROM added";

/// Notes that a key came here, so that it is not taken once more from a spool in which it waits
/// because the answer was lost.
pub(super) const NOTE: &str = "INSERT INTO auto_recovery.spool_delivery (segment, session_id, delivered) \
     VALUES ($1, $2, 1) ON CONFLICT DO NOTHING";

pub(super) const SESSIONS: &str =
    "SELECT DISTINCT session_id FROM auto_recovery.session_key ORDER BY session_id";

const REPLACE: &str = "WITH old AS (
        SELECT file FROM auto_recovery.session_key WHERE session_id = $1 AND number = $2 FOR UPDATE
    ), replaced AS (
        UPDATE auto_recovery.session_key SET file = $3 WHERE session_id = $1 AND number = $2
    ) SELECT file FROM old";

pub(super) const DESTROY: &str =
    "DELETE FROM auto_recovery.session_key WHERE session_id = $1 RETURNING file";

/// The first number of keys that wait, or waited: far above those that a server gives.
pub(super) const WAITING: u64 = 1 << 62;

/// A key that is to be added.
pub(super) struct NewKey<'k> {
    pub session_id: &'k str,
    pub kid: &'k str,
    pub file: &'k [u8],
}

/// Adds `key`, and returns its number.
pub(super) async fn add(
    address: &Address,
    connection: &Connection,
    key: &NewKey<'_>,
) -> Result<u64> {
    begin(address, connection, key.session_id).await?;
    let number = insert(address, connection, key).await?;
    commit(address, connection).await?;
    Ok(number)
}

/// Adds `key`, which waited, unless it came here before.
pub(super) async fn add_waiting(
    address: &Address,
    connection: &Connection,
    key: &NewKey<'_>,
) -> Result<()> {
    begin(address, connection, key.session_id).await?;
    if note(address, connection, key.session_id, key.file).await? {
        insert(address, connection, key).await?;
    }
    commit(address, connection).await
}

async fn insert(address: &Address, connection: &Connection, key: &NewKey<'_>) -> Result<u64> {
    let NewKey {
        session_id,
        kid,
        file,
    } = key;
    let rows = connection.rows(ADD, &[session_id, kid, file]).await;
    let rows = rows.map_err(|error| explain(address, DOING, error))?;
    let row = rows.first().ok_or_else(|| {
        let text = format!("the server gave no number to a key of session {session_id}");
        Error::new(ErrorKind::Damaged, text)
    })?;
    get(row, 0).map(i64::unsigned_abs)
}

/// Begins to change the keys of `session_id`.
async fn begin(address: &Address, connection: &Connection, session_id: &str) -> Result<()> {
    let failed = |error| explain(address, DOING, error);
    connection.batch(BEGIN).await.map_err(failed)?;
    migrate::known_version(address, connection).await?;
    let locked = connection.rows(LOCK, &[&session_id]).await;
    locked.map_err(failed).map(drop)
}

async fn commit(address: &Address, connection: &Connection) -> Result<()> {
    let committed = connection.batch("COMMIT").await;
    committed.map_err(|error| explain(address, DOING, error))
}

/// Notes that a key which waited came here, and returns whether it is the first time.
async fn note(
    address: &Address,
    connection: &Connection,
    session_id: &str,
    file: &[u8],
) -> Result<bool> {
    let name = note_of(file);
    let noted = connection.execute(NOTE, &[&name, &session_id]).await;
    Ok(noted.map_err(|error| explain(address, DOING, error))? == 1)
}

/// What is noted of a key.
pub(super) fn note_of(file: &[u8]) -> String {
    format!("key_{}", stamp_of(file))
}

/// The key `number` of `session_id`.
pub(super) async fn find(
    address: &Address,
    connection: &Connection,
    session_id: &str,
    number: u64,
) -> Result<Option<KeyFile>> {
    let failed = |error| explain(address, DOING, error);
    if number < WAITING {
        let number = number as i64;
        let rows = connection.rows(READ_ONE, &[&session_id, &number]).await;
        return rows.map_err(failed)?.first().map(key_of).transpose();
    }
    let rows = connection
        .rows(READ, &[&session_id])
        .await
        .map_err(failed)?;
    for row in &rows {
        let key = key_of(row)?;
        if waiting_number(&key.file) == number {
            return Ok(Some(key));
        }
    }
    Ok(None)
}

/// Replaces the files of `keys`, all or none.
pub(super) async fn replace(
    address: &Address,
    connection: &Connection,
    keys: &[(String, KeyFile)],
) -> Result<()> {
    let failed = |error| explain(address, DOING, error);
    connection.batch(BEGIN).await.map_err(failed)?;
    migrate::known_version(address, connection).await?;
    for (session_id, key) in keys {
        let mut number = Some(key.number);
        if key.number >= WAITING {
            let found = find(address, connection, session_id, key.number).await?;
            number = found.map(|key| key.number);
        }
        let number = number.map(|number| number as i64);
        let replaced = connection
            .rows(REPLACE, &[session_id, &number, &key.file])
            .await;
        let replaced = replaced.map_err(failed)?;
        let Some(old) = replaced.first() else {
            let text = format!("key {} of session {session_id} is gone", key.number);
            return Err(Error::new(ErrorKind::NotFound, text));
        };
        // The old one may wait in a spool elsewhere.
        note(address, connection, session_id, &get::<Vec<u8>>(old, 0)?).await?;
    }
    commit(address, connection).await
}

/// Destroys the keys of `session_id`, keeps them and those that are `waiting` from ever being
/// delivered, and returns how many there were.
pub(super) async fn destroy(
    address: &Address,
    connection: &Connection,
    session_id: &str,
    waiting: &[Vec<u8>],
) -> Result<u64> {
    let failed = |error| explain(address, DOING, error);
    begin(address, connection, session_id).await?;
    let mut destroyed = HashSet::new();
    for file in waiting {
        // One that came here before is among the others, or was destroyed then.
        if note(address, connection, session_id, file).await? {
            destroyed.insert(file.clone());
        }
    }
    let rows = connection.rows(DESTROY, &[&session_id]).await;
    for row in &rows.map_err(failed)? {
        let file: Vec<u8> = get(row, 0)?;
        // It may wait in a spool of another machine, whose answer was lost.
        note(address, connection, session_id, &file).await?;
        destroyed.insert(file);
    }
    commit(address, connection).await?;
    Ok(destroyed.len() as u64)
}

pub(super) fn key_of(row: &Row) -> Result<KeyFile> {
    let number: i64 = get(row, 0)?;
    Ok(KeyFile {
        number: number.unsigned_abs(),
        file: get(row, 1)?,
    })
}

/// What a key is told by: one that is wrapped anew is another.
pub(super) fn stamp_of(file: &[u8]) -> KeyStamp {
    hex(&hash_of(file))
}

/// The number of a key that waits.
pub(super) fn waiting_number(file: &[u8]) -> u64 {
    let hash = hash_of(file);
    let first = hash.iter().take(8);
    let number = first.fold(0, |number: u64, byte| (number << 8) | u64::from(*byte));
    WAITING | (number % WAITING)
}
