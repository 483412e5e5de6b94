//! The end of a file that a crash cut: made whole before anything is appended to it.
//!
//! A whole record that lacks only its line's end gets it. Anything else behind the last whole
//! record is moved to a file of its own, in this order: the copy is durable, the journal says so,
//! the original goes. A crash in between leaves a second copy at worst.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use serde::de::IgnoredAny;

use super::kind::Kind;
use crate::audit::{JournalEvent, StoredEntry, TailQuarantined, encoding};
use crate::error::{Error, ErrorKind, Result};
use crate::jsonl::dir::{Dir, metadata_of, opened};
use crate::jsonl::read::lines::{LINE_BYTES_MAX, Position, ReadAt};
use crate::jsonl::read::records::{Verdict, walk};

/// How far back the beginning of a record is looked for that spans lines, as the original wrote
/// them.
const LOOK_BACK_BYTES: u64 = 1024 * 1024;

/// What stands between a file's name and the place it was torn at, in the name of the copy.
pub(in crate::jsonl) const TORN_INFIX: &str = ".torn-";

/// How many torn tails of one file at one place are kept apart.
const COPIES_MAX: u32 = 100;

/// What is read at once.
const CHUNK_BYTES: u64 = 64 * 1024;

/// How a file ends.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::jsonl) enum End {
    /// With a whole line, or it is empty.
    Whole,
    /// With a whole record that lacks its line's end.
    Unended,
    /// With something else, which begins here.
    Torn(u64),
}

/// What a file holds.
#[derive(Clone, Copy)]
pub(in crate::jsonl) enum Records {
    /// Entries, of a trail.
    Entries,
    /// What a journal says.
    Journal,
}

/// How the first `length` bytes of `file` end, which holds such records.
pub(in crate::jsonl) fn inspect(file: &File, length: u64, of: Records) -> io::Result<End> {
    if length == 0 || read_range(file, length - 1, length)? == b"\n" {
        return Ok(End::Whole);
    }
    let line = line_start(file, length)?;
    if length - line > LINE_BYTES_MAX as u64 {
        return Ok(End::Torn(line));
    }
    // Readers decide what belongs together: what they wait for the rest of is what must be mended.
    let from = Position {
        offset: line_start(file, line.saturating_sub(LOOK_BACK_BYTES))?,
        line: 1,
    };
    let mut take = |raw: &[u8], _| {
        Ok(match of {
            Records::Entries => StoredEntry::read(raw).map(drop),
            Records::Journal => serde_json::from_slice::<IgnoredAny>(raw).map(drop),
        }
        .map_or_else(Verdict::from, |()| Verdict::Taken))
    };
    let walked = walk(file, from, "the end", &mut take).map_err(io::Error::other)?;
    Ok(judge(&walked.tail, walked.end.offset))
}

/// How a file ends whose last bytes are `tail`, which stand at `at` and lack a line's end.
fn judge(tail: &[u8], at: u64) -> End {
    // What readers pass over: a byte order mark at the file's beginning, and what a power cut left.
    let mark = match at {
        0 => tail.len() - encoding::without_mark(tail).len(),
        _ => 0,
    };
    let zeros = tail[mark..].iter().take_while(|&&byte| byte == 0).count();
    let text = &tail[mark + zeros..];
    let mut values = serde_json::Deserializer::from_slice(text).into_iter::<IgnoredAny>();
    let mut whole = 0;
    while let Some(Ok(_)) = values.next() {
        whole = values.byte_offset();
    }
    let is_ended = text[whole..].trim_ascii().is_empty();
    match whole {
        // Nothing but white space. Zero bytes are more than that.
        0 if is_ended && zeros == 0 => End::Unended,
        0 => End::Torn(at),
        _ if is_ended => End::Unended,
        _ => End::Torn(at + (mark + zeros + whole) as u64),
    }
}

/// Where the last line of the first `end` bytes begins.
pub(in crate::jsonl) fn line_start(file: &File, end: u64) -> io::Result<u64> {
    let mut upto = end;
    while upto > 0 {
        let from = upto.saturating_sub(CHUNK_BYTES);
        if let Some(index) = memchr::memrchr(b'\n', &read_range(file, from, upto)?) {
            return Ok(from + index as u64 + 1);
        }
        upto = from;
    }
    Ok(0)
}

fn read_range(file: &File, from: u64, to: u64) -> io::Result<Vec<u8>> {
    let length = usize::try_from(to - from).map_err(io::Error::other)?;
    let mut bytes = vec![0; length];
    file.read_exact_at(&mut bytes, from)?;
    Ok(bytes)
}

/// A file that is locked, to be made to end with a whole line.
pub(in crate::jsonl) struct Mending<'f> {
    pub(in crate::jsonl) dir: &'f Dir,
    pub(in crate::jsonl) path: &'f Path,
    pub(in crate::jsonl) file: &'f File,
    pub(in crate::jsonl) kind: &'f Kind,
    /// What is to be written to it before anything else.
    pub(in crate::jsonl) first: &'f mut Vec<u8>,
}

