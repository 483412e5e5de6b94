//! One write: a transaction that locks its sessions, gives numbers and places, and adds everything
//! or nothing.
//!
//! Sessions are locked in the order of their ids, so that no two writers wait for each other. What
//! can be sent without waiting for an answer is: one entry takes two round trips.

use std::collections::HashMap;
use std::pin::pin;

use auto_recovery::{Error, ErrorKind, Result};
use futures_util::future::{join, join_all, join3};
use tokio_postgres::binary_copy::BinaryCopyInWriter;
use tokio_postgres::types::{ToSql, Type};

use super::address::Address;
use super::columns::{self, Columns};
use super::connection::Connection;
use super::failure::explain;
use super::group::{Delivery, Group, Item, Line};
use super::known::Known;
use super::migrate;
use super::probe::Probe;
use super::session::{self, Session};
use crate::text::to_column;

/// Up to this many rows are sent as statements of their own; more are copied, which costs a round
/// trip more.
const INSERTED_MAX: usize = 8;

/// Up to this many statements are sent together with the commit.
const PIPELINED_MAX: usize = 24;

/// The channel of the notices of writes: the payload is the session's id.
pub const CHANNEL: &str = "auto_recovery";

/// Keeps imports of records apart: two of one record must see each other.
const LOCK_RECORDS: &str = "SELECT pg_advisory_xact_lock(4702394921427285)";

const INSERT_RECORD: &str = "INSERT INTO auto_recovery.journal (session_id, at, event, record, hash, token) \
     VALUES ($1, $2, $3, $4::text::json, $5, $6)";

const COPY_RECORDS: &str = "COPY auto_recovery.journal (session_id, at, event, record, hash, token) \
     FROM STDIN (FORMAT binary)";

/// Notifies in a transaction of its own, which waits for no disk: one that notifies keeps all
/// others from committing.
const NOTIFY: &str = "SELECT set_config('synchronous_commit', 'off', true), pg_notify('auto_recovery', told) \
     FROM unnest($1::text[]) AS told";

/// Counts what is delivered, if what was delivered before is what we think.
const COUNT_DELIVERED: &str = "INSERT INTO auto_recovery.spool_delivery AS of (segment, session_id, delivered) \
     VALUES ($1, $2, $4) ON CONFLICT (segment, session_id) DO UPDATE SET delivered = excluded.delivered, \
     at = now() WHERE of.delivered = $3";

/// Notes what that is.
const NOTE_DELIVERED: &str = "INSERT INTO auto_recovery.spool_delivered \
     (segment, session_id, count_before, digests) VALUES ($1, $2, $3, $4)";

/// A write that did not succeed, as far as we know.
#[derive(Debug)]
pub(super) struct Failed {
    pub error: Error,
    /// The probe that finds out whether it took effect, if it may have nevertheless.
    pub probe: Option<Probe>,
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self { error, probe: None }
    }
}

/// Writes `group`, which then knows the numbers that were given.
pub(super) async fn write(
    address: &Address,
    connection: &Connection,
    group: &mut Group,
) -> Result<(), Failed> {
    let failed = |error| explain(address, "write", error);
    let mut sessions = lock(address, connection, group).await?;
    if group.items.iter().any(is_imported_record) {
        connection.batch(LOCK_RECORDS).await.map_err(failed)?;
    }
    let mut known = Known::read(connection, group, &sessions)
        .await
        .map_err(failed)?;
    for item in &mut group.items {
        known.place(item, &mut sessions)?;
    }
    let (entries, records) = group.added();
    if entries.is_empty() && records.is_empty() && group.delivery.is_none() {
        return connection
            .batch("COMMIT")
            .await
            .map_err(|error| failed(error).into());
    }
    let touched: Vec<session::Update> = sessions.values().map(Session::update).collect();
    let ids: Vec<String> = sessions.keys().cloned().collect();
    let probe = Probe::of(group);
    let sent = Sent {
        connection,
        entries: &entries,
        records: &records,
        sessions: &touched,
        token: &group.token,
    };
    let statements = entries.len() + records.len() + touched.len();
    let committed = if group.delivery.is_none() && statements <= PIPELINED_MAX {
        sent.with_commit(&ids).await
    } else {
        sent.copied().await.map_err(failed)?;
        if let Some(delivery) = &group.delivery {
            count_delivered(address, connection, delivery).await?;
        }
        commit(connection, &ids).await
    };
    group.highest = sessions
        .values()
        .map(|one| (one.session_id.clone(), one.highest))
        .collect();
    committed.map_err(|error| Failed {
        error: failed(error),
        probe,
    })
}

async fn count_delivered(
    address: &Address,
    connection: &Connection,
    delivery: &Delivery,
) -> Result<()> {
    let Delivery {
        segment,
        session_id,
        from,
        to,
        digests,
    } = delivery;
    let failed = |error| explain(address, "write", error);
    let params: [&(dyn ToSql + Sync); 4] = [segment, session_id, from, to];
    let counted = connection.execute(COUNT_DELIVERED, &params).await;
    match counted.map_err(failed)? {
        1 => {
            let params: [&(dyn ToSql + Sync); 4] = [segment, session_id, from, digests];
            let noted = connection.execute(NOTE_DELIVERED, &params).await;
            noted.map_err(failed).map(drop)
        }
        _ => Err(Error::new(
            ErrorKind::Busy,
            format!("{segment} of the spool is being delivered by somebody else: wait for them"),
        )),
    }
}

