//! The sums of many sessions.
//!
//! Where every entry is asked for, together, the answers stand ready: in `tally`, `session` and
//! `file`, but for the newest entries, which are added. Otherwise one walk through sessions and
//! entries, in the order in which they lie on the disk, adds each to its group. What is told apart
//! is known by numbers until the end, so that a group costs little memory, and an entry no text.

mod asked;
mod group;
mod names;
mod ready;
mod walk;

use auto_recovery::audit::Damage;
use auto_recovery::error::Result;
use auto_recovery::statistics::{AggregateQuery, Aggregates};

use super::connection::Database;
use super::failure::At;
use super::unsound;

/// The statistics that `query` asks for, and the damage in its entries, whose numbers can still be
/// read.
pub(super) fn aggregate(
    database: &Database,
    query: &AggregateQuery,
) -> Result<(Aggregates, Vec<Damage>)> {
    let Some(reader) = database.reader()? else {
        return Ok((ready::nothing(), Vec::new()));
    };
    let connection = reader.database();
    let is_ready = query.is_of_all() && query.by.is_empty();
    let aggregates = match is_ready {
        true => ready::read(connection),
        false => walk::walk(connection, query),
    };
    let aggregates = aggregates.at("sum up", &database.path)?;
    let parameters = asked::parameters(query);
    let damage = unsound::damage(
        database,
        connection,
        &asked::of_entries(query),
        &asked::borrowed(&parameters),
    )?;
    Ok((aggregates, damage))
}
