//! Appending lines to one file: group commit, durable before it is acknowledged.
//!
//! Callers queue their lines. One of them, the leader, writes and syncs what is queued while the
//! others wait; what is queued meanwhile goes with the next leader. There is no thread of our own.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use super::batch::Batch;
use super::kind::Kind;
use super::writer::Writer;
use crate::audit::JournalLine;
use crate::error::{Error, ErrorKind, Result};
use crate::jsonl::root::Root;
use crate::mutex::lock;

/// How much a leader writes at once. It bounds how long others wait for the lock.
const GROUP_BYTES_MAX: usize = 8 * 1024 * 1024;

/// One file that lines are appended to, for all threads.
pub(in crate::jsonl) struct Appender {
    queue: Mutex<Queue>,
    turn: Condvar,
    writer: Mutex<Writer>,
}

#[derive(Default)]
struct Queue {
    /// Whether somebody is writing.
    led: bool,
    next_ticket: u64,
    waiting: Vec<(u64, Batch)>,
    done: HashMap<u64, Result<Batch>>,
}

impl Appender {
    pub(in crate::jsonl) fn new(root: Arc<Root>, path: PathBuf, kind: Kind) -> Self {
        Self {
            queue: Mutex::default(),
            turn: Condvar::new(),
            writer: Mutex::new(Writer::new(root, path, kind)),
        }
    }

    /// Appends `batch` and returns it, with the numbers it was given, once it is durable.
    pub(in crate::jsonl) fn commit(&self, batch: Batch) -> Result<Batch> {
        let mut queue = lock(&self.queue);
        if !queue.led && queue.waiting.is_empty() {
            queue.led = true;
            drop(queue);
            return self.lead_alone(batch);
        }
        let ticket = queue.next_ticket;
        queue.next_ticket += 1;
        queue.waiting.push((ticket, batch));
        loop {
            if let Some(result) = queue.done.remove(&ticket) {
                return result;
            }
            if queue.led {
                queue = self
                    .turn
                    .wait(queue)
                    .unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            queue.led = true;
            let group = queue.take_group();
            drop(queue);
            self.lead(group);
            queue = lock(&self.queue);
        }
    }

    /// Appends one journal record, and returns once it is durable.
    pub(in crate::jsonl) fn commit_record(&self, line: &JournalLine) -> Result<()> {
        let mut batch = Batch::new();
        batch.push_record(line);
        self.commit(batch).map(drop)
    }

    /// As [`Self::commit`] where nobody else is writing or waiting: the way that must be fast.
    fn lead_alone(&self, batch: Batch) -> Result<Batch> {
        let _lead = Lead {
            appender: self,
            tickets: Vec::new(),
            results: Vec::new(),
        };
        let mut batch = [batch];
        lock(&self.writer).write(&mut batch)?;
        let [batch] = batch;
        batch.outcome()
    }

    /// Whether a sync failed, so that nothing can be appended any more.
    pub(in crate::jsonl) fn is_poisoned(&self) -> bool {
        lock(&self.writer).is_poisoned()
    }

    fn lead(&self, group: Vec<(u64, Batch)>) {
        let (tickets, mut batches): (Vec<u64>, Vec<Batch>) = group.into_iter().unzip();
        let mut lead = Lead {
            appender: self,
            tickets,
            results: Vec::new(),
        };
        let written = lock(&self.writer).write(&mut batches);
        lead.results = match written {
            Ok(()) => batches.into_iter().map(Batch::outcome).collect(),
            Err(error) => shared(error, lead.tickets.len()),
        };
    }
}

impl Queue {
    fn take_group(&mut self) -> Vec<(u64, Batch)> {
        let mut bytes = 0;
        let count = self
            .waiting
            .iter()
            .take_while(|(_, batch)| {
                let fits = bytes == 0 || bytes + batch.len() <= GROUP_BYTES_MAX;
                bytes += batch.len();
                fits
            })
            .count();
        if count == self.waiting.len() {
            return std::mem::take(&mut self.waiting);
        }
        self.waiting.drain(..count).collect()
    }
}

/// A leader's duty to tell those who wait, also if it panics.
struct Lead<'a> {
    appender: &'a Appender,
    tickets: Vec<u64>,
    results: Vec<Result<Batch>>,
}

impl Drop for Lead<'_> {
    fn drop(&mut self) {
        let mut queue = lock(&self.appender.queue);
        let mut results = self.results.drain(..);
        for ticket in self.tickets.drain(..) {
            let result = results.next().unwrap_or_else(|| Err(abandoned()));
            queue.done.insert(ticket, result);
        }
        queue.led = false;
        let anybody = !queue.waiting.is_empty() || !queue.done.is_empty();
        drop(queue);
        // Waking nobody is a system call too.
        if anybody {
            self.appender.turn.notify_all();
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
fn shared(error: Error, count: usize) -> Vec<Result<Batch>> {
    let words = error.chain();
    let kind = error.kind();
    let mut results = vec![Err(error)];
    results.resize_with(count, || Err(Error::new(kind, words.clone())));
    results
}
