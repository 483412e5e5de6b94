//! Putting contents into the private repository: one `git fast-import`, from the first new blob to
//! the commit and its ref.
//!
//! Its stream takes bytes as they are (no filter, no end-of-line conversion, no index) and names
//! any path. Either everything is in one synced pack and the ref stands, or nothing counts.

use std::io::{self, BufRead as _, BufReader, BufWriter, Read, Write};
use std::sync::mpsc::{Receiver, channel};

use crate::checkpoint::tree::manifest::ObjectId;
use crate::error::{Error, ErrorKind, Result};
use crate::git::{Conversation, Git};

/// How many bytes of a file are held at once.
const CHUNK: usize = 128 * 1024;

/// 32 MiB, the most that glibc takes for these settings.
const MALLOC_KEEP: &str = "33554432";

/// A running `git fast-import`.
pub(in crate::checkpoint) struct Importer {
    git: Conversation,
    stdin: BufWriter<Box<dyn Write + Send>>,
    replies: Receiver<String>,
    reader: std::thread::JoinHandle<()>,
    marks: u64,
}

/// Whether a content had the length that was promised for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::checkpoint) enum Sent {
    Whole,
    /// The file shrank or could not be read to its end; the blob is padded and means nothing.
    Torn,
}

impl Importer {
    pub(in crate::checkpoint) fn start(git: &Git) -> Result<Self> {
        let mut command =
            git.command(&["fast-import", "--quiet", "--done", "--force", "--depth=0"]);
        // git takes and returns the memory of its compressor for every blob; told (glibc only) to
        // keep it, it needs a third less time for twenty thousand files.
        command
            .env("MALLOC_MMAP_THRESHOLD_", MALLOC_KEEP)
            .env("MALLOC_TRIM_THRESHOLD_", MALLOC_KEEP);
        let mut talk = Conversation::start(git, command, "git fast-import")?;
        let (stdin, stdout) = talk.pipes();
        let (send, replies) = channel();
        // The thread ends with git's output, and is joined when the import ends.
        let reader = std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(io::Result::ok) {
                if send.send(line).is_err() {
                    break;
                }
            }
        });
        Ok(Self {
            git: talk,
            stdin: BufWriter::with_capacity(CHUNK, Box::new(stdin)),
            replies,
            reader,
            marks: 0,
        })
    }

    /// Sends `len` bytes of `content` as a blob, to be asked for by [`Importer::ids`].
    pub(in crate::checkpoint) fn blob(
        &mut self,
        len: u64,
        content: &mut dyn Read,
    ) -> io::Result<Sent> {
        self.marks += 1;
        write!(self.stdin, "blob\nmark :{}\ndata {len}\n", self.marks)?;
        let sent = copy_exactly(content, len, &mut self.stdin)?;
        writeln!(self.stdin)?;
        Ok(sent)
    }

    /// Begins a commit on `reference` whose root has the tree `tree` under `tree/`.
    pub(in crate::checkpoint) fn begin_commit(
        &mut self,
        reference: &str,
        seconds: u64,
        message: &str,
        tree: Option<ObjectId>,
    ) -> io::Result<()> {
        self.marks += 1;
        write!(
            self.stdin,
            "commit {reference}\nmark :{}\ncommitter recover <recover> {seconds} +0000\ndata {}\n\
             {message}\n",
            self.marks,
            message.len()
        )?;
        match tree {
            Some(tree) => writeln!(self.stdin, "M 040000 {tree} tree"),
            None => Ok(()),
        }
    }

    /// Removes `path` from the tree of the commit.
    pub(in crate::checkpoint) fn delete(&mut self, path: &[u8]) -> io::Result<()> {
        self.stdin.write_all(b"D ")?;
        self.quoted(path)
    }

    /// Puts a file into the tree of the commit.
    pub(in crate::checkpoint) fn file(
        &mut self,
        path: &[u8],
        is_executable: bool,
        id: ObjectId,
    ) -> io::Result<()> {
        let mode = if is_executable { "100755" } else { "100644" };
        write!(self.stdin, "M {mode} {id} ")?;
        self.quoted(path)
    }

    /// Puts a link into the tree of the commit.
    pub(in crate::checkpoint) fn link(&mut self, path: &[u8], target: &[u8]) -> io::Result<()> {
        self.stdin.write_all(b"M 120000 inline ")?;
        self.quoted(path)?;
        self.data(target)
    }

    /// Puts `content` beside the tree of the commit.
    pub(in crate::checkpoint) fn beside(&mut self, name: &str, content: &[u8]) -> io::Result<()> {
        writeln!(self.stdin, "M 100644 inline {name}")?;
        self.data(content)
    }

    /// Asks for the id of `path` in the commit so far (empty: its root).
    pub(in crate::checkpoint) fn tree(&mut self, path: &str) -> Result<Option<ObjectId>> {
        self.stdin
            .write_all(format!("ls \"{path}\"\n").as_bytes())
            .map_err(|e| self.talk_error(e))?;
        let reply = self.reply()?;
        Ok(reply
            .split([' ', '\t'])
            .nth(2)
            .and_then(|hex| ObjectId::from_hex(hex.as_bytes())))
    }

    /// Ends the commit and asks for its id.
    pub(in crate::checkpoint) fn end_commit(&mut self) -> Result<ObjectId> {
        let mark = self.marks;
        self.stdin
            .write_all(format!("\nget-mark :{mark}\n").as_bytes())
            .map_err(|e| self.talk_error(e))?;
        self.id()
    }

    /// The ids of the last `count` blobs, in their order. Asked for together: an answer a blob
    /// would make git and us wait for each other twenty thousand times.
    pub(in crate::checkpoint) fn ids(&mut self, count: usize) -> Result<Vec<ObjectId>> {
        let first = self.marks + 1 - count as u64;
        for mark in first..=self.marks {
            writeln!(self.stdin, "get-mark :{mark}").map_err(|e| self.talk_error(e))?;
        }
        self.stdin.flush().map_err(|e| self.talk_error(e))?;
        (0..count).map(|_| self.id()).collect()
    }

    fn id(&mut self) -> Result<ObjectId> {
        let reply = self.reply()?;
        ObjectId::from_hex(reply.as_bytes()).ok_or_else(|| {
            let what = format!("git fast-import answered {reply:?}, not an id");
            Error::new(ErrorKind::Tool, what)
        })
    }

    /// Makes everything durable and ends git.
    pub(in crate::checkpoint) fn finish(mut self) -> Result<()> {
        let ended = self
            .stdin
            .write_all(b"done\n")
            .and_then(|()| self.stdin.flush());
        let Self {
            git, stdin, reader, ..
        } = self;
        drop(stdin);
        let result = match ended {
            Ok(()) => git.finish(),
            Err(error) => Err(git.broken(error)),
        };
        let _ended = reader.join();
        result
    }

    /// What to say when writing to git failed.
    pub(in crate::checkpoint) fn broken(self, error: io::Error) -> Error {
        let Self { git, stdin, .. } = self;
        let _unsent = stdin.into_parts();
        git.broken(error)
    }

    fn reply(&mut self) -> Result<String> {
        self.stdin.flush().map_err(|e| self.talk_error(e))?;
        self.replies
            .recv()
            .map_err(|_| self.talk_error(io::ErrorKind::UnexpectedEof.into()))
    }

    fn talk_error(&self, error: io::Error) -> Error {
        Error::os("failed to talk to git fast-import", error)
    }

    fn data(&mut self, content: &[u8]) -> io::Result<()> {
        writeln!(self.stdin, "data {}", content.len())?;
        self.stdin.write_all(content)?;
        self.stdin.write_all(b"\n")
    }

    /// Writes `tree/PATH` as fast-import reads any bytes: quoted, with octal escapes. Names that
    /// git takes for its own, whatever the file system, are marked.
    fn quoted(&mut self, path: &[u8]) -> io::Result<()> {
        self.stdin.write_all(b"\"tree/")?;
        for (at, name) in path.split(|byte| *byte == b'/').enumerate() {
            if at > 0 {
                self.stdin.write_all(b"/")?;
            }
            for &byte in name {
                match byte {
                    b'"' | b'\\' => self.stdin.write_all(&[b'\\', byte])?,
                    b' '..=b'~' => self.stdin.write_all(&[byte])?,
                    _ => write!(self.stdin, "\\{byte:03o}")?,
                }
            }
            if is_gits_name(name) {
                write!(self.stdin, "\\{GITS_MARK:03o}")?;
            }
        }
        self.stdin.write_all(b"\"\n")
    }
}

