//! Making the tables, and bringing them up to date.
//!
//! Each file in `migrations/postgres` is applied once, in order and in one transaction; files are
//! never edited later. A process that finds some missing takes a lock first, so that two never
//! apply them at once.

use auto_recovery::{Error, ErrorKind, Result};

use super::address::Address;
use super::cell::get;
use super::connection::Connection;
use super::failure::explain;

/// The migrations, in order: the version is the place, from 1.
const MIGRATIONS: [(&str, &str); 4] = [
    (
        "0001_trails",
        include_str!("../../migrations/postgres/0001_trails.sql"),
    ),
    (
        "0002_spool_delivered",
        include_str!("../../migrations/postgres/0002_spool_delivered.sql"),
    ),
    (
        "0003_seals",
        include_str!("../../migrations/postgres/0003_seals.sql"),
    ),
    (
        "0004_session_lists",
        include_str!("../../migrations/postgres/0004_session_lists.sql"),
    ),
];

/// SQL that makes the roles of a store, for those who read, who write, and who may remove.
pub const ROLES: &str = include_str!("../../roles/postgres.sql");

/// Keeps processes that migrate one database apart.
const LOCK: &str = "SELECT pg_advisory_xact_lock(4702394921427286)";

/// Asks the catalog itself: a session's cache of it may be older than the lock.
const IS_THERE: &str = "SELECT EXISTS (SELECT FROM pg_catalog.pg_class AS c \
     JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace \
     WHERE n.nspname = 'auto_recovery' AND c.relname = 'migration')";

const VERSION: &str = "SELECT coalesce(max(version), 0) FROM auto_recovery.migration";

const FIRST: &str = "CREATE SCHEMA IF NOT EXISTS auto_recovery; \
     CREATE TABLE IF NOT EXISTS auto_recovery.migration (\
     version integer PRIMARY KEY, name text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())";

/// Waits for the users of the present tables, and keeps new ones away.
const WAIT: &str = "LOCK TABLE auto_recovery.migration IN ACCESS EXCLUSIVE MODE";

const DONE: &str = "INSERT INTO auto_recovery.migration (version, name) VALUES ($1, $2)";

/// Requirements of the tables on a server and its database.
const SERVER: &str = "SELECT current_setting('server_version_num')::integer, \
     current_setting('server_version'), getdatabaseencoding()::text";

/// The oldest server that has all that the tables use: 14.
const SERVER_VERSION_MIN: i32 = 140_000;

/// Brings the tables to the version of this release. `is_there` says whether there are any.
pub(super) async fn ensure(
    address: &Address,
    connection: &Connection,
    is_there: bool,
) -> Result<()> {
    let current = MIGRATIONS.len() as i32;
    if is_there && known_version(address, connection).await? == current {
        return Ok(());
    }
    let failed = |error| explain(address, "create the tables of the audit trail", error);
    connection.batch("BEGIN").await.map_err(failed)?;
    connection.batch(LOCK).await.map_err(failed)?;
    check_server(address, connection).await?;
    // Another process may have been quicker.
    let version = version(address, connection).await?;
    let first = if version == 0 { FIRST } else { WAIT };
    connection.batch(first).await.map_err(failed)?;
    for (number, (name, sql)) in (1..).zip(MIGRATIONS) {
        if number > version {
            connection.batch(sql).await.map_err(failed)?;
            connection
                .execute(DONE, &[&number, &name])
                .await
                .map_err(failed)?;
        }
    }
    connection.batch("COMMIT").await.map_err(failed)
}

/// Refuses a server that cannot have the tables.
async fn check_server(address: &Address, connection: &Connection) -> Result<()> {
    let failed = |error| explain(address, "look at the server", error);
    for row in connection.rows(SERVER, &[]).await.map_err(failed)? {
        let (number, version): (i32, String) = (get(&row, 0)?, get(&row, 1)?);
        if number < SERVER_VERSION_MIN {
            let what = format!(
                "{} is PostgreSQL {version}: at least 14 is needed",
                address.server
            );
            return Err(Error::new(ErrorKind::Refused, what));
        }
        let encoding: String = get(&row, 2)?;
        if encoding != "UTF8" {
            let Address {
                database, server, ..
            } = address;
            return Err(Error::new(
                ErrorKind::Refused,
                format!(
                    "database {database} on {server} has the encoding {encoding}, which not every text fits \
                     into: use a database made with `ENCODING 'UTF8'`"
                ),
            ));
        }
    }
    Ok(())
}

/// Whether there are tables. It waits for nobody: not for whoever changes them just now, either.
pub(super) async fn is_there(address: &Address, connection: &Connection) -> Result<bool> {
    let failed = |error| explain(address, "look at the tables of the audit trail", error);
    let rows = connection.rows(IS_THERE, &[]).await.map_err(failed)?;
    let is_there = rows.first().map(|row| get(row, 0)).transpose()?;
    Ok(is_there == Some(true))
}

/// The version of the tables; 0 for none.
async fn version(address: &Address, connection: &Connection) -> Result<i32> {
    match is_there(address, connection).await? {
        true => known_version(address, connection).await,
        false => Ok(0),
    }
}

/// The version of existing tables. Within an open transaction it stays the same: a migration waits
/// for its end.
///
/// # Errors
/// If this release does not know the version.
pub(super) async fn known_version(address: &Address, connection: &Connection) -> Result<i32> {
    let failed = |error| explain(address, "look at the tables of the audit trail", error);
    let rows = connection.rows(VERSION, &[]).await.map_err(failed)?;
    let version = rows
        .first()
        .map(|row| get(row, 0))
        .transpose()?
        .unwrap_or(0);
    let newest = MIGRATIONS.len() as i32;
    if version > newest {
        return Err(Error::new(
            ErrorKind::NewerFormat,
            format!(
                "database {} on {} has tables of version {version}, and this release knows up to {newest}: use \
                 the release that made them, or a newer one",
                address.database, address.server
            ),
        ));
    }
    Ok(version)
}
