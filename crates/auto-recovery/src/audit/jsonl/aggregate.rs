//! All sessions summed up.

use std::collections::HashMap;

use super::cache::sum_up;
use super::events::SessionEvents;
use super::parts::share_out;
use super::root::Root;
use super::sessions::trail_ids;
use super::trail::Trail;
use crate::audit::SessionOutcome;
use crate::error::Result;
use crate::statistics::{Accumulator, Aggregate, AggregateStatistics, SessionEnd, instant};

/// Nanoseconds in a millisecond.
const NANOS: i128 = 1_000_000;

/// The statistics of all sessions as they are now.
pub(super) fn aggregate(root: &Root) -> Result<AggregateStatistics> {
    let mut events: HashMap<_, _> = root.all_events()?;
    let ids = trail_ids(root)?;
    let shares = share_out(&ids, |sums: &mut Aggregate, _, id| {
        if let Some(trail) = Trail::open(root, id)? {
            let own = sum_up(&trail)?;
            // A trail whose every entry was cleared is one that could not be removed.
            if trail.from.offset == 0 || own.tally().total > 0 {
                add(sums, own, &trail.events);
            }
        }
        Ok(())
    })?;
    let mut sums = Aggregate::default();
    shares.into_iter().for_each(|share| sums.merge(share));
    ids.iter().for_each(|id| drop(events.remove(id)));
    for events in events.values().filter(|events| events.first_at.is_some()) {
        add(&mut sums, Accumulator::default(), events);
    }
    Ok(sums.statistics())
}

fn add(sums: &mut Aggregate, own: Accumulator, events: &SessionEvents) {
    let end = end(&own, events);
    sums.add_session(own, end, events.flaky);
}

/// How a session ended: as its recorder said or, where it said nothing, as its last entry did.
fn end(own: &Accumulator, events: &SessionEvents) -> SessionEnd {
    let tally = own.tally();
    match events.outcome {
        Some(SessionOutcome::Recovered) => SessionEnd::Recovered(events.took_ms),
        Some(SessionOutcome::Escalated) => SessionEnd::Escalated,
        None if tally.last_succeeded => {
            let start = events.session_start(tally.first_timestamp.as_deref());
            let moment = |time: Option<&str>| time.and_then(instant);
            let took = moment(tally.last_timestamp.as_deref())
                .zip(moment(start.as_deref()))
                .and_then(|(end, start)| u64::try_from((end - start) / NANOS).ok());
            SessionEnd::Recovered(took)
        }
        _ => SessionEnd::Other,
    }
}
