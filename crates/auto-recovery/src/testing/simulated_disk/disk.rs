//! The disk: does every operation for real, and keeps account of its durable part.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard};

use super::super::faulty_io::Operation;
use super::super::random::Random;
use super::contents::Contents;
use super::names::{Named, Names};
use crate::jsonl::{FileIo, SystemIo};
use crate::mutex;

/// The error of every operation after the disk stopped.
const STOPPED_ERRNO: i32 = libc::EIO;

/// A moment in the life of a disk.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// The operation it is before, from 0.
    pub operation: u64,
    /// Set if it is inside of that operation: its effect is under way, and durable or not like
    /// anything that was not synced; a sync has made nothing durable yet.
    pub inside: bool,
}

/// A disk whose power can fail, in a directory of its own.
#[derive(Debug)]
pub struct SimulatedDisk {
    /// The directory of its files.
    root: PathBuf,
    /// A link to every file that may still be found after a power cut, so that it is the same file
    /// then: a store knows it by its number and birth time, among others.
    vault: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    files: Vec<Contents>,
    /// The number of each file that has a name or is open, by inode.
    by_inode: HashMap<u64, usize>,
    names: Names,
    operations: u64,
    stop_at: Option<Moment>,
    stopped: bool,
    left_out: Option<Operation>,
}

impl SimulatedDisk {
    /// An empty disk in `base`, which exists and holds nothing.
    ///
    /// # Errors
    /// If directories cannot be made there.
    pub fn new(base: &Path) -> io::Result<Self> {
        let disk = Self {
            root: base.join("disk"),
            vault: base.join("vault"),
            state: Mutex::default(),
        };
        fs::create_dir(&disk.root)?;
        fs::create_dir(&disk.vault)?;
        Ok(disk)
    }

    /// The directory of its files.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Acknowledges every `operation` from now on without doing it. For syncs only: by this a test
    /// shows that it would notice.
    pub fn leave_out(&self, operation: Operation) {
        self.state().left_out = Some(operation);
    }

    /// Stops everything at `moment`: that operation fails, and all after it.
    pub fn stop_at(&self, moment: Moment) {
        self.state().stop_at = Some(moment);
    }

    /// Number of operations so far.
    pub fn operations(&self) -> u64 {
        self.state().operations
    }

    /// Stops everything now, unless it has stopped already.
    pub fn stop(&self) {
        self.state().stopped = true;
    }

    /// Continues as if only the process had died: the next one finds everything as it was left,
    /// durable or not.
    pub fn start_next_process(&self) {
        let mut state = self.state();
        state.stopped = false;
        state.stop_at = None;
        state.operations = 0;
    }

    /// Turns the directory into one of the states that may be found after a power cut. Each seed
    /// gives one, and the next call another of the same moment.
    ///
    /// # Errors
    /// If files cannot be written.
    pub fn power_cut(&self, seed: u64) -> io::Result<()> {
        let mut random = Random::new(seed);
        let state = self.state();
        for entry in fs::read_dir(&self.root)? {
            self.keep_files(&state, &entry?.path())?;
        }
        fs::remove_dir_all(&self.root)?;
        fs::create_dir(&self.root)?;
        for (path, named) in state.names.after_power_cut(&mut random) {
            match named {
                Named::Nothing => {}
                Named::Directory => SystemIo.make_dir(&path)?,
                Named::File(number) => {
                    let kept = self.vault.join(number.to_string());
                    let contents = state.files[number].after_power_cut(&mut random);
                    fs::write(&kept, contents)?;
                    fs::hard_link(&kept, &path)?;
                }
            }
        }
        Ok(())
    }

    /// Continues after a restart of the machine: all that is there now is durable.
    ///
    /// # Errors
    /// If files cannot be read.
    pub fn settle(&self) -> io::Result<()> {
        let mut state = self.state();
        let left_out = state.left_out;
        *state = State::default();
        state.left_out = left_out;
        fs::remove_dir_all(&self.vault)?;
        fs::create_dir(&self.vault)?;
        let mut left = vec![self.root.clone()];
        while let Some(directory) = left.pop() {
            for entry in fs::read_dir(directory)? {
                let (path, metadata) = entry.and_then(|one| Ok((one.path(), one.metadata()?)))?;
                if metadata.is_dir() {
                    state.names.insert(&path, Named::Directory);
                    left.push(path);
                } else {
                    let number = state.add(metadata.ino(), Contents::of(fs::read(&path)?));
                    state.names.insert(&path, Named::File(number));
                }
            }
        }
        Ok(())
    }

    /// Keeps a link to each file at or below `path` that the disk knows.
    fn keep_files(&self, state: &State, path: &Path) -> io::Result<()> {
        let metadata = fs::symlink_metadata(path)?;
        if metadata.is_dir() {
            for entry in fs::read_dir(path)? {
                self.keep_files(state, &entry?.path())?;
            }
        } else if let Named::File(number) = state.names.get(path)
            && state.by_inode.get(&metadata.ino()) == Some(&number)
        {
            self.keep(number, path)?;
        }
        Ok(())
    }

