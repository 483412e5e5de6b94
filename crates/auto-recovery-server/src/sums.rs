//! Sums that pages show, kept: who looks again does not wait until every entry was read again.
//!
//! Few entries are summed up whenever somebody asks. The sums of many are kept, each with the
//! moment and the place in the feed that it is of, and made anew by a thread once something came:
//! one after the other, with rests that are a hundred times as long, so that they never cost more
//! than a hundredth of a core. Nothing else has them: the API sums up what it is asked for.

use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use auto_recovery::mutex::lock;
use auto_recovery::statistics::{AggregateGroup, AggregateStatistics, Aggregates};

/// Attempts from which on sums are kept: fewer are summed up in a few hundredths of a second.
const KEPT_FROM: u64 = 20_000;

/// Groups that a page shows of each; the API has all of them.
pub(crate) const GROUPS_MAX: usize = 200;

/// Sums that are kept: some 200 KB each, with all the groups that there can be.
const KEPT_MAX: usize = 32;

/// The longest question whose answer is kept, in bytes.
const ASKED_BYTES_MAX: usize = 512;

/// The time for which sums are made anew that nobody asks for.
const ASKED_FOR: Duration = Duration::from_secs(24 * 60 * 60);

/// The time after which the entries of a window are others, if it goes by the present.
const MOVED_AFTER: Duration = Duration::from_secs(10 * 60);

/// How much longer than it took to make sums is the rest after it, and the least rest.
const REST_TIMES: u32 = 100;
const REST_MIN: Duration = Duration::from_secs(1);

/// What a page shows of sums.
#[derive(Debug)]
pub(crate) struct Shown {
    pub(crate) total: AggregateStatistics,
    pub(crate) groups: Vec<AggregateGroup>,
    /// Groups that are not there.
    pub(crate) more: usize,
    /// When these sums were true.
    pub(crate) at: SystemTime,
}

/// Sums, and when they are made anew.
#[derive(Debug)]
struct Kept {
    /// The parameters of the address.
    asked: String,
    shown: Arc<Shown>,
    /// The newest row of the feed before they were made.
    place: i64,
    made: Duration,
    last_asked: Duration,
}

/// Those that are kept. Times are those of a clock that nobody sets.
#[derive(Debug, Default)]
pub(crate) struct Sums {
    kept: Mutex<Vec<Kept>>,
    /// Held by whoever makes some that may be kept: who asks for the same waits for them.
    pub(crate) making: tokio::sync::Mutex<()>,
}

impl Sums {
    /// The kept answer to `asked`.
    pub(crate) fn find(&self, asked: &str, now: Duration) -> Option<Arc<Shown>> {
        let mut all = lock(&self.kept);
        let kept = all.iter_mut().find(|one| one.asked == asked)?;
        kept.last_asked = now;
        Some(Arc::clone(&kept.shown))
    }

    /// Keeps `shown` if it is of many attempts.
    pub(crate) fn keep(&self, asked: &str, shown: &Arc<Shown>, place: i64, now: Duration) {
        let mut all = lock(&self.kept);
        if let Some(kept) = all.iter_mut().find(|one| one.asked == asked) {
            kept.shown = Arc::clone(shown);
            (kept.place, kept.made) = (place, now);
            return;
        }
        if shown.total.total_attempts < KEPT_FROM || asked.len() > ASKED_BYTES_MAX {
            return;
        }
        if all.len() == KEPT_MAX {
            let oldest = (0..all.len()).min_by_key(|place| all[*place].last_asked);
            oldest.map(|oldest| all.swap_remove(oldest));
        }
        all.push(Kept {
            asked: asked.to_owned(),
            shown: Arc::clone(shown),
            place,
            made: now,
            last_asked: now,
        });
    }

    /// What is to be made anew first, while the newest row of the feed is `place`: what was asked
    /// for since it was made, then what was made first.
    pub(crate) fn due(&self, place: i64, now: Duration) -> Option<String> {
        let mut all = lock(&self.kept);
        all.retain(|one| now.saturating_sub(one.last_asked) < ASKED_FOR);
        let due = all.iter().filter(|one| {
            let is_moved = one.last_asked > one.made
                && now.saturating_sub(one.made) > MOVED_AFTER
                && (one.asked.contains("since") || one.asked.contains("until"));
            one.place != place || is_moved
        });
        let first = due.min_by_key(|one| (one.last_asked <= one.made, one.made));
        first.map(|one| one.asked.clone())
    }

