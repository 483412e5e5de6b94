//! The statistics of one session, its sums made by the server.

use std::collections::BTreeMap;

use auto_recovery::Result;
use auto_recovery::audit::Damage;
use auto_recovery::statistics::{EntrySums, RecoveryStatistics};

use super::cell::get;
use super::read::{Reader, unsound};
use super::session::Session;
use crate::text::from_column;

/// Sums by strategy and by error type; the first column says which: 1 is by strategy, 2 by error
/// type, 3 all together.
const SUMS: &str = "SELECT GROUPING(strategy, error_type), coalesce(strategy, error_type), count(*), \
     least(sum(duration_ms), 18446744073709551615)::text, count(*) FILTER (WHERE rollback_performed) \
     FROM auto_recovery.stored_entry WHERE session = $1 \
     GROUP BY GROUPING SETS ((strategy), (error_type), ())";

const FILES: &str = "SELECT DISTINCT file FROM auto_recovery.stored_entry, unnest(files_modified) AS file \
     WHERE session = $1";

/// The texts of entries that columns alone do not hold.
const TEXTS: &str = "SELECT place, raw FROM auto_recovery.stored_entry \
     WHERE session = $1 AND raw IS NOT NULL ORDER BY place";

/// The statistics of `session_id`, zeros for an unknown one, and the damage in its entries, whose
/// numbers can still be read.
pub(super) fn of_session(
    reader: &Reader<'_>,
    session_id: &str,
) -> Result<(RecoveryStatistics, Vec<Damage>)> {
    reader.at_one_moment(|| match reader.session(session_id)? {
        Some(session) => {
            let texts = reader.rows(TEXTS, &[&session.id])?;
            Ok((sums(reader, &session)?, unsound(&texts)?))
        }
        None => {
            let nothing = EntrySums::default().statistics(session_id, None, Vec::new());
            Ok((nothing, Vec::new()))
        }
    })
}

fn sums(reader: &Reader<'_>, session: &Session) -> Result<RecoveryStatistics> {
    let tally = session.tally();
    let start = session
        .facts
        .session_start(tally.first_timestamp.as_deref());
    let mut sums = EntrySums {
        total: tally.total,
        successful: tally.successful,
        first_timestamp: tally.first_timestamp,
        last_timestamp: tally.last_timestamp,
        ..EntrySums::default()
    };
    let mut files = Vec::new();
    if session.entries > 0 {
        for row in reader.rows(SUMS, &[&session.id])? {
            let count = get::<i64>(&row, 2)? as u64;
            let counts: &mut BTreeMap<String, u64> = match get::<i32>(&row, 0)? {
                1 => &mut sums.strategies,
                2 => &mut sums.error_types,
                _ => {
                    sums.duration_ms = whole(&get::<String>(&row, 3)?);
                    sums.rollbacks = get::<i64>(&row, 4)? as u64;
                    continue;
                }
            };
            counts.insert(from_column(get(&row, 1)?), count);
        }
        for row in reader.rows(FILES, &[&session.id])? {
            files.push(from_column(get(&row, 0)?));
        }
    }
    Ok(sums.statistics(&session.session_id, start, files))
}

/// Parses a sum that is given as text, since it may be too large for a column's number.
pub(super) fn whole(text: &str) -> u64 {
    text.parse().unwrap_or(u64::MAX)
}
