//! The value of a column in a row.

use auto_recovery::{Error, ErrorKind, Result};
use tokio_postgres::Row;

/// The value of a column that must be there.
pub(super) fn get<'r, T: tokio_postgres::types::FromSql<'r>>(
    row: &'r Row,
    index: usize,
) -> Result<T> {
    row.try_get(index).map_err(|error| {
        Error::new(
            ErrorKind::Damaged,
            "a table of auto_recovery is not as its migrations made it",
        )
        .with_source(error)
    })
}
