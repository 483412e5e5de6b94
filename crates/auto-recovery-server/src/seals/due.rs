//! What is to be under a seal, and when: pure.
//!
//! What somebody waits for is sealed at once: that an attempt starts, and that a session ended. The
//! rest is sealed when nothing more comes for a while. Two rests keep sealing from taking all the
//! time there is.

use std::collections::BTreeSet;
use std::time::Duration;

use auto_recovery::audit::sealing::SealWhen;

/// The rest is sealed once nothing came for this long: a seal has some 600 bytes and takes two
/// syncs, and one a line of a program that records slowly would be more than the lines.
pub(super) const QUIET: Duration = Duration::from_secs(10);

/// Where something always comes, it is sealed this long after the first of it: as by the command.
pub(super) const LATEST: Duration = Duration::from_secs(60);

/// Sessions of one seal: each takes a sync of its trail, so that no other sealer waits for more
/// than some hundred milliseconds.
pub(super) const SESSIONS_MAX: usize = 50;

/// Sessions that are remembered, at some 100 bytes each. Where there are more, the store is asked
/// which they are.
pub(super) const REMEMBERED_MAX: usize = 20_000;

/// How many times as long as a seal took nobody makes one that nobody waits for: a tenth of the
/// time.
const TIMES_AS_LONG: u32 = 9;

/// The same while it is the past that is sealed, which a look found: a hundredth of the time.
const TIMES_AS_LONG_FOR_PAST: u32 = 99;

/// Time until a seal is tried again that could not be made, and where somebody else was sealing.
pub(super) const AGAIN: Duration = Duration::from_secs(60);
pub(super) const BUSY: Duration = Duration::from_millis(50);

/// What was recorded.
#[derive(Debug, Default)]
pub(crate) struct News {
    /// Sessions in which an attempt starts: its strategy acts once this is answered.
    pub(crate) started: BTreeSet<String>,
    /// Sessions that ended.
    pub(crate) ended: BTreeSet<String>,
    /// Others with something new.
    pub(crate) others: BTreeSet<String>,
}

/// What is to be done next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// To ask the store what is under no seal.
    Look,
    /// To seal these sessions and the journal.
    Seal(Batch),
}

/// What one seal is to cover.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Batch {
    pub(super) sessions: BTreeSet<String>,
    pub(super) is_urgent: bool,
    /// The number of the last news that are under a seal with this.
    pub(super) through: u64,
}

/// What is to be under a seal.
#[derive(Debug)]
pub(super) struct Due {
    when: SealWhen,
    urgent: BTreeSet<String>,
    others: BTreeSet<String>,
    /// Whether the journal has something of no session.
    has_records: bool,
    /// Whether more may be under no seal than is remembered.
    is_unknown: bool,
    /// Whether the others are what a look found: nobody waits for the end of those.
    are_found: bool,
    /// Those that could not be sealed, and whether the journal could not.
    failed: BTreeSet<String>,
    has_failed: bool,
    /// When the first and the newest of the others came.
    since: Option<Duration>,
    newest: Duration,
    /// News so far that somebody may wait for.
    told: u64,
    /// The moments before which sealing rests.
    urgent_from: Duration,
    others_from: Duration,
    /// The moments before which nothing is tried again: somebody else was sealing, it failed, or
    /// the store could not be asked.
    busy_until: Duration,
    failed_until: Duration,
    blind_until: Duration,
    is_over: bool,
}

impl Due {
    /// At `now`, over a store that may have had other servers before.
    pub(super) fn new(when: SealWhen, now: Duration) -> Self {
        Self {
            when,
            urgent: BTreeSet::new(),
            others: BTreeSet::new(),
            has_records: false,
            is_unknown: true,
            are_found: false,
            failed: BTreeSet::new(),
            has_failed: false,
            since: Some(now),
            newest: now,
            told: 0,
            urgent_from: Duration::ZERO,
            others_from: Duration::ZERO,
            busy_until: Duration::ZERO,
            failed_until: Duration::ZERO,
            blind_until: Duration::ZERO,
            is_over: false,
        }
    }

    /// Something was recorded. Returns the number to wait for before a strategy acts, if one is
    /// about to.
    pub(super) fn add(&mut self, news: News, now: Duration) -> Option<u64> {
        let News {
            mut started,
            ended,
            mut others,
        } = news;
        let waits = !started.is_empty() && self.when == SealWhen::Attempts;
        if !waits {
            others.append(&mut started);
        }
        if !others.is_empty() {
            if !self.is_unknown && !self.are_others() {
                self.since = None;
            }
            self.since.get_or_insert(now);
            self.newest = now;
        }
        self.add_others(others);
        self.urgent.extend(started);
        self.urgent.extend(ended);
        self.told += 1;
        waits.then_some(self.told)
    }

