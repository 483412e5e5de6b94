//! JSON exports, reports and lists of entries, read as they come: a document of any size takes no more
//! memory than its longest entry.

use std::fmt;
use std::io::Read;
use std::path::Path;

use serde::Deserializer;
use serde::de::{DeserializeSeed, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::batches::Batches;
use crate::audit::{BYTE_ORDER_MARK, Damage, StoredEntry};
use crate::entry::RecoveryAuditEntry;
use crate::error::{Error, ErrorKind, Result};

/// Fields that documents begin with, and entries and records do not.
const FIRST_FIELDS: [&str; 8] = [
    "session_id",
    "session_start",
    "export_timestamp",
    "total_sessions",
    "total_entries",
    "entries",
    "sessions",
    "report_metadata",
];

/// Fields that are lists of entries.
const ENTRY_LISTS: [&str; 2] = ["entries", "detailed_entries"];

/// Whether what begins with `bytes` is a document, and no line of its own.
pub(super) fn is_one(bytes: &[u8]) -> bool {
    let bytes = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes);
    let begin = bytes.trim_ascii_start();
    if begin.first() == Some(&b'[') {
        return true;
    }
    let Some(inside) = begin.strip_prefix(b"{") else {
        return false;
    };
    let Some(name) = inside.trim_ascii_start().strip_prefix(b"\"") else {
        return false;
    };
    FIRST_FIELDS.iter().any(|field| {
        let after = name.strip_prefix(field.as_bytes());
        after.is_some_and(|after| after.first() == Some(&b'"'))
    })
}

/// Takes over the entries of the document that `source` is. Returns where it ends too early, if it does:
/// what stands before that is taken over.
///
/// # Errors
/// [`ErrorKind::InvalidInput`] if there is nothing before that; otherwise if the store fails.
pub(super) fn read(
    source: impl Read,
    path: &Path,
    batches: &mut Batches<'_>,
) -> Result<Option<Damage>> {
    let mut failed = None;
    let mut json = serde_json::Deserializer::from_reader(SkippingMark::new(source));
    let sink = Sink {
        batches,
        failed: &mut failed,
    };
    let read = Document(sink)
        .deserialize(&mut json)
        .and_then(|()| json.end());
    match (failed, read) {
        (Some(error), _) => Err(error),
        (None, Ok(())) => Ok(None),
        (None, Err(error)) if batches.entry_counts.read > 0 => Ok(Some(Damage {
            place: path.display().to_string(),
            line: error.line() as u64,
            bytes: 0,
            reason: format!("the rest cannot be read: {error}"),
            is_aside: false,
        })),
        (None, Err(error)) => Err(Error::new(
            ErrorKind::InvalidInput,
            format!("{} is no export with entries", path.display()),
        )
        .with_source(error)),
    }
}

/// Leaves out the mark that some editors put before UTF-8 text.
struct SkippingMark<R> {
    source: R,
    begun: bool,
}

impl<R: Read> SkippingMark<R> {
    fn new(source: R) -> Self {
        Self {
            source,
            begun: false,
        }
    }
}

impl<R: Read> Read for SkippingMark<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.source.read(buffer)?;
        let begins = !std::mem::replace(&mut self.begun, true);
        if begins && buffer[..count].starts_with(BYTE_ORDER_MARK) {
            buffer.copy_within(BYTE_ORDER_MARK.len()..count, 0);
            return Ok(count - BYTE_ORDER_MARK.len());
        }
        Ok(count)
    }
}

/// Where entries go. An error of the store cannot pass through the parser, so it is kept aside.
struct Sink<'s, 'i> {
    batches: &'s mut Batches<'i>,
    failed: &'s mut Option<Error>,
}

impl<'i> Sink<'_, 'i> {
    fn again(&mut self) -> Sink<'_, 'i> {
        Sink {
            batches: self.batches,
            failed: self.failed,
        }
    }
}

/// A document: an export, a report, an export of many sessions, or a list of entries.
struct Document<'s, 'i>(Sink<'s, 'i>);

impl<'de> DeserializeSeed<'de> for Document<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Document<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an export of entries")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        while let Some(name) = map.next_key::<String>()? {
            if ENTRY_LISTS.contains(&name.as_str()) {
                map.next_value_seed(Entries(self.0.again()))?;
            } else if name == "sessions" {
                map.next_value_seed(Sessions(self.0.again()))?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<(), A::Error> {
        Entries(self.0).visit_seq(list)
    }
}

/// A list of documents.
struct Sessions<'s, 'i>(Sink<'s, 'i>);

impl<'de> DeserializeSeed<'de> for Sessions<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Sessions<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of sessions")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut list: A) -> Result<(), A::Error> {
        while list.next_element_seed(Document(self.0.again()))?.is_some() {}
        Ok(())
    }
}

/// A list of entries.
struct Entries<'s, 'i>(Sink<'s, 'i>);

impl<'de> DeserializeSeed<'de> for Entries<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Entries<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of entries")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while let Some(entry) = list.next_element::<RecoveryAuditEntry>()? {
            let raw = entry.to_json();
            let stored = StoredEntry::read(raw.as_bytes()).map_err(A::Error::custom)?;
            stored.check(&entry.session_id).map_err(A::Error::custom)?;
            if let Err(error) = self.0.batches.entry(&entry.session_id, &stored) {
                *self.0.failed = Some(error);
                return Err(A::Error::custom("the store refused it"));
            }
        }
        Ok(())
    }
}
