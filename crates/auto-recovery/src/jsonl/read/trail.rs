//! Reading trails and the journal for those who want every record.

use std::fs::{File, Metadata};
use std::path::PathBuf;
use std::sync::Arc;

use serde::Deserialize;

use super::backwards::{last_records, lines_before};
use super::lines::Position;
use super::records::{Take, Verdict, take_entry, walk_to_end};
use super::session_events::{Header, SessionEvents, check_version};
use crate::audit::{Damage, JournalRecord, StoredEntry, TailQuarantined};
use crate::error::{Error, ErrorKind, Result};
use crate::files::stands_at;
use crate::jsonl::dir::Found;
use crate::jsonl::root::Root;
use crate::jsonl::sums::cursor::Cursor;

/// How often a trail is opened, should each be removed as it is opened.
const OPENED_MAX: u32 = 100;

/// The trail of a session, open.
pub(in crate::jsonl) struct Trail {
    pub path: PathBuf,
    pub file: File,
    pub metadata: Metadata,
    /// The place where its entries begin.
    pub from: Position,
    /// The journal's events for its session.
    pub events: Arc<SessionEvents>,
    /// The reason why the journal could not be read.
    pub no_journal: Option<Damage>,
}

/// The state of a trail's place.
pub(in crate::jsonl) enum Opened {
    /// Nothing.
    Nothing,
    /// The trail.
    Trail(Box<Trail>),
    /// Something that cannot be read.
    Unreadable(Damage),
}

impl Trail {
    /// The trail of `session_id`.
    pub(in crate::jsonl) fn open(root: &Root, session_id: &str) -> Result<Opened> {
        Self::open_settled(root, session_id, &mut || {
            let told = root.told_of(session_id)?;
            Ok((told.events, told.unreadable))
        })
    }

    /// The same; `events` asks what the journal says of the session. The journal forgets the mark
    /// of a removed file once that is gone: a file that went in between is no trail.
    fn open_settled(
        root: &Root,
        session_id: &str,
        events: &mut dyn FnMut() -> Result<(Arc<SessionEvents>, Option<Damage>)>,
    ) -> Result<Opened> {
        let mut opened = Self::open_with(root, session_id, &mut *events)?;
        for _ in 1..OPENED_MAX {
            match &opened {
                Opened::Trail(trail) if !stands_at(&trail.file, &trail.path) => {
                    opened = Self::open_with(root, session_id, &mut *events)?;
                }
                _ => break,
            }
        }
        Ok(opened)
    }

    /// The same, where it is known what the journal says of the session.
    pub(in crate::jsonl) fn open_as(
        root: &Root,
        session_id: &str,
        events: Arc<SessionEvents>,
    ) -> Result<Opened> {
        Self::open_with(root, session_id, || Ok((events, None)))
    }

    fn open_with(
        root: &Root,
        session_id: &str,
        events: impl FnOnce() -> Result<(Arc<SessionEvents>, Option<Damage>)>,
    ) -> Result<Opened> {
        let path = root.dir.trail_path(session_id)?;
        let (file, metadata) = match root.dir.open_read(&path)? {
            Found::Nothing => return Ok(Opened::Nothing),
            Found::File(file, metadata) => (file, metadata),
            Found::Unreadable(damage) => return Ok(Opened::Unreadable(damage)),
        };
        let (events, no_journal) = events()?;
        let from = events.first_entry(&file, &path)?;
        Ok(Opened::Trail(Box::new(Self {
            path,
            file,
            metadata,
            from,
            events,
            no_journal,
        })))
    }

    /// Whether it still has what was read before `cursor`.
    pub(in crate::jsonl) fn has_all_before(&self, cursor: &Cursor) -> bool {
        cursor.from == self.from && cursor.fits(&self.file, &self.metadata)
    }

    /// Its name in messages.
    pub(in crate::jsonl) fn place(&self) -> String {
        self.path.display().to_string()
    }
}

/// Calls `visit` for each entry of `session_id`.
pub(in crate::jsonl) fn read_trail(
    root: &Root,
    session_id: &str,
    visit: &mut dyn FnMut(StoredEntry<'_>) -> Result<()>,
) -> Result<Vec<Damage>> {
    let trail = match Trail::open(root, session_id)? {
        Opened::Trail(trail) => trail,
        Opened::Nothing => return Ok(Vec::new()),
        Opened::Unreadable(damage) => return Ok(vec![damage]),
    };
    let place = trail.place();
    let mut is_stopped = false;
    let mut visit = |stored: StoredEntry<'_>| {
        let visited = visit(stored);
        is_stopped = visited.is_err();
        visited
    };
    let mut take = visiting(&mut visit);
    let walked = walk_to_end(&trail.file, trail.from, &place, &mut take);
    drop(take);
    let mut damage = match walked {
        Ok(walked) => walked.damage,
        Err(error) if !is_stopped => vec![unreadable(place, error)?],
        Err(error) => return Err(error),
    };
    damage.extend(trail.no_journal.clone());
    damage.extend(
        trail
            .events
            .quarantined
            .iter()
            .map(|moved| quarantined(root, moved)),
    );
    Ok(damage)
}

