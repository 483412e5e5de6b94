//! From one store to another.

use std::collections::HashMap;

use super::batches::{Batches, Counts};
use crate::audit::encrypting::take_over_keys;
use crate::audit::{
    AuditStore, Damage, Digester, JournalEvent, JournalLine, JournalRecord, Recorder,
    SessionSummary, TrailDigest,
};
use crate::error::{Error, ErrorKind, Result};

/// What became of one session.
#[derive(Clone, Debug, PartialEq)]
pub struct CopiedSession<'s> {
    /// The session, as the store it comes from lists it.
    pub session: &'s SessionSummary,
    /// Its entries.
    pub entries: Counts,
    /// How many entries all sessions have that are copied.
    pub entries_of_all: u64,
}

/// What became of all.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CopyReport {
    /// How many sessions came.
    pub sessions: u64,
    /// Their entries.
    pub entries: Counts,
    /// What the journal says of them.
    pub records: Counts,
    /// Journal records of no session that this release does not know, and did not bring.
    pub unknown_records: u64,
    /// What could not be read.
    pub damage: Vec<Damage>,
    /// Sessions whose trail there is another than here, and why: both were written since they were
    /// copied.
    pub different: Vec<(String, String)>,
}

/// Copies every session of `from` to `to`, oldest first, tells `progress` of each, and makes sure
/// that what arrived is what was read: as many entries, and the same digest of their bytes.
///
/// # Errors
/// If a store cannot be read or written. What was copied stays; doing it again copies the rest.
pub fn copy(
    from: &dyn AuditStore,
    to: &dyn AuditStore,
    progress: &mut dyn FnMut(CopiedSession<'_>),
) -> Result<CopyReport> {
    copy_made_by(None, from, to, progress)
}

/// The same, but every text is made anew by `recorder`, which encrypts: what is in a box already
/// stays as it is, and so do ids, times and numbers. `to` may have no session yet: what was made
/// anew cannot be compared with what is there.
///
/// # Errors
/// [`ErrorKind::Refused`] if it has one; otherwise as [`copy`].
pub fn copy_encrypting(
    recorder: &Recorder,
    from: &dyn AuditStore,
    to: &dyn AuditStore,
    progress: &mut dyn FnMut(CopiedSession<'_>),
) -> Result<CopyReport> {
    if to.read_sessions()?.0.is_empty() {
        return copy_made_by(Some(recorder), from, to, progress);
    }
    let text = format!(
        "{} has sessions, and what is encrypted anew cannot be compared with them: name an empty \
         store",
        to.url()
    );
    Err(Error::new(ErrorKind::Refused, text))
}

fn copy_made_by(
    again: Option<&Recorder>,
    from: &dyn AuditStore,
    to: &dyn AuditStore,
    progress: &mut dyn FnMut(CopiedSession<'_>),
) -> Result<CopyReport> {
    check_two(from, to)?;
    let (mut sessions, damage) = from.read_sessions()?;
    sessions.reverse();
    let entries_of_all = sessions.iter().map(|session| session.total_attempts).sum();
    let mut report = CopyReport {
        damage,
        ..CopyReport::default()
    };
    let mut batches = Batches::new(to.importer()?, None);
    batches.again = again;
    copy_records(from, &sessions, &mut batches, &mut report)?;
    for session in &sessions {
        let id = &session.session_id;
        let entries = copy_trail((from, to), id, &mut batches, &mut report)?;
        progress(CopiedSession {
            session,
            entries,
            entries_of_all,
        });
    }
    report.entries = batches.entry_counts;
    report.records = batches.record_counts;
    Ok(report)
}

/// Refuses to copy a store to itself.
pub(super) fn check_two(from: &dyn AuditStore, to: &dyn AuditStore) -> Result<()> {
    if from.url() != to.url() {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::InvalidInput,
        format!("both stores are {}: name two", from.url()),
    ))
}

/// Brings the trail of the session `id`, and its keys.
pub(super) fn copy_trail(
    (from, to): (&dyn AuditStore, &dyn AuditStore),
    id: &str,
    batches: &mut Batches<'_>,
    report: &mut CopyReport,
) -> Result<Counts> {
    // First: an entry whose key is not there says nothing.
    take_over_keys(from, to, id)?;
    let before = batches.entry_counts;
    let mut digester = Digester::default();
    let (mut refused, mut line) = (Vec::new(), 0);
    let damage = from.read_trail(id, &mut |stored| {
        line += 1;
        digester.push(stored.raw());
        let Err(error) = stored.check(id) else {
            return batches.entry(id, &stored);
        };
        refused.push(Damage {
            place: format!("session {id} of {}", from.url()),
            line,
            bytes: stored.raw().len() as u64,
            reason: error.to_string(),
            is_aside: false,
        });
        Ok(())
    })?;
    Damage::join(&mut report.damage, damage);
    report.damage.extend(refused);
    batches.flush()?;
    let (here, there) = (digester.finish(), to.digest(id)?.0);
    // A text that was made anew has other bytes.
    let counts = batches.again.is_none() || here.entries != there.entries;
    if let Some(why) = differs(&here, &there).filter(|_| counts) {
        report.different.push((id.to_owned(), why));
    }
    report.sessions += 1;
    Ok(Counts {
        read: batches.entry_counts.read - before.read,
        added: batches.entry_counts.added - before.added,
    })
}

/// Brings what the journal says of `sessions` since their trails were last removed.
fn copy_records(
    from: &dyn AuditStore,
    sessions: &[SessionSummary],
    batches: &mut Batches<'_>,
    report: &mut CopyReport,
) -> Result<()> {
    // For each session, how many of the first records are of trails that are gone.
    let sessions = sessions.iter().map(|one| (one.session_id.as_str(), 0));
    let mut gone: HashMap<&str, u64> = sessions.collect();
    let mut number = 0;
    let damage = from.read_journal(None, &mut |record| {
        number += 1;
        if record.event.is_removal()
            && let Some(gone) = gone.get_mut(record.session_id.as_deref().unwrap_or_default())
        {
            *gone = number;
        }
        Ok(())
    })?;
    number = 0;
    from.read_records_raw(None, &mut |raw| {
        // What cannot be read is in the damage.
        let Ok(line) = JournalLine::taken_over(raw) else {
            number += u64::from(serde_json::from_slice::<JournalRecord>(raw).is_ok());
            return Ok(());
        };
        number += 1;
        let record = line.record();
        let session_id = record.session_id.as_deref().unwrap_or_default();
        match (&record.event, gone.get(session_id)) {
            (JournalEvent::Other, None) if session_id.is_empty() => report.unknown_records += 1,
            // Nobody knows what of it is private.
            (JournalEvent::Other, Some(_)) if batches.again.is_some() => {
                report.unknown_records += 1;
            }
            // Which file was damaged says nothing in another store, nor do the seals of this one.
            (
                JournalEvent::TailQuarantined(_)
                | JournalEvent::TrailRemoved(_)
                | JournalEvent::TrailSealed(_)
                | JournalEvent::TrailImported(_)
                | JournalEvent::ChainStarted(_)
                | JournalEvent::SealSigned(_)
                | JournalEvent::SealWitnessed(_)
                | JournalEvent::SealNotPublished(_)
                | JournalEvent::KeysDestroyed(_),
                _,
            ) => {}
            (_, Some(gone)) if number > *gone => batches.record(line)?,
            _ => {}
        }
        Ok(())
    })?;
    Damage::join(&mut report.damage, damage);
    batches.flush()
}

/// In what `there` is not `here`; `None` if it is.
fn differs(here: &TrailDigest, there: &TrailDigest) -> Option<String> {
    if here == there {
        return None;
    }
    Some(match here.entries == there.entries {
        true => format!("as many entries, {}, but not the same bytes", here.entries),
        false => format!("entries here: {}, there: {}", here.entries, there.entries),
    })
}
