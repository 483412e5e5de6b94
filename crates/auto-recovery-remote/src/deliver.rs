//! Bringing what waits in the spool to the server, segment by segment and in order.
//!
//! What the server refuses for what it says holds nothing up: all else of its segment is delivered,
//! and the segment is set aside with it.

use auto_recovery::audit::{AuditStore as _, JournalEvent, JournalLine, RecordedEntry};
use auto_recovery::spool::{Absence, Notice, Spool};
use auto_recovery::{ErrorKind, Result};

use crate::item::{Item, LINES_MAX};

/// Sends items, all or none of a request.
type Send<'s> = dyn Fn(&mut [Item]) -> Result<()> + 's;

/// Delivers everything that waits in `spool` with `send`, and tells that by `absence`.
///
/// # Errors
/// If the spool cannot be read, or the server takes nothing now: what was not delivered waits on.
pub(crate) fn deliver(spool: &Spool, absence: &Absence, send: &Send<'_>) -> Result<()> {
    if !spool.has_any()? {
        return Ok(());
    }
    let _turn = spool.turn()?;
    let (mut entries, mut records) = (0, 0);
    for name in spool.sealed()? {
        let mut segment = Segment::new(send);
        segment.deliver(spool, &name)?;
        entries += segment.entries;
        records += segment.records;
        segment.leave(spool, &name, absence)?;
    }
    if entries + records > 0 {
        absence.tell(&Notice::Delivered { entries, records });
    }
    Ok(())
}

/// A segment that is being delivered.
struct Segment<'s> {
    send: &'s Send<'s>,
    /// What was read and not sent.
    items: Vec<Item>,
    /// What the server has now.
    entries: u64,
    records: u64,
    /// Places that could not be read.
    damaged: usize,
    /// What the server does not take, and why not the first of it.
    refused: usize,
    reason: String,
}

impl<'s> Segment<'s> {
    fn new(send: &'s Send<'s>) -> Self {
        Self {
            send,
            items: Vec::new(),
            entries: 0,
            records: 0,
            damaged: 0,
            refused: 0,
            reason: String::new(),
        }
    }

    fn deliver(&mut self, spool: &Spool, name: &str) -> Result<()> {
        let store = spool.store(name)?;
        let damage = store.read_records_raw(None, &mut |raw| {
            match JournalLine::taken_over(raw) {
                Err(_) => self.damaged += 1,
                // Records about the spool's own files concern only the spool.
                Ok(line) => match line.record().event {
                    JournalEvent::TailQuarantined(_) | JournalEvent::TrailRemoved(_) => {}
                    _ => self.items.push(Item::Record(Box::new(line))),
                },
            }
            self.send_if_many()
        })?;
        self.damaged += damage.len();
        let (sessions, unread) = store.read_sessions()?;
        self.damaged += unread.iter().filter(|one| one.is_of_all()).count();
        for session in sessions {
            let damage = store.read_trail(&session.session_id, &mut |stored| {
                let entry = RecordedEntry::taken_over(stored.into_entry());
                self.items.push(Item::Entry(Box::new(entry), None));
                self.send_if_many()
            })?;
            self.damaged += damage.len();
            self.send()?;
        }
        self.send()
    }

    fn send_if_many(&mut self) -> Result<()> {
        match self.items.len() < LINES_MAX {
            true => Ok(()),
            false => self.send(),
        }
    }

    fn send(&mut self) -> Result<()> {
        let mut items = std::mem::take(&mut self.items);
        self.send_all(&mut items)
    }

    /// Sends `items` but for those that the server does not take. It takes all of a request or
    /// nothing, so they are found by halves.
    fn send_all(&mut self, items: &mut [Item]) -> Result<()> {
        if items.is_empty() {
            return Ok(());
        }
        match (self.send)(items) {
            Ok(()) => {
                let is_entry = |item: &&Item| matches!(item, Item::Entry(..));
                let entries = items.iter().filter(is_entry).count();
                self.entries += entries as u64;
                self.records += (items.len() - entries) as u64;
                Ok(())
            }
            Err(error) if error.kind() != ErrorKind::InvalidInput => Err(error),
            Err(error) if items.len() == 1 => {
                if self.refused == 0 {
                    self.reason = error.chain();
                }
                self.refused += 1;
                Ok(())
            }
            Err(_) => {
                let (first, second) = items.split_at_mut(items.len() / 2);
                self.send_all(first)?;
                self.send_all(second)
            }
        }
    }

    /// Removes the segment, which is delivered, or sets it aside if something of it is not.
    fn leave(self, spool: &Spool, name: &str, absence: &Absence) -> Result<()> {
        let (damaged, refused) = (self.damaged, self.refused);
        if damaged + refused == 0 {
            return spool.remove(name);
        }
        let place = spool.set_aside(name)?;
        if damaged > 0 {
            let place = place.clone();
            absence.tell(&Notice::SpoolDamaged { place, damaged });
        }
        if refused > 0 {
            let reason = self.reason;
            absence.tell(&Notice::SpoolRefused {
                place,
                refused,
                reason,
            });
        }
        Ok(())
    }
}
