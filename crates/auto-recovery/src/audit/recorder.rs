//! The recorder: the only maker of the text of entries and of journal records.
//!
//! A store gets one when it is opened, and appends only what a recorder made ([`RecordedEntry`],
//! [`JournalLine`]) or what it takes over from others as it is. So whatever must happen to every
//! text before it is kept has one place, [`Recorder::entry`] and [`Recorder::record`]: secrets are
//! masked there, before sizes count, and what is private is encrypted.

use std::fmt;
use std::sync::{Arc, OnceLock};

use serde::Deserialize;

use crate::audit::encrypting::{
    Encryption, KeyStore, close_entry, close_record, entry_kid, is_closed_record,
};
use crate::audit::fit::{ENTRY_BYTES_MAX, write_fitted};
use crate::audit::texts::{redact_entry, redact_event};
use crate::audit::{Appended, JournalEvent, JournalRecord, NewEntry, session_id};
use crate::encryption::SessionKey;
use crate::entry::RecoveryAuditEntry;
use crate::error::{Error, ErrorKind, Result};
use crate::host::{Host, new_id_in, timestamp};
use crate::redaction::Redactor;

/// What a box takes in an entry besides three quarters for its texts.
const BOX_BYTES: usize = 256;

/// The digits of the largest attempt number.
const NUMBER_BYTES_MAX: usize = 20;

/// The key before the attempt number in an entry's text. Quotes within strings are escaped, so this
/// cannot appear inside one.
const NUMBER_KEY: &[u8] = b",\"attempt_number\":";

/// The maker of all text that a store appends.
pub struct Recorder {
    host: Arc<dyn Host>,
    redactor: Arc<Redactor>,
    encryption: Option<Arc<Encryption>>,
    /// The keys of the store that it records for.
    keys: OnceLock<Arc<dyn KeyStore>>,
}

impl Recorder {
    /// A recorder that takes times and ids from `host`, and masks secrets with a redactor of its
    /// own: tokens by their shape, and values by their place.
    pub fn new(host: Arc<dyn Host>) -> Arc<Self> {
        let redactor = Arc::new(Redactor::new(redaction_key(&*host)));
        Self::with_redactor(host, redactor)
    }

    /// A recorder that takes times and ids from `host`, and masks what `redactor` knows and finds.
    pub fn with_redactor(host: Arc<dyn Host>, redactor: Arc<Redactor>) -> Arc<Self> {
        Arc::new(Self {
            host,
            redactor,
            encryption: None,
            keys: OnceLock::new(),
        })
    }

    /// A recorder for what another one made: nothing in it is masked or closed once more.
    pub(crate) fn of_made(host: Arc<dyn Host>) -> Arc<Self> {
        Self::with_redactor(host, Arc::new(Redactor::off()))
    }

    /// The same, which also encrypts private texts. A store that it records for must keep the keys
    /// of its sessions.
    pub fn encrypting(
        host: Arc<dyn Host>,
        redactor: Arc<Redactor>,
        encryption: Arc<Encryption>,
    ) -> Arc<Self> {
        Arc::new(Self {
            host,
            redactor,
            encryption: Some(encryption),
            keys: OnceLock::new(),
        })
    }

    /// Keeps the keys of sessions in `keys`, those of the store that it records for: the first one
    /// that is opened with it.
    pub fn keep_keys(&self, keys: Arc<dyn KeyStore>) {
        let _first_counts = self.keys.set(keys);
    }

    /// The key to encrypt what `session_id` has.
    fn session_key(&self, encryption: &Encryption, session_id: &str) -> Result<Arc<SessionKey>> {
        let Some(keys) = self.keys.get() else {
            let text = "this store cannot keep the keys of encrypted sessions: use one of files \
                        or in a database, or turn encryption off for it";
            return Err(Error::new(ErrorKind::Refused, text));
        };
        session_id::encode(session_id)?;
        encryption.session_key(&**keys, session_id)
    }

    /// The host of the store.
    pub fn host(&self) -> &Arc<dyn Host> {
        &self.host
    }

