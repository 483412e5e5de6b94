//! Bringing what waits in the spool to the server: in order, each thing once.
//!
//! The server notes the delivered items of a segment one by one, in the transactions that deliver
//! them, and for good. A process that dies in between leaves a true note, and a segment that
//! reappears, as with a machine that was restored from an image or cloned, is not delivered twice:
//! only items added to it since are.

use std::collections::HashMap;

use auto_recovery::Result;
use auto_recovery::audit::{AuditStore, JournalEvent, JournalLine};
use auto_recovery::jsonl::JsonlStore;
use auto_recovery::spool::{Notice, Spool};

use super::cell::get;
use super::columns::{HASH_BYTES, hash_of};
use super::deliver_keys::deliver_keys;
use super::failure::explain;
use super::group::{Delivery, Group, Item};
use super::link::Lease;
use super::probe::{self, Probe};
use super::seen::Seen;
use super::server::Server;

/// Number of items delivered in one transaction.
const BATCH: usize = 1000;

/// Placeholder for a session where the server has a segment whole: no session can have it for its
/// id.
const WHOLE: &str = "\u{1}whole";

/// Counts of a delivery.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Delivered {
    /// Number of entries.
    pub entries: u64,
    /// Number of journal records.
    pub records: u64,
}

/// Delivers everything that waits in `spool`; what numbers it got is noted in `seen`.
pub(super) fn deliver(
    server: &Server,
    seen: &Seen,
    spool: &Spool,
    lease: &Lease,
) -> Result<Delivered> {
    let mut delivered = Delivered::default();
    if !spool.has_any()? {
        return Ok(delivered);
    }
    let _turn = spool.turn()?;
    let names = spool.sealed()?;
    // What closed something in these is there by now.
    deliver_keys(server, spool, lease)?;
    for name in names {
        let segment = Segment {
            server,
            seen,
            spool,
            lease,
            name: &name,
        };
        segment.deliver(&mut delivered)?;
    }
    if delivered != Delivered::default() {
        let Delivered { entries, records } = delivered;
        server.tell(&Notice::Delivered { entries, records });
    }
    Ok(delivered)
}

/// A segment that is being delivered.
struct Segment<'d> {
    server: &'d Server,
    seen: &'d Seen,
    spool: &'d Spool,
    lease: &'d Lease,
    name: &'d str,
}

impl Segment<'_> {
    fn deliver(&self, delivered: &mut Delivered) -> Result<()> {
        let (server, lease) = (self.server, self.lease);
        let note = self.spool.note(self.name)?;
        let probe = note.map(|note| serde_json::from_slice::<Probe>(&note));
        let Ok(probe) = probe.transpose() else {
            return self.set_aside(1);
        };
        if let Some(probe) = probe {
            let limit = server.options.write_timeout;
            let asked = probe::has_taken_effect(&server.address, lease, &probe);
            let is_there = self.done()?.contains_key(WHOLE)
                || lease
                    .link()
                    .run("ask what became of a write", limit, asked)?;
            if is_there {
                self.note_whole()?;
                return self.spool.remove(self.name);
            }
        }
        let store = self.spool.store(self.name)?;
        let mut done = self.done()?;
        let (records, mut damaged) = self.records(&store, done.remove("").unwrap_or_default())?;
        delivered.records += records;
        let (sessions, unread) = store.read_sessions()?;
        // What is damaged in a trail or the journal is counted when that is read.
        damaged += unread.iter().filter(|one| one.is_of_all()).count();
        for session in sessions {
            let id = &session.session_id;
            let done = done.remove(id).unwrap_or_default();
            let (entries, more) = self.entries(&store, id, done)?;
            delivered.entries += entries;
            damaged += more;
        }
        match damaged {
            0 => self.spool.remove(self.name),
            damaged => self.set_aside(damaged),
        }
    }

    /// Sets the segment aside; `damaged` places in it could not be read.
    fn set_aside(&self, damaged: usize) -> Result<()> {
        let place = self.spool.set_aside(self.name)?;
        self.server.tell(&Notice::SpoolDamaged { place, damaged });
        Ok(())
    }

    fn records(&self, store: &JsonlStore, done: Done) -> Result<(u64, usize)> {
        let mut batch = self.batch("", done);
        let mut unreadable = 0;
        let damage = store.read_records_raw(None, &mut |raw| {
            let Ok(line) = JournalLine::taken_over(raw) else {
                unreadable += 1;
                return Ok(());
            };
            // Records about the spool's own files concern only the spool.
            let is_ours = !matches!(
                line.record().event,
                JournalEvent::TailQuarantined(_) | JournalEvent::TrailRemoved(_)
            );
            if !is_ours {
                batch.done.pass();
                return Ok(());
            }
            batch.add(hash_of(line.json().as_bytes()), || Item::record(line, None))
        })?;
        Ok((batch.finish()?, damage.len() + unreadable))
    }

    fn entries(&self, store: &JsonlStore, session_id: &str, done: Done) -> Result<(u64, usize)> {
        let mut batch = self.batch(session_id, done);
        let damage = store.read_trail(session_id, &mut |stored| {
            batch.add(hash_of(stored.raw()), || Ok(Item::stored(stored, None)))
        })?;
        Ok((batch.finish()?, damage.len()))
    }

    fn batch<'b>(&'b self, session_id: &'b str, done: Done) -> Batch<'b> {
        Batch {
            segment: self,
            session_id,
            done,
            items: Vec::new(),
            digests: Vec::new(),
            delivered: 0,
        }
    }

    /// The items of each trail, and of the journal, that the server has.
    fn done(&self) -> Result<HashMap<String, Done>> {
        const DONE: &str = "SELECT session_id, of.delivered, \
             coalesce(string_agg(digests, ''::bytea), ''::bytea) \
             FROM auto_recovery.spool_delivery AS of \
             LEFT JOIN auto_recovery.spool_delivered USING (segment, session_id) \
             WHERE segment = $1 GROUP BY session_id, of.delivered";
        let (server, lease) = (self.server, self.lease);
        let asked = async {
            let rows = lease.rows(DONE, &[&self.name]).await;
            rows.map_err(|error| explain(&server.address, "ask what was delivered", error))
        };
        let limit = server.options.write_timeout;
        let rows = lease.link().run("ask what was delivered", limit, asked)?;
        rows.iter()
            .map(|row| {
                let digests: Vec<u8> = get(row, 2)?;
                Ok((get(row, 0)?, Done::of(get(row, 1)?, &digests)))
            })
            .collect()
    }

    /// Notes that the server has all of it, however it got there.
    fn note_whole(&self) -> Result<()> {
        const NOTE: &str = "INSERT INTO auto_recovery.spool_delivery \
             (segment, session_id, delivered) VALUES ($1, $2, 0) ON CONFLICT DO NOTHING";
        let (server, lease) = (self.server, self.lease);
        let noted = async {
            let done = lease.execute(NOTE, &[&self.name, &WHOLE]).await;
            done.map_err(|error| explain(&server.address, "note what was delivered", error))
        };
        let limit = server.options.write_timeout;
        lease
            .link()
            .run("note what was delivered", limit, noted)
            .map(drop)
    }
}

