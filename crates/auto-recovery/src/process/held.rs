//! Standard output that is held back until it is known which run decides.

use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use tempfile::{SpooledTempFile, spooled_tempfile_in};

use super::capture::Stream;
use super::interrupt::{Interrupt, timespec};
use super::sink::OutputSink;
use crate::error::ErrorKind;
use crate::host::Host;
use crate::patience::over;

/// Held bytes that stay in memory: 1 MiB; beyond it they move to a file without a name.
const IN_MEMORY_MAX: usize = 1 << 20;
/// Bytes released at a time.
const RELEASE_MAX: usize = 64 << 10;

/// Passes standard error on as it comes, and holds standard output back until
/// [`release`](Self::release). Each run begins with [`forget`](Self::forget).
#[derive(Debug)]
pub struct Held<S> {
    inner: S,
    spool: PathBuf,
    bytes: SpooledTempFile,
}

impl<S: OutputSink> Held<S> {
    /// Holds back what `inner` would get. What is held beyond a MiB goes to a file without a name
    /// in `spool`.
    pub fn new(inner: S, spool: &Path) -> Self {
        Self {
            inner,
            spool: spool.to_owned(),
            bytes: spooled_tempfile_in(IN_MEMORY_MAX, spool),
        }
    }

    /// What output is passed on to; what is held is thrown away.
    pub fn into_inner(self) -> S {
        self.inner
    }

    /// Throws away what is held.
    pub fn forget(&mut self) {
        self.bytes = spooled_tempfile_in(IN_MEMORY_MAX, &self.spool);
    }

    /// Passes on what is held, and then holds nothing. When the reader takes nothing, ends with an
    /// error of the kind `Interrupted` once the user asks to stop, and of the kind `TimedOut` once
    /// the host's deadline has passed.
    pub fn release(&mut self, interrupt: &Interrupt, host: &dyn Host) -> io::Result<()> {
        let mut bytes = std::mem::replace(
            &mut self.bytes,
            spooled_tempfile_in(IN_MEMORY_MAX, &self.spool),
        );
        bytes.seek(SeekFrom::Start(0))?;
        let mut buffer = vec![0; RELEASE_MAX];
        loop {
            match bytes.read(&mut buffer)? {
                0 => return Ok(()),
                count => self.pass_on(&buffer[..count], interrupt, host)?,
            }
        }
    }

    fn pass_on(
        &mut self,
        mut bytes: &[u8],
        interrupt: &Interrupt,
        host: &dyn Host,
    ) -> io::Result<()> {
        while !bytes.is_empty() {
            match self.inner.write(Stream::Stdout, bytes) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => bytes = &bytes[count..],
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                    let ready = self.inner.wait_on(Stream::Stdout).ok_or(e)?;
                    wait(ready, interrupt, host)?;
                }
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }
}

impl<S: OutputSink> OutputSink for Held<S> {
    fn write(&mut self, stream: Stream, bytes: &[u8]) -> io::Result<usize> {
        match stream {
            Stream::Stdout => self.bytes.write(bytes),
            Stream::Stderr => self.inner.write(stream, bytes),
        }
    }

    fn wait_on(&self, stream: Stream) -> Option<BorrowedFd<'_>> {
        match stream {
            Stream::Stdout => None,
            Stream::Stderr => self.inner.wait_on(stream),
        }
    }

    fn stopping(&mut self, grace: Duration) {
        self.inner.stopping(grace);
    }

    fn outlive(&self, stream: Stream) -> Option<OwnedFd> {
        match stream {
            Stream::Stdout => None,
            Stream::Stderr => self.inner.outlive(stream),
        }
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
