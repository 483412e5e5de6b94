//! The fate of entries and records: they go to the server or, while that cannot be reached, to the
//! spool, and from there to the server when that is back.
//!
//! All of it can be sent again: an entry has its id and its place among those of that id, and a
//! record its text, by which the server knows what it has.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use auto_recovery::audit::{AuditStore as _, JournalEvent, JournalLine, RecordedEntry, Recorder};
use auto_recovery::host::{Host, Wait};
use auto_recovery::mutex::lock;
use auto_recovery::patience::over;
use auto_recovery::spool::{Notice, OnNotice, Rest, Spool, Waiting};
use auto_recovery::{Error, ErrorKind, Result};
use serde::Deserialize;

use crate::client::Client;
use crate::options::RemoteOptions;

/// What is sent together, at most: less than a server takes.
const LINES_MAX: usize = 1000;
const BYTES_MAX: usize = 8 * 1024 * 1024;

/// How often something is sent before it is given up or kept in the spool, and the pause after the
/// first time; each further one is twice as long.
const TRIES_MAX: u32 = 4;
const FIRST_PAUSE: Duration = Duration::from_millis(50);

/// Sessions whose highest number is remembered.
const SEEN_MAX: usize = 65_536;

/// One thing to be recorded.
pub(crate) enum Item {
    /// An entry and, if its id is the caller's, how many with that id stand before it.
    Entry(Box<RecordedEntry>, Option<u64>),
    Record(Box<JournalLine>),
}

/// The way that records take.
pub(crate) struct Outbox {
    pub(crate) client: Arc<Client>,
    pub(crate) recorder: Arc<Recorder>,
    spool: Option<Spool>,
    on_notice: Option<OnNotice>,
    /// Whether something may wait in the spool.
    may_wait: AtomicBool,
    /// Whether readers were told what waits there.
    is_waiting_told: AtomicBool,
    rest: Mutex<Rest>,
    /// The highest number of each session that was seen.
    seen: Mutex<HashMap<String, u64>>,
}

/// The answer to a line.
#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    attempt_number: u64,
}

impl Outbox {
    pub(crate) fn new(
        client: Arc<Client>,
        options: &RemoteOptions,
        recorder: Arc<Recorder>,
    ) -> Result<Self> {
        let spool = options.spool.as_deref();
        let bytes_max = options.spool_bytes_max;
        let spool = spool.map(|dir| Spool::new(dir, bytes_max, Arc::clone(&recorder)));
        Ok(Self {
            client,
            recorder,
            spool: spool.transpose()?,
            on_notice: options.on_notice.clone(),
            may_wait: AtomicBool::new(true),
            is_waiting_told: AtomicBool::new(false),
            rest: Mutex::default(),
            seen: Mutex::default(),
        })
    }

    pub(crate) fn spool(&self) -> Option<&Spool> {
        self.spool.as_ref()
    }

    fn host(&self) -> &dyn Host {
        &*self.client.host
    }

    /// Records `items` with the server or, if that cannot be reached, in the spool, and gives them
    /// their numbers.
    pub(crate) fn write(&self, items: &mut [Item]) -> Result<()> {
        let failed = match self.is_resting() {
            true => {
                let text = format!("cannot reach {}", self.client.address);
                Error::new(ErrorKind::Unreachable, text)
            }
            false => match self.send_in_turn(items) {
                Ok(()) => return Ok(()),
                Err(error) => error,
            },
        };
        let kind = failed.kind();
        let waits = match kind {
            ErrorKind::Unreachable | ErrorKind::Busy => true,
            kind => over(self.host()) == Some(kind),
        };
        let Some(spool) = self.spool.as_ref().filter(|_| waits) else {
            return Err(failed);
        };
        if kind == ErrorKind::Unreachable {
            self.leave_alone(&failed, spool);
        }
        self.may_wait.store(true, Ordering::Release);
        let seen = lock(&self.seen).clone();
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
        if self.may_wait.load(Ordering::Acquire) {
            self.deliver()?;
            self.may_wait.store(false, Ordering::Release);
        }
        self.send(items)
    }