/// Calls `visit` for the last `count` entries of `session_id`.
pub(in crate::jsonl) fn read_last(
    root: &Root,
    session_id: &str,
    count: usize,
    visit: &mut dyn FnMut(StoredEntry<'_>) -> Result<()>,
) -> Result<Vec<Damage>> {
    let trail = match Trail::open(root, session_id)? {
        Opened::Trail(trail) => trail,
        Opened::Nothing => return Ok(Vec::new()),
        Opened::Unreadable(damage) => return Ok(vec![damage]),
    };
    let mut wanted = count;
    loop {
        let failed = |error| Error::io("read", &trail.path, error);
        let from = last_records(&trail.file, trail.from.offset, wanted).map_err(failed)?;
        let from = Position {
            offset: from,
            line: 1,
        };
        let mut entries = 0;
        let mut counting = |raw: &[u8], _| Ok(take_entry(raw, |_| entries += 1));
        walk_to_end(&trail.file, from, &trail.place(), &mut counting)?;
        if entries < count && from.offset > trail.from.offset {
            // Some apparent records are damage, or several share one line.
            wanted = wanted.saturating_mul(2).max(wanted + 1);
            continue;
        }
        return visit_last(&trail, from, entries.saturating_sub(count), visit);
    }
}

/// Calls `visit` for each entry from `from` on but the first `passed_over`.
fn visit_last(
    trail: &Trail,
    from: Position,
    mut passed_over: usize,
    visit: &mut dyn FnMut(StoredEntry<'_>) -> Result<()>,
) -> Result<Vec<Damage>> {
    let mut visit = |stored: StoredEntry<'_>| {
        if passed_over > 0 {
            passed_over -= 1;
            return Ok(());
        }
        visit(stored)
    };
    let place = trail.place();
    let mut damage = walk_to_end(&trail.file, from, &place, &mut visiting(&mut visit))?.damage;
    if !damage.is_empty() {
        let before = lines_before(&trail.file, from.offset)
            .map_err(|error| Error::io("read", &trail.path, error))?;
        damage.iter_mut().for_each(|one| one.line += before);
    }
    damage.extend(trail.no_journal.clone());
    Ok(damage)
}

/// Turns an `error`, met while reading at `place`, into damage where it is one: a disk that cannot
/// give a file's bytes hides nothing else.
pub(in crate::jsonl) fn unreadable(place: String, error: Error) -> Result<Damage> {
    match error.kind() {
        ErrorKind::Io => Ok(Damage::of_all(
            place,
            format!("cannot be read: {}", error.innermost()),
        )),
        _ => Err(error),
    }
}

/// Offers each entry to `visit`.
pub(in crate::jsonl) fn visiting<'v>(
    visit: &'v mut dyn FnMut(StoredEntry<'_>) -> Result<()>,
) -> Box<Take<'v>> {
    Box::new(|raw, _| {
        Ok(match StoredEntry::read(raw) {
            Ok(stored) => {
                visit(stored)?;
                Verdict::Taken
            }
            Err(error) => error.into(),
        })
    })
}

fn quarantined(root: &Root, moved: &TailQuarantined) -> Damage {
    Damage {
        place: root.dir.path.join(&moved.quarantine).display().to_string(),
        line: 1,
        bytes: moved.bytes,
        reason: format!(
            "cut short at byte {} of {} and moved here",
            moved.offset, moved.file
        ),
        is_aside: true,
    }
}

/// Calls `visit` for each journal record, of `session_id` if given.
pub(in crate::jsonl) fn read_journal(
    root: &Root,
    session_id: Option<&str>,
    visit: &mut dyn FnMut(JournalRecord) -> Result<()>,
) -> Result<Vec<Damage>> {
    each_record(root, session_id, &mut |raw| {
        let record: JournalRecord = match serde_json::from_slice(raw) {
            Ok(record) => record,
            Err(error) => return Ok(error.into()),
        };
        visit(record)?;
        Ok(Verdict::Taken)
    })
}

