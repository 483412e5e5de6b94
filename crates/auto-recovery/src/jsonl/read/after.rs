//! Reading a trail on from where somebody stopped.

use super::records::{close, walk_to_tail};
use super::trail::{Opened, Trail, unreadable, visiting};
use crate::audit::{ReadAfter, Seen, StoredEntry};
use crate::error::Result;
use crate::jsonl::root::Root;
use crate::jsonl::sums::cursor::Cursor;

/// Calls `visit` for the entries of `session_id` that were not `seen`.
pub(in crate::jsonl) fn read_after(
    root: &Root,
    session_id: &str,
    seen: &mut Seen,
    visit: &mut dyn FnMut(StoredEntry<'_>) -> Result<()>,
) -> Result<ReadAfter> {
    let trail = match Trail::open(root, session_id)? {
        Opened::Trail(trail) => trail,
        Opened::Nothing => return Ok(seen.of_no_trail()),
        Opened::Unreadable(damage) => return Ok(ReadAfter::Read(vec![damage])),
    };
    let known = seen.place::<Cursor>().cloned();
    if known.as_ref().is_some_and(|one| !trail.has_all_before(one))
        && let ReadAfter::Removed = seen.of_no_trail()
    {
        return Ok(ReadAfter::Removed);
    }
    // One at which nothing was seen is made anew.
    let cursor = seen.place::<Cursor>().cloned().unwrap_or_else(|| {
        let cursor = Cursor::new(&trail.metadata, trail.from);
        seen.begin_at(cursor.clone());
        cursor
    });
    read_on(&trail, cursor, seen, visit)
}

/// The same for what stands in `trail` behind `cursor`, which is the place that `seen` has.
fn read_on(
    trail: &Trail,
    mut cursor: Cursor,
    seen: &mut Seen,
    visit: &mut dyn FnMut(StoredEntry<'_>) -> Result<()>,
) -> Result<ReadAfter> {
    let place = trail.place();
    let mut is_stopped = false;
    let mut visit = |stored: StoredEntry<'_>| {
        let visited = visit(stored);
        is_stopped = visited.is_err();
        visited
    };
    let mut passing = seen.passing(&mut visit);
    let mut take = |stored: StoredEntry<'_>| passing.take(stored);
    let walked = walk_to_tail(&trail.file, cursor.at, &place, &mut visiting(&mut take));
    let walked = match walked {
        Ok(walked) => walked,
        Err(error) if !is_stopped => {
            return Ok(ReadAfter::Read(vec![unreadable(place, error)?]));
        }
        Err(error) => return Err(error),
    };
    // The tail is read again when it has a line's end, and what was seen of it is passed over then.
    let before_tail = passing.taken();
    let mut damage = walked.damage.clone();
    if !walked.tail.is_empty() {
        let mut take = |stored: StoredEntry<'_>| passing.take(stored);
        damage.extend(close(&walked, &place, &mut visiting(&mut take))?);
    }
    let in_tail = passing.taken() - before_tail;
    if !passing.has_passed() {
        return Ok(seen.of_no_trail());
    }
    if cursor.advance(&trail.file, &walked) {
        seen.set_place(cursor, in_tail);
    }
    damage.extend(trail.no_journal.clone());
    Ok(ReadAfter::Read(damage))
}
