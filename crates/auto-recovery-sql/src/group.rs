//! Group commit: callers queue what they have to write. One of them, the leader, writes all that is
//! queued, and what is queued while it does, as one batch, while the others wait. What comes later goes
//! with the next leader. There is no thread of our own, and all whose work is written are woken at once.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use auto_recovery::error::{Error, ErrorKind, Result};

/// The queue of those who write to one place.
pub(crate) struct Group<Work> {
    queue: Mutex<Queue<Work>>,
    /// How large a batch becomes, one caller's work not divided. It bounds how long the next one waits.
    size_max: usize,
    /// How large a caller's work is.
    size: fn(&Work) -> usize,
}

struct Queue<Work> {
    /// Whether somebody is writing. If so, what it writes is the first batch, until there is no more of it.
    led: bool,
    /// Whether the last batch had several callers, so that the next may have.
    is_shared: bool,
    /// What is to be written, in order. Whoever comes joins the last.
    batches: VecDeque<Batch<Work>>,
}

/// What is written at once.
struct Batch<Work> {
    /// What the leader has not taken yet.
    waiting: VecDeque<Work>,
    /// How many callers joined.
    callers: usize,
    /// How large their work is.
    size: usize,
    ending: Arc<Ending<Work>>,
}

/// What came of a batch.
struct Ending<Work> {
    /// A result for each caller, until it takes it. Nothing before the end.
    results: Mutex<Vec<Option<Result<Work>>>>,
    /// That there are results, or that nobody leads.
    changed: Condvar,
}

impl<Work> Group<Work> {
    /// A queue of nobody, whose leaders write at most `size_max` at once, as `size` counts it.
    pub(crate) fn new(size_max: usize, size: fn(&Work) -> usize) -> Self {
        Self {
            queue: Mutex::new(Queue {
                led: false,
                is_shared: false,
                batches: VecDeque::new(),
            }),
            size_max,
            size,
        }
    }

    /// Has `work` written by `write`, by this thread or another, and returns it as it was written: it is
    /// freed by who made it. `write` gets the work of one or many callers and returns that of each or why
    /// it was not written, or the error of all.
    pub(crate) fn commit(
        &self,
        work: Work,
        write: impl Fn(&mut dyn Iterator<Item = Work>) -> Result<Vec<Result<Work>>>,
    ) -> Result<Work> {
        let mut queue = lock(&self.queue);
        let (ending, place) = self.join(&mut queue, work);
        loop {
            if let Some(result) = ending.take(place) {
                return result;
            }
            if queue.led {
                let woken = ending.changed.wait(queue);
                queue = woken.unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            // The own batch, or one before it whose callers did not wake up yet.
            let Some(lead) = Lead::take(self, &mut queue, &ending) else {
                return Err(abandoned());
            };
            drop(queue);
            lead.write(&write);
            queue = lock(&self.queue);
        }
    }

    /// Puts `work` into the last batch, or a new one, and returns where its result will be.
    fn join(&self, queue: &mut Queue<Work>, work: Work) -> (Arc<Ending<Work>>, usize) {
        let size = (self.size)(&work);
        let last = queue.batches.back_mut();
        if let Some(batch) = last.filter(|batch| batch.size + size <= self.size_max) {
            batch.waiting.push_back(work);
            batch.callers += 1;
            batch.size += size;
            return (Arc::clone(&batch.ending), batch.callers - 1);
        }
        let ending = Arc::new(Ending {
            results: Mutex::default(),
            changed: Condvar::new(),
        });
        queue.batches.push_back(Batch {
            waiting: VecDeque::from([work]),
            callers: 1,
            size,
            ending: Arc::clone(&ending),
        });
        (ending, 0)
    }
}

impl<Work> Queue<Work> {
    /// Lets nobody else join the first batch, and returns how many did.
    fn close(&mut self) -> usize {
        let batch = self.batches.pop_front();
        let callers = batch.map_or(0, |batch| batch.callers);
        self.is_shared = callers > 1;
        callers
    }
}

/// A leader, which takes the work of the first batch one by one. Its duty is to tell those who wait, and
/// to have somebody lead after it, also if it panics.
struct Lead<'g, Work> {
    group: &'g Group<Work>,
    ending: Arc<Ending<Work>>,
    /// Whether the leader is one of those who joined the batch.
    is_own: bool,
    /// How many callers the batch has, once nobody can join it any more.
    callers: Option<usize>,
    results: Vec<Result<Work>>,
}

impl<'g, Work> Lead<'g, Work> {
    /// Has the caller whose batch ends as `own` lead. `None` if there is nothing to write.
    fn take(
        group: &'g Group<Work>,
        queue: &mut Queue<Work>,
        own: &Arc<Ending<Work>>,
    ) -> Option<Self> {
        let ending = Arc::clone(&queue.batches.front()?.ending);
        queue.led = true;
        Some(Self {
            is_own: Arc::ptr_eq(&ending, own),
            group,
            ending,
            callers: None,
            results: Vec::new(),
        })
    }

    fn write(
        mut self,
        write: impl Fn(&mut dyn Iterator<Item = Work>) -> Result<Vec<Result<Work>>>,
    ) {
        let written = write(&mut self);
        let callers = self.close();
        self.results = written.unwrap_or_else(|error| shared(error, callers));
    }

    /// Lets nobody else join, and returns how many did.
    fn close(&mut self) -> usize {
        let group = self.group;
        *self
            .callers
            .get_or_insert_with(|| lock(&group.queue).close())
    }
}

impl<Work> Iterator for Lead<'_, Work> {
    type Item = Work;

    fn next(&mut self) -> Option<Work> {
        if self.callers.is_some() {
            return None;
        }
        let mut queue = lock(&self.group.queue);
        if queue.is_shared && queue.batches.front()?.waiting.is_empty() {
            // Those whom the last leader woke are on their way back with their next call.
            drop(queue);
            thread::yield_now();
            queue = lock(&self.group.queue);
        }
        let next = queue.batches.front_mut()?.waiting.pop_front();
        if next.is_none() {
            self.callers = Some(queue.close());
        }
        next
    }
}

impl<Work> Drop for Lead<'_, Work> {
    fn drop(&mut self) {
        let callers = self.close();
        let mut results = std::mem::take(&mut self.results);
        results.resize_with(callers, || Err(abandoned()));
        *lock(&self.ending.results) = results.into_iter().map(Some).collect();
        let mut queue = lock(&self.group.queue);
        queue.led = false;
        let next = queue.batches.front().map(|next| Arc::clone(&next.ending));
        drop(queue);
        if callers > usize::from(self.is_own) {
            self.ending.changed.notify_all();
        }
        if let Some(next) = next {
            next.changed.notify_one();
        }
    }
}

impl<Work> Ending<Work> {
    fn take(&self, place: usize) -> Option<Result<Work>> {
        lock(&self.results).get_mut(place)?.take()
    }
}

fn abandoned() -> Error {
    Error::new(
        ErrorKind::Io,
        "the thread that was writing for this one panicked",
    )
}

/// `error` for each of `count` callers: the first has it with its source, the others in words.
fn shared<Work>(error: Error, count: usize) -> Vec<Result<Work>> {
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