/// Ends the names in the trees of the private repository that git would take for its own.
pub(in crate::checkpoint) const GITS_MARK: u8 = 1;

/// Whether git refuses a name in a tree, in whatever letters, or it is one that was marked for
/// that.
fn is_gits_name(name: &[u8]) -> bool {
    let marks = name.iter().rev().take_while(|byte| **byte == GITS_MARK);
    let name = &name[..name.len() - marks.count()];
    name.eq_ignore_ascii_case(b".git")
}

/// A path of a tree of the private repository as it is in the user's: without marks.
pub(in crate::checkpoint) fn unmarked(path: &[u8]) -> Vec<u8> {
    let names = path.split(|byte| *byte == b'/').map(|name| match name {
        [name @ .., GITS_MARK] if is_gits_name(name) => name,
        name => name,
    });
    names.collect::<Vec<_>>().join(&b'/')
}

/// Copies exactly `len` bytes to `to`, padding when `from` has fewer.
fn copy_exactly(from: &mut dyn Read, len: u64, to: &mut dyn Write) -> io::Result<Sent> {
    let mut left = len;
    let mut sent = Sent::Whole;
    let mut chunk = vec![0; CHUNK.min(usize::try_from(len).unwrap_or(CHUNK))];
    while left > 0 {
        let want = chunk.len().min(usize::try_from(left).unwrap_or(CHUNK));
        let got = match from.read(&mut chunk[..want]) {
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            Ok(0) | Err(_) => {
                sent = Sent::Torn;
                chunk.fill(0);
                want
            }
            Ok(got) => got,
        };
        to.write_all(&chunk[..got])?;
        left -= got as u64;
    }
    Ok(sent)
}
