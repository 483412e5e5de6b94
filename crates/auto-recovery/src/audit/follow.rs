//! Following a store: the names of sessions that others write to, and reading on where one stopped.
//!
//! A [`Follower`] names sessions; [`AuditStore::read_after`](crate::audit::AuditStore::read_after)
//! gives the entries added to them. A session may be named without anything new in it, and that
//! costs one look; every new entry has its session named.

use std::any::Any;
use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::audit::{Damage, StoredEntry};
use crate::error::Result;
use crate::host::{Host, Wait};

/// Sessions named at once; the next call names the rest.
pub const NAMED_MAX: usize = 1000;

/// The least time from one look to the next: people perceive it as at once.
const PACE: Duration = Duration::from_millis(100);

/// The pause after a look, as a multiple of its length: looking takes a tenth of a core at most.
const REST: u32 = 9;

/// The result of a wait.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Followed {
    /// Something was written to these sessions, or they were removed.
    Sessions(Vec<String>),
    /// Something may have been missed: look at everything. So it is at first, and when the
    /// connection was lost.
    Anything,
    /// Nothing, for as long as the caller wanted to wait.
    Nothing,
}

impl Followed {
    /// That something was written to `sessions`, if there are any.
    pub fn of_sessions(sessions: impl IntoIterator<Item = String>) -> Self {
        let sessions: Vec<String> = sessions.into_iter().collect();
        match sessions.is_empty() {
            true => Self::Nothing,
            false => Self::Sessions(sessions),
        }
    }
}

/// Waits for writes to a store, by any process.
///
/// ```
/// use std::time::Duration;
///
/// use auto_recovery::Result;
/// use auto_recovery::audit::{AuditStore, Followed, ReadAfter, Seen};
///
/// /// Hands `told` each entry that is added to `session`, until `is_over`.
/// fn follow(
///     store: &dyn AuditStore,
///     session: &str,
///     told: &mut dyn FnMut(&str),
///     is_over: &dyn Fn() -> bool,
/// ) -> Result<()> {
///     let mut follower = store.follower()?;
///     let mut seen = Seen::default();
///     while !is_over() {
///         let is_named = match follower.wait(Duration::from_secs(1))? {
///             Followed::Sessions(sessions) => sessions.iter().any(|id| id == session),
///             Followed::Anything => true,
///             Followed::Nothing => false,
///         };
///         let mut visit = |entry: auto_recovery::audit::StoredEntry<'_>| {
///             told(&entry.json());
///             Ok(())
///         };
///         // Of one that is gone, what is there now is read from its beginning.
///         let mut is_at_end = !is_named;
///         while !is_at_end {
///             let read = store.read_after(session, &mut seen, &mut visit)?;
///             is_at_end = read != ReadAfter::Removed;
///         }
///     }
///     Ok(())
/// }
/// ```
pub trait Follower: Send {
    /// Waits until something is written, at most for `timeout`. If the store cannot be reached it
    /// tries again, and says [`Followed::Nothing`] when the time is over or the user asks to stop.
    ///
    /// # Errors
    /// If the store cannot be read, and trying again is of no use.
    fn wait(&mut self, timeout: Duration) -> Result<Followed>;
}

/// A follower that polls, for stores that send no notices.
pub struct Polling<L> {
    host: Arc<dyn Host>,
    look: L,
    has_begun: bool,
    /// Before that moment there is no look.
    next_look: Duration,
    /// Sessions that are still to be named.
    named: VecDeque<String>,
}

impl<L: FnMut() -> Result<Followed> + Send> Polling<L> {
    /// A follower that calls `look`, which returns the sessions written since its last call. The
    /// result of its first call is not reported: following begins there.
    pub fn new(host: Arc<dyn Host>, look: L) -> Self {
        Self {
            host,
            look,
            has_begun: false,
            next_look: Duration::ZERO,
            named: VecDeque::new(),
        }
    }

    fn look(&mut self) -> Result<Followed> {
        let begin = self.host.monotonic();
        let found = (self.look)();
        let end = self.host.monotonic();
        self.next_look = end + PACE.max(end.saturating_sub(begin) * REST);
        // What a look that failed had found is lost.
        let found = found.inspect_err(|_| self.has_begun = false)?;
        match std::mem::replace(&mut self.has_begun, true) {
            true => Ok(found),
            false => Ok(Followed::Anything),
        }
    }
}

