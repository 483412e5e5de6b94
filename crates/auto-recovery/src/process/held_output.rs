//! Output that is held back until it is known which run decides.
//!
//! Held output is a row of pieces, each of one stream: `STREAM u8, LENGTH u32 LE, BYTES`.

use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use tempfile::{Builder, SpooledTempFile, spooled_tempfile_in};

use super::capture::Stream;
use super::sink::OutputSink;
use crate::error::ErrorKind;
use crate::host::Host;
use crate::interrupt::{Interrupt, timespec};
use crate::patience::over;

/// Held bytes that stay in memory: 1 MiB; beyond it they move to a file without a name.
const IN_MEMORY_MAX: usize = 1 << 20;
/// Bytes of a piece, and so released at a time.
const PIECE_MAX: usize = 64 << 10;

/// The streams that are held back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeldStreams {
    /// Standard output; standard error passes as it comes.
    Stdout,
    /// Both, in the order in which they came.
    Both,
}

/// Holds output back until [`release`](Self::release), and passes the rest on as it comes. Each run
/// begins with [`forget`](Self::forget).
#[derive(Debug)]
pub struct HeldOutput<S> {
    inner: S,
    streams: HeldStreams,
    spool: PathBuf,
    bytes: SpooledTempFile,
    /// Number of held bytes, without the headers of pieces.
    length: u64,
    /// The last of them.
    last: Option<u8>,
}

impl<S: OutputSink> HeldOutput<S> {
    /// Holds back the output that `inner` would get from `streams`. Beyond a MiB it goes to a file
    /// without a name in `spool`.
    pub fn new(inner: S, streams: HeldStreams, spool: &Path) -> Self {
        Self {
            inner,
            streams,
            spool: spool.to_owned(),
            bytes: spooled_tempfile_in(IN_MEMORY_MAX, spool),
            length: 0,
            last: None,
        }
    }

    /// The receiver of output; held output is thrown away.
    pub fn into_inner(self) -> S {
        self.inner
    }

    /// Number of held bytes.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Whether the last held line has no end.
    pub fn is_open(&self) -> bool {
        self.last.is_some_and(|last| last != b'\n')
    }

    /// Throws held output away.
    pub fn forget(&mut self) {
        self.take();
    }

    fn take(&mut self) -> SpooledTempFile {
        (self.length, self.last) = (0, None);
        std::mem::replace(
            &mut self.bytes,
            spooled_tempfile_in(IN_MEMORY_MAX, &self.spool),
        )
    }

    fn hold(&mut self, stream: Stream, bytes: &[u8]) -> io::Result<usize> {
        let part = &bytes[..bytes.len().min(PIECE_MAX)];
        let length = (part.len() as u32).to_le_bytes();
        self.bytes.write_all(&[stream as u8])?;
        self.bytes.write_all(&length)?;
        self.bytes.write_all(part)?;
        self.length += part.len() as u64;
        self.last = part.last().copied().or(self.last);
        Ok(part.len())
    }

