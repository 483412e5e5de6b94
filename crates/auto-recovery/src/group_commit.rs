//! Group commit: callers queue their work. One of them, the leader, writes all that is queued, and
//! all that is queued meanwhile, as one batch, while the others wait. If many more callers came
//! meanwhile, it writes their batch too. There is no thread of our own.
//!
//! Where a sync takes a tenth of a millisecond, putting many threads to sleep and waking them takes
//! longer than all the rest. So, where the pace is [`Pace::Gather`], a caller lets others run for a
//! while before it sleeps, and the leader gives those it has just answered a chance to come back.
//! The leader leaves it to one of them to wake the others.
//!
//! The databases gather; the store of files does not. With 64 callers on two busy cores, a queue
//! that never gathers wrote 27,000 to 32,000 entries/s (median 31,000) to files, and gathering
//! 11,000 to 39,000 (16,000) beside it. In another hour that queue wrote 22,000 to 38,000 (27,000),
//! and [`Pace::AtOnce`] 26,000 to 40,000 (37,000). One caller alone on a disk sees no difference.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::{iter, mem, thread, vec};

use crate::error::{Error, ErrorKind, Result};
use crate::mutex::lock;

/// Batches that a leader writes before it returns to its caller, which waits for no more than that.
const LED_MAX: usize = 16;

/// Least number of callers in a batch for a leader to write that one too: without the leader's own
/// work, it is the smaller by one.
const LED_CALLERS_MIN: usize = 4;

/// Times that a leader lets others run while its batch has fewer callers than the last.
const GATHERS_MAX: usize = 2;

/// Times that a caller lets others run before it sleeps.
const YIELDS_MAX: usize = 30;

/// Whether callers wait for company.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// They let others run before they sleep or write, so that more share a write. For writes that
    /// cost much beside the sync, as transactions do.
    Gather,
    /// A caller writes at once and alone if no other is writing, and sleeps at once if another is.
    AtOnce,
}

/// The queue of the callers that write to one place.
pub struct GroupCommit<Work> {
    queue: Mutex<Queue<Work>>,
    /// Largest size of a batch, one caller's work not divided. It bounds how long the next one
    /// waits.
    size_max: usize,
    /// Measures the size of a caller's work.
    size: fn(&Work) -> usize,
    pace: Pace,
}

struct Queue<Work> {
    /// Whether a caller leads. If so, it writes the first batch, until there is no more of it, or
    /// work that is in none.
    led: bool,
    /// Number of callers of the last batch: as many may come again.
    callers_before: usize,
    /// The work to write, in order. A new caller joins the last batch.
    batches: VecDeque<Batch<Work>>,
}

/// The work of one write.
struct Batch<Work> {
    /// The work that the leader has not taken yet.
    waiting: Vec<Work>,
    /// Number of callers that joined.
    callers: usize,
    /// Total size of their work.
    size: usize,
    ending: Arc<Ending<Work>>,
}

impl<Work> GroupCommit<Work> {
    /// An empty queue, whose leaders write at most `size_max` at once, as `size` counts it.
    pub fn new(size_max: usize, size: fn(&Work) -> usize, pace: Pace) -> Self {
        Self {
            queue: Mutex::new(Queue {
                led: false,
                callers_before: 0,
                batches: VecDeque::new(),
            }),
            size_max,
            size,
            pace,
        }
    }

    /// Has `work` written by `write`, by this thread or another, and returns it as it was written,
    /// so that it is freed by the thread that made it. `write` gets the work of one or many callers
    /// and returns that of each or why it was not written, or the error of all.
    ///
    /// # Errors
    /// That of `write`, for this work or for all; [`ErrorKind::Io`] if the thread panicked that was
    /// writing it.
    pub fn commit(
        &self,
        work: Work,
        write: impl Fn(&mut dyn Iterator<Item = Work>) -> Result<Vec<Result<Work>>>,
    ) -> Result<Work> {
        let mut queue = lock(&self.queue);
        if self.pace == Pace::AtOnce && !queue.led && queue.batches.is_empty() {
            queue.led = true;
            drop(queue);
            return Leader { group: self }.write_alone(work, &write);
        }
        let (ending, place) = self.join(&mut queue, work);
        let is_first = !mem::replace(&mut queue.led, true);
        drop(queue);
        if !is_first && let Some(result) = ending.wait(place, self.pace) {
            return result;
        }
        Leader { group: self }.lead(&write);
        ending.take(place).unwrap_or_else(|| Err(abandoned()))
    }