    /// What the store was found to have under no seal.
    pub(super) fn add_found(&mut self, sessions: Vec<String>, has_records: bool) {
        self.others.extend(sessions);
        self.has_records |= has_records;
        self.are_found = self.are_others();
    }

    fn add_others(&mut self, sessions: impl IntoIterator<Item = String>) {
        for session in sessions {
            if self.others.len() < REMEMBERED_MAX {
                self.others.insert(session);
            } else if !self.others.contains(&session) {
                self.is_unknown = true;
            }
        }
    }

    /// Nothing more comes: what there is to seal is sealed now.
    pub(super) fn end(&mut self) {
        self.is_over = true;
    }

    pub(super) fn is_over(&self) -> bool {
        self.is_over
    }

    /// Whether something could not be sealed, and was not since.
    pub(super) fn has_failed(&self) -> bool {
        self.has_failed || !self.failed.is_empty()
    }

    /// The moment of the next turn; `None` if there is nothing to do.
    pub(super) fn next(&self) -> Option<Duration> {
        let each = [
            self.next_of_urgent(),
            self.next_look(),
            self.next_of_others(),
            self.next_of_failed(),
        ];
        each.into_iter().flatten().min()
    }

    fn next_of_urgent(&self) -> Option<Duration> {
        let rest = match self.is_over {
            true => Duration::ZERO,
            false => self.urgent_from,
        };
        (!self.urgent.is_empty()).then_some(rest.max(self.busy_until))
    }

    fn next_look(&self) -> Option<Duration> {
        let wanted = self.wanted().max(self.blind_until);
        self.is_unknown.then_some(wanted)
    }

    fn next_of_others(&self) -> Option<Duration> {
        let wait_for_end = self.when == SealWhen::Sessions && !self.is_over && !self.are_found;
        let are_due = self.are_others() && !wait_for_end;
        are_due.then_some(self.wanted().max(self.busy_until))
    }

    fn next_of_failed(&self) -> Option<Duration> {
        // The next server tries again what one could not seal that ends.
        let is_tried = self.has_failed() && !self.is_over;
        is_tried.then_some(self.failed_until.max(self.busy_until))
    }

    /// Whether any of the others is to be under a seal.
    fn are_others(&self) -> bool {
        self.has_records || !self.others.is_empty()
    }

    /// The moment that the others wait for.
    fn wanted(&self) -> Duration {
        let since = self.since.unwrap_or(self.newest);
        match self.is_over {
            true => Duration::ZERO,
            false => (self.newest + QUIET)
                .min(since + LATEST)
                .max(self.others_from),
        }
    }

    /// The turn that is due at `now`.
    pub(super) fn take(&mut self, now: Duration) -> Option<Turn> {
        let is_due = |next: Option<Duration>| next.is_some_and(|next| now >= next);
        if is_due(self.next_of_urgent()) {
            return Some(Turn::Seal(self.take_urgent()));
        }
        if is_due(self.next_look()) {
            self.is_unknown = false;
            return Some(Turn::Look);
        }
        let sessions = if is_due(self.next_of_others()) {
            let sessions = some_of(&mut self.others);
            self.has_records = false;
            if self.others.is_empty() {
                (self.since, self.are_found) = (None, false);
            }
            sessions
        } else if is_due(self.next_of_failed()) {
            self.has_failed = false;
            some_of(&mut self.failed)
        } else {
            return None;
        };
        Some(Turn::Seal(Batch {
            sessions,
            is_urgent: false,
            through: 0,
        }))
    }

    fn take_urgent(&mut self) -> Batch {
        let sessions = some_of(&mut self.urgent);
        for session in &sessions {
            self.others.remove(session);
        }
        Batch {
            sessions,
            is_urgent: true,
            // Whoever waits for more than one seal holds waits for the last of them.
            through: if self.urgent.is_empty() { self.told } else { 0 },
        }
    }

    /// A seal was made from `began` to `now`.
    pub(super) fn made(&mut self, began: Duration, now: Duration) {
        let took = now.saturating_sub(began);
        self.urgent_from = now + took;
        let times = match self.are_found {
            true => TIMES_AS_LONG_FOR_PAST,
            false => TIMES_AS_LONG,
        };
        self.others_from = now + took * times;
    }

    /// Somebody else was sealing when it was the turn of `batch`.
    pub(super) fn was_busy(&mut self, batch: Batch, now: Duration) {
        self.busy_until = now + BUSY;
        if batch.is_urgent {
            self.urgent.extend(batch.sessions);
        } else {
            self.has_records = true;
            self.since.get_or_insert(now);
            self.add_others(batch.sessions);
        }
    }

