//! Writing to one file under its lock, so that every line stays whole whoever else writes to it.

use std::fs::{self, File};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use serde::Deserialize;

use super::batch::Batch;
use super::kind::Kind;
use super::tail::Mending;
use crate::audit::Durability;
use crate::error::{Error, ErrorKind, Result};
use crate::files::FileId;
use crate::jsonl::dir::opened;
use crate::jsonl::read::lines::Position;
use crate::jsonl::read::records::{Verdict, walk};
use crate::jsonl::root::Root;
use crate::platform::files::length_and_links;

/// How often a writer looks for a file again that others keep removing.
const REOPEN_MAX: usize = 1000;

/// The one in a process and store that writes to a file.
pub(in crate::jsonl) struct Writer {
    root: Arc<Root>,
    path: PathBuf,
    kind: Kind,
    open: Option<OpenFile>,
    poisoned: bool,
    /// What is written next: several batches at once, and what a repair has to say first.
    buffer: Vec<u8>,
}

/// A file while it is open.
struct OpenFile {
    file: File,
    /// The process that opened it. Its child must not use it: they would share the lock.
    pid: u32,
    /// Its length when we last left it with a whole last line.
    whole_length: Option<u64>,
    /// Whether its name is on the disk.
    name_synced: bool,
    numbers: Option<Numbers>,
}

/// What is known of the attempt numbers in a file.
#[derive(Clone, Copy)]
struct Numbers {
    upto: Position,
    highest: u64,
}

impl Writer {
    pub(in crate::jsonl) fn new(root: Arc<Root>, path: PathBuf, kind: Kind) -> Self {
        Self {
            root,
            path,
            kind,
            open: None,
            poisoned: false,
            buffer: Vec::new(),
        }
    }

    pub(in crate::jsonl) fn is_poisoned(&self) -> bool {
        self.poisoned
    }

    /// Appends the lines of `group` in order, and returns once they are as durable as they should
    /// be. A batch that was left out says so.
    pub(in crate::jsonl) fn write(&mut self, group: &mut [Batch]) -> Result<()> {
        if self.poisoned {
            return Err(self.poison_error());
        }
        let pid = group.first().map_or_else(std::process::id, Batch::pid);
        let (mut open, length) = self.open_locked(pid)?;
        let written = self.write_locked(&mut open, length, group);
        // Should unlocking fail, closing the file unlocks it.
        if self.root.dir.io.unlock(&open.file).is_ok() {
            self.open = Some(open);
        }
        written?;
        match self.root.dir.durability {
            Durability::Sync => self.sync(),
            Durability::Flush => Ok(()),
        }
    }

    /// The file, open and locked, and its length. Another process may remove it while we wait for
    /// the lock; then there is a new one.
    fn open_locked(&mut self, pid: u32) -> Result<(OpenFile, u64)> {
        for _ in 0..REOPEN_MAX {
            let open = match self.open.take() {
                Some(open) if open.pid == pid => open,
                _ => self.open_file(pid)?,
            };
            self.root.dir.lock(&open.file, &self.path)?;
            if let Some(length) = self.length_if_current(&open)? {
                return Ok((open, length));
            }
        }
        Err(Error::new(
            ErrorKind::Busy,
            format!(
                "{} is removed faster than it can be written",
                self.path.display()
            ),
        ))
    }

    /// The length of the file, unless it is no longer the one that readers will find.
    ///
    /// Where every write waits for the disk, it is looked for by its name. Where it does not, only
    /// its removal is noticed, which takes a third of the time: who moves it away by hand takes
    /// what is written until it is closed along.
    fn length_if_current(&self, open: &OpenFile) -> Result<Option<u64>> {
        let failed = |error| Error::io("look at", &self.path, error);
        if self.root.dir.durability == Durability::Flush {
            let (length, links) = length_and_links(&open.file).map_err(failed)?;
            return Ok((links > 0).then_some(length));
        }
        let metadata = open.file.metadata().map_err(failed)?;
        let current = match fs::symlink_metadata(&self.path) {
            Ok(named) => FileId::of(&named) == FileId::of(&metadata),
            Err(error) if error.kind() == io::ErrorKind::NotFound => false,
            Err(error) => return Err(failed(error)),
        };
        Ok(current.then_some(metadata.len()))
    }