    /// Writes all held output to a new file in `dir`, for its owner alone, as `change` gives it
    /// piece by piece, and at last the rest for `None`. Returns the path; the output is still held.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn keep_in(
        &mut self,
        dir: &Path,
        mut change: impl FnMut(Option<&[u8]>) -> Vec<u8>,
    ) -> io::Result<PathBuf> {
        let mut builder = Builder::new();
        builder.prefix("recover-output-").suffix(".log");
        let mut file = builder.tempfile_in(dir)?;
        self.bytes.seek(SeekFrom::Start(0))?;
        each_piece(&mut self.bytes, &mut |_, bytes| {
            file.write_all(&change(Some(bytes)))
        })?;
        file.write_all(&change(None))?;
        self.bytes.seek(SeekFrom::End(0))?;
        let (_, path) = file.keep().map_err(|error| error.error)?;
        Ok(path)
    }

    /// Passes held output on, and then holds nothing. When the reader takes nothing, ends with an
    /// error of the kind `Interrupted` once the user asks to stop, and of the kind `TimedOut` once
    /// the host's deadline has passed.
    ///
    /// # Errors
    /// If it cannot be passed on.
    pub fn release(&mut self, interrupt: &Interrupt, host: &dyn Host) -> io::Result<()> {
        self.release_without(0..0, b"", (interrupt, host))
    }

    /// The same, with `note` in place of the bytes in `left_out`, counted from the first.
    ///
    /// # Errors
    /// As [`HeldOutput::release`].
    pub fn release_without(
        &mut self,
        left_out: Range<u64>,
        note: &[u8],
        until: (&Interrupt, &dyn Host),
    ) -> io::Result<()> {
        let mut bytes = self.take();
        bytes.seek(SeekFrom::Start(0))?;
        let mut at = 0;
        let mut is_noted = left_out.is_empty();
        each_piece(&mut bytes, &mut |stream, piece| {
            let end = at + piece.len() as u64;
            let within = |point: u64| (point.clamp(at, end) - at) as usize;
            let (head, tail) = (within(left_out.start), within(left_out.end));
            let (head, tail) = if left_out.is_empty() {
                (0, 0)
            } else {
                (head, tail)
            };
            self.pass_on(stream, &piece[..head], until)?;
            if !is_noted && end > left_out.start {
                self.pass_on(stream, note, until)?;
                is_noted = true;
            }
            at = end;
            self.pass_on(stream, &piece[tail..], until)
        })
    }

    fn pass_on(
        &mut self,
        stream: Stream,
        mut bytes: &[u8],
        (interrupt, host): (&Interrupt, &dyn Host),
    ) -> io::Result<()> {
        while !bytes.is_empty() {
            match self.inner.write(stream, bytes) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => bytes = &bytes[count..],
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                    let ready = self.inner.wait_on(stream).ok_or(e)?;
                    wait(ready, interrupt, host)?;
                }
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }
}

impl<S> HeldOutput<S> {
    fn holds(&self, stream: Stream) -> bool {
        stream == Stream::Stdout || self.streams == HeldStreams::Both
    }
}

impl<S: OutputSink> OutputSink for HeldOutput<S> {
    fn write(&mut self, stream: Stream, bytes: &[u8]) -> io::Result<usize> {
        match self.holds(stream) {
            true => self.hold(stream, bytes),
            false => self.inner.write(stream, bytes),
        }
    }

    fn wait_on(&self, stream: Stream) -> Option<BorrowedFd<'_>> {
        match self.holds(stream) {
            true => None,
            false => self.inner.wait_on(stream),
        }
    }

    fn stopping(&mut self, grace: Duration) {
        self.inner.stopping(grace);
    }

    fn outlive(&self, stream: Stream) -> Option<OwnedFd> {
        match self.holds(stream) {
            true => None,
            false => self.inner.outlive(stream),
        }
    }
}

/// Calls `take` with each held piece and its stream.
fn each_piece(
    bytes: &mut SpooledTempFile,
    take: &mut dyn FnMut(Stream, &[u8]) -> io::Result<()>,
) -> io::Result<()> {
    let mut bytes = BufReader::with_capacity(PIECE_MAX, bytes);
    let mut piece = Vec::new();
    let mut head = [0; 5];
    loop {
        match bytes.read_exact(&mut head) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
            read => read?,
        }
        let [stream, a, b, c, d] = head;
        piece.resize(u32::from_le_bytes([a, b, c, d]) as usize, 0);
        bytes.read_exact(&mut piece)?;
        let stream = match stream == Stream::Stdout as u8 {
            true => Stream::Stdout,
            false => Stream::Stderr,
        };
        take(stream, &piece)?;
    }
}

/// Waits until `ready` is writable.
fn wait(ready: BorrowedFd<'_>, interrupt: &Interrupt, host: &dyn Host) -> io::Result<()> {
    let mut fds = vec![PollFd::from_borrowed_fd(ready, PollFlags::OUT)];
    fds.extend(
        interrupt
            .first()
            .map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)),
    );
    let left = host
        .deadline()
        .map(|at| timespec(at.saturating_sub(host.monotonic())));
    match poll(&mut fds, left.as_ref()) {
        Ok(_) | Err(Errno::INTR) => {}
        Err(e) => return Err(e.into()),
    }
    if !fds[0].revents().is_empty() {
        return Ok(());
    }
    let (kind, before) = match over(host) {
        _ if interrupt.raised().is_some() => (io::ErrorKind::Interrupted, "interrupt"),
        Some(ErrorKind::TimedOut) => (io::ErrorKind::TimedOut, "deadline"),
        _ => return Ok(()),
    };
    let what = format!("the rest of the held output was not taken before the {before}");
    Err(io::Error::new(kind, what))
}
