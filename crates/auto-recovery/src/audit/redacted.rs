//! A store that is read without its secrets, for what leaves the machine.
//!
//! What we record is masked before it is kept. Records that others brought, and those of earlier
//! releases, are as they came: here they are masked when they are read. Nothing in the store
//! changes, and what is clean is given on byte for byte.

use std::borrow::Cow;
use std::sync::Arc;

use serde_json::Value;

use crate::audit::texts::{redact_entry, redact_event};
use crate::audit::{
    Appended, AuditStore, Damage, Follower, Importer, JournalEvent, JournalRecord, NewEntry,
    Removal, Removed, SessionSummary, StoredEntry,
};
use crate::error::{Error, ErrorKind, Result};
use crate::redaction::Redactor;

/// A store whose entries and records are read without their secrets. What is written goes to the
/// store as it is.
///
/// ```
/// use std::sync::Arc;
///
/// use auto_recovery::Result;
/// use auto_recovery::audit::{AuditStore, RedactedStore, redaction_key};
/// use auto_recovery::export::{ExportOptions, export_all};
/// use auto_recovery::host::Host;
/// use auto_recovery::redaction::Redactor;
///
/// /// All that `store` holds, for somebody else to read.
/// fn to_hand_on(store: &dyn AuditStore, host: &dyn Host) -> Result<Vec<u8>> {
///     let redactor = Arc::new(Redactor::new(redaction_key(host)));
///     let masked = RedactedStore::new(store, redactor);
///     let mut document = Vec::new();
///     export_all(&masked, &ExportOptions::default(), host.now(), &mut document)?;
///     Ok(document)
/// }
/// ```
pub struct RedactedStore<'s> {
    store: &'s dyn AuditStore,
    redactor: Arc<Redactor>,
}

impl<'s> RedactedStore<'s> {
    /// `store`, read without what `redactor` knows and finds.
    pub fn new(store: &'s dyn AuditStore, redactor: Arc<Redactor>) -> Self {
        Self { store, redactor }
    }

    /// The text of the entry `stored` without its secrets; `None` if it has none.
    fn masked_entry(&self, stored: &StoredEntry<'_>) -> Option<String> {
        let entry = stored.entry();
        let mut masked = entry.clone().into_owned();
        redact_entry(&mut masked, &self.redactor);
        (masked != *entry).then(|| masked.to_json())
    }

    /// The text of the record `raw` without its secrets; `None` if it has none.
    fn masked_record(&self, raw: &[u8]) -> Option<String> {
        let Ok(record) = serde_json::from_slice::<Value>(raw) else {
            let masked = self.redactor.redact(raw);
            let text = || String::from_utf8_lossy(&masked.text).into_owned();
            return (!masked.found.is_empty()).then(text);
        };
        let mut masked = record.clone();
        if let Value::Object(fields) = &mut masked {
            for (name, value) in fields {
                self.mask_field(name, value);
            }
        }
        (masked != record).then(|| masked.to_string())
    }

    /// Masks the field `name` of a record. Fields that only a later release knows are looked
    /// through, too.
    fn mask_field(&self, name: &str, value: &mut Value) {
        match name {
            "v" | "at" | "session_id" | "event" => {}
            "command" => {
                let words: Result<Vec<String>, _> = serde_json::from_value(value.clone());
                match words {
                    Ok(words) => *value = self.redactor.redact_words(&words).into(),
                    Err(_) => self.mask_strings(value),
                }
            }
            _ => self.mask_strings(value),
        }
    }

    /// Masks the secrets in every text of `value`.
    fn mask_strings(&self, value: &mut Value) {
        match value {
            Value::String(text) => {
                if let Cow::Owned(masked) = self.redactor.redact_text(text) {
                    *text = masked;
                }
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.mask_strings(item)),
            Value::Object(fields) => fields
                .values_mut()
                .for_each(|field| self.mask_strings(field)),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    /// Gives `visit` the entry `stored` without its secrets.
    fn masked(
        &self,
        stored: StoredEntry<'_>,
        visit: &mut dyn FnMut(StoredEntry<'_>) -> Result<()>,
    ) -> Result<()> {
        let Some(text) = self.masked_entry(&stored) else {
            return visit(stored);
        };
        let unreadable = |error| {
            let text = format!(
                "an entry of session {} cannot be masked",
                stored.session_id()
            );
            Error::new(ErrorKind::Damaged, text).with_source(error)
        };
        visit(StoredEntry::read(text.as_bytes()).map_err(unreadable)?)
    }
}

impl AuditStore for RedactedStore<'_> {
    fn url(&self) -> String {
        self.store.url()
    }

    fn append(&self, entries: Vec<NewEntry>) -> Result<Vec<Appended>> {
        self.store.append(entries)
    }

    fn record(&self, session_id: Option<&str>, event: JournalEvent) -> Result<()> {
        self.store.record(session_id, event)
    }

    fn read_sessions(&self) -> Result<(Vec<SessionSummary>, Vec<Damage>)> {
        self.store.read_sessions()
    }

    fn is_known(&self, session_id: &str) -> Result<bool> {
        self.store.is_known(session_id)
    }

    fn read_trail(
        &self,
        session_id: &str,
        visit: &mut dyn FnMut(StoredEntry<'_>) -> Result<()>,
    ) -> Result<Vec<Damage>> {
        self.store
            .read_trail(session_id, &mut |stored| self.masked(stored, visit))
    }

    fn read_last(
        &self,
        session_id: &str,
        count: usize,
        visit: &mut dyn FnMut(StoredEntry<'_>) -> Result<()>,
    ) -> Result<Vec<Damage>> {
        self.store
            .read_last(session_id, count, &mut |stored| self.masked(stored, visit))
    }

    fn read_records_raw(
        &self,
        session_id: Option<&str>,
        visit: &mut dyn FnMut(&[u8]) -> Result<()>,
    ) -> Result<Vec<Damage>> {
        self.store
            .read_records_raw(session_id, &mut |raw| match self.masked_record(raw) {
                Some(masked) => visit(masked.as_bytes()),
                None => visit(raw),
            })
    }

    fn read_journal(
        &self,
        session_id: Option<&str>,
        visit: &mut dyn FnMut(JournalRecord) -> Result<()>,
    ) -> Result<Vec<Damage>> {
        // The store may read more of a record than its text shows: one that opens boxes does.
        self.store.read_journal(session_id, &mut |mut record| {
            redact_event(&mut record.event, &self.redactor);
            visit(record)
        })
    }

    fn remove(&self, session_id: &str, removal: &Removal) -> Result<Removed> {
        self.store.remove(session_id, removal)
    }

    fn follower(&self) -> Result<Box<dyn Follower + '_>> {
        self.store.follower()
    }

    fn importer(&self) -> Result<Box<dyn Importer + '_>> {
        self.store.importer()
    }
}
