//! Getting contents back out of the private repository: one `git cat-file --batch` for many.

use std::collections::VecDeque;
use std::io::{self, BufRead, BufReader, Read, Write};

use crate::checkpoint::tree::manifest::ObjectId;
use crate::error::{Error, ErrorKind, Result};
use crate::git::{Conversation, Git};

/// How many bytes of a blob are held at once.
const CHUNK: usize = 64 * 1024;

/// A running `git cat-file --batch`. One question is asked and answered at a time, so neither side
/// ever waits for the other with a full pipe.
pub(in crate::checkpoint) struct Blobs {
    git: Conversation,
    stdin: Box<dyn Write + Send>,
    stdout: BufReader<Box<dyn Read + Send>>,
    /// Contents that git was asked for already, and has not given.
    ordered: VecDeque<ObjectId>,
}

/// Why a blob did not arrive where it was wanted.
#[derive(Debug)]
pub(in crate::checkpoint) enum CopyError {
    /// The repository does not give it.
    Source(Error),
    /// The receiver refused it.
    Sink(io::Error),
}

impl Blobs {
    pub(in crate::checkpoint) fn start(git: &Git) -> Result<Self> {
        let command = git.command(&["cat-file", "--batch"]);
        Self::talk_to(Conversation::start(git, command, "git cat-file")?)
    }

    pub(in crate::checkpoint) fn talk_to(mut git: Conversation) -> Result<Self> {
        let (stdin, stdout) = git.pipes();
        Ok(Self {
            git,
            stdin: Box::new(stdin),
            stdout: BufReader::with_capacity(CHUNK, Box::new(stdout)),
            ordered: VecDeque::new(),
        })
    }

    /// The whole object that `spec` names; `None` when there is none.
    pub(in crate::checkpoint) fn read(&mut self, spec: &str) -> Result<Option<Vec<u8>>> {
        let Some(len) = self.ask(format!("{spec}\n").as_bytes())? else {
            return Ok(None);
        };
        let mut content = Vec::new();
        self.copy(len, &mut content).map_err(|error| match error {
            CopyError::Source(error) => error,
            CopyError::Sink(error) => Error::os("failed to hold an object", error),
        })?;
        Ok(Some(content))
    }

    /// Asks for contents that [`Blobs::ask_for`] will want in this order: few enough for a pipe to
    /// hold the questions, so that nobody waits for anybody.
    pub(in crate::checkpoint) fn order(&mut self, ids: &[ObjectId]) -> Result<()> {
        self.take_ordered(None)?;
        let questions: String = ids.iter().map(|id| format!("{id}\n")).collect();
        self.send(questions.as_bytes())?;
        self.ordered.extend(ids);
        Ok(())
    }

    /// Asks for a content, unless it was ordered; its length, when there is one. [`Blobs::copy`]
    /// must follow.
    pub(in crate::checkpoint) fn ask_for(&mut self, id: ObjectId) -> Result<Option<u64>> {
        match self.take_ordered(Some(id))? {
            true => self.answer(),
            false => self.ask(format!("{id}\n").as_bytes()),
        }
    }

    /// Reads over what was ordered up to `id`, else all; says whether that one comes next.
    fn take_ordered(&mut self, id: Option<ObjectId>) -> Result<bool> {
        while let Some(first) = self.ordered.pop_front() {
            if Some(first) == id {
                return Ok(true);
            }
            if let Some(len) = self.answer()? {
                let unwanted = self.copy(len, &mut io::sink());
                if let Err(CopyError::Source(error)) = unwanted {
                    return Err(error);
                }
            }
        }
        Ok(false)
    }

    /// Asks for an object; its length, when there is one. [`Blobs::copy`] must follow.
    fn ask(&mut self, question: &[u8]) -> Result<Option<u64>> {
        self.take_ordered(None)?;
        self.send(question)?;
        self.answer()
    }

    fn send(&mut self, question: &[u8]) -> Result<()> {
        self.stdin
            .write_all(question)
            .and_then(|()| self.stdin.flush())
            .map_err(talk_failed)
    }

    fn answer(&mut self) -> Result<Option<u64>> {
        let mut header = Vec::new();
        self.stdout
            .read_until(b'\n', &mut header)
            .map_err(talk_failed)?;
        let text = String::from_utf8_lossy(header.trim_ascii_end());
        if text.ends_with(" missing") {
            return Ok(None);
        }
        let len = text.rsplit(' ').next().and_then(|len| len.parse().ok());
        len.map(Some).ok_or_else(|| {
            Error::new(
                ErrorKind::Tool,
                format!("git cat-file answered {text:?}, not an object"),
            )
        })
    }

    /// Copies the object asked for, of `len` bytes. When the receiver refuses, the rest is read
    /// over, so that the next question finds its answer.
    pub(in crate::checkpoint) fn copy(
        &mut self,
        len: u64,
        sink: &mut dyn Write,
    ) -> Result<(), CopyError> {
        let mut left = len;
        let mut refused = None;
        while left > 0 {
            let available = self.stdout.fill_buf().map_err(source)?;
            if available.is_empty() {
                return Err(source(io::ErrorKind::UnexpectedEof.into()));
            }
            let take = available
                .len()
                .min(usize::try_from(left).unwrap_or(usize::MAX));
            if refused.is_none() {
                refused = sink.write_all(&available[..take]).err();
            }
            self.stdout.consume(take);
            left -= take as u64;
        }
        self.stdout.read_exact(&mut [0]).map_err(source)?;
        refused.map_or(Ok(()), |error| Err(CopyError::Sink(error)))
    }

    /// Ends git.
    pub(in crate::checkpoint) fn finish(mut self) -> Result<()> {
        self.take_ordered(None)?;
        drop(self.stdin);
        drop(self.stdout);
        self.git.finish()
    }
}

fn source(error: io::Error) -> CopyError {
    CopyError::Source(talk_failed(error))
}

/// A git that does not answer: nothing can be had from it, whatever the path.
fn talk_failed(error: io::Error) -> Error {
    let kind = Error::kind_in(&error).unwrap_or(ErrorKind::Tool);
    Error::new(kind, "failed to talk to git cat-file").with_source(error)
}