    /// Adds `work` to the last batch, or a new one, and returns the place of its result.
    fn join(&self, queue: &mut Queue<Work>, work: Work) -> (Arc<Ending<Work>>, usize) {
        let size = (self.size)(&work);
        let last = queue.batches.back_mut();
        if let Some(batch) = last.filter(|batch| batch.size + size <= self.size_max) {
            batch.waiting.push(work);
            batch.callers += 1;
            batch.size += size;
            return (Arc::clone(&batch.ending), batch.callers - 1);
        }
        let ending = Arc::new(Ending::new());
        queue.batches.push_back(Batch {
            waiting: vec![work],
            callers: 1,
            size,
            ending: Arc::clone(&ending),
        });
        (ending, 0)
    }
}

/// The caller that writes. It must have another lead after it, even if it panics.
struct Leader<'g, Work> {
    group: &'g GroupCommit<Work>,
}

impl<Work> Leader<'_, Work> {
    /// Writes `work`, while no other caller waits. Callers that arrive meanwhile get another
    /// leader.
    fn write_alone(
        self,
        work: Work,
        write: &impl Fn(&mut dyn Iterator<Item = Work>) -> Result<Vec<Result<Work>>>,
    ) -> Result<Work> {
        let written = write(&mut iter::once(work))?;
        let own = written.into_iter().next();
        own.unwrap_or_else(|| Err(abandoned()))
    }

    /// Writes the first batch, in which is the caller's own work, and others after it until one
    /// fails: that can have taken long, and the next may too.
    fn lead(self, write: &impl Fn(&mut dyn Iterator<Item = Work>) -> Result<Vec<Result<Work>>>) {
        for led in 0..LED_MAX {
            let callers_min = if led == 0 { 1 } else { LED_CALLERS_MIN };
            let Some(ending) = self.next(callers_min) else {
                break;
            };
            if !Writing::new(self.group, ending).write(write) {
                break;
            }
        }
    }

    /// The ending of the next batch, if it has at least this many callers.
    fn next(&self, callers_min: usize) -> Option<Arc<Ending<Work>>> {
        let queue = lock(&self.group.queue);
        let next = queue.batches.front()?;
        (next.callers >= callers_min).then(|| Arc::clone(&next.ending))
    }
}

impl<Work> Drop for Leader<'_, Work> {
    fn drop(&mut self) {
        let mut queue = lock(&self.group.queue);
        let next = queue.batches.front().map(|next| Arc::clone(&next.ending));
        queue.led = next.is_some();
        drop(queue);
        if let Some(next) = next {
            next.have_led();
        }
    }
}

/// A batch while it is written, its work taken as it arrives. Its callers must get their results,
/// even if the leader panics.
struct Writing<'g, Work> {
    group: &'g GroupCommit<Work>,
    ending: Arc<Ending<Work>>,
    /// Work taken from the queue and not yet handed to the writer.
    taken: vec::IntoIter<Work>,
    /// Times that others were let run so that they join.
    gathers: usize,
    /// Number of callers, once the batch is closed.
    callers: Option<usize>,
    results: Vec<Result<Work>>,
}

impl<'g, Work> Writing<'g, Work> {
    fn new(group: &'g GroupCommit<Work>, ending: Arc<Ending<Work>>) -> Self {
        Self {
            group,
            ending,
            taken: Vec::new().into_iter(),
            gathers: 0,
            callers: None,
            results: Vec::new(),
        }
    }

    /// Writes the batch. Returns whether that succeeded.
    fn write(
        mut self,
        write: &impl Fn(&mut dyn Iterator<Item = Work>) -> Result<Vec<Result<Work>>>,
    ) -> bool {
        let written = write(&mut self);
        let is_written = written.is_ok();
        let callers = self.close();
        self.results = written.unwrap_or_else(|error| shared(error, callers));
        is_written
    }

    /// Closes the batch to further callers, and returns how many joined.
    fn close(&mut self) -> usize {
        let group = self.group;
        *self
            .callers
            .get_or_insert_with(|| lock(&group.queue).close())
    }
}

impl<Work> Queue<Work> {
    /// Closes the first batch to further callers, and returns how many joined.
    fn close(&mut self) -> usize {
        let batch = self.batches.pop_front();
        self.callers_before = batch.map_or(0, |batch| batch.callers);
        self.callers_before
    }
}

