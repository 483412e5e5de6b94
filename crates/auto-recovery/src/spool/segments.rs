//! The segments of a spool, and the processes that write to them and deliver them.
//!
//! The spool is a directory (mode 0700) of segments, each a JSONL store: `recover --store
//! jsonl:SEGMENT` shows what waits. Their names are in the order in which they began.
//!
//! - `segment_<id>` is written to, by every process that shares the spool, one at a time under
//!   `lock`.
//! - `segment_<id>.sealed` is complete, and delivered by the process that holds `delivering`.
//! - `segment_<id>.gone` is delivered, and being deleted; `.damaged` has something that could not
//!   be read.
//!
//! What is written to them is made already: nothing is masked or encrypted a second time.
//! `keys` has the keys for encrypted texts in them, as far as the server lacks them.
//!
//! A segment with a file `maybe_written.json` is of a write whose answer was lost: the file holds
//! what the store noted to find out whether it took effect.

use std::collections::{HashMap, HashSet};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::audit::{AuditStore, JournalLine, NewEntry, RecordedEntry, Recorder};
use crate::error::{Error, ErrorKind, Result};
use crate::export;
use crate::files::{
    Links, Purpose, check_own_dir, make_own_dir, open_own, open_regular, read_small, rename_synced,
    sync_dir,
};
use crate::host::{Host, Wait, new_id};
use crate::jsonl::{JsonlOptions, JsonlStore, KeyDir, SystemIo};
use crate::mutex::lock;
use crate::patience::{lock_file, over};
use crate::wording::counted;

const PREFIX: &str = "segment";
const SEALED: &str = ".sealed";
const GONE: &str = ".gone";
const DAMAGED: &str = ".damaged";
const NOTE: &str = "maybe_written.json";

/// A note has some 400 bytes, most of them the id of a session.
const NOTE_BYTES_MAX: u64 = 64 * 1024;

/// End of a trail's file name.
const TRAIL_SUFFIX: &str = "_audit.jsonl";

/// Pause between looks at another process's delivery, and their number: 30 s in all.
const LOOK_PAUSE: Duration = Duration::from_millis(50);
const LOOKS_MAX: u32 = 600;

/// Something that is to wait, complete but for a number.
pub enum Waiting<'i> {
    /// An entry.
    Entry(&'i mut RecordedEntry),
    /// A record of the journal.
    Record(&'i JournalLine),
}

impl Waiting<'_> {
    fn bytes(&self) -> usize {
        match self {
            Self::Entry(entry) => entry.text().len() + 1,
            Self::Record(line) => line.json().len() + 1,
        }
    }
}

/// The spool of a store.
pub struct Spool {
    dir: PathBuf,
    bytes_max: u64,
    host: Arc<dyn Host>,
    /// Of the segments.
    recorder: Arc<Recorder>,
    pub(super) keys: KeyDir,
    current: Mutex<Option<Current>>,
}

/// The segment that this process wrote to last.
struct Current {
    name: String,
    store: JsonlStore,
    /// Sessions that this process wrote to here: the store knows their next numbers.
    begun: HashSet<String>,
}

