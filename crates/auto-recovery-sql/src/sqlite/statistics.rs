//! The statistics of one session: its row, and the sums of its entries.

use std::collections::BTreeMap;

use auto_recovery::audit::{Damage, session_id};
use auto_recovery::error::Result;
use auto_recovery::statistics::{EntrySums, RecoveryStatistics};
use rusqlite::Connection;

use super::column::{number, whole};
use super::connection::Database;
use super::failure::At;
use super::session::SessionRow;
use super::unsound;
use crate::text::from_column;

/// The statistics of `session_id`, zeros for an unknown one, and what of its entries cannot be
/// read: their numbers can.
pub(super) fn of_session(
    database: &Database,
    session_id: &str,
) -> Result<(RecoveryStatistics, Vec<Damage>)> {
    session_id::encode(session_id)?;
    let nothing = || EntrySums::default().statistics(session_id, None, Vec::new());
    let Some(reader) = database.reader()? else {
        return Ok((nothing(), Vec::new()));
    };
    let connection = reader.database();
    let found = SessionRow::find(connection, session_id).at("sum up", &database.path)?;
    let Some(session) = found else {
        return Ok((nothing(), Vec::new()));
    };
    let statistics = read(connection, &session).at("sum up", &database.path)?;
    let damage = unsound::damage_of_session(database, connection, session.id)?;
    Ok((statistics, damage))
}

fn read(database: &Connection, session: &SessionRow) -> rusqlite::Result<RecoveryStatistics> {
    let mut sums = EntrySums {
        total: session.tally.total,
        successful: session.tally.successful,
        first_timestamp: session.tally.first_timestamp.clone(),
        last_timestamp: session.tally.last_timestamp.clone(),
        ..EntrySums::default()
    };
    let (first, last) = session.entries();
    let mut select = database.prepare_cached(
        "SELECT strategy, error_type, count(*), sum(rollback_performed), \
         sum(duration_ms >> 32), sum(duration_ms & 4294967295) \
         FROM entry WHERE id BETWEEN ? AND ? GROUP BY strategy, error_type",
    )?;
    let mut rows = select.query([first, last])?;
    let mut halves = (0, 0);
    while let Some(row) = rows.next()? {
        let entries = number(row, 2)?;
        let count = |counts: &mut BTreeMap<String, u64>, name: String| {
            *counts.entry(from_column(name)).or_default() += entries;
        };
        count(&mut sums.strategies, row.get(0)?);
        count(&mut sums.error_types, row.get(1)?);
        sums.rollbacks += number(row, 3)?;
        halves.0 += row.get::<_, i64>(4)?;
        halves.1 += row.get::<_, i64>(5)?;
    }
    sums.duration_ms = whole(halves);
    let start = session.facts.session_start(sums.first_timestamp.as_deref());
    let files = files(database, first, last)?;
    Ok(sums.statistics(&session.session_id, start, files))
}

fn files(database: &Connection, first: i64, last: i64) -> rusqlite::Result<Vec<String>> {
    let mut select = database.prepare_cached(
        "SELECT DISTINCT value FROM entry, \
         json_each(iif(json_valid(files_modified), files_modified, '[]')) \
         WHERE entry.id BETWEEN ? AND ?",
    )?;
    let names = select.query_map([first, last], |row| Ok(from_column(row.get(0)?)))?;
    names.collect()
}
