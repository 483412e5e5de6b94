//! Group commit: callers queue what they have to write. One of them, the leader, writes all that is
//! queued while the others wait; what is queued meanwhile goes with the next leader. There is no thread
//! of our own, and each waiting caller is woken once.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use auto_recovery::error::{Error, ErrorKind, Result};

/// How often a leader lets others run before it takes what is queued, as long as that grows: those whom
/// the last leader woke come back with their next call, and then share a sync.
const GATHER_ROUNDS_MAX: usize = 64;

/// The queue of those who write to one place.
pub(crate) struct Group<Work, Done> {
    queue: Mutex<Queue<Work, Done>>,
    /// How much a leader writes at once, one caller's work not divided. It bounds how long the next one
    /// waits.
    size_max: usize,
    /// How much a caller's work is.
    size: fn(&Work) -> usize,
}

struct Queue<Work, Done> {
    /// Whether somebody is writing.
    led: bool,
    waiting: Vec<(Work, Arc<Slot<Done>>)>,
}

/// Where a caller waits.
struct Slot<Done> {
    turn: Mutex<Option<Turn<Done>>>,
    changed: Condvar,
}

/// What a waiting caller is woken for.
enum Turn<Done> {
    Done(Result<Done>),
    Lead,
}

impl<Work, Done> Group<Work, Done> {
    /// A queue of nobody, whose leaders write at most `size_max` at once, as `size` counts it.
    pub(crate) fn new(size_max: usize, size: fn(&Work) -> usize) -> Self {
        Self {
            queue: Mutex::new(Queue {
                led: false,
                waiting: Vec::new(),
            }),
            size_max,
            size,
        }
    }

    /// Has `work` written by `write`, by this thread or another, and returns what came of it. `write`
    /// gets the work of one or many callers and returns a result for each, or the error of all.
    pub(crate) fn commit(
        &self,
        work: Work,
        write: impl FnOnce(Vec<Work>) -> Result<Vec<Result<Done>>>,
    ) -> Result<Done> {
        let mut queue = lock(&self.queue);
        if !queue.led {
            queue.led = true;
            drop(queue);
            let mut results = Lead::of(self, Vec::new()).write(vec![work], write);
            return results.pop().unwrap_or_else(|| Err(abandoned()));
        }
        let slot = Arc::new(Slot {
            turn: Mutex::new(None),
            changed: Condvar::new(),
        });
        queue.waiting.push((work, Arc::clone(&slot)));
        drop(queue);
        match slot.wait() {
            Turn::Done(result) => result,
            Turn::Lead => self.lead(write),
        }
    }

    /// Writes what is queued, first of which is the caller's own, and returns what came of that.
    fn lead(&self, write: impl FnOnce(Vec<Work>) -> Result<Vec<Result<Done>>>) -> Result<Done> {
        self.gather();
        let mut queue = lock(&self.queue);
        let mut taken = 0;
        let fitting = queue.waiting.iter().take_while(|(work, _)| {
            let fits = taken == 0 || taken + (self.size)(work) <= self.size_max;
            taken += (self.size)(work);
            fits
        });
        let count = fitting.count();
        let group: Vec<_> = queue.waiting.drain(..count).collect();
        drop(queue);
        let (work, mut slots): (Vec<Work>, Vec<_>) = group.into_iter().unzip();
        slots.remove(0);
        let lead = Lead::of(self, slots);
        let mut results = lead.write(work, write).into_iter();
        results.next().unwrap_or_else(|| Err(abandoned()))
    }

    fn gather(&self) {
        let mut known = 0;
        for _ in 0..GATHER_ROUNDS_MAX {
            let waiting = lock(&self.queue).waiting.len();
            if waiting == known {
                return;
            }
            known = waiting;
            thread::yield_now();
        }
    }
}

/// A leader's duty to tell those who wait, and to have somebody lead after it, also if it panics.
struct Lead<'g, Work, Done> {
    group: &'g Group<Work, Done>,
    /// Those whose work it writes, but for its own.
    followers: Vec<Arc<Slot<Done>>>,
}

impl<'g, Work, Done> Lead<'g, Work, Done> {
    fn of(group: &'g Group<Work, Done>, followers: Vec<Arc<Slot<Done>>>) -> Self {
        Self { group, followers }
    }

    /// Writes `work`, tells the followers, and returns what came of the leader's own, which is the first.
    fn write(
        mut self,
        work: Vec<Work>,
        write: impl FnOnce(Vec<Work>) -> Result<Vec<Result<Done>>>,
    ) -> Vec<Result<Done>> {
        let count = work.len();
        let mut results = write(work).unwrap_or_else(|error| shared(error, count));
        let own = results.drain(..1.min(count)).collect();
        for (slot, result) in self.followers.drain(..).zip(results) {
            slot.wake(Turn::Done(result));
        }
        own
    }
}

impl<Work, Done> Drop for Lead<'_, Work, Done> {
    fn drop(&mut self) {
        for slot in self.followers.drain(..) {
            slot.wake(Turn::Done(Err(abandoned())));
        }
        let mut queue = lock(&self.group.queue);
        match queue.waiting.first() {
            Some((_, next)) => next.wake(Turn::Lead),
            None => queue.led = false,
        }
    }
}

impl<Done> Slot<Done> {
    fn wake(&self, turn: Turn<Done>) {
        *lock(&self.turn) = Some(turn);
        self.changed.notify_one();
    }

    fn wait(&self) -> Turn<Done> {
        let mut turn = lock(&self.turn);
        loop {
            if let Some(turn) = turn.take() {
                return turn;
            }
            turn = self
                .changed
                .wait(turn)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }
}

fn abandoned() -> Error {
    Error::new(
        ErrorKind::Io,
        "the thread that was writing for this one panicked",
    )
}

/// `error` for each of `count` callers: the first has it with its source, the others in words.
fn shared<Done>(error: Error, count: usize) -> Vec<Result<Done>> {
    let words = error.chain();
    let kind = error.kind();
    let mut results = vec![Err(error)];
    results.resize_with(count, || Err(Error::new(kind, words.clone())));
    results
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