impl Spool {
    /// The spool in `dir`, which is made when it is needed.
    ///
    /// # Errors
    /// If it is there and not the user's own.
    pub fn new(dir: &Path, bytes_max: u64, host: &Arc<dyn Host>) -> Result<Self> {
        let dir = std::path::absolute(dir).map_err(|error| Error::io("find spool", dir, error))?;
        match check_own_dir(&dir, Purpose::State) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(Error::io("use the spool", &dir, error));
            }
            _ => {}
        }
        Ok(Self {
            keys: KeyDir::new(dir.clone(), Arc::new(SystemIo)),
            dir,
            bytes_max,
            host: Arc::clone(host),
            recorder: Recorder::of_made(Arc::clone(host)),
            current: Mutex::default(),
        })
    }

    /// Its directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Number of waiting entries, as far as they can be read.
    pub fn waiting(&self) -> u64 {
        let mut waiting = 0;
        for name in self.segments().unwrap_or_default() {
            for file in files(&self.dir.join(name)).unwrap_or_default() {
                let is_trail = file.to_string_lossy().ends_with(TRAIL_SUFFIX);
                waiting += if is_trail { lines_of(&file) } else { 0 };
            }
        }
        waiting
    }

    /// Keeps `items`, durably, and gives entries the numbers that the store would give: those that
    /// follow the highest that was `seen` or waits. A `note` means that the server may have them
    /// already, and helps to find that out. Returns the highest number of each session among them.
    ///
    /// # Errors
    /// [`ErrorKind::NoSpace`] if the spool is full, which says that `server` is to come back;
    /// otherwise if it cannot be written.
    pub fn keep(
        &self,
        items: &mut [Waiting<'_>],
        note: Option<&[u8]>,
        seen: &HashMap<String, u64>,
        server: &str,
    ) -> Result<HashMap<String, u64>> {
        let mut current = lock(&self.current);
        let _locked = self.locked()?;
        self.check_room(items.iter().map(Waiting::bytes).sum(), server)?;
        if note.is_some() {
            self.seal_open(&mut current)?;
        }
        let mut open = self.open(&mut current)?;
        if let Some(note) = note {
            self.write_note(&open.name, note)?;
        }
        // One to which a write failed is opened anew: what it has, and how that is numbered, is
        // read.
        let highest = self.keep_in(&mut open, items, note.is_some(), seen)?;
        *current = Some(open);
        if note.is_some() {
            self.seal_open(&mut current)?;
        }
        Ok(highest)
    }

    fn keep_in(
        &self,
        open: &mut Current,
        items: &mut [Waiting<'_>],
        is_numbered: bool,
        seen: &HashMap<String, u64>,
    ) -> Result<HashMap<String, u64>> {
        let mut entries = Vec::new();
        let mut highest: HashMap<String, u64> = HashMap::new();
        for item in &*items {
            match item {
                Waiting::Entry(recorded) => {
                    entries.push(self.numbered(open, recorded, is_numbered, seen, &mut highest)?);
                }
                Waiting::Record(line) => open.store.keep_record(line)?,
            }
        }
        let mut appended = open.store.append(entries)?.into_iter();
        let mut given: HashMap<String, u64> = HashMap::new();
        for item in items {
            if let Waiting::Entry(recorded) = item {
                let one = appended.next().expect("an acknowledgement for each entry");
                recorded.set_number(one.attempt_number);
                let highest = given.entry(one.session_id).or_default();
                *highest = one.attempt_number.max(*highest);
            }
        }
        Ok(given)
    }

    /// `recorded` as it is given to the segment, whose store numbers what follows the first.
    fn numbered(
        &self,
        open: &mut Current,
        recorded: &RecordedEntry,
        is_numbered: bool,
        seen: &HashMap<String, u64>,
        highest: &mut HashMap<String, u64>,
    ) -> Result<NewEntry> {
        let mut new = NewEntry {
            entry: recorded.entry().clone(),
            number_by_store: recorded.number_by_store() && !is_numbered,
        };
        let session_id = new.entry.session_id.clone();
        if new.number_by_store && !open.begun.contains(&session_id) {
            let before = seen.get(&session_id).copied().unwrap_or(0);
            let in_call = highest.get(&session_id).copied().unwrap_or(0);
            let last = before.max(in_call).max(self.highest(&session_id)?);
            new.entry.attempt_number = last.saturating_add(1);
            new.number_by_store = false;
            open.begun.insert(session_id.clone());
        }
        if !new.number_by_store {
            let highest = highest.entry(session_id).or_default();
            *highest = new.entry.attempt_number.max(*highest);
        }
        Ok(new)
    }

    /// Whether something of `session_id` waits.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn is_known(&self, session_id: &str) -> Result<bool> {
        for name in self.segments()? {
            if self.store(&name)?.is_known(session_id)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The highest number of `session_id` that waits.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn highest(&self, session_id: &str) -> Result<u64> {
        let mut highest = 0;
        for name in self.segments()? {
            self.store(&name)?.read_trail(session_id, &mut |stored| {
                highest = stored.attempt_number().max(highest);
                Ok(())
            })?;
        }
        Ok(highest)
    }

    /// A segment as a store.
    ///
    /// # Errors
    /// If it cannot be opened.
    pub fn store(&self, name: &str) -> Result<JsonlStore> {
        let path = self.dir.join(name);
        JsonlStore::open(&path, JsonlOptions::default(), Arc::clone(&self.recorder))
    }

    /// The segment to write to: the one that is open, or a new one.
    fn open(&self, current: &mut Option<Current>) -> Result<Current> {
        let names = self.segments()?;
        let is_open = |name: &&String| !name.ends_with(SEALED);
        let mut name = names.iter().rfind(is_open).cloned();
        // The process that began it died before it was sealed. The items now are of another write.
        if name.as_ref().is_some_and(|name| self.has_note(name)) {
            self.seal_open(current)?;
            name = None;
        }
        match (current.take(), name) {
            (Some(current), Some(name)) if current.name == name => Ok(current),
            (_, name) => {
                let name = name.unwrap_or_else(|| new_id(PREFIX));
                Ok(Current {
                    store: self.store(&name)?,
                    name,
                    begun: HashSet::new(),
                })
            }
        }
    }

    /// Seals what is written to. The caller holds the lock.
    fn seal_open(&self, current: &mut Option<Current>) -> Result<()> {
        *current = None;
        for name in self.segments()? {
            if !name.ends_with(SEALED) {
                self.rename(&name, &format!("{name}{SEALED}"))?;
            }
        }
        Ok(())
    }

    /// Whether anything waits.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn has_any(&self) -> Result<bool> {
        Ok(!self.segments()?.is_empty() || self.has_keys()?)
    }

    /// Whether anything may wait: what cannot be read may be something.
    pub fn may_have_any(&self) -> bool {
        self.has_any().unwrap_or(true)
    }

    /// Waits for the turn to deliver. It ends when what is returned is dropped.
    ///
    /// # Errors
    /// [`ErrorKind::Busy`] if another process takes too long; otherwise if it cannot be locked.
    pub fn turn(&self) -> Result<File> {
        let file = self.open_file("delivering")?;
        for _ in 0..LOOKS_MAX {
            if file.try_lock().is_ok() {
                return Ok(file);
            }
            if over(&*self.host).is_some() || self.host.sleep(LOOK_PAUSE) == Wait::Interrupted {
                break;
            }
        }
        Err(Error::new(
            ErrorKind::Busy,
            format!(
                "the spool {} is being delivered by another process: wait for it",
                self.dir.display()
            ),
        ))
    }

    /// Seals what is there, and returns the names of all, the oldest first. The caller has the
    /// turn.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn sealed(&self) -> Result<Vec<String>> {
        let mut current = lock(&self.current);
        let _locked = self.locked()?;
        self.seal_open(&mut current)?;
        for name in names(&self.dir)?.filter(|name| name.ends_with(GONE)) {
            self.delete(&name)?;
        }
        self.segments()
    }

    fn has_note(&self, name: &str) -> bool {
        self.dir.join(name).join(NOTE).exists()
    }

    /// The note with a segment that the server may have already; `None` if that is not in doubt.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn note(&self, name: &str) -> Result<Option<Vec<u8>>> {
        let path = self.dir.join(name).join(NOTE);
        match read_small(&path, Links::Refuse, NOTE_BYTES_MAX) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Error::io("read", &path, error)),
        }
    }

    /// Removes a segment that is delivered.
    ///
    /// # Errors
    /// If it cannot be removed.
    pub fn remove(&self, name: &str) -> Result<()> {
        let gone = format!("{name}{GONE}");
        self.rename(name, &gone)?;
        self.delete(&gone)
    }

    /// Sets a segment aside that is delivered as far as it could be read. Returns where it is.
    ///
    /// # Errors
    /// If it cannot be renamed.
    pub fn set_aside(&self, name: &str) -> Result<PathBuf> {
        let aside = format!("{name}{DAMAGED}");
        self.rename(name, &aside)?;
        Ok(self.dir.join(aside))
    }

    fn delete(&self, name: &str) -> Result<()> {
        let path = self.dir.join(name);
        match fs::remove_dir_all(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(Error::io("remove", &path, error))
            }
            _ => Ok(()),
        }
    }

    fn rename(&self, from: &str, to: &str) -> Result<()> {
        let (from, to) = (self.dir.join(from), self.dir.join(to));
        rename_synced(&from, &to).map_err(|error| Error::io("rename", &from, error))
    }

    fn write_note(&self, name: &str, note: &[u8]) -> Result<()> {
        let dir = self.dir.join(name);
        make_dir(&dir)?;
        let path = dir.join(NOTE);
        // Whole or not at all: half a note is of no use.
        export::replace(&path, &mut |file| {
            file.write_all(note)
                .map_err(|error| Error::io("write", &path, error))
        })?;
        sync_dir(&self.dir).map_err(|error| Error::io("sync directory", &self.dir, error))
    }

    /// Keeps others from writing until what is returned is dropped.
    pub(super) fn locked(&self) -> Result<File> {
        let file = self.open_file("lock")?;
        let path = self.dir.join("lock");
        lock_file(&*self.host, &path, &file, &mut || Ok(file.try_lock()?))?;
        Ok(file)
    }

    fn open_file(&self, name: &str) -> Result<File> {
        make_dir(&self.dir)?;
        let path = self.dir.join(name);
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false);
        open_own(&path, &mut options).map_err(|error| Error::io("open", &path, error))
    }

    /// The names of the segments that wait, the oldest first.
    fn segments(&self) -> Result<Vec<String>> {
        let waits = |name: &String| {
            name.starts_with(PREFIX) && !name.ends_with(GONE) && !name.ends_with(DAMAGED)
        };
        let mut waiting: Vec<String> = names(&self.dir)?.filter(waits).collect();
        waiting.sort_unstable();
        Ok(waiting)
    }

    /// Makes sure that there is room for as many bytes as are `coming`.
    pub(super) fn check_room(&self, coming: usize, server: &str) -> Result<()> {
        let mut bytes = coming as u64;
        let segments = self.segments()?.into_iter();
        let segments = segments.map(|name| self.dir.join(name));
        for dir in segments.chain([self.keys.dir()]) {
            for file in files(&dir)? {
                bytes += fs::symlink_metadata(file).map_or(0, |metadata| metadata.len());
            }
        }
        if bytes <= self.bytes_max {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::NoSpace,
            format!(
                "the spool {} is full: it keeps {} and may have {} bytes. Bring {server} back, \
                 or allow the spool more",
                self.dir.display(),
                counted(self.waiting(), "entry"),
                self.bytes_max
            ),
        ))
    }
}

