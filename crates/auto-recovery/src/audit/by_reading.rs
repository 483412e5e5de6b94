//! What a store says of sessions where it knows no better way than to read its journal.

use std::collections::HashMap;

use crate::audit::{Damage, JournalRecord, JournalSummary};
use crate::error::Result;

/// Calls somebody for each record of a journal, and returns the damage met on the way.
type ReadJournal<'r> =
    dyn Fn(&mut dyn FnMut(JournalRecord) -> Result<()>) -> Result<Vec<Damage>> + 'r;

/// What the journal of one session, which `read` reads, says of it.
pub(super) fn facts(read: &ReadJournal<'_>) -> Result<(JournalSummary, Vec<Damage>)> {
    let mut facts = JournalSummary::default();
    let damage = read(&mut |record| {
        facts.apply(&record.at, &record.event);
        Ok(())
    })?;
    Ok((facts, damage))
}

/// What the journal, which `read` reads, says of every session.
pub(super) fn facts_of_all(
    read: &ReadJournal<'_>,
) -> Result<(HashMap<String, JournalSummary>, Vec<Damage>)> {
    let mut facts: HashMap<String, JournalSummary> = HashMap::new();
    let damage = read(&mut |record| {
        if let Some(session_id) = record.session_id {
            let facts = facts.entry(session_id).or_default();
            facts.apply(&record.at, &record.event);
        }
        Ok(())
    })?;
    Ok((facts, damage))
}