    /// Sends `items`, and gives them the numbers that they have there.
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
                return Err(self.client.wrong("it does not acknowledge each line"));
            }
            let mut highest = HashMap::new();
            for (item, answer) in now.iter_mut().zip(answers) {
                let Item::Entry(entry, _) = item else {
                    continue;
                };
                let answer: Answer = serde_json::from_slice(answer)
                    .map_err(|error| self.client.wrong("an acknowledgement").with_source(error))?;
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
        // Where there is a spool, nobody is kept waiting for a server that is not there.
        let tries = if self.spool.is_some() { 1 } else { TRIES_MAX };
        let mut pause = FIRST_PAUSE;
        for _ in 1..tries {
            match self.client.post_lines("/api/v1/batch", body) {
                Err(error) if error.kind() == ErrorKind::Unreachable => {}
                answered => return answered.inspect(|_| self.is_back()),
            }
            if self.host().sleep(pause) == Wait::Interrupted {
                break;
            }
            pause *= 2;
        }
        let answered = self.client.post_lines("/api/v1/batch", body);
        answered.inspect(|_| self.is_back())
    }

    /// Delivers what waits in the spool.
    fn deliver(&self) -> Result<()> {
        let Some(spool) = &self.spool else {
            return Ok(());
        };
        if !spool.has_any()? {
            return Ok(());
        }
        let _turn = spool.turn()?;
        let (mut entries, mut records) = (0, 0);
        for name in spool.sealed()? {
            let of_segment = self.deliver_segment(spool, &name)?;
            entries += of_segment.0;
            records += of_segment.1;
        }
        if entries + records > 0 {
            self.tell(&Notice::Delivered { entries, records });
        }
        Ok(())
    }

    /// Delivers the segment `name`, and returns the numbers of its entries and records.
    fn deliver_segment(&self, spool: &Spool, name: &str) -> Result<(u64, u64)> {
        let store = spool.store(name)?;
        let (mut items, mut records, mut damaged) = (Vec::new(), 0, 0);
        let damage = store.read_records_raw(None, &mut |raw| {
            match JournalLine::taken_over(raw) {
                Err(_) => damaged += 1,
                // Records about the spool's own files concern only the spool.
                Ok(line) => match line.record().event {
                    JournalEvent::TailQuarantined(_) | JournalEvent::TrailRemoved(_) => {}
                    _ => {
                        records += 1;
                        items.push(Item::Record(Box::new(line)));
                    }
                },
            }
            self.send_if_many(&mut items)
        })?;
        damaged += damage.len();
        let (sessions, unread) = store.read_sessions()?;
        damaged += unread.iter().filter(|one| one.is_of_all()).count();
        let mut entries = 0;
        for session in sessions {
            let damage = store.read_trail(&session.session_id, &mut |stored| {
                entries += 1;
                let entry = RecordedEntry::taken_over(stored.into_entry());
                items.push(Item::Entry(Box::new(entry), None));
                self.send_if_many(&mut items)
            })?;
            damaged += damage.len();
            self.send(&mut std::mem::take(&mut items))?;
        }
        self.send(&mut items)?;
        match damaged {
            0 => spool.remove(name)?,
            damaged => {
                let place = spool.set_aside(name)?;
                self.tell(&Notice::SpoolDamaged { place, damaged });
            }
        }
        Ok((entries, records))
    }

    fn send_if_many(&self, items: &mut Vec<Item>) -> Result<()> {
        if items.len() < LINES_MAX {
            return Ok(());
        }
        self.send(&mut std::mem::take(items))
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

    /// Forgets the number of a session that was removed.
    pub(crate) fn forget(&self, session_id: &str) {
        lock(&self.seen).remove(session_id);
    }

    /// The highest number of a session as far as it is known here; `None` if nothing is kept here.
    pub(crate) fn highest_known(&self, session_id: &str) -> Option<u64> {
        let spool = self.spool.as_ref()?;
        let seen = lock(&self.seen).get(session_id).copied().unwrap_or(0);
        Some(spool.highest(session_id).unwrap_or(0).max(seen))
    }

    /// Tells whoever reads what waits in the spool, and is not in what they read.
    pub(crate) fn tell_waiting(&self) {
        let Some(spool) = &self.spool else {
            return;
        };
        if self.is_waiting_told.swap(true, Ordering::AcqRel) {
            return;
        }
        let entries = spool.waiting();
        if entries > 0 {
            let spool = spool.dir().to_owned();
            self.tell(&Notice::Waiting { entries, spool });
        }
    }

    fn is_resting(&self) -> bool {
        let is_early = lock(&self.rest).is_early(self.host().monotonic());
        is_early && self.spool.as_ref().is_some_and(Spool::may_have_any)
    }

    fn leave_alone(&self, error: &Error, spool: &Spool) {
        if lock(&self.rest).begin(self.host().monotonic()) {
            self.tell(&Notice::Spooling {
                reason: error.chain(),
                spool: spool.dir().to_owned(),
            });
        }
    }

    fn is_back(&self) {
        *lock(&self.rest) = Rest::default();
    }

    fn tell(&self, notice: &Notice) {
        if let Some(on_notice) = &self.on_notice {
            on_notice(notice);
        }
    }
}

/// The lines of the first of `items`, as many as are sent together, and their number.
fn body_of(items: &[Item]) -> Result<(Vec<u8>, usize)> {
    let (mut body, mut count) = (Vec::new(), 0);
    for item in items.iter().take(LINES_MAX) {
        let line = match item {
            Item::Record(line) => format!("{{\"record\":{}}}\n", line.json()),
            Item::Entry(entry, occurrence) => {
                let occurrence = occurrence.map(|before| format!(",\"occurrence\":{before}"));
                format!(
                    "{{\"entry\":{},\"number_by_store\":{}{}}}\n",
                    entry.text(),
                    entry.number_by_store(),
                    occurrence.unwrap_or_default()
                )
            }
        };
        if count > 0 && body.len() + line.len() > BYTES_MAX {
            break;
        }
        body.extend(line.into_bytes());
        count += 1;
    }
    Ok((body, count))
}
