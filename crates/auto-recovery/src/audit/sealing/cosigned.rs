//! The answer of a witness: signature lines for a seal, which are kept as a record of the journal.
//!
//! An answer does not say which seal it is for. So only signatures of witnesses whose keys are
//! known are kept, for the seal that they hold for: what nobody here can check proves nothing.

use memchr::memmem;
use serde::Deserialize;

use super::store::{Log, SealStore};
use super::told::last_seal;
use crate::audit::{AuditStore, JournalEvent, SealWitnessed};
use crate::error::{Error, ErrorKind, Hint, Result};
use crate::integrity::{Cosignature, Seal, Testimony, WitnessKey, origin_line};

/// What was kept of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cosigned {
    /// The seal that it is for.
    pub seal: Seal,
    /// Who signed it, and when.
    pub by: Vec<Cosignature>,
    /// The names of those who signed something, and are not known.
    pub unknown: Vec<String>,
    /// Whether all of it was on record before.
    pub is_known: bool,
}

/// An answer, taken apart.
struct Answer<'a> {
    /// What is signed, if the answer says it: some programs put the lines below the seal.
    text: Option<&'a str>,
    /// The signature lines.
    lines: &'a str,
}

/// Keeps what `answer`, the signature lines that a witness sent, says of a seal of `store` with
/// those of `witnesses` who made them. The lines may stand below the note of the seal.
///
/// # Errors
/// [`ErrorKind::Refused`] if it is no such answer, no known witness is among them, or a signature
/// of one does not hold for any seal; nothing is kept then. Otherwise if the store cannot be read
/// or written.
pub fn keep_cosignatures(
    store: &dyn AuditStore,
    witnesses: &[WitnessKey],
    answer: &str,
) -> Result<Cosigned> {
    let Some(seals) = store.seals()? else {
        return Err(refused(format!("{} keeps no seals", store.url())));
    };
    let answer = Answer::read(answer)?;
    let known = answer.known(witnesses)?;
    let testimony =
        |seal: &Seal| Testimony::read(&format!("{}\n{}", seal.text(), answer.lines), witnesses);
    let is_signed = |seal: &Seal| {
        answer.text.is_none_or(|text| text == seal.text())
            && testimony(seal).is_some_and(|said| said.failing.is_empty())
    };
    let Some((seal, mut note)) = last_seal(seals, is_signed)? else {
        return Err(refused(format!(
            "the signature of {known} holds for no seal of {}: it is for another store, or it was \
             changed on its way",
            store.url()
        )));
    };
    let said = testimony(&seal).unwrap_or_default();
    note += &said.lines;
    if Testimony::read(&note, witnesses).is_none() {
        return Err(refused(format!(
            "it has too many signatures for one seal: {}",
            said.holding.len()
        )));
    }
    let is_known = are_kept(seals, &said.lines)?;
    if !is_known {
        let event = SealWitnessed {
            seal: seal.short().to_string(),
            note,
        };
        store.record(None, JournalEvent::SealWitnessed(event))?;
    }
    Ok(Cosigned {
        seal,
        by: said.holding,
        unknown: strangers(said.unknown),
        is_known,
    })
}

impl<'a> Answer<'a> {
    fn read(answer: &'a str) -> Result<Self> {
        let (text, lines) = match answer.rfind("\n\n") {
            Some(at) => (Some(&answer[..=at]), &answer[at + 2..]),
            None => (None, answer),
        };
        let read = Self { text, lines };
        match Testimony::read(&format!("\n\n{lines}"), &[]) {
            Some(_) => Ok(read),
            None => Err(no_answer(answer)),
        }
    }

    /// The names of the known witnesses who signed.
    fn known(&self, witnesses: &[WitnessKey]) -> Result<String> {
        let said = Testimony::read(&format!("\n\n{}", self.lines), witnesses).unwrap_or_default();
        let holding = said.holding.into_iter().map(|one| one.name);
        let known: Vec<_> = holding.chain(said.failing).collect();
        if !known.is_empty() {
            return Ok(known.join(", "));
        }
        let unknown = strangers(said.unknown).join(", ");
        Err(refused(format!(
            "nobody here knows who signed: add the key `name+id+key` of {unknown} to `witnesses` \
             in [seal] of your own config.toml, as its operator gives it"
        )))
    }
}

/// `names` without those that the keys of seals have.
fn strangers(mut names: Vec<String>) -> Vec<String> {
    names.retain(|name| !name.starts_with(&origin_line("")));
    names
}

/// That `answer` is not what a witness answers.
fn no_answer(answer: &str) -> Error {
    // A witness that was asked from another size says the right one.
    match answer.trim().parse() {
        Ok(size) => {
            let error = refused(format!(
                "the witness signed nothing: it knows {size} records"
            ));
            error.with_hint(Hint::AskWitness { size })
        }
        Err(_) => refused(
            "it is not what a witness answers: lines of `\u{2014} NAME BASE64` and nothing else, \
             each with its end"
                .to_owned(),
        ),
    }
}

/// The fields of the records that matter here.
#[derive(Deserialize)]
struct Kept {
    event: String,
    #[serde(default)]
    note: String,
}

/// The note in `leaf`, a record of the journal, if it is of a seal that witnesses signed.
pub(super) fn witnessed_note(leaf: &[u8]) -> Option<String> {
    memmem::find(leaf, b"seal_witnessed")?;
    let kept: Kept = serde_json::from_slice(leaf).ok()?;
    (kept.event == "seal_witnessed").then_some(kept.note)
}

/// Whether all of `lines` are on record.
fn are_kept(store: &dyn SealStore, lines: &str) -> Result<bool> {
    let mut missing: Vec<_> = lines.lines().collect();
    if let Some(journal) = store.open_log(Log::Journal)? {
        journal.read_all(&mut |leaf| {
            if let Some(note) = witnessed_note(leaf) {
                missing.retain(|line| !note.lines().any(|kept| kept == *line));
            }
            Ok(())
        })?;
    }
    Ok(missing.is_empty())
}

fn refused(text: String) -> Error {
    Error::new(ErrorKind::Refused, text)
}
