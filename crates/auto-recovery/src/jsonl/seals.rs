//! The seals of the store, and its logs as they are sealed and verified.

use std::fs;
use std::io::Read as _;

use super::dir::Found;
use super::leaves::FileLog;
use super::read::lines::{LineReader, Position, ReadAt};
use super::read::sessions::trail_ids;
use super::read::trail::{Opened, Trail, read_trail};
use super::store::JsonlStore;
use super::sums::rollup;
use super::write::batch::Batch;
use super::write::tail::line_start;
use crate::audit::sealing::{LeafLog, Log, SealStore, SealsWanted};
use crate::audit::{AuditStore, Damage, Durability, JournalEvent};
use crate::error::{Error, ErrorKind, Result};
use crate::integrity::Seal;
use crate::statistics::Accumulator;

/// How many of the last bytes hold a few of the newest seals, which have 600 each.
const NEWEST_BYTES: u64 = 8 * 1024;

/// How often sums are compared again because somebody wrote meanwhile.
const RECOUNTS_MAX: u32 = 3;

impl SealStore for JsonlStore {
    fn seals_place(&self) -> String {
        self.root.dir.seals_path().display().to_string()
    }

    fn trail_place(&self, session_id: &str) -> String {
        match self.root.dir.trail_path(session_id) {
            Ok(path) => path.display().to_string(),
            Err(_) => self.url(),
        }
    }

    fn read_seals(
        &self,
        wanted: SealsWanted,
        visit: &mut dyn FnMut(&[u8]) -> Result<()>,
    ) -> Result<()> {
        let path = self.root.dir.seals_path();
        let failed = |error| Error::io("read", &path, error);
        let (file, metadata) = match self.root.dir.open_read(&path)? {
            Found::Nothing => return Ok(()),
            Found::File(file, metadata) => (file, metadata),
            Found::Unreadable(damage) => return Err(unreadable(&damage)),
        };
        let from = match wanted {
            SealsWanted::All => 0,
            SealsWanted::Newest => metadata.len().saturating_sub(NEWEST_BYTES),
        };
        let from = line_start(&file, from).map_err(failed)?;
        let at = Position {
            offset: from,
            line: 1,
        };
        let source = ReadAt::new(&file, from).take(metadata.len() - from);
        let mut lines = LineReader::new(source, at);
        while let Some(line) = lines.next_line().map_err(failed)? {
            if line.ended {
                visit(line.bytes)?;
            }
        }
        Ok(())
    }

    fn settle_seals(&self) -> Result<()> {
        let path = self.root.dir.seals_path();
        let (file, metadata) = match self.root.dir.open_read(&path)? {
            Found::File(file, metadata) => (file, metadata),
            Found::Nothing => return Ok(()),
            Found::Unreadable(damage) => return Err(unreadable(&damage)),
        };
        let whole = line_start(&file, metadata.len());
        if whole.map_err(|error| Error::io("read", &path, error))? < metadata.len() {
            // Whatever is written mends what a cut short write left.
            self.seals.commit(Batch::new())?;
        }
        let synced = self.root.dir.io.sync_data(&file);
        synced.map_err(|error| Error::io("sync", &path, error))
    }

    fn add_seal(&self, _: &Seal, line: &str) -> Result<()> {
        let mut batch = Batch::new();
        batch.push_line(line);
        self.seals.commit(batch)?;
        if self.root.dir.durability == Durability::Flush {
            self.settle_seals()?;
            self.sync_names()?;
        }
        Ok(())
    }

    fn record_head(&self, _: &dyn LeafLog, session_id: &str, event: JournalEvent) -> Result<bool> {
        // Nobody can remove what is held.
        self.record(Some(session_id), event).map(|()| true)
    }

    fn open_log(&self, log: Log<'_>) -> Result<Option<Box<dyn LeafLog + '_>>> {
        let root = &*self.root;
        let (file, path, start, session) = match log {
            Log::Journal => {
                let path = root.dir.journal_path();
                match root.dir.open_read(&path)? {
                    Found::Nothing => return Ok(None),
                    Found::File(file, _) => (file, path, 0, None),
                    Found::Unreadable(damage) => return Err(unreadable(&damage)),
                }
            }
            Log::Trail(session_id) => match Trail::open(root, session_id)? {
                Opened::Nothing => return Ok(None),
                Opened::Trail(trail) => {
                    let trail = *trail;
                    let session = Some(session_id.to_owned());
                    (trail.file, trail.path, trail.from.offset, session)
                }
                Opened::Unreadable(damage) => return Err(unreadable(&damage)),
            },
        };
        Ok(Some(Box::new(FileLog {
            root,
            path,
            file,
            start,
            session,
        })))
    }

    fn trails(&self) -> Result<Vec<String>> {
        let mut sessions = trail_ids(&self.root)?;
        sessions.sort_unstable();
        Ok(sessions)
    }

    fn sync_names(&self) -> Result<()> {
        let dir = &self.root.dir;
        dir.sync_names()
            .map_err(|error| Error::io("sync directory", &dir.path, error))
    }

    fn recount(&self, session_id: &str) -> Result<Option<String>> {
        let Some(name) = rollup::name_of(session_id) else {
            return Ok(None);
        };
        let kept = rollup::dir_of(&self.root.dir)
            .join(name)
            .with_added_extension("json");
        let path = self.root.dir.trail_path(session_id)?;
        let length = || fs::metadata(&path).map(|metadata| metadata.len()).ok();
        if !kept.exists() {
            return Ok(None);
        }
        for _ in 0..RECOUNTS_MAX {
            let before = length();
            let (kept, _) = self.read_statistics(session_id)?;
            let mut sums = Accumulator::default();
            read_trail(&self.root, session_id, &mut |stored| {
                stored.tell(&mut sums);
                Ok(())
            })?;
            let counted = sums.statistics(session_id, kept.session_start.clone());
            if kept == counted {
                return Ok(None);
            }
            if before.is_some() && before == length() {
                return Ok(Some(format!(
                    "kept: {} attempts, {} successful; counted: {}, {}",
                    kept.total_attempts,
                    kept.successful_attempts,
                    counted.total_attempts,
                    counted.successful_attempts
                )));
            }
        }
        Ok(None)
    }
}

fn unreadable(damage: &Damage) -> Error {
    Error::new(ErrorKind::Damaged, damage.to_string())
}
