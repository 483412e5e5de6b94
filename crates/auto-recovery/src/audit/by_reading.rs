//! What a store says of sessions where it knows no better way than to read its journal.

use std::collections::HashMap;

use crate::audit::{AttemptRecipes, Damage, JournalRecord, JournalSummary};
use crate::error::Result;
use crate::statistics::{AggregateQuery, Dimension};

/// Calls somebody for each record of a journal, and returns the damage met on the way.
type ReadJournal<'r> =
    dyn Fn(&mut dyn FnMut(JournalRecord) -> Result<()>) -> Result<Vec<Damage>> + 'r;

/// Calls somebody for the text of each record of a journal, and returns the damage met on the way.
type ReadTexts<'r> = dyn Fn(&mut dyn FnMut(&[u8]) -> Result<()>) -> Result<Vec<Damage>> + 'r;

/// The record that a text is, or why it is none.
type ReadRecord = std::result::Result<JournalRecord, String>;

/// Calls `visit` for each record of the journal of the store `url`: `texts` gives their texts, and
/// `read` reads one, or says why it is none. That is damage, as what `texts` met on the way.
///
/// # Errors
/// If `texts`, `read` or `visit` fails.
pub(super) fn records(
    url: &str,
    texts: &ReadTexts<'_>,
    read: &dyn Fn(&[u8]) -> Result<ReadRecord>,
    visit: &mut dyn FnMut(JournalRecord) -> Result<()>,
) -> Result<Vec<Damage>> {
    let (mut number, mut unreadable) = (0, Vec::new());
    let mut damage = texts(&mut |raw| {
        number += 1;
        match read(raw)? {
            Ok(record) => visit(record),
            Err(reason) => {
                unreadable.push(Damage {
                    place: format!("the journal of {url}"),
                    line: number,
                    bytes: raw.len() as u64,
                    reason,
                    is_aside: false,
                });
                Ok(())
            }
        }
    })?;
    Damage::join(&mut damage, unreadable);
    Ok(damage)
}

/// The record that `raw` is the text of, or why it is none.
pub(super) fn record(raw: &[u8]) -> ReadRecord {
    serde_json::from_slice(raw).map_err(|error| error.to_string())
}

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
