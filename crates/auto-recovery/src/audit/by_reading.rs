//! What a store says of sessions where it knows no better way than to read its journal.

use std::collections::HashMap;

use crate::audit::{AttemptRecipes, Damage, JournalRecord, JournalSummary};
use crate::error::Result;
use crate::statistics::{AggregateQuery, Dimension};

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

/// What the journal, which `read` reads, says of the recipes of every session's attempts, if
/// `query` asks for recipes.
pub(crate) fn recipes_of_all(
    query: &AggregateQuery,
    read: &ReadJournal<'_>,
) -> Result<HashMap<String, AttemptRecipes>> {
    let mut recipes: HashMap<String, AttemptRecipes> = HashMap::new();
    if query.by.contains(&Dimension::Recipe) {
        // Its damage is reported by the reader of the rest of the journal.
        read(&mut |record| {
            if let Some(session_id) = record.session_id {
                let of_session = recipes.entry(session_id).or_default();
                of_session.apply(&record.event);
            }
            Ok(())
        })?;
    }
    Ok(recipes)
}
