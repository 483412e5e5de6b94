//! A whole store copied to an empty one: every journal record in its order, also what is about
//! removed trails, every trail, and every seal, which holds there as it does here.

use super::batches::Batches;
use super::copy::{CopyReport, check_two, copy_trail};
use crate::audit::sealing::{Log, SealStore, SealsWanted, Verification, VerifyRequest};
use crate::audit::sealing::{kept_seals, verify};
use crate::audit::{AuditStore, JournalLine};
use crate::error::{Error, ErrorKind, Result};

/// What became of an exact copy.
#[derive(Clone, Debug)]
pub struct ExactCopy {
    /// What came.
    pub copied: CopyReport,
    /// How many seals came.
    pub seals: u64,
    /// What the seals say of the copy.
    pub verified: Verification,
}

/// Copies all of `from` to `to`, which must be empty, tells `progress` of each session,
/// and verifies the copy by the seals that came along. The copy is no other store: whoever seals it
/// begins a chain of its own first, because the key for the next seal goes on where it is.
///
/// # Errors
/// [`ErrorKind::Refused`] if something is there, or one of them keeps no seals;
/// [`ErrorKind::Damaged`] if there is a seal or a record that cannot be copied as it is; otherwise
/// if a store cannot be read or written. What came by then stays, without a seal.
pub fn copy_exactly(
    from: &dyn AuditStore,
    to: &dyn AuditStore,
    progress: &mut dyn FnMut(&str),
) -> Result<ExactCopy> {
    check_two(from, to)?;
    let (here, there) = (sealing(from)?, sealing(to)?);
    check_empty(there, to)?;
    // The seals first, as whoever verifies reads them: what comes meanwhile is behind them.
    let seals = kept_seals(here)?;
    let mut report = CopyReport::default();
    let mut batches = Batches::new(to.importer()?, None);
    if let Some(journal) = here.open_log(Log::Journal)? {
        let mut number = 0_u64;
        journal.read_all(&mut |raw| {
            number += 1;
            batches.record(as_it_is(raw, number, &journal.place())?)
        })?;
        batches.flush()?;
    }
    for session_id in here.trails()? {
        copy_trail((from, to), &session_id, &mut batches, &mut report)?;
        progress(&session_id);
    }
    report.entries = batches.entry_counts;
    report.records = batches.record_counts;
    drop(batches);
    for (seal, line) in &seals {
        there.add_seal(seal, line)?;
    }
    Ok(ExactCopy {
        copied: report,
        seals: seals.len() as u64,
        verified: verify(to, &VerifyRequest::default())?,
    })
}

/// The record `raw`, if it can be kept byte for byte.
fn as_it_is(raw: &[u8], number: u64, place: &str) -> Result<JournalLine> {
    let line = JournalLine::taken_over(raw);
    line.ok()
        .filter(|line| line.json().as_bytes() == raw)
        .ok_or_else(|| {
            let text = format!("record {number} of {place} cannot be copied as it is");
            Error::new(ErrorKind::Damaged, text)
        })
}

fn sealing(store: &dyn AuditStore) -> Result<&dyn SealStore> {
    store.seals()?.ok_or_else(|| {
        let text = format!(
            "{} keeps no seals: no exact copy can be made of it, nor in it",
            store.url()
        );
        Error::new(ErrorKind::Refused, text)
    })
}

/// Refuses a store in which something is.
fn check_empty(there: &dyn SealStore, to: &dyn AuditStore) -> Result<()> {
    let mut is_empty = there.trails()?.is_empty();
    there.read_seals(SealsWanted::Newest, &mut |_| {
        is_empty = false;
        Ok(())
    })?;
    if let Some(journal) = there.open_log(Log::Journal)? {
        journal.read_all(&mut |_| {
            is_empty = false;
            Ok(())
        })?;
    }
    if is_empty {
        return Ok(());
    }
    let text = format!(
        "{} is not empty, and an exact copy is of a whole store: name a new one, or remove what \
         is there if an exact copy was interrupted",
        to.url()
    );
    Err(Error::new(ErrorKind::Refused, text))
}
