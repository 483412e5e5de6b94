//! Removing a session: the journal says so, then the trail goes.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use super::dir::{metadata_of, opened};
use super::leaves::FileLog;
use super::read::lines::Position;
use super::read::records::{take_entry, walk};
use super::read::session_events::{SessionEvents, head};
use super::read::sessions::tallied;
use super::root::Root;
use super::sums::rollup;
use super::write::appender::Appender;
use super::write::tail::{End, Records, TORN_INFIX, file_name, inspect};
use crate::audit::encrypting::KeyStore as _;
use crate::audit::sealing::LeafLog as _;
use crate::audit::{
    Digester, Durability, JournalEvent, Removal, Removed, SessionCleared, TrailDigest, TrailRemoved,
};
use crate::error::{Error, Result};
use crate::files::FileId;
use crate::integrity::Range;
use crate::statistics::Tally;

/// Removes the trail of `session_id` if `removal` allows it.
pub(super) fn remove(
    root: &Root,
    journal: &Appender,
    session_id: &str,
    removal: &Removal,
) -> Result<Removed> {
    let path = root.dir.trail_path(session_id)?;
    let file = open_locked(root, &path)?;
    let events = root.events(session_id)?;
    if let Some(held) = &events.facts.held {
        return Ok(Removed::Held(held.clone()));
    }
    let trail = match &file {
        Some(file) => describe(root, file, &path, &events)?,
        None => None,
    };
    let was_there = trail.is_some() || events.facts.first_at.is_some();
    if was_there
        && let Some(expected) = removal.expected()
        && *expected != digest(file.as_ref(), &path, &events)?
    {
        return Ok(Removed::Changed);
    }
    // Looking at a long trail takes a while, in which somebody may have wanted it kept.
    if let Some(held) = &root.events(session_id)?.facts.held {
        return Ok(Removed::Held(held.clone()));
    }
    let trail_head = match &trail {
        Some(trail) => Some(trail.trail_head.clone()),
        None => events.cleared_head(),
    };
    let mut trail = trail.unwrap_or_default();
    let entries = trail.entries;
    let keys = root.dir.keys.count(session_id)?;
    trail.keys = (keys > 0).then_some(keys);
    if was_there {
        record(root, journal, Some(session_id), removal.event(trail))?;
    }
    // Texts whose key is gone are gone, wherever copies of the trail are.
    root.dir.keys.destroy_keys(session_id)?;
    if file.is_some() {
        remove_trail(root, &path)?;
        if let Some(name) = rollup::name_of(session_id) {
            rollup::remove(&root.dir, &name);
        }
        forget(root, journal, &path, trail_head);
    }
    // Closing the file unlocks it, and only then may its inode become another's.
    drop(file);
    Ok(match was_there {
        true => Removed::Gone { entries },
        false => Removed::Unknown,
    })
}

/// The digest of the entries in `file`.
fn digest(file: Option<&File>, path: &Path, events: &SessionEvents) -> Result<TrailDigest> {
    let mut digester = Digester::default();
    if let Some(file) = file {
        let from = events.first_entry(file, path)?;
        let place = path.display().to_string();
        walk(file, from, &place, &mut |raw, _| {
            Ok(take_entry(raw, |stored| digester.push(stored.raw())))
        })?;
    }
    Ok(digester.finish())
}

fn record(
    root: &Root,
    journal: &Appender,
    session_id: Option<&str>,
    event: JournalEvent,
) -> Result<()> {
    journal.commit_record(&root.dir.recorder.record(session_id, event)?)
}

/// Records that the trail is gone: what has its name from now on is another, even if it is the same
/// to the byte, as when a trail is imported again.
fn forget(root: &Root, journal: &Appender, path: &Path, trail_head: Option<String>) {
    let Some(trail_head) = trail_head else {
        return;
    };
    let removed = TrailRemoved {
        file: file_name(path),
        trail_head,
    };
    // If this cannot be written, the inode and the time it was made still tell the two apart.
    drop(record(
        root,
        journal,
        None,
        JournalEvent::TrailRemoved(removed),
    ));
}

