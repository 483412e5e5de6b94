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

/// Writes what some callers have, together. If the server takes it from none of them, each is tried alone: one
/// caller's mistake is not another's.
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
    let shares = shares.into_iter();
    let shares = shares.map(|(ticket, count)| (ticket, items.by_ref().take(count).collect()));
    let shares: Vec<(u64, Vec<Item>)> = shares.collect();
    match written {
        Ok(()) => {
            let done = shares.into_iter();
            done.map(|(ticket, items)| (ticket, Ok(items))).collect()
        }
        Err(error) if shares.len() > 1 && is_anothers(&error) => {
            let alone = shares.into_iter();
            alone.flat_map(|caller| write(core, vec![caller])).collect()
        }
        Err(error) => refused(error, &shares),
    }
}

/// Whether what went wrong may concern only some of those who wrote together. Of what is lost on the way or
/// did not fit the spool nobody knows how far it got.
fn is_anothers(error: &Error) -> bool {
    !matches!(
        error.kind(),
        ErrorKind::Unreachable | ErrorKind::Busy | ErrorKind::NoSpace | ErrorKind::TimedOut
    )
}

/// The same failure for each. The cause itself goes to the first; the others get its words.
fn refused(error: Error, shares: &[(u64, Vec<Item>)]) -> Vec<(u64, Result<Vec<Item>>)> {
    let (kind, words) = (error.kind(), error.chain());
    let mut first = Some(error);
    let each = shares.iter().map(|(ticket, _)| {
        let error = first.take();
        (
            *ticket,
            Err(error.unwrap_or_else(|| Error::new(kind, words.clone()))),
        )
    });
    each.collect()
}