    /// `sessions` could not be sealed, or nothing could.
    pub(super) fn failed(&mut self, sessions: BTreeSet<String>, now: Duration) {
        self.failed_until = now + AGAIN;
        self.has_failed = true;
        for session in sessions {
            if self.failed.len() < REMEMBERED_MAX {
                self.failed.insert(session);
            } else {
                self.lost_sight(now);
            }
        }
    }

    /// The store could not be asked, or was away: what it kept meanwhile is not known.
    pub(super) fn lost_sight(&mut self, now: Duration) {
        self.blind_until = now + AGAIN;
        self.is_unknown = true;
        self.since.get_or_insert(now);
    }
}

/// As many of `sessions` as one seal covers.
fn some_of(sessions: &mut BTreeSet<String>) -> BTreeSet<String> {
    match sessions.iter().nth(SESSIONS_MAX).cloned() {
        None => std::mem::take(sessions),
        Some(first_left) => {
            let left = sessions.split_off(&first_left);
            std::mem::replace(sessions, left)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(count: usize) -> BTreeSet<String> {
        (0..count).map(|number| format!("{number:06}")).collect()
    }

    fn looked() -> Due {
        let mut due = Due::new(SealWhen::Attempts, Duration::ZERO);
        assert_eq!(due.take(QUIET), Some(Turn::Look));
        due
    }

    fn others(count: usize) -> News {
        News {
            others: names(count),
            ..News::default()
        }
    }

    fn batch(turn: Option<Turn>) -> Batch {
        match turn {
            Some(Turn::Seal(batch)) => batch,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn many_sessions_are_sealed_some_at_a_time_with_rests() {
        let mut due = looked();
        let mut now = QUIET;
        due.add(others(2 * SESSIONS_MAX + 1), now);
        now += QUIET;
        let took = Duration::from_millis(100);
        for left in [SESSIONS_MAX, SESSIONS_MAX, 1] {
            assert_eq!(batch(due.take(now)).sessions.len(), left);
            due.made(now, now + took);
            now += took;
            assert_eq!(due.take(now), None);
            now += took * TIMES_AS_LONG;
        }
        assert_eq!((due.next(), due.take(now)), (None, None));
    }

    #[test]
    fn the_past_takes_a_hundredth_of_the_time_and_new_ends_do_not_wait_for_it() {
        let mut due = looked();
        due.add_found(names(2 * SESSIONS_MAX).into_iter().collect(), false);
        let (mut now, took) = (QUIET * 2, Duration::from_millis(100));
        assert_eq!(batch(due.take(now)).sessions.len(), SESSIONS_MAX);
        due.made(now, now + took);
        now += took * TIMES_AS_LONG_FOR_PAST;
        assert_eq!(due.take(now), None);
        let news = News {
            ended: names(1),
            ..News::default()
        };
        due.add(news, now);
        assert!(batch(due.take(now)).is_urgent);
        assert_eq!(batch(due.take(now + took)).sessions.len(), SESSIONS_MAX);
    }

    #[test]
    fn who_waits_is_told_once_the_last_of_its_sessions_is_sealed() {
        let mut due = looked();
        let news = News {
            started: names(SESSIONS_MAX + 1),
            ..News::default()
        };
        let number = due.add(news, QUIET);
        assert_eq!(batch(due.take(QUIET)).through, 0);
        assert_eq!(Some(batch(due.take(QUIET)).through), number);
    }

    #[test]
    fn at_the_end_no_rest_is_kept_and_what_failed_is_left() {
        let mut due = looked();
        due.add(others(2 * SESSIONS_MAX), QUIET);
        due.made(QUIET, QUIET * 2);
        due.end();
        let first = batch(due.take(QUIET));
        due.failed(first.sessions, QUIET);
        assert_eq!(batch(due.take(QUIET)).sessions.len(), SESSIONS_MAX);
        assert_eq!((due.take(QUIET), due.next()), (None, None));
    }

    #[test]
    fn more_sessions_than_are_remembered_are_looked_for_in_the_store() {
        let mut due = looked();
        due.add(others(REMEMBERED_MAX + 1), QUIET);
        assert_eq!(due.others.len(), REMEMBERED_MAX);
        assert_eq!(due.take(QUIET * 2), Some(Turn::Look));
    }

    #[test]
    fn the_first_after_a_long_silence_waits_as_long_as_any() {
        let mut due = looked();
        let later = Duration::from_secs(3600);
        due.add(others(1), later);
        assert_eq!(due.next(), Some(later + QUIET));
    }
}