    /// Appends the text of `new` to `out`, compact JSON without a line's end, and returns the entry
    /// that it is the text of. An id and a time that are missing are filled in, made in the process
    /// `pid`, which is this one; what is too large is cut. Where the store gives the number, the
    /// text has a 0 in its place, and any number that replaces it fits.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] if its duration is no duration.
    pub fn entry(&self, pid: u32, new: NewEntry, out: &mut Vec<u8>) -> Result<RecordedEntry> {
        let NewEntry {
            mut entry,
            number_by_store,
        } = new;
        let has_new_id = entry.entry_id.is_empty();
        if has_new_id {
            entry.entry_id = new_id_in(pid, "entry");
        }
        if entry.timestamp.is_empty() {
            entry.timestamp = timestamp(self.host.now());
        }
        redact_entry(&mut entry, &self.redactor);
        let mut limit = ENTRY_BYTES_MAX;
        if number_by_store {
            entry.attempt_number = 0;
            limit -= NUMBER_BYTES_MAX;
        }
        match &self.encryption {
            None => write_fitted(&mut entry, limit, out)?,
            Some(encryption) => self.write_closed(encryption, &mut entry, limit, out)?,
        }
        Ok(RecordedEntry {
            entry,
            number_by_store,
            has_new_id,
        })
    }

    /// Appends the text of `entry`, its private texts in a box, of at most `limit` bytes.
    fn write_closed(
        &self,
        encryption: &Encryption,
        entry: &mut RecoveryAuditEntry,
        limit: usize,
        out: &mut Vec<u8>,
    ) -> Result<()> {
        let key = self.session_key(encryption, &entry.session_id)?;
        let start = out.len();
        // Nearly every entry fits as it is. One that does not is cut as if nothing of it took more
        // than the digits of its box.
        for most in [limit, limit / 4 * 3 - BOX_BYTES] {
            write_fitted(entry, most, out)?;
            out.truncate(start);
            let mut closed = entry.clone();
            close_entry(&mut closed, &key, &mut || encryption.draw());
            write_fitted(&mut closed, usize::MAX, out)?;
            if out.len() - start <= limit {
                *entry = closed;
                return Ok(());
            }
            out.truncate(start);
        }
        Err(Error::new(
            ErrorKind::InvalidInput,
            "an entry is too large to be encrypted",
        ))
    }

    /// The journal record that `event` happened now, to `session_id` if it is about a session.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] if it has more than
    /// [`JournalRecord::BYTES_MAX`].
    pub fn record(&self, session_id: Option<&str>, event: JournalEvent) -> Result<JournalLine> {
        self.record_again(JournalRecord {
            v: JournalRecord::VERSION,
            at: timestamp(self.host.now()),
            session_id: session_id.map(str::to_owned),
            event,
        })
    }

    /// The text of `raw`, which is that of `entry`, made anew: masked and encrypted as one that is
    /// new. What is in a box stays there.
    ///
    /// # Errors
    /// As [`Recorder::entry`].
    pub fn entry_again(&self, entry: RecoveryAuditEntry, raw: &[u8]) -> Result<Vec<u8>> {
        if entry_kid(&entry).is_some() {
            return Ok(raw.to_vec());
        }
        let new = NewEntry {
            entry,
            number_by_store: false,
        };
        let mut out = Vec::new();
        self.entry(std::process::id(), new, &mut out)?;
        Ok(out)
    }

    /// Makes the text of `record` anew, masked and encrypted. Its time stays.
    ///
    /// # Errors
    /// As [`Recorder::record`].
    pub fn record_again(&self, mut record: JournalRecord) -> Result<JournalLine> {
        redact_event(&mut record.event, &self.redactor);
        let unwritten = |error| {
            Error::new(ErrorKind::InvalidInput, "write a journal record").with_source(error)
        };
        let json = match self.closed(&record)? {
            None => serde_json::to_string(&record).map_err(unwritten)?,
            Some(json) => {
                record = serde_json::from_str(&json).map_err(unwritten)?;
                json
            }
        };
        check_size(json.len())?;
        Ok(JournalLine { record, json })
    }

    /// The text of `record` with its private texts in a box; `None` if it stays as it is.
    fn closed(&self, record: &JournalRecord) -> Result<Option<String>> {
        let Some(encryption) = &self.encryption else {
            return Ok(None);
        };
        let key = |session_id: &str| self.session_key(encryption, session_id);
        close_record(record, key, &mut || encryption.draw())
    }
}