impl<L: FnMut() -> Result<Followed> + Send> Follower for Polling<L> {
    fn wait(&mut self, timeout: Duration) -> Result<Followed> {
        let begin = self.host.monotonic();
        loop {
            if !self.named.is_empty() {
                let count = self.named.len().min(NAMED_MAX);
                return Ok(Followed::Sessions(self.named.drain(..count).collect()));
            }
            let now = self.host.monotonic();
            let left = timeout.saturating_sub(now.saturating_sub(begin));
            let pause = self.next_look.saturating_sub(now);
            if !pause.is_zero() {
                let pause = pause.min(left);
                if pause.is_zero() || self.host.sleep(pause) == Wait::Interrupted {
                    return Ok(Followed::Nothing);
                }
                continue;
            }
            match self.look()? {
                Followed::Sessions(sessions) => self.named.extend(sessions),
                Followed::Anything => return Ok(Followed::Anything),
                Followed::Nothing if left.is_zero() => return Ok(Followed::Nothing),
                Followed::Nothing => {}
            }
        }
    }
}

/// The place up to which a reader has seen a trail. The default has seen nothing.
#[derive(Default)]
pub struct Seen {
    /// The place where the store reads on, in its own terms; `None` for the trail's beginning.
    place: Option<Box<dyn Any + Send>>,
    /// Number of entries behind that place that were seen.
    passed: u64,
    /// The hash of the last entry that was seen: a trail with another entry there is another trail.
    last: Option<[u8; 32]>,
}

/// The result of reading on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReadAfter {
    /// The added entries were visited, with this damage on the way.
    Read(Vec<Damage>),
    /// The trail that was seen is gone. Nothing was visited, and nothing counts as seen: the next
    /// call reads from its beginning what is there now.
    Removed,
}

impl Seen {
    /// The place where the store reads on, if it noted that in a value of this type.
    pub fn place<P: 'static>(&self) -> Option<&P> {
        self.place.as_ref()?.downcast_ref()
    }

    /// The first `count` entries of a trail, as a reader saw them that kept only that number and
    /// the hash of the last: for those that go on after a restart. Without a `last` it has seen
    /// nothing.
    pub fn resumed(count: u64, last: Option<[u8; 32]>) -> Self {
        Self {
            place: None,
            passed: last.map_or(0, |_| count),
            last,
        }
    }

    /// The hash of the last entry that was seen; `None` if none was.
    pub fn last(&self) -> Option<[u8; 32]> {
        self.last
    }

    /// Notes that the store begins to read at `place`, the trail's beginning; what was seen counts
    /// from there.
    pub fn begin_at(&mut self, place: impl Any + Send) {
        self.place = Some(Box::new(place));
    }

    /// Notes that the store reads on at `place`; `passed` of the entries behind it were seen.
    pub fn set_place(&mut self, place: impl Any + Send, passed: u64) {
        self.place = Some(Box::new(place));
        self.passed = passed;
    }

    /// The result where the trail is missing, or another: a reader that has seen nothing misses
    /// nothing, and for any other nothing counts as seen any more.
    pub fn of_no_trail(&mut self) -> ReadAfter {
        match std::mem::take(self).is_nothing() {
            true => ReadAfter::Read(Vec::new()),
            false => ReadAfter::Removed,
        }
    }

    /// The sink for a store's entries behind the place: it skips those that were seen, and passes
    /// the others to `visit` and marks them as seen.
    pub fn passing<'v>(
        &'v mut self,
        visit: &'v mut dyn FnMut(StoredEntry<'_>) -> Result<()>,
    ) -> Passing<'v> {
        Passing {
            to_pass: self.passed,
            is_same: true,
            taken: 0,
            seen: self,
            visit,
        }
    }

    fn is_nothing(&self) -> bool {
        self.last.is_none()
    }
}

impl fmt::Debug for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Seen")
            .field("passed", &self.passed)
            .finish_non_exhaustive()
    }
}

/// Takes the entries behind a place, and passes on those that were not seen.
pub struct Passing<'v> {
    seen: &'v mut Seen,
    visit: &'v mut dyn FnMut(StoredEntry<'_>) -> Result<()>,
    to_pass: u64,
    is_same: bool,
    taken: u64,
}

impl Passing<'_> {
    /// Takes the next entry.
    ///
    /// # Errors
    /// If the visitor fails.
    pub fn take(&mut self, stored: StoredEntry<'_>) -> Result<()> {
        self.taken += 1;
        if self.to_pass > 0 {
            self.to_pass -= 1;
            self.is_same = self.to_pass > 0 || self.seen.last == Some(hash_of(&stored));
        } else if self.is_same {
            let hash = hash_of(&stored);
            (self.visit)(stored)?;
            self.seen.passed += 1;
            self.seen.last = Some(hash);
        }
        Ok(())
    }

    /// Whether the entries that were seen are still in their places.
    pub fn has_passed(&self) -> bool {
        self.to_pass == 0 && self.is_same
    }

    /// Number of entries taken.
    pub fn taken(&self) -> u64 {
        self.taken
    }
}

fn hash_of(stored: &StoredEntry<'_>) -> [u8; 32] {
    Sha256::digest(stored.raw()).into()
}