/// The trail, locked; `None` if there is none.
fn open_locked(root: &Root, path: &Path) -> Result<Option<File>> {
    loop {
        let file = match root.dir.io.open_existing(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            failed => opened(path, failed)?,
        };
        let id = FileId::of(&metadata_of(&file, path)?);
        root.dir.lock(&file, path)?;
        match fs::symlink_metadata(path) {
            Ok(metadata) if FileId::of(&metadata) == id => return Ok(Some(file)),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Error::io("look at", path, error)),
        }
    }
}

/// What is about to go; `None` if all of it was cleared before, and only the file is left.
fn describe(
    root: &Root,
    file: &File,
    path: &Path,
    events: &SessionEvents,
) -> Result<Option<SessionCleared>> {
    let length = make_whole(root, file, path)?;
    // Somebody may have written it and died before syncing. If a power cut tore what is about to be
    // recorded as cleared, the repair would change it, and what readers know it by.
    if root.dir.durability == Durability::Sync {
        root.dir
            .io
            .sync_data(file)
            .map_err(|error| Error::io("sync", path, error))?;
    }
    let from = events.first_entry(file, path)?;
    let mut tally = Tally::default();
    let place = path.display().to_string();
    let walked = walk(file, from, &place, &mut |raw, _| {
        Ok(tallied(&mut tally, raw))
    })?;
    if from != Position::START && from.offset == length {
        return Ok(None);
    }
    let leaves = leaves(root, file, path, (from.offset, length))?;
    let cleared = SessionCleared {
        entries: tally.total,
        first_timestamp: tally.first_timestamp,
        last_timestamp: tally.last_timestamp,
        trail_bytes: length,
        trail_lines: walked.end.line - 1,
        trail_head: head(file, length).map_err(|error| Error::io("read", path, error))?,
        ..SessionCleared::default()
    };
    Ok(Some(cleared.with_head(&leaves)))
}

/// The leaves of `file` between these offsets.
fn leaves(root: &Root, file: &File, path: &Path, (from, to): (u64, u64)) -> Result<Range> {
    let failed = |error| Error::io("read", path, error);
    let log = FileLog {
        root,
        path: path.to_owned(),
        file: file.try_clone().map_err(failed)?,
        start: from,
        session: None,
    };
    let mut range = Range::default();
    log.read(from, to, &mut |leaf| {
        range.push(leaf);
        Ok(())
    })?;
    Ok(range)
}

/// Makes `file` end with a whole line, so that no later repair changes what was cleared. Returns
/// its length.
fn make_whole(root: &Root, file: &File, path: &Path) -> Result<u64> {
    loop {
        let length = metadata_of(file, path)?.len();
        let done = match inspect(file, length, Records::Entries) {
            Ok(End::Whole) => return Ok(length),
            // The bytes go with the rest: there is nothing to save.
            Ok(End::Torn(at)) => root.dir.io.truncate(file, at),
            Ok(End::Unended) => root.dir.io.write(file, b"\n").map(drop),
            Err(error) => Err(error),
        };
        done.map_err(|error| Error::io("mend the end of", path, error))?;
    }
}

/// Removes a trail and what was torn off it.
fn remove_trail(root: &Root, path: &Path) -> Result<()> {
    let mut torn = path.file_name().unwrap_or_default().to_owned();
    torn.push(TORN_INFIX);
    let unreadable = |error| Error::io("list", &root.dir.path, error);
    for name in fs::read_dir(&root.dir.path).map_err(unreadable)? {
        let name = name.map_err(unreadable)?.file_name();
        if name.as_encoded_bytes().starts_with(torn.as_encoded_bytes()) {
            remove_file(root, &root.dir.path.join(name))?;
        }
    }
    remove_file(root, path)?;
    if root.dir.durability == Durability::Sync {
        root.dir
            .io
            .sync_dir(&root.dir.path)
            .map_err(|error| Error::io("sync directory", &root.dir.path, error))?;
    }
    Ok(())
}

fn remove_file(root: &Root, path: &Path) -> Result<()> {
    match root.dir.io.remove(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(Error::io("remove", path, error))
        }
        _ => Ok(()),
    }
}
