//! The receipt of one entry.

use super::store::{Log, SealStore};
use super::told::{Told, newest_seal};
use crate::audit::session_id::short;
use crate::audit::{AuditStore, StoredEntry};
use crate::error::{Error, ErrorKind, Hint, Result};
use crate::integrity::{EntryProof, Receipt, Tree, base64};

/// The receipt of the newest entry of `session` with this attempt number, against the newest seal.
///
/// # Errors
/// [`ErrorKind::NotFound`] if there is no such entry, or no seal speaks of it;
/// [`ErrorKind::Damaged`] if it is not as it was sealed.
pub fn receipt(store: &dyn AuditStore, session: &str, attempt_number: u64) -> Result<Receipt> {
    let Some(seals) = store.seals()? else {
        let text = format!("{} keeps no seals", store.url());
        return Err(Error::new(ErrorKind::NotFound, text));
    };
    let not_sealed = || {
        let session = short(session);
        let text = format!("attempt {attempt_number} of session {session} is not sealed");
        Error::new(ErrorKind::NotFound, text)
    };
    let (seal, note) = newest_seal(store)?.ok_or_else(not_sealed)?;
    let (journal, told, records) = read_journal(seals, session)?;
    let root_now = journal.root(seal.size);
    if root_now != Some(seal.root) {
        return Err(changed(format!(
            "the journal of {} is not what was sealed",
            store.url()
        )));
    }
    let (trail, entry) = read_trail(seals, session, attempt_number)?;
    let Some((index, entry)) = entry else {
        let text = format!("session {} has no attempt {attempt_number}", short(session));
        let hint = Hint::ListAttempts {
            session_id: session.to_owned(),
        };
        return Err(Error::new(ErrorKind::NotFound, text).with_hint(hint));
    };
    let heads = told.trails.get(session).map_or(&[][..], |told| &told.heads);
    let is_fit = |head: &&super::told::Head| head.size > index && head.record <= seal.size;
    let head = heads.iter().rev().find(is_fit).ok_or_else(not_sealed)?;
    let record = records
        .into_iter()
        .find(|(number, _)| *number == head.record);
    let (record, path) = record
        .zip(trail.path(index, head.size))
        .filter(|_| trail.root(head.size) == Some(head.root))
        .ok_or_else(|| {
            changed(format!(
                "the trail of session {session} is not what was sealed"
            ))
        })?;
    Ok(Receipt {
        entry: EntryProof {
            entry,
            index,
            size: head.size,
            path: path.iter().map(|hash| base64(hash)).collect(),
            record: record.1,
        },
        index: head.record - 1,
        path: journal.path(head.record - 1, seal.size).unwrap_or_default(),
        note,
    })
}

/// A tree, what a journal says, and records with their numbers.
type ReadJournal = (Tree, Told, Vec<(u64, String)>);

/// The tree of the journal, what it says of trails, and the texts of the heads of `session`.
fn read_journal(store: &dyn SealStore, session: &str) -> Result<ReadJournal> {
    let (mut tree, mut told, mut records) = (Tree::default(), Told::default(), Vec::new());
    if let Some(log) = store.open_log(Log::Journal)? {
        log.read(log.start(), log.end()?, &mut |leaf| {
            tree.push(leaf);
            let before = told.heads_of(session);
            told.take(leaf, tree.size());
            if told.heads_of(session) > before {
                records.push((tree.size(), String::from_utf8_lossy(leaf).into_owned()));
            }
            Ok(())
        })?;
    }
    Ok((tree, told, records))
}

/// The tree of the trail of `session`, and the index and the text of its newest entry with this
/// attempt number.
fn read_trail(
    store: &dyn SealStore,
    session: &str,
    attempt_number: u64,
) -> Result<(Tree, Option<(u64, String)>)> {
    let (mut tree, mut found) = (Tree::default(), None);
    if let Some(log) = store.open_log(Log::Trail(session))? {
        log.read(log.start(), log.end()?, &mut |leaf| {
            if StoredEntry::read(leaf).is_ok_and(|entry| entry.attempt_number() == attempt_number) {
                found = Some((tree.size(), String::from_utf8_lossy(leaf).into_owned()));
            }
            tree.push(leaf);
            Ok(())
        })?;
    }
    Ok((tree, found))
}

fn changed(text: String) -> Error {
    Error::new(ErrorKind::Damaged, text).with_hint(Hint::Verify)
}
