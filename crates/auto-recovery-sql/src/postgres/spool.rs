//! The place where entries and events wait while the server cannot be reached.
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
//! A segment with a file `maybe_written.json` is of a write whose answer was lost: the file holds
//! the probe that asks the server whether it took effect. The server stores how much of a segment
//! is delivered, in the same transactions as the delivered items.

use std::collections::{HashMap, HashSet};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use auto_recovery::audit::{AuditStore, NewEntry, Recorder};
use auto_recovery::export;
use auto_recovery::files::{
    Links, Purpose, check_own_dir, make_own_dir, open_own, open_regular, read_small, rename_synced,
    sync_dir,
};
use auto_recovery::host::{Host, Wait, new_id};
use auto_recovery::jsonl::{JsonlOptions, JsonlStore};
use auto_recovery::patience::{lock_file, over};
use auto_recovery::{Error, ErrorKind, Result};

use super::group::{Group, Item, Pending};
use super::probe::Probe;
use auto_recovery::mutex::lock;
use auto_recovery::wording::counted;

const PREFIX: &str = "segment";
const SEALED: &str = ".sealed";
const GONE: &str = ".gone";
const DAMAGED: &str = ".damaged";
const PROBE: &str = "maybe_written.json";

/// A question has some 400 bytes, most of them the id of its session.
const PROBE_BYTES_MAX: u64 = 64 * 1024;

/// End of a trail's file name.
const TRAIL_SUFFIX: &str = "_audit.jsonl";

/// Pause between looks at another process's delivery, and their number: 30 s in all.
const LOOK_PAUSE: Duration = Duration::from_millis(50);
const LOOKS_MAX: u32 = 600;

