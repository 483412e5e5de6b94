//! JSON exports, reports and lists of entries, read as they come: a document of any size takes no
//! more memory than its longest entry.

use std::fmt;
use std::io::Read;
use std::path::Path;

use serde::Deserializer;
use serde::de::{DeserializeSeed, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::batches::Batches;
use crate::audit::{Damage, JournalRecord, StoredEntry, encoding};
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
    let bytes = encoding::without_mark(bytes);
    let begin = bytes.trim_ascii_start();
    let line = begin.split(|byte| *byte == b'\n').next().unwrap_or(begin);
    // In whichever order its fields come.
    if StoredEntry::read(line).is_ok() || serde_json::from_slice::<JournalRecord>(line).is_ok() {
        return false;
    }
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

/// Takes over the entries of the document that `source` is. What in it is none, and where it ends
/// too early, is added to `damage`; all else is taken over.
///
/// # Errors
/// [`ErrorKind::InvalidInput`] if there are no entries in it; otherwise if the store fails.
pub(super) fn read(
    source: impl Read,
    path: &Path,
    batches: &mut Batches<'_>,
    damage: &mut Vec<Damage>,
) -> Result<()> {
    let mut json = serde_json::Deserializer::from_reader(SkippingMark::new(source));
    let mut found = Found::default();
    let sink = Sink {
        batches,
        found: &mut found,
    };
    let read = Document(sink)
        .deserialize(&mut json)
        .and_then(|()| json.end());
    if let Some(error) = found.failed {
        return Err(error);
    }
    let place = path.display().to_string();
    damage.extend(found.bad.into_iter().map(|reason| Damage {
        place: place.clone(),
        reason,
        ..Damage::default()
    }));
    match read {
        Ok(()) if found.has_list => Ok(()),
        Err(error) if found.count > 0 => {
            damage.push(Damage {
                place,
                line: error.line() as u64,
                reason: format!("the rest cannot be read: {error}"),
                ..Damage::default()
            });
            Ok(())
        }
        read => {
            let context = format!("{place} is no export with entries");
            let none = Error::new(ErrorKind::InvalidInput, context);
            Err(match read {
                Ok(()) => none,
                Err(error) => none.with_source(error),
            })
        }
    }
}

/// What was found in a document.
#[derive(Default)]
struct Found {
    /// Whether there was a list of entries.
    has_list: bool,
    /// How many things these lists had.
    count: u64,
    /// Why some of them are no entries.
    bad: Vec<String>,
    /// An error of the store, which cannot pass through the parser.
    failed: Option<Error>,
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
        let text = match begins {
            true => encoding::without_mark(&buffer[..count]).len(),
            false => count,
        };
        buffer.copy_within(count - text..count, 0);
        Ok(text)
    }
}

/// Where entries go.
struct Sink<'s, 'i> {
    batches: &'s mut Batches<'i>,
    found: &'s mut Found,
}

impl<'i> Sink<'_, 'i> {
    fn again(&mut self) -> Sink<'_, 'i> {
        Sink {
            batches: self.batches,
            found: self.found,
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
        let Sink { batches, found } = self.0;
        found.has_list = true;
        while let Some(element) = list.next_element::<Box<RawValue>>()? {
            found.count += 1;
            let entry: RecoveryAuditEntry = match serde_json::from_str(element.get()) {
                Ok(entry) => entry,
                Err(error) => {
                    found.bad.push(format!("entry {}: {error}", found.count));
                    continue;
                }
            };
            let raw = entry.to_json();
            let stored = StoredEntry::read(raw.as_bytes()).map_err(A::Error::custom)?;
            if let Err(error) = stored.check(&entry.session_id) {
                found.bad.push(format!("entry {}: {error}", found.count));
                continue;
            }
            if let Err(error) = batches.entry(&entry.session_id, &stored) {
                found.failed = Some(error);
                return Err(A::Error::custom("the store refused it"));
            }
        }
        Ok(())
    }
}
