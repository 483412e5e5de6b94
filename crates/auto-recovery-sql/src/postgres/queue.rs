//! Callers that write at the same time share a transaction.

use auto_recovery::group_commit::{GroupCommit, Pace};
use auto_recovery::{Error, ErrorKind, Result};

use super::group::{Group, Item};
use super::outbox::Outbox;

/// Number of items that a leader writes at once, one caller's not divided. It bounds the time that
/// sessions are locked.
const GROUP_ITEMS_MAX: usize = 10_000;

/// The callers of one store.
pub(super) struct Queue {
    callers: GroupCommit<Vec<Item>>,
}

impl Default for Queue {
    fn default() -> Self {
        Self {
            callers: GroupCommit::new(GROUP_ITEMS_MAX, Vec::len, Pace::Gather),
        }
    }
}

impl Queue {
    /// Writes `items` and returns them, with the numbers that they were given, once they are
    /// durable.
    pub(super) fn commit(&self, outbox: &Outbox, items: Vec<Item>) -> Result<Vec<Item>> {
        self.callers
            .commit(items, |callers| write(outbox, callers.collect()))
    }
}

/// Writes what some callers have, together. If the server takes it from none of them, each is tried
/// alone: one caller's mistake is not another's.
fn write(outbox: &Outbox, callers: Vec<Vec<Item>>) -> Result<Vec<Result<Vec<Item>>>> {
    let counts: Vec<usize> = callers.iter().map(Vec::len).collect();
    let mut group = Group::new(
        callers.into_iter().flatten().collect(),
        &*outbox.server.host,
    );
    let written = outbox.write(&mut group);
    let mut items = group.items.into_iter();
    let shares = counts.into_iter();
    let shares = shares.map(|count| items.by_ref().take(count).collect());
    let shares: Vec<Vec<Item>> = shares.collect();
    match written {
        Ok(()) => Ok(shares.into_iter().map(Ok).collect()),
        Err(error) if shares.len() > 1 && is_anothers(&error) => Ok(shares
            .into_iter()
            .map(|items| write_alone(outbox, items))
            .collect()),
        Err(error) => Err(error),
    }
}

fn write_alone(outbox: &Outbox, items: Vec<Item>) -> Result<Vec<Item>> {
    let mut group = Group::new(items, &*outbox.server.host);
    outbox.write(&mut group)?;
    Ok(group.items)
}

/// Whether the error may concern only some of those who wrote together. After a lost connection or
/// a full spool the store cannot tell what was written.
fn is_anothers(error: &Error) -> bool {
    !matches!(
        error.kind(),
        ErrorKind::Unreachable | ErrorKind::Busy | ErrorKind::NoSpace | ErrorKind::TimedOut
    )
}
