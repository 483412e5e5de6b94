//! From a query to its answer.

use auto_recovery::audit::Damage;
use auto_recovery::error::Result;
use auto_recovery::statistics::{AggregateQuery, Aggregates};

use super::{asked, ready, walk};
use crate::sqlite::connection::Database;
use crate::sqlite::failure::At;
use crate::sqlite::unsound;

/// The statistics that `query` asks for, and the damage in its entries, whose numbers can still be
/// read.
pub(in crate::sqlite) fn aggregate(
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