    fn open_file(&self, pid: u32) -> Result<OpenFile> {
        let file = match self.root.dir.io.open_append(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.root.dir.make_dir()?;
                self.root.dir.io.open_append(&self.path)
            }
            result => result,
        };
        Ok(OpenFile {
            file: opened(&self.path, file)?,
            pid,
            whole_length: None,
            name_synced: false,
            numbers: None,
        })
    }

    fn write_locked(
        &mut self,
        open: &mut OpenFile,
        mut length: u64,
        group: &mut [Batch],
    ) -> Result<()> {
        self.buffer.clear();
        if open.whole_length.take() != Some(length) {
            let mending = Mending {
                dir: &self.root.dir,
                path: &self.path,
                file: &open.file,
                kind: &self.kind,
                first: &mut self.buffer,
            };
            length = mending.mend(length)?;
        }
        let mut numbers = open.numbers.take();
        if group.iter().any(Batch::wants_numbers) {
            numbers = Some(self.numbers(&open.file, numbers, length)?);
        }
        let mut highest = numbers.map_or(0, |numbers| numbers.highest);
        let written = match group {
            [only] if self.buffer.is_empty() && only.ready().is_some() => {
                highest = highest.max(only.highest());
                let ready = only.ready().expect("just seen");
                self.root
                    .dir
                    .append((&open.file, &self.path), length, ready)?
            }
            _ => {
                let mut buffer = std::mem::take(&mut self.buffer);
                for batch in group.iter_mut() {
                    batch.render(&mut highest, &mut buffer);
                }
                let dir = &self.root.dir;
                let written = dir.append((&open.file, &self.path), length, &buffer);
                self.buffer = buffer;
                written?
            }
        };
        open.whole_length = Some(written);
        open.numbers = numbers
            .filter(|numbers| numbers.upto.offset == length)
            .map(|numbers| Numbers {
                upto: Position {
                    offset: written,
                    ..numbers.upto
                },
                highest,
            });
        Ok(())
    }

    fn sync(&mut self) -> Result<()> {
        let Some(open) = &mut self.open else {
            // It could not be unlocked and was closed: nobody can say what became of it.
            self.poisoned = true;
            return Err(self.poison_error());
        };
        let mut result = self.root.dir.io.sync_data(&open.file);
        if result.is_ok() && !open.name_synced {
            result = self.root.dir.sync_names();
            open.name_synced = result.is_ok();
        }
        result.map_err(|error| {
            self.poisoned = true;
            self.open = None;
            Error::io("sync", &self.path, error)
        })
    }

    fn poison_error(&self) -> Error {
        Error::new(
            ErrorKind::Poisoned,
            format!(
                "an earlier sync of {} failed, so what was written since may be lost: check the \
                 disk, then open the store anew",
                self.path.display()
            ),
        )
    }

    /// The highest attempt number in the first `length` bytes.
    fn numbers(&self, file: &File, known: Option<Numbers>, length: u64) -> Result<Numbers> {
        let mut numbers = match known {
            Some(known) if known.upto.offset <= length => known,
            _ => Numbers {
                upto: self.first_entry(file, length)?,
                highest: 0,
            },
        };
        if numbers.upto.offset == length {
            return Ok(numbers);
        }
        let place = self.path.display().to_string();
        let walked = walk(file, numbers.upto, &place, &mut |bytes, _| {
            Ok(match serde_json::from_slice::<NumberView>(bytes) {
                Ok(view) => {
                    numbers.highest = numbers.highest.max(view.attempt_number);
                    Verdict::Taken
                }
                Err(error) => error.into(),
            })
        })?;
        numbers.upto = Position {
            offset: length,
            ..walked.end
        };
        Ok(numbers)
    }

    /// Where the entries begin that were not cleared.
    fn first_entry(&self, file: &File, length: u64) -> Result<Position> {
        match &self.kind {
            Kind::Trail { session_id, .. } if length > 0 => {
                self.root.events(session_id)?.first_entry(file, &self.path)
            }
            _ => Ok(Position::START),
        }
    }
}

/// The only field that numbering needs.
#[derive(Deserialize)]
struct NumberView {
    attempt_number: u64,
}

#[cfg(test)]
mod tests;
