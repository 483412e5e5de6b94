//! The fate of entries and records: they go to the server or, while that cannot be reached, to the
//! spool, and from there to the server when that is back.
//!
//! All of it can be sent again: an entry has its id and its place among those of that id, and a
//! record its text, by which the server knows what it has.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use auto_recovery::audit::Recorder;
use auto_recovery::host::{Host, Wait};
use auto_recovery::mutex::lock;
use auto_recovery::spool::{Absence, Spool, Waiting, is_silence};
use auto_recovery::{ErrorKind, Result};
use serde::Deserialize;

use crate::client::Client;
use crate::deliver::deliver;
use crate::item::{Item, body_of};
use crate::options::RemoteOptions;

/// How often something is sent before it is given up or kept in the spool, and the pause after the
/// first time; each further one is twice as long.
const TRIES_MAX: u32 = 4;
const FIRST_PAUSE: Duration = Duration::from_millis(50);

/// Sessions whose highest number is remembered.
const SEEN_MAX: usize = 65_536;

/// The way that records take.
pub(crate) struct Outbox {
    pub(crate) client: Arc<Client>,
    pub(crate) recorder: Arc<Recorder>,
    pub(crate) absence: Absence,
    /// The highest number of each session that was seen.
    seen: Mutex<HashMap<String, u64>>,
}

/// The answer to a line with an entry.
#[derive(Deserialize)]
struct Answer {
    attempt_number: u64,
}

impl Outbox {
    pub(crate) fn new(
        client: Arc<Client>,
        options: &RemoteOptions,
        recorder: Arc<Recorder>,
    ) -> Result<Self> {
        let (dir, bytes_max) = (options.spool.as_deref(), options.spool_bytes_max);
        let absence = Absence::new(dir, bytes_max, options.on_notice.clone(), &recorder)?;
        Ok(Self {
            client,
            recorder,
            absence,
            seen: Mutex::default(),
        })
    }

    pub(crate) fn spool(&self) -> Option<&Spool> {
        self.absence.spool()
    }

    /// Asks the server, and says what waits if it cannot be reached.
    pub(crate) fn ask<T>(&self, question: impl FnOnce(&Client) -> Result<T>) -> Result<T> {
        let asked = self.absence.ask(|| question(&self.client));
        asked.map_err(|error| self.absence.with_waiting(error))
    }

    fn host(&self) -> &dyn Host {
        &*self.client.host
    }

    /// Records `items` with the server or, if that cannot be reached, in the spool, and gives them
    /// their numbers.
    pub(crate) fn write(&self, items: &mut [Item]) -> Result<()> {
        let since = self.absence.moment();
        let failed = match self.absence.resting() {
            Some(away) => away,
            None => match self.send_in_turn(items) {
                Ok(()) => return Ok(()),
                Err(error) => error,
            },
        };
        let Some(spool) = self.absence.met(&failed, since) else {
            return Err(failed);
        };
        let seen = self.seen_of(items);
        let mut waiting: Vec<Waiting<'_>> = items
            .iter_mut()
            .map(|item| match item {
                Item::Entry(entry, _) => Waiting::Entry(entry),
                Item::Record(line) => Waiting::Record(line),
            })
            .collect();
        let server = self.client.address.to_string();
        let highest = spool.keep(&mut waiting, None, &seen, &server)?;
        self.remember(highest);
        Ok(())
    }

    /// Sends `items`, first of all what waits in the spool.
    fn send_in_turn(&self, items: &mut [Item]) -> Result<()> {
        if self.absence.may_wait() {
            if let Some(spool) = self.spool() {
                deliver(spool, &self.absence, &|items| self.send(items))?;
            }
            self.absence.is_delivered();
        }
        self.send(items)
    }

    /// Sends `items`, and gives them the numbers that they have there.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] if the server does not take one of them for what it says. Of
    /// those that go in one request it then has none.
    fn send(&self, items: &mut [Item]) -> Result<()> {
        let mut rest = items;
        while !rest.is_empty() {
            let (body, count) = body_of(rest)?;
            let (now, later) = rest.split_at_mut(count);
            let answers = self.post(&body)?;
            let answers: Vec<&[u8]> = answers
                .split(|byte| *byte == b'\n')
                .filter(|line| !line.is_empty())
                .collect();
            if answers.len() != now.len() {
                return Err(self.client.garbled("it does not acknowledge each line"));
            }
            let mut highest = HashMap::new();
            for (item, answer) in now.iter_mut().zip(answers) {
                let Item::Entry(entry, _) = item else {
                    continue;
                };
                let answer: Answer = serde_json::from_slice(answer).map_err(|error| {
                    let garbled = self.client.garbled("an acknowledgement");
                    garbled.with_source(error)
                })?;
                entry.set_number(answer.attempt_number);
                let session_id = entry.entry().session_id.clone();
                let known: &mut u64 = highest.entry(session_id).or_default();
                *known = answer.attempt_number.max(*known);
            }
            self.remember(highest);
            rest = later;
        }
        Ok(())
    }

    fn post(&self, body: &[u8]) -> Result<Vec<u8>> {
        // Where there is a spool, nobody is kept waiting for a server that is not there; and
        // nowhere twice for one that does not answer.
        let tries = match self.spool() {
            Some(_) => 1,
            None => TRIES_MAX,
        };
        let mut pause = FIRST_PAUSE;
        for number in 1.. {
            let answered = self.client.post_lines("/api/v1/batch", body);
            let may_pass = match &answered {
                Ok(_) => {
                    self.absence.is_back();
                    false
                }
                Err(error) => error.kind() == ErrorKind::Unreachable && !is_silence(error),
            };
            if !may_pass || number == tries || self.host().sleep(pause) == Wait::Interrupted {
                return answered;
            }
            pause *= 2;
        }
        unreachable!("the last try returns")
    }

    fn remember(&self, highest: HashMap<String, u64>) {
        let mut seen = lock(&self.seen);
        if seen.len() + highest.len() > SEEN_MAX {
            seen.clear();
        }
        for (session_id, number) in highest {
            let known = seen.entry(session_id).or_default();
            *known = number.max(*known);
        }
    }

    /// The highest numbers that were seen of the sessions of `items`.
    fn seen_of(&self, items: &[Item]) -> HashMap<String, u64> {
        let seen = lock(&self.seen);
        let sessions = items.iter().filter_map(|item| match item {
            Item::Entry(entry, _) => Some(&entry.entry().session_id),
            Item::Record(_) => None,
        });
        sessions
            .filter_map(|id| seen.get_key_value(id))
            .map(|(id, highest)| (id.clone(), *highest))
            .collect()
    }

    /// Forgets the number of a session that was removed.
    pub(crate) fn forget(&self, session_id: &str) {
        lock(&self.seen).remove(session_id);
    }

    /// The highest number of a session as far as it is known here; `None` if nothing is kept here.
    pub(crate) fn highest_known(&self, session_id: &str) -> Option<u64> {
        let spool = self.spool()?;
        let seen = lock(&self.seen).get(session_id).copied().unwrap_or(0);
        Some(spool.highest(session_id).unwrap_or(0).max(seen))
    }
}