/// The items of a segment's trail, or of its journal, that the server has.
#[derive(Default)]
struct Done {
    /// Number of items.
    count: i64,
    /// Number of items of each hash.
    digests: HashMap<Vec<u8>, u32>,
    /// Number of the first items delivered by an older release, which noted no hashes.
    unknown: i64,
}

impl Done {
    fn of(count: i64, digests: &[u8]) -> Self {
        let mut done = Self {
            count,
            unknown: count,
            ..Self::default()
        };
        for digest in digests.chunks_exact(HASH_BYTES) {
            *done.digests.entry(digest.to_vec()).or_default() += 1;
            done.unknown -= 1;
        }
        done
    }

    /// Whether the server has the item of this hash, the next of its segment.
    fn has(&mut self, hash: &[u8]) -> bool {
        if self.unknown > 0 {
            self.unknown -= 1;
            return true;
        }
        let Some(count) = self.digests.get_mut(hash).filter(|count| **count > 0) else {
            return false;
        };
        *count -= 1;
        true
    }

    /// Passes over the next of its segment, which is of no interest.
    fn pass(&mut self) {
        self.unknown = (self.unknown - 1).max(0);
    }
}

/// The next items to deliver of one trail, or of the journal.
struct Batch<'b> {
    segment: &'b Segment<'b>,
    session_id: &'b str,
    /// The items that the server has.
    done: Done,
    items: Vec<Item>,
    /// The hashes of `items`.
    digests: Vec<u8>,
    delivered: u64,
}

impl Batch<'_> {
    /// Adds what was read next and has this hash, unless the server has it.
    fn add(&mut self, hash: Vec<u8>, item: impl FnOnce() -> Result<Item>) -> Result<()> {
        if self.done.has(&hash) {
            return Ok(());
        }
        self.items.push(item()?);
        self.digests.extend(hash);
        match self.items.len() < BATCH {
            true => Ok(()),
            false => self.send(),
        }
    }

    fn send(&mut self) -> Result<()> {
        let server = self.segment.server;
        let count = self.items.len() as u64;
        let mut group = Group::new(std::mem::take(&mut self.items), &*server.host);
        group.delivery = Some(Delivery {
            segment: self.segment.name.to_owned(),
            session_id: self.session_id.to_owned(),
            from: self.done.count,
            to: self.done.count + count as i64,
            digests: std::mem::take(&mut self.digests),
        });
        let written = server.write_on(self.segment.lease, &mut group);
        written.map_err(|failed| failed.error)?;
        self.segment.seen.remember(&mut group);
        self.delivered += count;
        self.done.count += count as i64;
        Ok(())
    }

    fn finish(mut self) -> Result<u64> {
        if !self.items.is_empty() {
            self.send()?;
        }
        Ok(self.delivered)
    }
}
