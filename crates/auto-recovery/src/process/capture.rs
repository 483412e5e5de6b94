//! A bounded copy of a command's output.
//!
//! The first [`Capture::HEAD_MAX`] and the last [`Capture::TAIL_MAX`] bytes of each stream are kept
//! in memory, with the order in which both streams arrived. Nothing is written to disk before
//! [`Capture::write_to`] is called.
//!
//! # The file
//!
//! The bytes of both streams in the order in which they arrived, unchanged. Where bytes of a stream
//! are missing, a line of our own says so before the first byte that is kept after them:
//!
//! ```text
//! [recover: 123456 bytes of stdout were cut here]
//! ```
//!
//! The file is created with mode 0600, never over an existing one, and synced.

use std::borrow::Cow;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use crate::error::{Error, Result};
use crate::wording::counted;

/// One of the two streams of a command's output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stream {
    /// Standard output; also everything when both streams are one.
    Stdout,
    /// Standard error.
    Stderr,
}

impl Stream {
    /// The name used in messages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
        }
    }

    pub(super) fn index(self) -> usize {
        match self {
            Self::Stdout => 0,
            Self::Stderr => 1,
        }
    }

    fn of_index(index: usize) -> Self {
        if index == 0 {
            Self::Stdout
        } else {
            Self::Stderr
        }
    }
}

/// The bounded copy.
#[derive(Clone, Debug)]
pub struct Capture {
    kept: [Kept; 2],
    order: Order,
    text: OnceLock<Arc<[u8]>>,
}

/// A stretch of the copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece<'a> {
    /// Bytes as they were written.
    Bytes(Stream, &'a [u8]),
    /// This many bytes are missing here.
    Cut(Stream, u64),
}

impl Capture {
    /// Bytes kept from the beginning of each stream: 8 MiB.
    pub const HEAD_MAX: usize = 8 << 20;
    /// Bytes kept from the end of each stream: 8 MiB.
    pub const TAIL_MAX: usize = 8 << 20;

    /// A copy that keeps at most `head_max` and `tail_max` bytes of each stream.
    pub fn new(head_max: usize, tail_max: usize) -> Self {
        Self {
            kept: [Kept::new(head_max, tail_max), Kept::new(head_max, tail_max)],
            order: Order::default(),
            text: OnceLock::new(),
        }
    }

    /// Adds the bytes that `stream` has just written.
    pub fn push(&mut self, stream: Stream, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        self.text = OnceLock::new();
        self.kept[stream.index()].push(bytes);
        self.order.push(stream, bytes.len());
        if self.order.is_due() {
            self.order.forget_cut(&self.kept);
        }
    }

    /// Number of bytes that `stream` wrote, kept or not.
    pub fn written(&self, stream: Stream) -> u64 {
        self.kept[stream.index()].total
    }

    /// Whether anything was cut out of either stream.
    pub fn is_cut(&self) -> bool {
        self.kept.iter().any(|kept| kept.cut() > 0)
    }

    /// The kept bytes of `stream`, with a line in place of the cut ones.
    pub fn stream(&self, stream: Stream) -> Cow<'_, [u8]> {
        let kept = &self.kept[stream.index()];
        if kept.tail.is_empty() && kept.cut() == 0 {
            return Cow::Borrowed(&kept.head);
        }
        let (older, newer) = kept.tail_slices();
        let mut text = kept.head.clone();
        if kept.cut() > 0 {
            Self::mark_cut(&mut text, stream, kept.cut());
        }
        text.extend_from_slice(older);
        text.extend_from_slice(newer);
        Cow::Owned(text)
    }

    /// The kept bytes of both streams as a person saw them, with lines in place of the cut ones.
    pub fn interleaved(&self) -> Cow<'_, [u8]> {
        for stream in [Stream::Stdout, Stream::Stderr] {
            let other = Stream::of_index(1 - stream.index());
            if self.written(other) == 0 {
                return self.stream(stream);
            }
        }
        let mut text = Vec::new();
        for piece in self.pieces() {
            match piece {
                Piece::Bytes(_, bytes) => text.extend_from_slice(bytes),
                Piece::Cut(stream, count) => Self::mark_cut(&mut text, stream, count),
            }
        }
        Cow::Owned(text)
    }

    /// The text of both streams that others get to see, which `make` makes when it is first asked
    /// for.
    pub fn text(&self, make: impl FnOnce(&Self) -> Vec<u8>) -> Arc<[u8]> {
        self.text.get_or_init(|| make(self).into()).clone()
    }

    /// Appends the line that stands for `count` bytes of `stream`, on a line of its own.
    pub fn mark_cut(text: &mut Vec<u8>, stream: Stream, count: u64) {
        if text.last().is_some_and(|&last| last != b'\n') {
            text.push(b'\n');
        }
        let name = stream.as_str();
        let were = if count == 1 { "was" } else { "were" };
        let bytes = counted(count, "byte");
        text.extend_from_slice(
            format!("[recover: {bytes} of {name} {were} cut here]\n").as_bytes(),
        );
    }

    /// The kept bytes of both streams in the order of their arrival.
    pub fn pieces(&self) -> Vec<Piece<'_>> {
        self.order.pieces(&self.kept)
    }

    /// Writes the kept bytes to the new file `path`, in the format of this module.
    pub fn write_to(&self, path: &Path) -> Result<()> {
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)
            .map_err(|e| Error::io("create", path, e))?;
        self.write_all(&mut file)
            .and_then(|()| file.sync_data())
            .map_err(|e| Error::io("write", path, e))
    }

    fn write_all(&self, file: &mut impl Write) -> io::Result<()> {
        file.write_all(&self.interleaved())
    }
}