impl<Work> Iterator for Writing<'_, Work> {
    type Item = Work;

    fn next(&mut self) -> Option<Work> {
        if let Some(work) = self.taken.next() {
            return Some(work);
        }
        if self.callers.is_some() {
            return None;
        }
        let mut queue = lock(&self.group.queue);
        loop {
            let callers_before = queue.callers_before;
            let batch = queue.batches.front_mut()?;
            self.taken = mem::take(&mut batch.waiting).into_iter();
            if let Some(work) = self.taken.next() {
                return Some(work);
            }
            let gathers_max = match self.group.pace {
                Pace::Gather => GATHERS_MAX,
                Pace::AtOnce => 0,
            };
            if batch.callers >= callers_before || self.gathers == gathers_max {
                self.callers = Some(queue.close());
                return None;
            }
            self.gathers += 1;
            drop(queue);
            thread::yield_now();
            queue = lock(&self.group.queue);
        }
    }
}

impl<Work> Drop for Writing<'_, Work> {
    fn drop(&mut self) {
        let callers = self.close();
        let mut results = mem::take(&mut self.results);
        results.resize_with(callers, || Err(abandoned()));
        self.ending.tell(results);
    }
}

/// The result of a batch, and the signal for its callers.
struct Ending<Work> {
    state: Mutex<State<Work>>,
    /// Set once `state` has changed; can be read without its lock.
    is_changed: AtomicBool,
    changed: Condvar,
}

struct State<Work> {
    /// A result for each caller, until it takes it. Empty before the end.
    results: Vec<Option<Result<Work>>>,
    /// Set if one of the callers is to lead.
    is_leaderless: bool,
    /// Number of callers that sleep; set to 0 when all of them are woken.
    sleeping: usize,
}

impl<Work> Ending<Work> {
    fn new() -> Self {
        Self {
            state: Mutex::new(State {
                results: Vec::new(),
                is_leaderless: false,
                sleeping: 0,
            }),
            is_changed: AtomicBool::new(false),
            changed: Condvar::new(),
        }
    }

    /// Hands each caller its result.
    fn tell(&self, results: Vec<Result<Work>>) {
        self.change(|state| state.results = results.into_iter().map(Some).collect());
    }

    /// Makes one of the callers lead.
    fn have_led(&self) {
        self.change(|state| state.is_leaderless = true);
    }

    /// Changes the state, and wakes one sleeping caller. If the news is for all, that caller wakes
    /// the others, while this thread continues.
    fn change(&self, change: impl FnOnce(&mut State<Work>)) {
        let mut state = lock(&self.state);
        change(&mut state);
        let is_awaited = state.sleeping > 0;
        drop(state);
        self.is_changed.store(true, Ordering::Release);
        if is_awaited {
            self.changed.notify_one();
        }
    }

    /// Waits for the result of the caller at `place`. `None` if that caller is to lead.
    fn wait(&self, place: usize, pace: Pace) -> Option<Result<Work>> {
        let yields = match pace {
            Pace::Gather => YIELDS_MAX,
            Pace::AtOnce => 0,
        };
        for _ in 0..yields {
            if self.is_changed.load(Ordering::Acquire) {
                break;
            }
            thread::yield_now();
        }
        let mut state = lock(&self.state);
        loop {
            let result = state.results.get_mut(place).and_then(Option::take);
            if result.is_some() {
                if mem::take(&mut state.sleeping) > 0 {
                    drop(state);
                    self.changed.notify_all();
                }
                return result;
            }
            if mem::take(&mut state.is_leaderless) {
                return None;
            }
            state.sleeping += 1;
            let woken = self.changed.wait(state);
            state = woken.unwrap_or_else(PoisonError::into_inner);
            state.sleeping = state.sleeping.saturating_sub(1);
        }
    }

    /// Takes the result of the caller at `place`, if there is one.
    fn take(&self, place: usize) -> Option<Result<Work>> {
        lock(&self.state).results.get_mut(place)?.take()
    }
}

fn abandoned() -> Error {
    Error::new(
        ErrorKind::Io,
        "the thread that was writing for this one panicked",
    )
}

/// Copies `error` for each of `count` callers: the first has it with its source, the others in
/// words.
fn shared<Work>(error: Error, count: usize) -> Vec<Result<Work>> {
    let words = error.chain();
    let kind = error.kind();
    let mut results = vec![Err(error)];
    results.resize_with(count, || Err(Error::new(kind, words.clone())));
    results
}

#[cfg(test)]
mod tests;