/// A key for the masks of one session: random, and in memory only.
pub fn redaction_key(host: &dyn Host) -> [u8; 16] {
    let mut key = [0; 16];
    let (first, second) = key.split_at_mut(8);
    first.copy_from_slice(&host.random().to_le_bytes());
    second.copy_from_slice(&host.random().to_le_bytes());
    key
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorder").finish_non_exhaustive()
    }
}

/// An entry whose text a [`Recorder`] made, complete but for a number that the store gives.
#[derive(Clone, Debug)]
pub struct RecordedEntry {
    entry: RecoveryAuditEntry,
    number_by_store: bool,
    has_new_id: bool,
}

impl RecordedEntry {
    /// An entry that a recorder made before, read back from where it was kept.
    pub fn taken_over(entry: RecoveryAuditEntry) -> Self {
        Self {
            entry,
            number_by_store: false,
            has_new_id: false,
        }
    }

    /// The entry.
    pub fn entry(&self) -> &RecoveryAuditEntry {
        &self.entry
    }

    /// The entry, for those who keep it.
    pub fn into_entry(self) -> RecoveryAuditEntry {
        self.entry
    }

    /// Whether the store gives its number.
    pub fn number_by_store(&self) -> bool {
        self.number_by_store
    }

    /// Whether its id was made by the recorder, so that no other entry has it.
    pub fn has_new_id(&self) -> bool {
        self.has_new_id
    }

    /// Its text with the number that it has now.
    pub fn text(&self) -> String {
        self.entry.to_json()
    }

    /// Gives it the number `number`.
    pub fn set_number(&mut self, number: u64) {
        self.entry.attempt_number = number;
    }

    /// The acknowledgement of its caller.
    pub fn appended(self) -> Appended {
        Appended {
            entry_id: self.entry.entry_id,
            session_id: self.entry.session_id,
            attempt_number: self.entry.attempt_number,
        }
    }

    /// Where in its `text`, as [`Recorder::entry`] wrote it, the number begins.
    pub(crate) fn number_at(text: &[u8]) -> usize {
        let key = memchr::memmem::find(text, NUMBER_KEY);
        key.expect("every entry has an attempt number") + NUMBER_KEY.len()
    }
}

/// A journal record and its text, one line of compact JSON without the line's end.
#[derive(Clone, Debug, PartialEq)]
pub struct JournalLine {
    record: JournalRecord,
    json: String,
}

impl JournalLine {
    /// The line of a record that others made, taken over as it is: `raw` is its text. What this
    /// release does not know of it stays in the text. Only a text of several lines becomes one of
    /// one line.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] if it is no record, or has more than
    /// [`JournalRecord::BYTES_MAX`].
    pub fn taken_over(raw: &[u8]) -> Result<Self> {
        let refused = |error: &dyn fmt::Display| {
            let text = format!("a journal record cannot be taken over: {error}");
            Error::new(ErrorKind::InvalidInput, text)
        };
        let raw = raw.trim_ascii();
        let record = serde_json::from_slice(raw).map_err(|error| refused(&error))?;
        let text = std::str::from_utf8(raw).map_err(|error| refused(&error))?;
        let json = match text.contains(['\n', '\r']) {
            false => text.to_owned(),
            true => {
                let value: serde_json::Value =
                    serde_json::from_str(text).map_err(|error| refused(&error))?;
                value.to_string()
            }
        };
        check_size(json.len())?;
        Ok(Self { record, json })
    }

    /// The record.
    pub fn record(&self) -> &JournalRecord {
        &self.record
    }

    /// The record, for those who make its text anew.
    pub(crate) fn into_record(self) -> JournalRecord {
        self.record
    }

    /// Whether private texts of it are in a box.
    pub(crate) fn is_closed(&self) -> bool {
        is_closed_record(self.json.as_bytes())
    }

    /// What happened, in the word of its text.
    pub fn event(&self) -> String {
        #[derive(Deserialize)]
        struct Header {
            event: String,
        }
        let header: Result<Header, _> = serde_json::from_str(&self.json);
        header.map_or_else(|_| String::new(), |header| header.event)
    }

    /// Its text.
    pub fn json(&self) -> &str {
        &self.json
    }
}

/// Refuses the text of a record that is larger than any that is kept.
fn check_size(bytes: usize) -> Result<()> {
    let most = JournalRecord::BYTES_MAX;
    if bytes <= most {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::InvalidInput,
        format!("a journal record has {bytes} bytes: at most {most} can be kept"),
    ))
}