    fn keep(&self, number: usize, path: &Path) -> io::Result<()> {
        match fs::hard_link(path, self.vault.join(number.to_string())) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
            _ => Ok(()),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        mutex::lock(&self.state)
    }

    /// The state, for the next operation, and whether everything stops in the middle of it.
    fn begin(&self) -> io::Result<(MutexGuard<'_, State>, bool)> {
        let mut state = self.state();
        if state.stopped {
            return Err(stopped());
        }
        let number = state.operations;
        state.operations += 1;
        match state.stop_at {
            Some(moment) if moment.operation == number => {
                state.stopped = true;
                match moment.inside {
                    true => Ok((state, true)),
                    false => Err(stopped()),
                }
            }
            _ => Ok((state, false)),
        }
    }

    /// Opens with `open`, which may make the file.
    fn open(&self, path: &Path, open: impl FnOnce(&Path) -> io::Result<File>) -> io::Result<File> {
        let (mut state, stops) = self.begin()?;
        let was_there = fs::symlink_metadata(path).is_ok();
        let file = open(path)?;
        if !was_there {
            let number = state.add(file.metadata()?.ino(), Contents::default());
            state.names.change(path, Named::File(number));
        }
        done(file, stops)
    }

    /// Makes the writes before the call durable, while other threads continue.
    fn sync(
        &self,
        operation: Operation,
        mark: impl FnOnce(&State) -> io::Result<u64>,
        settle: impl FnOnce(&mut State, u64) -> io::Result<()>,
    ) -> io::Result<()> {
        let (state, stops) = self.begin()?;
        if stops {
            return Err(stopped());
        }
        if state.left_out == Some(operation) {
            return Ok(());
        }
        let mark = mark(&state)?;
        drop(state);
        std::thread::yield_now();
        let mut state = self.state();
        if state.stopped {
            return Err(stopped());
        }
        settle(&mut state, mark)
    }
}

impl State {
    fn add(&mut self, inode: u64, contents: Contents) -> usize {
        self.files.push(contents);
        let number = self.files.len() - 1;
        self.by_inode.insert(inode, number);
        number
    }

    fn number(&self, file: &File) -> io::Result<usize> {
        let number = self.by_inode.get(&file.metadata()?.ino()).copied();
        number.ok_or_else(|| io::Error::other("a file that this disk did not open"))
    }
}

fn stopped() -> io::Error {
    io::Error::from_raw_os_error(STOPPED_ERRNO)
}

fn done<T>(value: T, stops: bool) -> io::Result<T> {
    match stops {
        true => Err(stopped()),
        false => Ok(value),
    }
}

impl FileIo for SimulatedDisk {
    fn make_dir(&self, path: &Path) -> io::Result<()> {
        let (mut state, stops) = self.begin()?;
        SystemIo.make_dir(path)?;
        state.names.change(path, Named::Directory);
        done((), stops)
    }

    fn open_append(&self, path: &Path) -> io::Result<File> {
        self.open(path, |path| SystemIo.open_append(path))
    }

    fn open_existing(&self, path: &Path) -> io::Result<File> {
        self.open(path, |path| SystemIo.open_existing(path))
    }

    fn create_new(&self, path: &Path) -> io::Result<File> {
        self.open(path, |path| SystemIo.create_new(path))
    }

    fn lock(&self, file: &File) -> io::Result<()> {
        // Waiting for other threads, which need the state.
        drop(self.begin()?);
        SystemIo.lock(file)
    }

    fn write(&self, file: &File, bytes: &[u8]) -> io::Result<usize> {
        let (mut state, stops) = self.begin()?;
        let number = state.number(file)?;
        let at = file.metadata()?.len();
        let count = SystemIo.write(file, bytes)?;
        state.files[number].write(at, &bytes[..count]);
        done(count, stops)
    }

    fn sync_data(&self, file: &File) -> io::Result<()> {
        self.sync(
            Operation::Sync,
            |state| Ok(state.files[state.number(file)?].mark()),
            |state, mark| {
                let number = state.number(file)?;
                state.files[number].settle(mark);
                Ok(())
            },
        )
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.sync(
            Operation::SyncDir,
            |state| Ok(state.names.mark()),
            |state, mark| {
                state.names.settle(path, mark);
                Ok(())
            },
        )
    }

    fn truncate(&self, file: &File, length: u64) -> io::Result<()> {
        let (mut state, stops) = self.begin()?;
        let number = state.number(file)?;
        SystemIo.truncate(file, length)?;
        state.files[number].truncate(length);
        done((), stops)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let (mut state, stops) = self.begin()?;
        if let Named::File(number) = state.names.get(path) {
            self.keep(number, path)?;
        }
        SystemIo.remove(path)?;
        state.names.change(path, Named::Nothing);
        done((), stops)
    }
}
