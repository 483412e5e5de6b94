//! From files into a store: trails and journals as JSON lines, ours and the Python original's, JSON
//! exports, and any of these compressed with Zstandard.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use serde::Deserialize;

use super::batches::{Batches, Counts, check_record};
use super::document;
use crate::audit::{
    AuditStore, Damage, JournalEvent, JournalLine, JournalRecord, StoredEntry, encoding,
};
use crate::error::{Error, ErrorKind, Hint, Result};
use crate::files::{Links, open_regular};
use crate::jsonl::{Verdict, read_records};
use crate::platform::descriptors::is_of_system;
use crate::redaction::Redactor;

/// The first bytes of a file compressed with Zstandard.
const ZSTD_MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// Number of bytes inspected to determine a file's format.
const LOOK_BYTES: usize = 64 * 1024;

/// The result for a file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ImportReport {
    /// Its entries.
    pub entries: Counts,
    /// Its journal records.
    pub records: Counts,
    /// Journal records of no session that this release does not know, and did not take over.
    pub unknown_records: u64,
    /// The items that could not be taken over, and their places.
    pub damage: Vec<Damage>,
    /// How many secrets came with what was taken over, which is as it was, by their kinds.
    pub secrets: BTreeMap<String, u64>,
}

/// Opens the file at `path`, to be taken over. A file in `/dev` or `/proc`, such as `/dev/stdin`
/// and `/dev/fd/63`, may be a pipe or a device; elsewhere that would be a trap.
///
/// # Errors
/// [`ErrorKind::NotFound`] if there is none; [`ErrorKind::InvalidInput`] if it is a directory, or a
/// pipe or device elsewhere; otherwise if it cannot be opened.
pub fn open(path: &Path) -> Result<File> {
    let failed = |error| Error::io("open", path, error);
    let is_of_system = is_of_system(path);
    let found = path.metadata().map_err(|error| match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => {
            let text = format!("there is no file {}", path.display());
            Error::new(ErrorKind::NotFound, text)
        }
        _ => failed(error),
    })?;
    let file = match is_of_system || found.is_dir() {
        true => File::open(path).map_err(failed)?,
        false => open_regular(path, Links::Follow).map_err(|error| match error.kind() {
            io::ErrorKind::InvalidInput => {
                let text = format!("{} is left out: move it away", path.display());
                Error::new(ErrorKind::InvalidInput, text).with_source(error)
            }
            _ => failed(error),
        })?,
    };
    if found.is_dir() {
        let context = format!("{} is a directory", path.display());
        let hint = Hint::CopyStore {
            dir: path.to_owned(),
        };
        return Err(Error::new(ErrorKind::InvalidInput, context).with_hint(hint));
    }
    Ok(file)
}

/// Takes over what `file`, which is at `path`, holds, byte for byte. The secrets that `redactor`
/// finds in it are counted.
///
/// # Errors
/// [`ErrorKind::InvalidInput`] if nothing in it can be understood; otherwise if the store cannot be
/// written. What was added stays; doing it again adds the rest.
pub fn import(
    file: File,
    path: &Path,
    to: &dyn AuditStore,
    redactor: &Redactor,
) -> Result<ImportReport> {
    let failed = |error| Error::io("read", path, error);
    let mut source = BufReader::with_capacity(LOOK_BYTES, file);
    let is_compressed = look(&mut source).map_err(failed)?.starts_with(&ZSTD_MAGIC);
    let source: Box<dyn Read> = match is_compressed {
        true => Box::new(zstd::Decoder::with_buffer(source).map_err(failed)?),
        false => Box::new(source),
    };
    let broken = RefCell::new(None);
    let source = UntilBroken {
        source,
        broken: &broken,
    };
    let mut source = BufReader::with_capacity(LOOK_BYTES, source);
    let begins = look(&mut source).map_err(failed)?;
    if let Some(reason) = encoding::refusal(begins) {
        return Ok(of_another_encoding(path, reason));
    }
    let is_document = document::is_one(begins);
    let mut batches = Batches::new(to.importer()?, Some(redactor));
    let mut report = ImportReport::default();
    let read = match is_document {
        true => document::read(source, path, &mut batches, &mut report.damage),
        false => lines(source, path, &mut batches, &mut report),
    };
    let read = match read {
        Err(error) if error.kind() != ErrorKind::InvalidInput => return Err(error),
        read => read,
    };
    batches.flush()?;
    report.entries = batches.entry_counts;
    report.records = batches.record_counts;
    report.secrets = std::mem::take(&mut batches.secrets);
    match broken.into_inner() {
        Some(error) if report.entries.read + report.records.read == 0 => {
            let context = format!("{} cannot be read", path.display());
            return Err(Error::new(ErrorKind::InvalidInput, context).with_source(error));
        }
        Some(error) => report.damage.push(Damage {
            place: path.display().to_string(),
            reason: format!("the rest cannot be read: {error}"),
            ..Damage::default()
        }),
        None => read?,
    }
    Ok(report)
}

