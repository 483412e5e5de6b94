//! Following a store of files: what its files look like, beside what they looked like.
//!
//! For trails, only names and sizes are compared; the journal's new records are read, for they name
//! sessions that have no trail.

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::io;
use std::sync::Arc;

use super::dir::Found;
use super::read::backwards::last_records;
use super::read::lines::Position;
use super::read::records::{Verdict, walk};
use super::read::session_events::Header;
use super::read::sessions::trail_ids;
use super::root::Root;
use super::sums::cursor::Cursor;
use crate::audit::{Followed, Follower, Polling};
use crate::error::{Error, Result};
use crate::files::Stamp;

/// A follower of the store in `root`.
pub(super) fn follower(root: &Arc<Root>) -> Box<dyn Follower> {
    let host = Arc::clone(root.dir.recorder.host());
    let root = Arc::clone(root);
    let mut watched = Watched::default();
    Box::new(Polling::new(host, move || watched.look(&root)))
}

/// The files as they were at the last look.
#[derive(Default)]
struct Watched {
    /// `None` before the first look.
    journal: Option<WatchedJournal>,
    trails: HashMap<String, Stamp>,
}

/// The journal as it was, and the end of the records that were reported; the default is that of no
/// journal.
#[derive(Default)]
struct WatchedJournal(Option<(Stamp, Cursor)>);

impl Watched {
    /// Returns the changes since the last look.
    fn look(&mut self, root: &Root) -> Result<Followed> {
        let mut sessions = BTreeSet::new();
        let mut has_missed = false;
        match &mut self.journal {
            Some(journal) => has_missed = !journal.read_on(root, &mut sessions)?,
            None => self.journal = Some(WatchedJournal::at_end(root)?),
        }
        let trails = stamps(root)?;
        let changed = |id: &&String| self.trails.get(*id) != trails.get(*id);
        let known = self.trails.keys().chain(trails.keys());
        sessions.extend(known.filter(changed).cloned());
        self.trails = trails;
        Ok(match has_missed {
            true => Followed::Anything,
            false => Followed::of_sessions(sessions),
        })
    }
}

/// The stamps of all trails.
fn stamps(root: &Root) -> Result<HashMap<String, Stamp>> {
    let mut stamps = HashMap::new();
    for id in trail_ids(root)? {
        let path = root.dir.trail_path(&id)?;
        match fs::symlink_metadata(&path) {
            Ok(metadata) => drop(stamps.insert(id, Stamp::of(&metadata))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(Error::io("look at", &path, error)),
        }
    }
    Ok(stamps)
}

impl WatchedJournal {
    /// The journal up to its present end, nothing of it reported. Its last record may still be
    /// being written.
    fn at_end(root: &Root) -> Result<Self> {
        let path = root.dir.journal_path();
        let Found::File(file, metadata) = root.dir.open_read(&path)? else {
            return Ok(Self::default());
        };
        let offset = last_records(&file, 0, 1).map_err(|error| Error::io("read", &path, error))?;
        let mut cursor = Cursor::new(&metadata, Position { offset, line: 1 });
        let walked = walk(
            &file,
            cursor.at,
            &path.display().to_string(),
            &mut |_, _| Ok(Verdict::Taken),
        )?;
        let is_known = cursor.advance(&file, &walked);
        Ok(Self(is_known.then(|| (Stamp::of(&metadata), cursor))))
    }

    /// Adds to `sessions` those that were recorded since. Returns whether these are all: they are
    /// not if the journal is another, or changes under the reader.
    fn read_on(&mut self, root: &Root, sessions: &mut BTreeSet<String>) -> Result<bool> {
        let path = root.dir.journal_path();
        if let Some((known, _)) = &self.0
            && fs::symlink_metadata(&path).is_ok_and(|now| Stamp::of(&now) == *known)
        {
            return Ok(true);
        }
        let Found::File(file, metadata) = root.dir.open_read(&path)? else {
            return Ok(self.0.take().is_none());
        };
        let stamp = Stamp::of(&metadata);
        let mut cursor = match self.0.take() {
            Some((_, cursor)) if cursor.fits(&file, &metadata) => cursor,
            Some(_) => {
                *self = Self::at_end(root)?;
                return Ok(false);
            }
            None => Cursor::new(&metadata, Position::START),
        };
        let mut take = |record: &[u8], _| {
            if let Ok(header) = serde_json::from_slice::<Header<'_>>(record) {
                sessions.extend(header.session(record).map(String::from));
            }
            Ok(Verdict::Taken)
        };
        let walked = walk(&file, cursor.at, &path.display().to_string(), &mut take)?;
        let is_known = cursor.advance(&file, &walked);
        self.0 = is_known.then_some((stamp, cursor));
        Ok(is_known)
    }
}