/// The spool of a store.
pub(super) struct Spool {
    dir: PathBuf,
    bytes_max: u64,
    host: Arc<dyn Host>,
    recorder: Arc<Recorder>,
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
    pub(super) fn new(dir: &Path, bytes_max: u64, recorder: Arc<Recorder>) -> Result<Self> {
        let dir = std::path::absolute(dir).map_err(|error| Error::io("find spool", dir, error))?;
        match check_own_dir(&dir, Purpose::State) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(Error::io("use the spool", &dir, error));
            }
            _ => {}
        }
        Ok(Self {
            dir,
            bytes_max,
            host: Arc::clone(recorder.host()),
            recorder,
            current: Mutex::default(),
        })
    }

    /// Its directory.
    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Number of waiting entries, as far as they can be read.
    pub(super) fn waiting(&self) -> u64 {
        let mut waiting = 0;
        for name in self.segments().unwrap_or_default() {
            for file in files(&self.dir.join(name)).unwrap_or_default() {
                let is_trail = file.to_string_lossy().ends_with(TRAIL_SUFFIX);
                waiting += if is_trail { lines_of(&file) } else { 0 };
            }
        }
        waiting
    }

    /// Keeps the items of `group`, durably, and gives them the numbers that the store would give:
    /// those that follow the highest that was `seen` or waits. A `probe` means that the server may
    /// have them already.
    pub(super) fn keep(
        &self,
        group: &mut Group,
        probe: Option<&Probe>,
        seen: &HashMap<String, u64>,
        server: &str,
    ) -> Result<()> {
        let mut current = lock(&self.current);
        let _locked = self.locked()?;
        self.check_room(group, server)?;
        if probe.is_some() {
            self.seal_open(&mut current)?;
        }
        let mut open = self.open(&mut current)?;
        if let Some(probe) = probe {
            self.write_probe(&open.name, probe)?;
        }
        // One to which a write failed is opened anew: what it has, and how that is numbered, is
        // read.
        self.keep_in(&mut open, group, probe.is_some(), seen)?;
        *current = Some(open);
        if probe.is_some() {
            self.seal_open(&mut current)?;
        }
        Ok(())
    }

    fn keep_in(
        &self,
        open: &mut Current,
        group: &mut Group,
        is_numbered: bool,
        seen: &HashMap<String, u64>,
    ) -> Result<()> {
        let mut entries = Vec::new();
        let mut highest: HashMap<String, u64> = HashMap::new();
        for item in &group.items {
            match item {
                Item::Entry(pending) => {
                    entries.push(self.numbered(open, pending, is_numbered, seen, &mut highest)?);
                }
                Item::Record(line) => {
                    let record = line.journal.record();
                    let session_id = record.session_id.as_deref();
                    open.store.record(session_id, record.event.clone())?;
                }
                Item::Stored(_) => {
                    unreachable!("what is taken over is not acknowledged before the server has it")
                }
            }
        }
        let mut appended = open.store.append(entries)?.into_iter();
        for item in &mut group.items {
            if let Item::Entry(pending) = item {
                let one = appended.next().expect("an acknowledgement for each entry");
                pending.recorded.set_number(one.attempt_number);
                let highest = group.highest.entry(one.session_id).or_default();
                *highest = one.attempt_number.max(*highest);
            }
        }
        Ok(())
    }

    /// `pending` as it is given to the segment, whose store numbers what follows the first.
    fn numbered(
        &self,
        open: &mut Current,
        pending: &Pending,
        is_numbered: bool,
        seen: &HashMap<String, u64>,
        highest: &mut HashMap<String, u64>,
    ) -> Result<NewEntry> {
        let mut new = NewEntry {
            entry: pending.recorded.entry().clone(),
            number_by_store: pending.recorded.number_by_store() && !is_numbered,
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
    pub(super) fn is_known(&self, session_id: &str) -> Result<bool> {
        for name in self.segments()? {
            if self.store(&name)?.is_known(session_id)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The highest number of `session_id` that waits.
    pub(super) fn highest(&self, session_id: &str) -> Result<u64> {
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
    pub(super) fn store(&self, name: &str) -> Result<JsonlStore> {
        let path = self.dir.join(name);
        JsonlStore::open(&path, JsonlOptions::default(), Arc::clone(&self.recorder))
    }

    /// The segment to write to: the one that is open, or a new one.
    fn open(&self, current: &mut Option<Current>) -> Result<Current> {
        let names = self.segments()?;
        let is_open = |name: &&String| !name.ends_with(SEALED);
        let mut name = names.iter().rfind(is_open).cloned();
        // The process that began it died before it was sealed. The items now are of another write.
        if name.as_ref().is_some_and(|name| self.has_probe(name)) {
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
    pub(super) fn has_any(&self) -> Result<bool> {
        Ok(!self.segments()?.is_empty())
    }

    /// Waits for the turn to deliver. It ends when what is returned is dropped.
    pub(super) fn turn(&self) -> Result<File> {
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
    pub(super) fn sealed(&self) -> Result<Vec<String>> {
        let mut current = lock(&self.current);
        let _locked = self.locked()?;
        self.seal_open(&mut current)?;
        for name in names(&self.dir)?.filter(|name| name.ends_with(GONE)) {
            self.delete(&name)?;
        }
        self.segments()
    }

    fn has_probe(&self, name: &str) -> bool {
        self.dir.join(name).join(PROBE).exists()
    }

    /// The probe that finds out whether the server has a segment already; `None` if that is not in
    /// doubt.
    ///
    /// # Errors
    /// [`ErrorKind::Damaged`] if that cannot be read any more.
    pub(super) fn probe(&self, name: &str) -> Result<Option<Probe>> {
        let path = self.dir.join(name).join(PROBE);
        let text = match read_small(&path, Links::Refuse, PROBE_BYTES_MAX) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Error::io("read", &path, error)),
        };
        serde_json::from_slice(&text).map(Some).map_err(|error| {
            Error::new(ErrorKind::Damaged, format!("read {}", path.display())).with_source(error)
        })
    }

    /// Removes a segment that is delivered.
    pub(super) fn remove(&self, name: &str) -> Result<()> {
        let gone = format!("{name}{GONE}");
        self.rename(name, &gone)?;
        self.delete(&gone)
    }

    /// Sets a segment aside that is delivered as far as it could be read. Returns where it is.
    pub(super) fn set_aside(&self, name: &str) -> Result<PathBuf> {
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

    fn write_probe(&self, name: &str, probe: &Probe) -> Result<()> {
        let dir = self.dir.join(name);
        make_dir(&dir)?;
        let text = serde_json::to_vec(probe).expect("numbers and texts");
        let path = dir.join(PROBE);
        // Whole or not at all: half a question could not be asked.
        export::replace(&path, &mut |file| {
            file.write_all(&text)
                .map_err(|error| Error::io("write", &path, error))
        })?;
        sync_dir(&self.dir).map_err(|error| Error::io("sync directory", &self.dir, error))
    }

    /// Keeps others from writing until what is returned is dropped.
    fn locked(&self) -> Result<File> {
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

    fn check_room(&self, group: &Group, server: &str) -> Result<()> {
        let coming: usize = group.items.iter().map(size_of_item).sum();
        let mut bytes = coming as u64;
        for name in self.segments()? {
            for file in files(&self.dir.join(name))? {
                bytes += fs::symlink_metadata(file).map_or(0, |metadata| metadata.len());
            }
        }
        if bytes <= self.bytes_max {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::NoSpace,
            format!(
                "the spool {} is full: it keeps {} and may have {} bytes. Bring PostgreSQL at {server} back, \
                 or allow the spool more",
                self.dir.display(),
                counted(self.waiting(), "entry"),
                self.bytes_max
            ),
        ))
    }
}

fn size_of_item(item: &Item) -> usize {
    match item {
        Item::Entry(pending) => pending.recorded.text().len() + 1,
        Item::Record(line) => line.journal.json().len() + 1,
        Item::Stored(_) => 0,
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
