//! The list of sessions: those that have a trail and those that only the journal knows.

use std::collections::HashMap;
use std::fs;
use std::io;

use super::names::session_of;
use super::parts::{map_all, walk_parts};
use super::records::{Verdict, take_entry, walk_to_end};
use super::root::Root;
use super::trail::{Trail, read_last};
use crate::audit::{SessionSummary, session_id, sort_newest_first};
use crate::error::{Error, Result};
use crate::statistics::Tally;

/// Every session, newest first.
pub(super) fn list(root: &Root) -> Result<Vec<SessionSummary>> {
    let mut summaries = HashMap::new();
    let events = root.all_events()?;
    let found = map_all(&trail_ids(root)?, |id| {
        let own = events.get(id).cloned().unwrap_or_default();
        let Some(trail) = Trail::open_as(root, id, own)? else {
            return Ok(None);
        };
        let tally = tally(&trail)?;
        // A trail whose every entry was cleared is one that could not be removed.
        let is_there = trail.from.offset == 0 || tally.total > 0;
        let bytes = trail.metadata.len() - trail.from.offset;
        Ok(is_there.then(|| trail.events.facts.summary(id.clone(), tally, bytes)))
    })?;
    for summary in found.into_iter().flatten() {
        summaries.insert(summary.session_id.clone(), summary);
    }
    for (id, events) in &events {
        // Under a name that no trail can have, nobody could be asked for it, or remove it.
        let is_one = session_id::encode(id).is_ok();
        if is_one && events.facts.first_at.is_some() && !summaries.contains_key(id) {
            let summary = events.facts.summary(id.clone(), Tally::default(), 0);
            summaries.insert(id.clone(), summary);
        }
    }
    let mut list: Vec<SessionSummary> = summaries.into_values().collect();
    sort_newest_first(&mut list);
    Ok(list)
}

/// Whether `session_id` is one of them.
pub(super) fn is_known(root: &Root, session_id: &str) -> Result<bool> {
    if root.events(session_id)?.facts.first_at.is_some() {
        return Ok(true);
    }
    let mut is_known = false;
    read_last(root, session_id, 1, &mut |_| {
        is_known = true;
        Ok(())
    })?;
    Ok(is_known)
}

/// The sessions that have a trail. A file whose name is not one that we give is not ours.
pub(super) fn trail_ids(root: &Root) -> Result<Vec<String>> {
    let unreadable = |error| Error::io("list", &root.dir, error);
    let names = match fs::read_dir(&root.dir) {
        Ok(names) => names,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(unreadable(error)),
    };
    let mut ids = Vec::new();
    for name in names {
        let name = name.map_err(unreadable)?.file_name();
        ids.extend(name.to_str().and_then(session_of));
    }
    Ok(ids)
}

fn tally(trail: &Trail) -> Result<Tally> {
    let place = trail.place();
    let length = trail.metadata.len();
    let (parts, walked) = walk_parts(
        &trail.file,
        trail.from,
        length,
        &place,
        Tally::default(),
        tallied,
    )?;
    let mut tally = parts.into_iter().fold(Tally::default(), |mut sum, part| {
        sum.merge(part);
        sum
    });
    if !walked.tail.is_empty() {
        let mut take = |raw: &[u8], _| Ok(tallied(&mut tally, raw));
        walk_to_end(&trail.file, walked.end, &place, &mut take)?;
    }
    Ok(tally)
}

/// Adds the entry that `raw` is to `tally`.
pub(super) fn tallied(tally: &mut Tally, raw: &[u8]) -> Verdict {
    take_entry(raw, |stored| stored.tally(tally))
}