/// Calls `visit` with the bytes of each journal record, of `session_id` if given.
pub(in crate::jsonl) fn read_records_raw(
    root: &Root,
    session_id: Option<&str>,
    visit: &mut dyn FnMut(&[u8]) -> Result<()>,
) -> Result<Vec<Damage>> {
    each_record(root, session_id, &mut |raw| {
        visit(raw.trim_ascii())?;
        Ok(Verdict::Taken)
    })
}

/// Calls `take` with the bytes of each record whose format this release knows, of `session_id` if
/// given: those are found by where they stand.
fn each_record(
    root: &Root,
    session_id: Option<&str>,
    take: &mut dyn FnMut(&[u8]) -> Result<Verdict>,
) -> Result<Vec<Damage>> {
    if let Some(session_id) = session_id {
        return each_record_of(root, session_id, take);
    }
    let path = root.dir.journal_path();
    let file = match root.dir.open_read(&path)? {
        Found::File(file, _) => file,
        Found::Nothing => return Ok(Vec::new()),
        Found::Unreadable(damage) => return Ok(vec![damage]),
    };
    let place = path.display().to_string();
    let mut take_known = |raw: &[u8], at| {
        match serde_json::from_slice::<Header<'_>>(raw) {
            Ok(header) => check_version(header.v, at, &place)?,
            Err(error) => {
                // The rest of a newer record may be anything.
                if let Ok(newer) = serde_json::from_slice::<Version>(raw) {
                    check_version(newer.v, at, &place)?;
                }
                return Ok(error.into());
            }
        }
        take(raw)
    };
    Ok(walk_to_end(&file, Position::START, &place, &mut take_known)?.damage)
}

/// The same of `session_id`. What is none to `take` is told as damage beside what is none to all.
fn each_record_of(
    root: &Root,
    session_id: &str,
    take: &mut dyn FnMut(&[u8]) -> Result<Verdict>,
) -> Result<Vec<Damage>> {
    let told = root.records_of(session_id)?;
    let path = root.dir.journal_path();
    let mut damage = Vec::new();
    for record in &told.events {
        let Verdict::Bad(reason) = take(&record.bytes)? else {
            continue;
        };
        let Found::File(file, _) = root.dir.open_read(&path)? else {
            continue;
        };
        let before = lines_before(&file, record.offset);
        damage.push(Damage {
            place: path.display().to_string(),
            line: 1 + before.map_err(|error| Error::io("read", &path, error))?,
            bytes: record.bytes.len() as u64,
            reason,
            is_aside: false,
        });
    }
    damage.extend(told.all_damage());
    damage.sort_by_key(|one| one.line);
    Ok(damage)
}

#[derive(Deserialize)]
struct Version {
    v: u32,
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use super::*;
    use crate::audit::{AuditStore as _, Durability, NewEntry, Recorder, Removal};
    use crate::entry::RecoveryAuditEntry;
    use crate::host::SystemHost;
    use crate::jsonl::dir::Dir;
    use crate::jsonl::io::SystemIo;
    use crate::jsonl::keys::KeyDir;
    use crate::jsonl::{JsonlOptions, JsonlStore};

    #[test]
    fn a_trail_that_is_removed_while_it_is_opened_is_none() {
        let dir = tempfile::tempdir().unwrap();
        let recorder = Recorder::new(Arc::new(SystemHost::new()));
        let root = Root::new(Dir {
            keys: Arc::new(KeyDir::new(dir.path().to_path_buf(), Arc::new(SystemIo))),
            path: dir.path().to_path_buf(),
            io: Arc::new(SystemIo),
            recorder: recorder.clone(),
            durability: Durability::Flush,
            rollup_bytes_min: u64::MAX,
            is_placed: AtomicBool::new(false),
        });
        let store = JsonlStore::open(dir.path(), JsonlOptions::default(), recorder).unwrap();
        let new = || NewEntry {
            entry: RecoveryAuditEntry {
                session_id: "s".to_owned(),
                ..RecoveryAuditEntry::default()
            },
            number_by_store: true,
        };
        let append = || drop(store.append(vec![new()]).unwrap());
        append();
        let open = |is_back: bool| {
            let mut asked = 0;
            Trail::open_settled(&root, "s", &mut || {
                asked += 1;
                if asked == 1 {
                    store.remove("s", &Removal::Cleared)?;
                    if is_back {
                        append();
                    }
                }
                let told = root.told_of("s")?;
                Ok((told.events, told.unreadable))
            })
            .unwrap()
        };
        assert!(matches!(open(false), Opened::Nothing));
        append();
        // The next one of that name is read whole.
        match open(true) {
            Opened::Trail(trail) => {
                assert!(stands_at(&trail.file, &trail.path));
                assert_eq!(trail.from.offset, Position::START.offset);
            }
            _ => panic!("there is another trail"),
        }
    }
}
