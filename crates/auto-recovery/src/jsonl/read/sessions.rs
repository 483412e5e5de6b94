//! The list of sessions: those that have a trail and those that only the journal knows.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::sync::Arc;

use super::records::{Verdict, take_entry, walk_to_end};
use super::session_events::SessionEvents;
use super::trail::{Opened, Trail, read_last, unreadable};
use crate::audit::{Damage, SessionSummary, session_id, sort_newest_first};
use crate::error::{Error, Result};
use crate::jsonl::names::session_of;
use crate::jsonl::root::Root;
use crate::jsonl::sums::parts::walk_parts;
use crate::statistics::Tally;
use crate::workers::map_all;

/// The sessions read, and the damage.
type Listed = (Vec<SessionSummary>, Vec<Damage>);

/// Every session, newest first.
pub(in crate::jsonl) fn list(root: &Root) -> Result<Listed> {
    let mut summaries = HashMap::new();
    let told = root.told_of_all()?;
    let events = &told.events;
    let found = map_all(&trail_ids(root)?, |id| {
        list_one(root, id, events.get(id).cloned().unwrap_or_default())
    })?;
    let mut damage = Vec::new();
    for (summary, of_trail) in found {
        if let Some(summary) = summary {
            summaries.insert(summary.session_id.clone(), summary);
        }
        add_damage(&mut damage, of_trail);
    }
    for (id, events) in events {
        if is_journaled(id, events) && !summaries.contains_key(id) {
            let summary = events.facts.summary(id.clone(), Tally::default(), 0);
            summaries.insert(id.clone(), summary);
        }
    }
    let mut list: Vec<SessionSummary> = summaries.into_values().collect();
    sort_newest_first(&mut list);
    Ok((list, in_order(damage, told.all_damage())))
}

/// Whether the journal's `events` for `id` alone make it a session. A session whose name no trail
/// can have could neither be asked for nor removed.
pub(super) fn is_journaled(id: &str, events: &SessionEvents) -> bool {
    events.facts.first_at.is_some() && session_id::encode(id).is_ok()
}

/// The session `id`, given the journal's `events` for it; `None` if it has no trail.
pub(super) fn list_one(
    root: &Root,
    id: &str,
    events: Arc<SessionEvents>,
) -> Result<(Option<SessionSummary>, Vec<Damage>)> {
    let trail = match Trail::open_as(root, id, events)? {
        Opened::Trail(trail) => trail,
        Opened::Nothing => return Ok((None, Vec::new())),
        Opened::Unreadable(damage) => return Ok((None, vec![damage])),
    };
    let (tally, damage) = match tally(&trail) {
        Ok(tallied) => tallied,
        Err(error) => return Ok((None, vec![unreadable(trail.place(), error)?])),
    };
    // A trail whose every entry was cleared is one that could not be removed.
    let is_there = trail.from.offset == 0 || tally.total > 0;
    let bytes = trail.metadata.len() - trail.from.offset;
    let summary = is_there.then(|| trail.events.facts.summary(id.to_owned(), tally, bytes));
    Ok((summary, damage))
}

/// Adds the damage of a trail to that of all, as far as that is reported place by place.
pub(in crate::jsonl) fn add_damage(all: &mut Vec<Damage>, of_trail: Vec<Damage>) {
    /// Some 200 bytes each: 20 MB.
    const DAMAGE_MAX: usize = 100_000;
    all.extend(of_trail);
    all.truncate(DAMAGE_MAX);
}

/// The damage of trails, which were read in any order, and then that of the journal.
pub(in crate::jsonl) fn in_order(
    mut of_trails: Vec<Damage>,
    of_journal: Vec<Damage>,
) -> Vec<Damage> {
    of_trails.sort_by(|one, other| (&one.place, one.line).cmp(&(&other.place, other.line)));
    of_trails.extend(of_journal);
    of_trails
}

/// Whether `session_id` is one of them.
pub(in crate::jsonl) fn is_known(root: &Root, session_id: &str) -> Result<bool> {
    let told = root.told_of(session_id)?;
    if told.events.facts.first_at.is_some() {
        return Ok(true);
    }
    let mut is_known = false;
    let damage = read_last(root, session_id, 1, &mut |_| {
        is_known = true;
        Ok(())
    })?;
    let is_of_trail = |one: &Damage| Some(one) != told.unreadable.as_ref();
    Ok(is_known || damage.iter().any(is_of_trail))
}

/// The sessions that have a trail. A file whose name is not one that we give is not ours.
pub(in crate::jsonl) fn trail_ids(root: &Root) -> Result<Vec<String>> {
    let unreadable = |error| Error::io("list", &root.dir.path, error);
    let names = match fs::read_dir(&root.dir.path) {
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

fn tally(trail: &Trail) -> Result<(Tally, Vec<Damage>)> {
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
    let mut damage = walked.damage;
    if !walked.tail.is_empty() {
        let mut take = |raw: &[u8], _| Ok(tallied(&mut tally, raw));
        let tail = walk_to_end(&trail.file, walked.end, &place, &mut take)?;
        damage.extend(tail.damage);
    }
    Ok((tally, damage))
}

/// Adds the entry that `raw` is to `tally`.
pub(in crate::jsonl) fn tallied(tally: &mut Tally, raw: &[u8]) -> Verdict {
    take_entry(raw, |stored| stored.tally(tally))
}
