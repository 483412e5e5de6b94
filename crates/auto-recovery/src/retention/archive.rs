//! Archives: the trail of a session and what the journal says of it, as compressed JSON lines.

use std::io::{BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;

use crate::audit::{AuditStore, Damage, Digester, JournalRecord, TrailDigest, session_id};
use crate::error::{Error, ErrorKind, Hint, Result};
use crate::export;
use crate::files::{Links, make_private_dirs, open_regular, unmade};
use crate::wording::counted;

/// How hard Zstandard tries: what most programs ask of it.
const LEVEL: i32 = 3;

/// An archive that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Archived {
    /// The file that has the entries; none if there are none.
    pub trail: Option<PathBuf>,
    /// The file that has what the journal says of the session.
    pub journal: PathBuf,
    /// What was archived.
    pub digest: TrailDigest,
}

/// Writes the trail of `session_id` to `DIR/<session>_audit.jsonl.zst` and its journal records to
/// `DIR/<session>_journal.jsonl.zst`, both durable and read back before this returns. The directory
/// is made if there is none, and nothing in it is ever changed: where there is such a file with
/// something else in it, the new one has a number in its name.
///
/// # Errors
/// [`ErrorKind::Damaged`] if something of the trail cannot be read; otherwise if the store cannot
/// be read or the files not be written.
pub fn archive_session(store: &dyn AuditStore, session_id: &str, dir: &Path) -> Result<Archived> {
    let stem = session_id::encode(session_id)?;
    make_private_dirs(dir).map_err(|error| Error::io("create directory", dir, error))?;
    let journal = write_lines(dir, &format!("{stem}_journal"), &mut |push| {
        let records = records(store, session_id)?;
        records.iter().try_for_each(|record| push(record))
    })?;
    let mut digester = Digester::default();
    let mut damage = Vec::new();
    let trail = write_lines(dir, &format!("{stem}_audit"), &mut |push| {
        damage = store.read_trail(session_id, &mut |stored| {
            digester.push(stored.raw());
            push(stored.raw())
        })?;
        refuse(session_id, &damage)
    })?;
    let digest = digester.finish();
    Ok(Archived {
        trail: (digest.entries > 0).then_some(trail).flatten(),
        journal: journal.unwrap_or_default(),
        digest,
    })
}

/// What of a trail cannot be read would be lost.
pub(super) fn refuse(session_id: &str, damage: &[Damage]) -> Result<()> {
    let damage: Vec<_> = damage.iter().filter(|damage| !damage.is_aside).collect();
    let Some(first) = damage.first() else {
        return Ok(());
    };
    Err(Error::new(
        ErrorKind::Damaged,
        format!(
            "{} of session {session_id} cannot be read, the first in line {} of {}",
            counted(damage.len() as u64, "place"),
            first.line,
            first.place,
        ),
    )
    .with_hint(Hint::ClearSession {
        session_id: session_id.to_owned(),
    }))
}

/// The journal records of the session since its trail was last removed, to the byte: those too that
/// this release does not know.
fn records(store: &dyn AuditStore, session_id: &str) -> Result<Vec<Vec<u8>>> {
    let mut records = Vec::new();
    store.read_records_raw(Some(session_id), &mut |raw| {
        let record: Option<JournalRecord> = serde_json::from_slice(raw).ok();
        match record.is_some_and(|record| record.event.is_removal()) {
            true => records.clear(),
            false => records.push(raw.to_vec()),
        }
        Ok(())
    })?;
    Ok(records)
}

/// Adds a line to what is written.
type Push<'p> = dyn FnMut(&[u8]) -> Result<()> + 'p;

/// Writes the lines that `fill` pushes to a new file in `dir`, and returns its path; none if there
/// are no lines.
fn write_lines(
    dir: &Path,
    stem: &str,
    fill: &mut dyn FnMut(&mut Push<'_>) -> Result<()>,
) -> Result<Option<PathBuf>> {
    let file =
        NamedTempFile::new_in(dir).map_err(|error| unmade("create a file in", dir, error))?;
    let path = file.path().to_path_buf();
    let failed = |error| Error::io("write", &path, error);
    let mut out = zstd::Encoder::new(BufWriter::new(file.as_file()), LEVEL).map_err(failed)?;
    out.include_checksum(true).map_err(failed)?;
    let mut hash = Sha256::new();
    let mut is_empty = true;
    fill(&mut |line| {
        is_empty = false;
        for part in [line, b"\n"] {
            hash.update(part);
            out.write_all(part).map_err(failed)?;
        }
        Ok(())
    })?;
    let mut buffered = out.finish().map_err(failed)?;
    buffered.flush().map_err(failed)?;
    drop(buffered);
    file.as_file()
        .sync_all()
        .map_err(|error| Error::io("sync", &path, error))?;
    let hash = hash.finalize();
    if hash_of(&path)? != hash[..] {
        let text = format!(
            "{} does not read back as it was written: check the disk",
            path.display()
        );
        return Err(Error::new(ErrorKind::Damaged, text));
    }
    if is_empty {
        return Ok(None);
    }
    // Whoever made one before may have died before what it is for was done. One that cannot be read
    // is not it.
    let is_it = |path: &Path| hash_of(path).is_ok_and(|other| other == hash[..]);
    export::persist_new(file, dir, stem, "jsonl.zst", &is_it).map(Some)
}

fn hash_of(path: &Path) -> Result<Vec<u8>> {
    let failed = |error| Error::io("read", path, error);
    let file = open_regular(path, Links::Refuse).map_err(failed)?;
    let mut lines = zstd::Decoder::new(BufReader::new(file)).map_err(failed)?;
    let mut hash = Sha256::new();
    let mut chunk = vec![0; 64 * 1024];
    loop {
        match lines.read(&mut chunk).map_err(failed)? {
            0 => return Ok(hash.finalize().to_vec()),
            count => hash.update(&chunk[..count]),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;
    use crate::audit::{JournalLine, Recorder};
    use crate::jsonl::{JsonlOptions, JsonlStore};
    use crate::testing::ScriptedHost;

    #[test]
    fn an_archive_has_what_this_release_does_not_know() {
        let dir = tempfile::tempdir().unwrap();
        let recorder = Recorder::new(std::sync::Arc::new(ScriptedHost::new()));
        let options = JsonlOptions::default();
        let store = JsonlStore::open(&dir.path().join("trails"), options, recorder).unwrap();
        let later = r#"{"at":"2026-01-02T03:04:05.000Z","event":"blessed","by":[1.50],"session_id":"s","v":1}"#;
        let line = JournalLine::taken_over(later.as_bytes()).unwrap();
        store.importer().unwrap().records(&[line]).unwrap();
        let archived = archive_session(&store, "s", &dir.path().join("old")).unwrap();
        assert_eq!(archived.trail, None);
        let text = zstd::decode_all(File::open(archived.journal).unwrap()).unwrap();
        assert_eq!(String::from_utf8(text).unwrap(), format!("{later}\n"));
    }
}