    /// The rest after some were made, which took so long.
    pub(crate) fn rest(took: Duration) -> Duration {
        took.saturating_mul(REST_TIMES).max(REST_MIN)
    }
}

impl Shown {
    /// What a page shows of `sums`, which are those of now.
    pub(crate) fn new(sums: Aggregates, at: SystemTime) -> Self {
        let more = sums.groups.len().saturating_sub(GROUPS_MAX);
        let mut groups = sums.groups;
        groups.truncate(GROUPS_MAX);
        groups
            .iter_mut()
            .for_each(|group| strip(&mut group.statistics));
        groups.shrink_to_fit();
        let mut total = sums.total;
        strip(&mut total);
        Self {
            total,
            groups,
            more,
            at,
        }
    }
}

/// Takes out what can be long, and no page shows.
fn strip(statistics: &mut AggregateStatistics) {
    statistics.strategies_used.clear();
    statistics.error_type_distribution.clear();
    statistics.most_modified_files.clear();
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn shown(attempts: u64) -> Arc<Shown> {
        let total = AggregateStatistics {
            total_attempts: attempts,
            ..AggregateStatistics::default()
        };
        let sums = Aggregates::new(total, Vec::new());
        Arc::new(Shown::new(sums, SystemTime::UNIX_EPOCH))
    }

    #[test]
    fn sums_of_many_are_kept_and_made_anew_once_something_came() {
        let sums = Sums::default();
        let many = shown(KEPT_FROM);
        sums.keep("few", &shown(KEPT_FROM - 1), 7, SECOND);
        sums.keep(&"x".repeat(ASKED_BYTES_MAX + 1), &many, 7, SECOND);
        sums.keep("by=day", &many, 7, SECOND);
        sums.keep("by=host", &many, 7, 2 * SECOND);
        assert!(sums.find("few", SECOND).is_none());
        assert_eq!(lock(&sums.kept).len(), 2);
        assert_eq!(sums.due(7, 3 * SECOND), None);
        assert_eq!(sums.due(8, 3 * SECOND).as_deref(), Some("by=day"));
        // Somebody waits for this one.
        assert!(Arc::ptr_eq(
            &sums.find("by=host", 3 * SECOND).unwrap(),
            &many
        ));
        assert_eq!(sums.due(8, 3 * SECOND).as_deref(), Some("by=host"));
        // Fewer than before are kept, too: who removed the others is to see it.
        sums.keep("by=host", &shown(1), 8, 4 * SECOND);
        assert_eq!(
            sums.find("by=host", 4 * SECOND)
                .unwrap()
                .total
                .total_attempts,
            1
        );
        assert_eq!(sums.due(8, 4 * SECOND).as_deref(), Some("by=day"));
        assert_eq!(sums.due(8, 4 * SECOND + ASKED_FOR), None);
        assert!(lock(&sums.kept).is_empty());
    }

    #[test]
    fn a_window_moves_for_those_who_look() {
        let sums = Sums::default();
        for asked in ["since=1d", "by=day"] {
            sums.keep(asked, &shown(KEPT_FROM), 7, SECOND);
        }
        let later = SECOND + 2 * MOVED_AFTER;
        assert_eq!(sums.due(7, later), None);
        for asked in ["since=1d", "by=day"] {
            assert!(sums.find(asked, later).is_some());
        }
        assert_eq!(sums.due(7, later).as_deref(), Some("since=1d"));
    }

    #[test]
    fn what_nobody_asked_for_longest_goes() {
        let sums = Sums::default();
        let asked = |number: usize| format!("by=day&project={number}");
        for number in 0..KEPT_MAX {
            sums.keep(&asked(number), &shown(KEPT_FROM), 1, SECOND);
        }
        for number in (0..KEPT_MAX).filter(|number| *number != 3) {
            sums.find(&asked(number), 2 * SECOND).unwrap();
        }
        sums.keep("by=host", &shown(KEPT_FROM), 1, 2 * SECOND);
        assert!(sums.find(&asked(3), 3 * SECOND).is_none());
        assert!(sums.find(&asked(4), 3 * SECOND).is_some());
        assert_eq!(lock(&sums.kept).len(), KEPT_MAX);
    }
}