/// Number of lines of the trail in `file`, as far as it can be read.
fn lines_of(file: &Path) -> u64 {
    let Ok(mut file) = open_regular(file, Links::Refuse) else {
        return 0;
    };
    let mut block = vec![0; 64 * 1024];
    let mut lines = 0;
    while let Ok(count @ 1..) = file.read(&mut block) {
        lines += block[..count].iter().filter(|byte| **byte == b'\n').count() as u64;
    }
    lines
}

/// The names in `dir`; none if there is no such directory.
fn names(dir: &Path) -> Result<impl Iterator<Item = String>> {
    let mut names = Vec::new();
    match fs::read_dir(dir) {
        Ok(found) => {
            for name in found {
                let name = name.map_err(|error| Error::io("list", dir, error))?;
                names.push(name.file_name().to_string_lossy().into_owned());
            }
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(Error::io("list", dir, error)),
    }
    Ok(names.into_iter())
}

fn files(dir: &Path) -> Result<Vec<PathBuf>> {
    Ok(names(dir)?.map(|name| dir.join(name)).collect())
}

fn make_dir(dir: &Path) -> Result<()> {
    make_own_dir(dir, Path::new(""), Purpose::State)
        .map(drop)
        .map_err(|error| Error::io("use the spool", dir, error))
}
