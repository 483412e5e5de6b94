//! One call to append: its entries made ready, sorted by session, and written to all their trails
//! at the same time, so that their syncs take the time of one.

use std::collections::HashMap;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::thread;

use super::appender::Appender;
use super::batch::Batch;
use super::open_trails::OpenTrails;
use crate::audit::{Appended, NewEntry, RecordedEntry, session_id};
use crate::error::Result;
use crate::jsonl::root::Root;

/// How many trails one call writes and syncs at the same time.
const TRAILS_AT_ONCE: usize = 16;

/// What of a call goes to one trail.
struct Part {
    session_id: String,
    batch: Batch,
    /// Where in the call each line stands.
    places: Vec<usize>,
}

/// Appends `entries`. What cannot be recorded is refused before anything is written.
pub(in crate::jsonl) fn append(
    root: &Arc<Root>,
    journal: &Arc<Appender>,
    trails: &OpenTrails,
    mut entries: Vec<NewEntry>,
) -> Result<Vec<Appended>> {
    if entries.len() == 1
        && let Some(only) = entries.pop()
    {
        return append_one(root, journal, trails, only).map(|one| vec![one]);
    }
    let mut parts: Vec<Part> = Vec::new();
    let mut part_of: HashMap<String, usize> = HashMap::new();
    let mut recorded = Vec::with_capacity(entries.len());
    for (place, new) in entries.into_iter().enumerate() {
        let session_id = &new.entry.session_id;
        let index = match part_of.get(session_id) {
            Some(&index) => index,
            None => {
                part_of.insert(session_id.clone(), parts.len());
                parts.push(Part {
                    session_id: session_id.clone(),
                    batch: Batch::new(),
                    places: Vec::new(),
                });
                parts.len() - 1
            }
        };
        let part = &mut parts[index];
        recorded.push(part.batch.push_entry(&root.dir.recorder, new)?);
        part.places.push(place);
    }
    let mut numbers = vec![0; recorded.len()];
    for (places, batch) in commit_all(root, journal, trails, parts)? {
        for (place, number) in places.into_iter().zip(batch.numbers()) {
            numbers[place] = number;
        }
    }
    let recorded = recorded.into_iter().zip(numbers);
    Ok(recorded
        .map(|(one, number)| acknowledged(one, number))
        .collect())
}

/// The same for a single entry, which is the usual call and needs no sorting.
fn append_one(
    root: &Arc<Root>,
    journal: &Arc<Appender>,
    trails: &OpenTrails,
    new: NewEntry,
) -> Result<Appended> {
    let mut batch = Batch::new();
    let recorded = batch.push_entry(&root.dir.recorder, new)?;
    let trail = trails.get(root, journal, &recorded.entry().session_id)?;
    let batch = trail.commit(batch)?;
    Ok(acknowledged(recorded, batch.highest()))
}

fn acknowledged(mut recorded: RecordedEntry, attempt_number: u64) -> Appended {
    recorded.set_number(attempt_number);
    recorded.appended()
}

/// Commits every part, even if one fails; the first error is the call's.
fn commit_all(
    root: &Arc<Root>,
    journal: &Arc<Appender>,
    trails: &OpenTrails,
    mut parts: Vec<Part>,
) -> Result<Vec<(Vec<usize>, Batch)>> {
    // A trail is opened when its turn comes: a call may have more than a process may have open.
    let commit = |part: Part| {
        let trail = trails.get(root, journal, &part.session_id)?;
        Ok((part.places, trail.commit(part.batch)?))
    };
    if parts.len() <= 1 {
        return parts.into_iter().map(commit).collect();
    }
    for part in &parts {
        session_id::encode(&part.session_id)?;
    }
    let each = parts.len().div_ceil(TRAILS_AT_ONCE);
    let results: Vec<Result<_>> = thread::scope(|scope| {
        let mut threads = Vec::new();
        while !parts.is_empty() {
            let some = parts.split_off(parts.len().saturating_sub(each));
            threads.push(scope.spawn(move || some.into_iter().map(commit).collect::<Vec<_>>()));
        }
        threads
            .into_iter()
            .flat_map(|thread| thread.join().unwrap_or_else(|panic| resume_unwind(panic)))
            .collect()
    });
    results.into_iter().collect()
}
