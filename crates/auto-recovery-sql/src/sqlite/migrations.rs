//! The formats of the database: which there are, and how one becomes the next.

use std::path::Path;

use auto_recovery::error::{Error, ErrorKind, Result};
use rusqlite::Connection;

use super::failure::At;

/// What makes each format out of the one before. Those that were released are never edited.
const MIGRATIONS: [&str; 6] = [
    include_str!("../../migrations/sqlite/0001_trails.sql"),
    include_str!("../../migrations/sqlite/0002_entry_ids.sql"),
    include_str!("../../migrations/sqlite/0003_trail_sums.sql"),
    include_str!("../../migrations/sqlite/0004_unsound_entries.sql"),
    include_str!("../../migrations/sqlite/0005_seals.sql"),
    include_str!("../../migrations/sqlite/0006_session_lists.sql"),
];

/// Says that a database is ours: "AURL".
const APPLICATION_ID: i64 = 0x4155_524C;

/// How often the mode of a new database is tried to be set while others do so too. Each waits for
/// them.
const MODE_ROUNDS_MAX: usize = 100;

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// One of ours, of the format that this release writes.
    Ours,
    /// One of ours, of an older format.
    Older,
    /// Nothing yet.
    Empty,
}

/// What the database at `path` is.
///
/// # Errors
/// [`ErrorKind::NewerFormat`] if a newer release wrote it, [`ErrorKind::Refused`] if it is not
/// ours.
pub(super) fn format(database: &Connection, path: &Path) -> Result<Format> {
    // In one statement, so that all three are of the same moment: another process may be at it.
    let (version, application, tables): (i64, i64, i64) = database
        .query_row(
            "SELECT user_version, application_id, (SELECT count(*) FROM sqlite_schema) \
             FROM pragma_user_version, pragma_application_id",
            [],
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
        )
        .at("read", path)?;
    if tables == 0 && version == 0 {
        return Ok(Format::Empty);
    }
    if application != APPLICATION_ID {
        return Err(Error::new(
            ErrorKind::Refused,
            format!(
                "{} is another program's database: give another file",
                path.display()
            ),
        ));
    }
    let newest = MIGRATIONS.len() as i64;
    if version > newest {
        return Err(newer(version, path));
    }
    Ok(match version == newest {
        true => Format::Ours,
        false => Format::Older,
    })
}

/// Makes sure that the database at `path` still has the format that it was found to have: a newer
/// release may be at work too.
pub(super) fn check(database: &Connection, path: &Path) -> Result<()> {
    let version: i64 = database
        .prepare_cached("PRAGMA user_version")
        .and_then(|mut select| select.query_row([], |row| row.get(0)))
        .at("read", path)?;
    match version == MIGRATIONS.len() as i64 {
        true => Ok(()),
        false => Err(newer(version, path)),
    }
}

/// Brings the database at `path` to the newest format. Several processes may do so at once.
pub(super) fn migrate(database: &Connection, path: &Path) -> Result<()> {
    if format(database, path)? == Format::Ours {
        return Ok(());
    }
    write_ahead(database, path)?;
    database.execute_batch("BEGIN IMMEDIATE").at("lock", path)?;
    let migrated = apply(database, path);
    let end = match migrated {
        Ok(()) => "COMMIT",
        Err(_) => "ROLLBACK",
    };
    let ended = database.execute_batch(end).at("set up", path);
    migrated.and(ended)
}

fn apply(database: &Connection, path: &Path) -> Result<()> {
    // Another process may have done it while this one waited.
    if format(database, path)? == Format::Ours {
        return Ok(());
    }
    let from: u32 = database
        .pragma_query_value(None, "user_version", |row| row.get(0))
        .at("read", path)?;
    for migration in MIGRATIONS.iter().skip(from as usize) {
        database.execute_batch(migration).at("set up", path)?;
    }
    let pragmas = [
        ("application_id", APPLICATION_ID),
        ("user_version", MIGRATIONS.len() as i64),
    ];
    for (pragma, value) in pragmas {
        database
            .pragma_update(None, pragma, value)
            .at("set up", path)?;
    }
    Ok(())
}

/// Has the database written through a log, which is a property of the file. SQLite does not wait
/// for others to do this, but for others to write.
fn write_ahead(database: &Connection, path: &Path) -> Result<()> {
    let mut rounds = 0;
    loop {
        let mode = database.query_row("PRAGMA journal_mode = WAL", [], |row| {
            row.get::<_, String>(0)
        });
        match mode {
            Ok(mode) if mode == "wal" => return Ok(()),
            Ok(_) => {
                return Err(Error::new(
                    ErrorKind::Io,
                    format!(
                        "{} cannot have a write-ahead log where it is: put it on a local disk",
                        path.display()
                    ),
                ));
            }
            Err(error)
                if rounds < MODE_ROUNDS_MAX
                    && error.sqlite_error_code() == Some(rusqlite::ErrorCode::DatabaseBusy) =>
            {
                rounds += 1;
                database
                    .execute_batch("BEGIN IMMEDIATE; COMMIT")
                    .at("lock", path)?;
            }
            Err(error) => return Err(super::failure::failed("set up", path, error)),
        }
    }
}

/// Why the database at `path`, of an older format, cannot be read where it cannot be written.
pub(super) fn older(path: &Path) -> Error {
    Error::new(
        ErrorKind::Refused,
        format!(
            "{} has an older format, and is on a file system that cannot be written: copy it to where \
             it can be brought to the newest, or use the release that wrote it",
            path.display()
        ),
    )
}

fn newer(version: i64, path: &Path) -> Error {
    Error::new(
        ErrorKind::NewerFormat,
        format!(
            "{} has format {version}, and this release reads up to {}: use the release that wrote it, \
             or a newer one",
            path.display(),
            MIGRATIONS.len()
        ),
    )
}
