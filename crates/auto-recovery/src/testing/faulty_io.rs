//! File operations that fail when a test wants them to.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Mutex;

use crate::jsonl::{FileIo, SystemIo};
use crate::mutex;

/// An operation that can fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// Making a directory.
    MakeDir,
    /// Opening or making a file.
    Open,
    /// Locking a file.
    Lock,
    /// Writing.
    Write,
    /// Bringing contents to the disk.
    Sync,
    /// Bringing names to the disk.
    SyncDir,
    /// Cutting a file.
    Truncate,
    /// Removing a file.
    Remove,
}

impl Operation {
    /// Every operation.
    pub const ALL: [Self; 8] = [
        Self::MakeDir,
        Self::Open,
        Self::Lock,
        Self::Write,
        Self::Sync,
        Self::SyncDir,
        Self::Truncate,
        Self::Remove,
    ];
}

/// How much of an operation happens although it fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Nothing.
    None,
    /// Half of a write; nothing of anything else.
    Half,
    /// All of it.
    All,
}

/// What fails, and how.
#[derive(Clone, Copy, Debug)]
pub struct Fault {
    /// The operation.
    pub operation: Operation,
    /// Which of those that follow, from 0.
    pub nth: u64,
    /// Whether all after it fail too, as if the process had died there.
    pub and_all_after: bool,
    /// The error number.
    pub errno: i32,
    /// What happens nevertheless.
    pub effect: Effect,
}

/// The real thing, but for what is to fail, and for syncs: they only take time, and nothing that
/// stays on this machine can tell whether they happened.
#[derive(Debug, Default)]
pub struct FaultyIo {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    counts: HashMap<Operation, u64>,
    faults: Vec<Fault>,
    dead: Option<i32>,
    hits: u64,
}

impl FaultyIo {
    /// Nothing fails yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// From now on, `fault` fails.
    pub fn fail(&self, fault: Fault) {
        let mut state = mutex::lock(&self.state);
        state.counts.clear();
        state.faults.push(fault);
    }

    /// Nothing fails any more.
    pub fn heal(&self) {
        let mut state = mutex::lock(&self.state);
        state.faults.clear();
        state.dead = None;
    }

    /// How many operations failed.
    pub fn hits(&self) -> u64 {
        mutex::lock(&self.state).hits
    }

    /// Does `operation` with `act`, unless it is to fail.
    fn run<T>(
        &self,
        operation: Operation,
        act: impl FnOnce(Effect) -> io::Result<T>,
    ) -> io::Result<T> {
        let Some((errno, effect)) = self.next_fault(operation) else {
            return act(Effect::All);
        };
        if effect != Effect::None {
            act(effect)?;
        }
        Err(io::Error::from_raw_os_error(errno))
    }

    fn next_fault(&self, operation: Operation) -> Option<(i32, Effect)> {
        let mut state = mutex::lock(&self.state);
        let count = state.counts.entry(operation).or_default();
        let nth = *count;
        *count += 1;
        let dead = state.dead.map(|errno| (errno, Effect::None));
        let fault = state
            .faults
            .iter()
            .find(|fault| fault.operation == operation && fault.nth == nth)
            .copied();
        if let (None, Some(fault)) = (dead, fault)
            && fault.and_all_after
        {
            state.dead = Some(fault.errno);
        }
        let found = dead.or(fault.map(|fault| (fault.errno, fault.effect)));
        state.hits += u64::from(found.is_some());
        found
    }
}

impl FileIo for FaultyIo {
    fn make_dir(&self, path: &Path) -> io::Result<()> {
        self.run(Operation::MakeDir, |_| SystemIo.make_dir(path))
    }

    fn open_append(&self, path: &Path) -> io::Result<File> {
        self.run(Operation::Open, |_| SystemIo.open_append(path))
    }

    fn open_existing(&self, path: &Path) -> io::Result<File> {
        self.run(Operation::Open, |_| SystemIo.open_existing(path))
    }

    fn create_new(&self, path: &Path) -> io::Result<File> {
        self.run(Operation::Open, |_| SystemIo.create_new(path))
    }

    fn lock(&self, file: &File) -> io::Result<()> {
        self.run(Operation::Lock, |_| SystemIo.lock(file))
    }

    fn write(&self, file: &File, bytes: &[u8]) -> io::Result<usize> {
        self.run(Operation::Write, |effect| match effect {
            Effect::Half => SystemIo.write(file, &bytes[..bytes.len() / 2]),
            _ => SystemIo.write(file, bytes),
        })
    }

    fn sync_data(&self, _: &File) -> io::Result<()> {
        self.run(Operation::Sync, |_| Ok(()))
    }

    fn sync_dir(&self, _: &Path) -> io::Result<()> {
        self.run(Operation::SyncDir, |_| Ok(()))
    }

    fn truncate(&self, file: &File, length: u64) -> io::Result<()> {
        self.run(Operation::Truncate, |_| SystemIo.truncate(file, length))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.run(Operation::Remove, |_| SystemIo.remove(path))
    }
}