/// The kept bytes of one stream.
#[derive(Clone, Debug)]
struct Kept {
    head: Vec<u8>,
    /// A ring once it is full: the oldest byte is at `oldest`.
    tail: Vec<u8>,
    oldest: usize,
    total: u64,
    head_max: usize,
    tail_max: usize,
}

impl Kept {
    fn new(head_max: usize, tail_max: usize) -> Self {
        Self {
            head: Vec::new(),
            tail: Vec::new(),
            oldest: 0,
            total: 0,
            head_max,
            tail_max,
        }
    }

    fn push(&mut self, bytes: &[u8]) {
        self.total += bytes.len() as u64;
        let room = self.head_max - self.head.len();
        let (first, rest) = bytes.split_at(room.min(bytes.len()));
        self.head.extend_from_slice(first);
        self.push_tail(&rest[rest.len().saturating_sub(self.tail_max)..]);
    }

    /// `bytes` is at most as long as the ring may be.
    fn push_tail(&mut self, bytes: &[u8]) {
        let room = self.tail_max - self.tail.len();
        let (first, rest) = bytes.split_at(room.min(bytes.len()));
        self.tail.extend_from_slice(first);
        let until_end = (self.tail.len() - self.oldest).min(rest.len());
        let (at_end, at_start) = rest.split_at(until_end);
        self.tail[self.oldest..self.oldest + at_end.len()].copy_from_slice(at_end);
        self.tail[..at_start.len()].copy_from_slice(at_start);
        if self.tail_max > 0 {
            self.oldest = (self.oldest + rest.len()) % self.tail_max;
        }
    }

    fn tail_slices(&self) -> (&[u8], &[u8]) {
        let (newer, older) = self.tail.split_at(self.oldest);
        (older, newer)
    }

    fn cut(&self) -> u64 {
        self.total - self.head.len() as u64 - self.tail.len() as u64
    }

    /// Offset in the stream of the first byte of the tail.
    fn tail_start(&self) -> u64 {
        self.total - self.tail.len() as u64
    }

    /// The kept bytes of the stream's `from..to`, in up to three parts.
    fn slices(&self, from: u64, to: u64) -> [&[u8]; 3] {
        let head = slice_of(&self.head, 0, from, to);
        let (older, newer) = self.tail_slices();
        let start = self.tail_start();
        [
            head,
            slice_of(older, start, from, to),
            slice_of(newer, start + older.len() as u64, from, to),
        ]
    }
}

/// The part of `bytes`, which begin at offset `start` of a stream, that lies in `from..to`.
fn slice_of(bytes: &[u8], start: u64, from: u64, to: u64) -> &[u8] {
    let clamp = |offset: u64| (offset.saturating_sub(start)).min(bytes.len() as u64) as usize;
    &bytes[clamp(from)..clamp(to)]
}

/// The order in which both streams arrived: runs of bytes, the stream in the lowest bit of each.
#[derive(Clone, Debug, Default)]
struct Order {
    runs: Vec<u32>,
    /// Bytes of each stream after its head whose runs were forgotten, because they are cut.
    forgotten: [u64; 2],
    due: usize,
}

/// Runs kept before those of cut bytes are looked for and forgotten: 4 MiB of them.
const RUNS_BEFORE_FORGETTING: usize = 1 << 20;
/// Longest run that fits beside the bit of its stream.
const RUN_MAX: u32 = u32::MAX >> 1;