/// Begins, checks that the tables are still as this release knows them, and locks the sessions of
/// `group`.
async fn lock(
    address: &Address,
    connection: &Connection,
    group: &Group,
) -> Result<HashMap<String, Session>> {
    let failed = |error| explain(address, "write", error);
    let ids = group.session_ids();
    let locked = async {
        match ids.is_empty() {
            true => Ok(Vec::new()),
            false => connection.rows(session::LOCK, &[&ids]).await,
        }
    };
    let known = migrate::known_version(address, connection);
    let (begun, known, rows) = join3(connection.batch("BEGIN"), known, locked).await;
    begun.map_err(failed)?;
    known?;
    let mut sessions = HashMap::new();
    for row in rows.map_err(failed)? {
        let session = Session::read(&row)?;
        sessions.insert(session.session_id.clone(), session);
    }
    Ok(sessions)
}

fn is_imported_record(item: &Item) -> bool {
    matches!(item, Item::Record(line) if line.came_before.is_some())
}

/// A write to send, in its parts.
struct Sent<'g> {
    connection: &'g Connection,
    entries: &'g [&'g Columns],
    records: &'g [&'g Line],
    sessions: &'g [session::Update],
    token: &'g Vec<u8>,
}

impl Sent<'_> {
    /// Sends everything as statements, and the commit behind them without waiting for answers: if
    /// one fails, the commit takes back the rest.
    async fn with_commit(&self, ids: &[String]) -> Result<(), tokio_postgres::Error> {
        // What is not ready yet would be sent too late.
        for sql in [
            columns::INSERT,
            INSERT_RECORD,
            session::UPDATE,
            session::UPDATE_SUMS,
            NOTIFY,
        ] {
            self.connection.prepared(sql).await?;
        }
        let inserts = join_all(
            self.entries
                .iter()
                .map(|entry| insert(self.connection, entry)),
        );
        let rest = join(self.records_inserted(), self.sessions_updated());
        let (inserted, rest, committed) = join3(inserts, rest, commit(self.connection, ids)).await;
        inserted.into_iter().try_for_each(|one| one)?;
        rest.0?;
        rest.1?;
        committed
    }

    /// Sends everything, copying what is many.
    async fn copied(&self) -> Result<(), tokio_postgres::Error> {
        if self.entries.len() <= INSERTED_MAX {
            for entry in self.entries {
                insert(self.connection, entry).await?;
            }
        } else {
            self.entries_copied().await?;
        }
        if self.records.len() <= INSERTED_MAX {
            self.records_inserted().await?;
        } else {
            self.records_copied().await?;
        }
        self.sessions_updated().await
    }

    async fn entries_copied(&self) -> Result<(), tokio_postgres::Error> {
        let statement = self.connection.prepared(columns::COPY).await?;
        let sink = self.connection.client().copy_in(&statement).await?;
        let mut writer = pin!(BinaryCopyInWriter::new(sink, &columns::TYPES));
        for entry in self.entries {
            writer.as_mut().write(&entry.params()).await?;
        }
        writer.finish().await.map(drop)
    }

    async fn records_inserted(&self) -> Result<(), tokio_postgres::Error> {
        let inserts = self.records.iter().map(|line| async {
            let (record, json) = (line.journal.record(), line.journal.json());
            let at = to_column(&record.at).into_owned();
            let session_id = &record.session_id;
            let params: [&(dyn ToSql + Sync); 6] =
                [session_id, &at, &line.event, &json, &line.hash, self.token];
            self.connection.execute(INSERT_RECORD, &params).await
        });
        let inserted = join_all(inserts).await;
        inserted.into_iter().try_for_each(|one| one.map(drop))
    }

    async fn records_copied(&self) -> Result<(), tokio_postgres::Error> {
        // JSON is sent as its text.
        const TYPES: [Type; 6] = [
            Type::TEXT,
            Type::TEXT,
            Type::TEXT,
            Type::TEXT,
            Type::BYTEA,
            Type::BYTEA,
        ];
        let statement = self.connection.prepared(COPY_RECORDS).await?;
        let sink = self.connection.client().copy_in(&statement).await?;
        let mut writer = pin!(BinaryCopyInWriter::new(sink, &TYPES));
        for line in self.records {
            let (record, json) = (line.journal.record(), line.journal.json());
            let at = to_column(&record.at).into_owned();
            let session_id = &record.session_id;
            let params: [&(dyn ToSql + Sync); 6] =
                [session_id, &at, &line.event, &json, &line.hash, self.token];
            writer.as_mut().write(&params).await?;
        }
        writer.finish().await.map(drop)
    }

    async fn sessions_updated(&self) -> Result<(), tokio_postgres::Error> {
        let updates = self.sessions.iter().map(|session| async {
            let sql = match session.changes_facts {
                true => session::UPDATE,
                false => session::UPDATE_SUMS,
            };
            self.connection.execute(sql, &session.params()).await
        });
        let updated = join_all(updates).await;
        updated.into_iter().try_for_each(|one| one.map(drop))
    }
}

async fn insert(connection: &Connection, entry: &Columns) -> Result<(), tokio_postgres::Error> {
    connection
        .execute(columns::INSERT, &entry.params())
        .await
        .map(drop)
}

/// Commits, and notifies the listeners.
async fn commit(connection: &Connection, ids: &[String]) -> Result<(), tokio_postgres::Error> {
    let told = async {
        match ids.is_empty() {
            true => Ok(Vec::new()),
            false => connection.rows(NOTIFY, &[&ids]).await,
        }
    };
    let (committed, _) = join(connection.batch("COMMIT"), told).await;
    committed
}