/// The report of a file that is left out whole, because of the encoding of its text.
fn of_another_encoding(path: &Path, reason: String) -> ImportReport {
    let damage = Damage {
        place: path.display().to_string(),
        reason,
        ..Damage::default()
    };
    ImportReport {
        damage: vec![damage],
        ..ImportReport::default()
    }
}

/// Ends where it cannot be read any further, and notes why: what was read by then counts.
struct UntilBroken<'b, R> {
    source: R,
    broken: &'b RefCell<Option<std::io::Error>>,
}

impl<R: Read> Read for UntilBroken<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.broken.borrow().is_some() {
            return Ok(0);
        }
        match self.source.read(buffer) {
            Err(error) if error.kind() != std::io::ErrorKind::Interrupted => {
                self.broken.replace(Some(error));
                Ok(0)
            }
            read => read,
        }
    }
}

/// The next bytes without taking them: all of them, or enough.
fn look(source: &mut BufReader<impl Read>) -> std::io::Result<&[u8]> {
    source.fill_buf()
}

fn lines(
    source: impl Read,
    path: &Path,
    batches: &mut Batches<'_>,
    report: &mut ImportReport,
) -> Result<()> {
    let place = path.display().to_string();
    let damage = read_records(source, &place, &mut |raw| {
        take(raw, batches, &mut report.unknown_records)
    })?;
    report.damage.extend(damage);
    Ok(())
}

/// Takes over the entry or record that `raw` is.
fn take(raw: &[u8], batches: &mut Batches<'_>, unknown: &mut u64) -> Result<Verdict> {
    let not_an_entry = match StoredEntry::read(raw) {
        Ok(stored) => {
            let session_id = stored.session_id().into_owned();
            if let Err(error) = stored.check(&session_id) {
                return Ok(Verdict::Bad(error.to_string()));
            }
            batches.entry(&session_id, &stored)?;
            return Ok(Verdict::Taken);
        }
        Err(error) => error,
    };
    let Ok(Header { v, event: _ }) = serde_json::from_slice(raw) else {
        return Ok(not_an_entry.into());
    };
    if v > JournalRecord::VERSION {
        return Ok(Verdict::Bad(format!(
            "a journal record of format {v}, and this release reads up to {}",
            JournalRecord::VERSION
        )));
    }
    if let Err(error) = serde_json::from_slice::<JournalRecord>(raw) {
        return Ok(error.into());
    }
    let checked = JournalLine::taken_over(raw).and_then(|line| check_record(&line).map(|()| line));
    let line = match checked {
        Ok(line) => line,
        Err(error) => return Ok(Verdict::Bad(error.to_string())),
    };
    let record = line.record();
    match (&record.event, &record.session_id) {
        (JournalEvent::Other, None) => *unknown += 1,
        // What happened to files elsewhere did not happen here.
        (
            JournalEvent::TailQuarantined(_)
            | JournalEvent::TrailRemoved(_)
            | JournalEvent::SessionCleared(_)
            | JournalEvent::SessionPruned(_)
            | JournalEvent::TrailSealed(_)
            | JournalEvent::TrailImported(_)
            | JournalEvent::ChainStarted(_)
            | JournalEvent::SealSigned(_)
            | JournalEvent::SealWitnessed(_)
            | JournalEvent::SealNotPublished(_)
            | JournalEvent::KeysDestroyed(_)
            | JournalEvent::AlertSaid(_),
            _,
        )
        | (_, None) => {}
        _ => batches.record(line)?,
    }
    Ok(Verdict::Taken)
}

/// The fields that every journal record has.
#[derive(Deserialize)]
struct Header {
    v: u32,
    #[expect(
        dead_code,
        reason = "that it is there tells a record from other objects"
    )]
    event: serde::de::IgnoredAny,
}