impl Order {
    fn push(&mut self, stream: Stream, count: usize) {
        let mut left = count;
        while left > 0 {
            let (last_stream, last) = self.runs.last().map_or((stream, 0), |&run| unpack(run));
            let extends = last_stream == stream && last > 0 && last < RUN_MAX;
            let before = if extends { last } else { 0 };
            let taken = left.min((RUN_MAX - before) as usize);
            let run = pack(stream, before + taken as u32);
            match self.runs.last_mut() {
                Some(slot) if extends => *slot = run,
                _ => self.runs.push(run),
            }
            left -= taken;
        }
    }

    fn is_due(&self) -> bool {
        self.runs.len() >= self.due.max(RUNS_BEFORE_FORGETTING)
    }

    /// Drops the runs of bytes that are no longer kept, so that the order is bounded as the bytes
    /// are. Doubling the next occasion keeps the work in proportion to what arrives.
    fn forget_cut(&mut self, kept: &[Kept; 2]) {
        let mut order = Self::default();
        let mut walk = Walk::new(self, kept);
        for &run in &self.runs {
            let (stream, count) = unpack(run);
            let (from, to) = walk.advance(stream, count);
            let kept = &kept[stream.index()];
            let in_head = (kept.head.len() as u64).clamp(from, to) - from;
            let in_tail = to - kept.tail_start().clamp(from, to);
            order.push(stream, (in_head + in_tail) as usize);
        }
        for (forgotten, kept) in order.forgotten.iter_mut().zip(kept) {
            *forgotten = kept.cut();
        }
        order.due = order.runs.len() * 2;
        *self = order;
    }

    fn pieces<'a>(&self, kept: &'a [Kept; 2]) -> Vec<Piece<'a>> {
        let mut pieces = Vec::new();
        let mut walk = Walk::new(self, kept);
        let mut cuts = [kept[0].cut(), kept[1].cut()];
        for &run in &self.runs {
            let (stream, count) = unpack(run);
            let (from, to) = walk.advance(stream, count);
            let [head, older, newer] = kept[stream.index()].slices(from, to);
            push_bytes(&mut pieces, stream, head);
            if !older.is_empty() || !newer.is_empty() {
                push_cut(&mut pieces, stream, &mut cuts);
            }
            push_bytes(&mut pieces, stream, older);
            push_bytes(&mut pieces, stream, newer);
        }
        // If no bytes are kept from the end.
        push_cut(&mut pieces, Stream::Stdout, &mut cuts);
        push_cut(&mut pieces, Stream::Stderr, &mut cuts);
        pieces
    }
}

/// Turns runs back into offsets of their streams.
struct Walk {
    at: [u64; 2],
    heads: [u64; 2],
    forgotten: [u64; 2],
}

impl Walk {
    fn new(order: &Order, kept: &[Kept; 2]) -> Self {
        Self {
            at: [0; 2],
            heads: [kept[0].head.len() as u64, kept[1].head.len() as u64],
            forgotten: order.forgotten,
        }
    }

    /// The offsets of the next `count` bytes of `stream`. A run that begins at the end of the head
    /// is moved past the forgotten bytes; one that crosses that end covers the gap itself.
    fn advance(&mut self, stream: Stream, count: u32) -> (u64, u64) {
        let i = stream.index();
        let mut from = self.at[i];
        let mut to = from + u64::from(count);
        if to > self.heads[i] {
            let jump = std::mem::take(&mut self.forgotten[i]);
            to += jump;
            if from >= self.heads[i] {
                from += jump;
            }
        }
        self.at[i] = to;
        (from, to)
    }
}

/// Reports the cut of `stream` once, before the first byte that is kept after it.
fn push_cut(pieces: &mut Vec<Piece<'_>>, stream: Stream, cuts: &mut [u64; 2]) {
    let count = std::mem::take(&mut cuts[stream.index()]);
    if count > 0 {
        pieces.push(Piece::Cut(stream, count));
    }
}

fn push_bytes<'a>(pieces: &mut Vec<Piece<'a>>, stream: Stream, bytes: &'a [u8]) {
    if !bytes.is_empty() {
        pieces.push(Piece::Bytes(stream, bytes));
    }
}

fn pack(stream: Stream, count: u32) -> u32 {
    count << 1 | stream.index() as u32
}

fn unpack(run: u32) -> (Stream, u32) {
    (Stream::of_index((run & 1) as usize), run >> 1)
}

#[cfg(test)]
mod tests;