impl Mending<'_> {
    /// Makes the file, which has `length`, end with a whole line. Returns its length then. What is
    /// to be written first, if anything, is added to that.
    pub(in crate::jsonl) fn mend(mut self, mut length: u64) -> Result<u64> {
        let of = match self.kind {
            Kind::Journal | Kind::Seals { .. } => Records::Journal,
            Kind::Trail { .. } => Records::Entries,
        };
        loop {
            let end = inspect(self.file, length, of)
                .map_err(|error| Error::io("read", self.path, error))?;
            match end {
                End::Whole => return Ok(length),
                End::Unended => {
                    length = self.dir.append((self.file, self.path), length, b"\n")?;
                }
                End::Torn(at) => {
                    let moved = self.copy_aside(at, length)?;
                    self.note(moved)?;
                    let cut = self.dir.io.truncate(self.file, at);
                    cut.map_err(|error| Error::io("cut the torn end off", self.path, error))?;
                    length = at;
                }
            }
        }
    }

    /// Tells the journal. The journal's own note waits until its torn end is gone.
    fn note(&mut self, moved: TailQuarantined) -> Result<()> {
        let event = JournalEvent::TailQuarantined(moved);
        match self.kind {
            Kind::Journal => {
                let line = self.dir.recorder.record(None, event)?;
                self.first.extend(line.json().as_bytes());
                self.first.push(b'\n');
                Ok(())
            }
            Kind::Seals { note } => note(&self.dir.recorder.record(None, event)?),
            Kind::Trail { session_id, note } => {
                note(&self.dir.recorder.record(Some(session_id), event)?)
            }
        }
    }

    /// Copies the file from `at` to `length` to a file beside it, durably.
    fn copy_aside(&self, at: u64, length: u64) -> Result<TailQuarantined> {
        let (dir, file) = (self.dir, self.file);
        for number in 1..=COPIES_MAX {
            let copy_path = copy_path(self.path, at, number);
            let (copy, is_whole) = match dir.io.create_new(&copy_path) {
                Ok(copy) => (copy, false),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    match earlier_copy(dir, &copy_path, file, at, length)? {
                        Some(earlier) => earlier,
                        None => continue,
                    }
                }
                Err(error) => return Err(Error::io("create", &copy_path, error)),
            };
            if !is_whole && let Err(error) = copy_all(dir, &mut ReadAt::new(file, at), &copy) {
                // Or one would stay for each time that a full disk is tried again.
                drop(dir.io.remove(&copy_path));
                return Err(Error::io("save a torn end to", &copy_path, error));
            }
            dir.io
                .sync_data(&copy)
                .and_then(|()| dir.io.sync_dir(&dir.path))
                .map_err(|error| Error::io("save a torn end to", &copy_path, error))?;
            return Ok(TailQuarantined {
                file: file_name(self.path),
                offset: at,
                bytes: length - at,
                quarantine: file_name(&copy_path),
            });
        }
        Err(Error::new(
            ErrorKind::Damaged,
            format!(
                "{} has {COPIES_MAX} torn ends at one place: move them away",
                self.path.display()
            ),
        ))
    }
}

/// The file that holds what was torn at `at` of `path`.
fn copy_path(path: &Path, at: u64, number: u32) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!("{TORN_INFIX}{at}"));
    if number > 1 {
        name.push(format!("-{number}"));
    }
    name.into()
}

/// The name of the file at `path`.
pub(in crate::jsonl) fn file_name(path: &Path) -> String {
    path.file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default()
}

fn copy_all(dir: &Dir, from: &mut dyn Read, to: &File) -> io::Result<()> {
    let mut chunk = vec![0; CHUNK_BYTES as usize];
    loop {
        let count = match from.read(&mut chunk) {
            Ok(0) => return Ok(()),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        let mut rest = &chunk[..count];
        while !rest.is_empty() {
            match dir.io.write(to, rest)? {
                0 => return Err(io::ErrorKind::WriteZero.into()),
                count => rest = &rest[count..],
            }
        }
    }
}

/// What an interrupted repair left at `copy_path`, if it can be gone on with, and whether it is
/// whole: the same bytes, which may not be on the disk yet, or none.
fn earlier_copy(
    dir: &Dir,
    copy_path: &Path,
    file: &File,
    at: u64,
    length: u64,
) -> Result<Option<(File, bool)>> {
    let copy = opened(copy_path, dir.io.open_existing(copy_path))?;
    let copied = metadata_of(&copy, copy_path)?.len();
    if copied == 0 {
        return Ok(Some((copy, false)));
    }
    let is_whole = copied == length - at
        && same(&copy, 0, file, at, copied)
            .map_err(|error| Error::io("compare", copy_path, error))?;
    Ok(is_whole.then_some((copy, true)))
}

fn same(a: &File, a_from: u64, b: &File, b_from: u64, length: u64) -> io::Result<bool> {
    let mut done = 0;
    while done < length {
        let step = CHUNK_BYTES.min(length - done);
        let left = read_range(a, a_from + done, a_from + done + step)?;
        let right = read_range(b, b_from + done, b_from + done + step)?;
        if left != right {
            return Ok(false);
        }
        done += step;
    }
    Ok(true)
}
