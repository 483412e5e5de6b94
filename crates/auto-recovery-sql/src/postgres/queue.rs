//! Group commit: callers that write at the same time share a transaction, without a thread of our own.
//!
//! Callers queue what they have. One of them, the leader, writes what is queued while the others wait; what
//! is queued meanwhile goes with the next leader. Nobody waits for more to come.

use std::collections::HashMap;
use std::sync::{Condvar, Mutex, PoisonError};

use auto_recovery::{Error, ErrorKind, Result};

use super::core::{Core, lock};
use super::group::{Group, Item};

/// How many things a leader writes at once, one caller's not divided. It bounds how long sessions are locked.
const GROUP_ITEMS_MAX: usize = 10_000;

/// The callers of one store.
#[derive(Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    turn: Condvar,
}

#[derive(Default)]
struct State {
    /// Whether somebody is writing.
    is_led: bool,
    next_ticket: u64,
    waiting: Vec<(u64, Vec<Item>)>,
    done: HashMap<u64, Result<Vec<Item>>>,
}

impl Queue {
    /// Writes `items` and returns them, with the numbers that they were given, once they are durable.
    pub(super) fn commit(&self, core: &Core, items: Vec<Item>) -> Result<Vec<Item>> {
        let mut state = lock(&self.state);
        let ticket = state.next_ticket;
        state.next_ticket += 1;
        state.waiting.push((ticket, items));
        loop {
            if let Some(result) = state.done.remove(&ticket) {
                return result;
            }
            if state.is_led {
                state = self
                    .turn
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            state.is_led = true;
            let group = state.take_group();
            drop(state);
            // Also if writing panics, the others must not wait for ever.
            let tickets = group.iter().map(|(ticket, _)| *ticket).collect();
            let leading = Leading {
                queue: self,
                tickets,
            };
            let results = write(core, group);
            state = lock(&self.state);
            state.done.extend(results);
            drop(state);
            drop(leading);
            state = lock(&self.state);
        }
    }
}

/// While it lives, somebody is writing.
struct Leading<'q> {
    queue: &'q Queue,
    tickets: Vec<u64>,
}

impl Drop for Leading<'_> {
    fn drop(&mut self) {
        let mut state = lock(&self.queue.state);
        state.is_led = false;
        if std::thread::panicking() {
            let lost = || Error::new(ErrorKind::Io, "whoever wrote for others too has panicked");
            let results = self.tickets.iter().map(|ticket| (*ticket, Err(lost())));
            state.done.extend(results);
        }
        drop(state);
        self.queue.turn.notify_all();
    }
}

impl State {
    fn take_group(&mut self) -> Vec<(u64, Vec<Item>)> {
        let mut taken = 0;
        let count = self.waiting.iter().take_while(|(_, items)| {
            let fits = taken == 0 || taken + items.len() <= GROUP_ITEMS_MAX;
            taken += items.len();
            fits
        });
        let count = count.count();
        self.waiting.drain(..count).collect()
    }
}

/// Writes what some callers have, together.
fn write(core: &Core, callers: Vec<(u64, Vec<Item>)>) -> Vec<(u64, Result<Vec<Item>>)> {
    let mut all = Vec::new();
    let mut shares = Vec::new();
    for (ticket, items) in callers {
        shares.push((ticket, items.len()));
        all.extend(items);
    }
    let mut group = Group::new(all, &*core.host);
    let written = core.write(&mut group);
    let mut items = group.items.into_iter();
    let mut failure = written.err();
    let words = failure.as_ref().map(|error| (error.kind(), error.chain()));
    shares
        .into_iter()
        .map(|(ticket, count)| {
            let share: Vec<Item> = items.by_ref().take(count).collect();
            let result = match &words {
                None => Ok(share),
                // The cause itself goes to the first; the others get its words.
                Some((kind, words)) => Err(failure
                    .take()
                    .unwrap_or_else(|| Error::new(*kind, words.clone()))),
            };
            (ticket, result)
        })
        .collect()
}
