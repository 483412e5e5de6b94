//! The leaves of a file: what a seal says of it is said of these, byte for byte.
//!
//! A leaf is a line without its `\n`, and an object that the Python original wrote over several
//! lines, from the line that is `{` to the line that is `}`. What a line holds is not looked at, so
//! every byte but an empty line belongs to a leaf. A line without its end is none yet.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use super::dir::metadata_of;
use super::read::lines::{LINE_BYTES_MAX, LineReader, Position, ReadAt};
use super::root::Root;
use super::write::tail::line_start;
use crate::audit::sealing::LeafLog;
use crate::error::{Error, ErrorKind, Result};
use crate::files::FileId;
use crate::files::hash::fnv64;
use crate::patience::impatiently;

/// How long a log is waited for that others write to. Whoever has it longer hangs.
const HOLD_WAIT_MAX: Duration = Duration::from_secs(2);

/// A file whose leaves are read.
pub(super) struct FileLog<'s> {
    pub root: &'s Root,
    pub path: PathBuf,
    pub file: File,
    pub start: u64,
    /// Whose trail it is; `None` for another file.
    pub session: Option<String>,
}

impl FileLog<'_> {
    /// Whether its leaves still begin where they did. Somebody who died before removing a trail has
    /// left the file, and what was in it by then is no trail any more.
    fn begins_as_before(&self) -> Result<bool> {
        let Some(session) = &self.session else {
            return Ok(true);
        };
        let events = self.root.events(session)?;
        let from = events.first_entry(&self.file, &self.path)?;
        Ok(from.offset == self.start)
    }
}

impl LeafLog for FileLog<'_> {
    fn place(&self) -> String {
        self.path.display().to_string()
    }

    fn identity(&self) -> u64 {
        use std::os::unix::fs::MetadataExt as _;
        let Ok(metadata) = self.file.metadata() else {
            return 1;
        };
        let made = metadata.created().ok();
        let made = made.and_then(|made| made.duration_since(SystemTime::UNIX_EPOCH).ok());
        let made = made.unwrap_or_default().as_nanos().to_le_bytes();
        let number = metadata.ino().to_le_bytes();
        let from = self.start.to_le_bytes();
        fnv64(number.into_iter().chain(made).chain(from)) | 1
    }

    fn start(&self) -> u64 {
        self.start
    }

    fn end(&self) -> Result<u64> {
        let length = metadata_of(&self.file, &self.path)?.len();
        line_start(&self.file, length).map_err(|error| Error::io("read", &self.path, error))
    }

    fn hold(&self) -> Result<bool> {
        let dir = &self.root.dir;
        impatiently(dir.host(), HOLD_WAIT_MAX, || {
            dir.lock(&self.file, &self.path)
        })?;
        let id = FileId::of(&metadata_of(&self.file, &self.path)?);
        match fs::symlink_metadata(&self.path) {
            Ok(named) if FileId::of(&named) == id => {
                let held = self.begins_as_before();
                if !matches!(held, Ok(true)) {
                    self.let_go();
                }
                held
            }
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                self.let_go();
                Err(Error::io("look at", &self.path, error))
            }
            _ => {
                self.let_go();
                Ok(false)
            }
        }
    }

    fn let_go(&self) {
        // Should unlocking fail, closing the file unlocks it.
        drop(self.root.dir.io.unlock(&self.file));
    }

    fn sync(&self) -> Result<()> {
        let synced = self.root.dir.io.sync_data(&self.file);
        synced.map_err(|error| Error::io("sync", &self.path, error))
    }

    fn read(&self, from: u64, to: u64, visit: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<u64> {
        let position = Position {
            offset: from,
            line: 1,
        };
        let source = ReadAt::new(&self.file, from).take(to.saturating_sub(from));
        let mut lines = LineReader::new(source, position);
        let mut leaves = Leaves {
            object: Vec::new(),
            end: from,
        };
        while let Some(line) = lines
            .next_line()
            .map_err(|error| Error::io("read", &self.path, error))?
        {
            if line.too_long || leaves.object.len() + line.bytes.len() > LINE_BYTES_MAX {
                let text = format!("{} has a line longer than any record", self.path.display());
                return Err(Error::new(ErrorKind::Damaged, text));
            }
            if line.ended {
                leaves.line(line.bytes, line.at.offset, visit)?;
            }
        }
        Ok(leaves.end)
    }
}

/// Leaves as they come out of lines.
struct Leaves {
    /// The lines so far of an object that has several, each with its end.
    object: Vec<u8>,
    /// Where the last whole leaf ends.
    end: u64,
}

impl Leaves {
    /// Deals with a line that begins at `at`.
    fn line(
        &mut self,
        line: &[u8],
        at: u64,
        visit: &mut dyn FnMut(&[u8]) -> Result<()>,
    ) -> Result<()> {
        if !self.object.is_empty() && line.first() == Some(&b'{') {
            // The object before it never closed.
            self.object.pop();
            visit(&std::mem::take(&mut self.object))?;
            self.end = at;
        }
        let next = at + line.len() as u64 + 1;
        match (self.object.is_empty(), line) {
            (true, b"{") => self.add(line),
            (true, b"") => self.end = next,
            (true, _) => {
                visit(line)?;
                self.end = next;
            }
            (false, b"}") => {
                self.object.extend_from_slice(line);
                visit(&std::mem::take(&mut self.object))?;
                self.end = next;
            }
            (false, _) => self.add(line),
        }
        Ok(())
    }

    fn add(&mut self, line: &[u8]) {
        self.object.extend_from_slice(line);
        self.object.push(b'\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leaf_is_a_line_or_an_object_over_several() {
        let cases: [(&str, &[&str]); 8] = [
            ("", &[]),
            ("{\"a\":1}\n{\"b\":2}\n", &["{\"a\":1}", "{\"b\":2}"]),
            (
                "{\n  \"a\": 1\n}\n{\"b\":2}\n",
                &["{\n  \"a\": 1\n}", "{\"b\":2}"],
            ),
            ("\n\n a\n \n", &[" a", " "]),
            ("{\n  \"a\": 1\n", &[]),
            (
                "{\n  \"a\": 1\n{\"b\":2}\n",
                &["{\n  \"a\": 1", "{\"b\":2}"],
            ),
            ("{\n{\n}\n", &["{", "{\n}"]),
            ("}\n{\"a\":1}{\"b\":2}\n", &["}", "{\"a\":1}{\"b\":2}"]),
        ];
        for (text, expected) in cases {
            let mut found = Vec::new();
            let mut leaves = Leaves {
                object: Vec::new(),
                end: 0,
            };
            let mut at = 0;
            for line in text.split_inclusive('\n') {
                let bytes = line.trim_end_matches('\n').as_bytes();
                let mut visit = |leaf: &[u8]| {
                    found.push(String::from_utf8(leaf.to_vec()).unwrap());
                    Ok(())
                };
                leaves.line(bytes, at, &mut visit).unwrap();
                at += line.len() as u64;
            }
            assert_eq!(found, expected, "{text:?}");
            let all_taken = leaves.object.is_empty();
            assert_eq!(leaves.end == text.len() as u64, all_taken, "{text:?}");
        }
    }
}
