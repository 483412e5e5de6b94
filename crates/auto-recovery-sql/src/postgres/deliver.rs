//! Bringing what waits in the spool to the server: in order, each thing once.
//!
//! How much of a segment is delivered is counted by the server, in the transactions that deliver
//! it: whoever dies in between leaves a count that is true.

use std::collections::HashMap;

use auto_recovery::audit::{AuditStore, JournalEvent, JsonlStore};
use auto_recovery::{ErrorKind, Result};

use super::core::Core;
use super::failure::explain;
use super::group::{Delivery, Group, Item};
use super::link::Lease;
use super::options::Notice;
use super::probe;
use super::session::get;
use super::spool::Spool;

/// How much is delivered in one transaction.
const BATCH: usize = 1000;

/// What was delivered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Delivered {
    /// How many entries.
    pub entries: u64,
    /// How many journal records.
    pub records: u64,
}

/// Delivers everything that waits in `spool`.
pub(super) fn deliver(core: &Core, spool: &Spool, lease: &Lease) -> Result<Delivered> {
    let mut delivered = Delivered::default();
    if !spool.has_any()? {
        return Ok(delivered);
    }
    let _turn = spool.turn()?;
    for name in spool.sealed()? {
        let segment = Segment {
            core,
            spool,
            lease,
            name: &name,
        };
        segment.deliver(&mut delivered)?;
    }
    if delivered != Delivered::default() {
        let Delivered { entries, records } = delivered;
        core.tell(&Notice::Delivered { entries, records });
    }
    Ok(delivered)
}

/// A segment that is being delivered.
struct Segment<'d> {
    core: &'d Core,
    spool: &'d Spool,
    lease: &'d Lease,
    name: &'d str,
}

impl Segment<'_> {
    fn deliver(&self, delivered: &mut Delivered) -> Result<()> {
        let (core, lease) = (self.core, self.lease);
        let probe = match self.spool.probe(self.name) {
            Err(error) if error.kind() == ErrorKind::Damaged => return self.set_aside(1),
            probe => probe?,
        };
        if let Some(probe) = probe {
            let limit = core.options.write_timeout;
            let asked = probe::has_taken_effect(&core.address, lease, &probe);
            if lease
                .link()
                .run("ask what became of a write", limit, asked)?
            {
                return self.spool.remove(self.name);
            }
        }
        let store = self.spool.store(self.name)?;
        let done = self.done()?;
        let (records, mut damaged) = self.records(&store, count_of(&done, ""))?;
        delivered.records += records;
        for session in store.sessions()? {
            let id = &session.session_id;
            let (entries, more) = self.entries(&store, id, count_of(&done, id))?;
            delivered.entries += entries;
            damaged += more;
        }
        match damaged {
            0 => self.spool.remove(self.name)?,
            damaged => self.set_aside(damaged)?,
        }
        self.forget()
    }

    /// Keeps the segment out of the way, of which so much could not be read.
    fn set_aside(&self, damaged: usize) -> Result<()> {
        let place = self.spool.set_aside(self.name)?;
        self.core.tell(&Notice::SpoolDamaged { place, damaged });
        Ok(())
    }

    fn records(&self, store: &JsonlStore, done: i64) -> Result<(u64, usize)> {
        let mut batch = self.batch("", done);
        let damage = store.read_journal(None, &mut |record| {
            // What happened to files of the spool is nobody's business but its own.
            let is_ours = !matches!(
                record.event,
                JournalEvent::TailQuarantined(_) | JournalEvent::TrailRemoved(_)
            );
            let item = is_ours.then(|| Item::record(record, None));
            batch.add(item.transpose()?)
        })?;
        Ok((batch.finish()?, damage.len()))
    }

    fn entries(&self, store: &JsonlStore, session_id: &str, done: i64) -> Result<(u64, usize)> {
        let mut batch = self.batch(session_id, done);
        let damage = store.read_trail(session_id, &mut |stored| {
            batch.add(Some(Item::stored(stored, None)))
        })?;
        Ok((batch.finish()?, damage.len()))
    }

    fn batch<'b>(&'b self, session_id: &'b str, done: i64) -> Batch<'b> {
        Batch {
            segment: self,
            session_id,
            done,
            read: 0,
            items: Vec::new(),
            delivered: 0,
        }
    }

    /// How much of each trail, and of the journal, the server has.
    fn done(&self) -> Result<HashMap<String, i64>> {
        const DONE: &str =
            "SELECT session_id, delivered FROM auto_recovery.spool_delivery WHERE segment = $1";
        let (core, lease) = (self.core, self.lease);
        let asked = async {
            let rows = lease.rows(DONE, &[&self.name]).await;
            rows.map_err(|error| explain(&core.address, "ask what was delivered", error))
        };
        let limit = core.options.write_timeout;
        let rows = lease.link().run("ask what was delivered", limit, asked)?;
        rows.iter()
            .map(|row| Ok((get(row, 0)?, get(row, 1)?)))
            .collect()
    }

    /// Lets the server forget what was delivered of a segment that is no more.
    fn forget(&self) -> Result<()> {
        const FORGET: &str = "DELETE FROM auto_recovery.spool_delivery WHERE segment = $1";
        let (core, lease) = (self.core, self.lease);
        let forgotten = async {
            let done = lease.execute(FORGET, &[&self.name]).await;
            done.map_err(|error| explain(&core.address, "note what was delivered", error))
        };
        let limit = core.options.write_timeout;
        lease
            .link()
            .run("note what was delivered", limit, forgotten)
            .map(drop)
    }
}

fn count_of(done: &HashMap<String, i64>, session_id: &str) -> i64 {
    done.get(session_id).copied().unwrap_or(0)
}

/// What is delivered next of one trail, or of the journal.
struct Batch<'b> {
    segment: &'b Segment<'b>,
    session_id: &'b str,
    /// How much the server has.
    done: i64,
    read: i64,
    items: Vec<Item>,
    delivered: u64,
}

impl Batch<'_> {
    /// Adds what was read next, unless the server has it or it is of no interest.
    fn add(&mut self, item: Option<Item>) -> Result<()> {
        self.read += 1;
        if self.read <= self.done {
            return Ok(());
        }
        self.items.extend(item);
        match self.items.len() < BATCH {
            true => Ok(()),
            false => self.send(),
        }
    }

    fn send(&mut self) -> Result<()> {
        let core = self.segment.core;
        let count = self.items.len() as u64;
        let mut group = Group::new(std::mem::take(&mut self.items), &*core.host);
        group.delivery = Some(Delivery {
            segment: self.segment.name.to_owned(),
            session_id: self.session_id.to_owned(),
            from: self.done,
            to: self.read,
        });
        let written = core.write_on(self.segment.lease, &mut group);
        written.map_err(|failed| failed.error)?;
        core.remember(&mut group);
        self.delivered += count;
        self.done = self.read;
        Ok(())
    }

    fn finish(mut self) -> Result<u64> {
        if !self.items.is_empty() {
            self.send()?;
        }
        Ok(self.delivered)
    }
}
