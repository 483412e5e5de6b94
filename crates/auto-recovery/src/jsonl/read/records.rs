//! From lines to records: finds the JSON objects in a file, and the damage between them.
//!
//! Our records have one line each. The original's are pretty-printed over several: the first begins
//! with `{` and the last with `}` at the margin. A line that begins with `{` therefore always
//! begins a record, whatever came before it. That keeps damage from spreading.

use std::fs::File;
use std::io::Read;

use serde::de::IgnoredAny;

use super::lines::{LINE_BYTES_MAX, Line, LineReader, Position, ReadAt};
use crate::audit::{Damage, StoredEntry, encoding};
use crate::error::{Error, Result};
use crate::jsonl::io::wait_for_writer;

/// Damaged places that are reported one by one.
const DAMAGE_MAX: usize = 1000;

/// A taker's verdict on the bytes it was offered.
pub(crate) enum Verdict {
    /// A record, and dealt with.
    Taken,
    /// The beginning of a record.
    Incomplete,
    /// No record, for this reason.
    Bad(String),
}

impl From<serde_json::Error> for Verdict {
    fn from(error: serde_json::Error) -> Self {
        if error.is_eof() {
            return Self::Incomplete;
        }
        let text = error.to_string();
        // The line that serde counts is within the record, not within the file.
        let reason = text.split(" at line ").next().unwrap_or(&text);
        Self::Bad(if error.is_data() {
            reason.to_owned()
        } else {
            format!("no JSON: {reason}")
        })
    }
}

/// Deals with `raw` by calling `act` with its entry.
pub(in crate::jsonl) fn take_entry(raw: &[u8], act: impl FnOnce(StoredEntry<'_>)) -> Verdict {
    match StoredEntry::read(raw) {
        Ok(stored) => {
            act(stored);
            Verdict::Taken
        }
        Err(error) => error.into(),
    }
}

/// Deals with the bytes of one record, at this place.
pub(in crate::jsonl) type Take<'t> = dyn FnMut(&[u8], Position) -> Result<Verdict> + 't;

/// The findings of a walk apart from records.
#[derive(Debug)]
pub(in crate::jsonl) struct Walked {
    /// The end of the bytes dealt with; a later walk begins here.
    pub end: Position,
    /// The bytes behind that: a record that is being written, or was cut short.
    pub tail: Vec<u8>,
    /// The beginning of the last record before the end, if there was one.
    pub last: Option<u64>,
    /// The unreadable places.
    pub damage: Vec<Damage>,
}

/// Offers each whole record of `file` from `from` on to `take`, in order. `place` names the file.
pub(in crate::jsonl) fn walk(
    file: &File,
    from: Position,
    place: &str,
    take: &mut Take<'_>,
) -> Result<Walked> {
    let mut walk = Walk::new(place, from, take);
    walk.lines(ReadAt::new(file, from.offset), from)?;
    Ok(walk.into_walked())
}

/// As [`walk`], up to the offset `to`, where a line begins with `{`: a record that is not whole
/// there never will be.
pub(in crate::jsonl) fn walk_up_to(
    file: &File,
    from: Position,
    to: u64,
    place: &str,
    take: &mut Take<'_>,
) -> Result<Walked> {
    let mut walk = Walk::new(place, from, take);
    let part = ReadAt::new(file, from.offset).take(to - from.offset);
    let end = walk.lines(part, from)?;
    walk.give_up_pending()?;
    walk.end = end;
    Ok(walk.into_walked())
}

/// As [`walk`], for readers that show everything: looks again at a tail that may just be being
/// written, takes it if it is whole but for its line's end, and reports it as damage if it is not.
pub(in crate::jsonl) fn walk_to_end(
    file: &File,
    from: Position,
    place: &str,
    take: &mut Take<'_>,
) -> Result<Walked> {
    let mut walked = walk_to_tail(file, from, place, take)?;
    if !walked.tail.is_empty() {
        walked.damage.extend(close(&walked, place, take)?);
    }
    Ok(walked)
}

/// As [`walk_to_end`], but leaves the part of the tail that is still not whole.
pub(in crate::jsonl) fn walk_to_tail(
    file: &File,
    from: Position,
    place: &str,
    take: &mut Take<'_>,
) -> Result<Walked> {
    let mut walked = walk(file, from, place, take)?;
    if walked.tail.is_empty() {
        return Ok(walked);
    }
    wait_for_writer(file);
    let again = walk(file, walked.end, place, take)?;
    walked.damage.extend(again.damage);
    walked.last = again.last.or(walked.last);
    walked.end = again.end;
    walked.tail = again.tail;
    Ok(walked)
}

/// Takes the tail of `walked` as the last record. Returns the damage in it.
pub(in crate::jsonl) fn close(
    walked: &Walked,
    place: &str,
    take: &mut Take<'_>,
) -> Result<Vec<Damage>> {
    let mut walk = Walk::new(place, walked.end, take);
    walk.record(&walked.tail, walked.end)?;
    if !walk.pending.is_empty() {
        let bytes = walk.pending.len() as u64;
        walk.damage(walk.end, bytes, "cut short: a write did not finish");
    }
    Ok(walk.damage)
}

/// Offers each record of `source` to `take`, in order, and returns the damage. `place` names the
/// source.
pub(crate) fn read_records(
    source: impl Read,
    place: &str,
    take: &mut dyn FnMut(&[u8]) -> Result<Verdict>,
) -> Result<Vec<Damage>> {
    let mut take = |raw: &[u8], _| take(raw);
    let mut walk = Walk::new(place, Position::START, &mut take);
    walk.lines(source, Position::START)?;
    let mut walked = walk.into_walked();
    let mut damage = std::mem::take(&mut walked.damage);
    damage.extend(close(&walked, place, &mut take)?);
    Ok(damage)
}

struct Walk<'t, 'p> {
    place: &'p str,
    take: &'p mut Take<'t>,
    /// The beginning of a record that is not whole yet, located at `end`; empty if there is none.
    pending: Vec<u8>,
    /// The end of the bytes dealt with.
    end: Position,
    /// The beginning of the last record.
    last: Option<u64>,
    damage: Vec<Damage>,
}

impl<'t, 'p> Walk<'t, 'p> {
    fn new(place: &'p str, from: Position, take: &'p mut Take<'t>) -> Self {
        Self {
            place,
            take,
            pending: Vec::new(),
            end: from,
            last: None,
            damage: Vec::new(),
        }
    }

    /// Deals with every line of `source`, which starts at `from`. Returns the end of the last one.
    fn lines(&mut self, source: impl Read, from: Position) -> Result<Position> {
        let mut lines = LineReader::new(source, from);
        let mut end = from;
        while let Some(line) = lines
            .next_line()
            .map_err(|error| Error::os(format!("read {}", self.place), error))?
        {
            end = line.end();
            self.line(line)?;
        }
        Ok(end)
    }

    fn into_walked(self) -> Walked {
        Walked {
            end: self.end,
            tail: self.pending,
            last: self.last,
            damage: self.damage,
        }
    }

    fn line(&mut self, line: Line<'_>) -> Result<()> {
        let next = line.end();
        if line.too_long {
            self.give_up_pending()?;
            self.damage(line.at, line.length, "longer than any record");
            self.end = next;
            return Ok(());
        }
        if !self.pending.is_empty() && (is_start(line.bytes) || !self.has_room_for(line.bytes)) {
            self.give_up_pending()?;
            self.end = line.at;
        }
        if self.pending.is_empty() && line.ended {
            self.record(line.bytes, line.at)?;
        } else {
            self.more(line)?;
        }
        if self.pending.is_empty() {
            self.end = next;
        } else if line.ended {
            self.pending.push(b'\n');
        }
        Ok(())
    }

    /// Adds a line to the pending record, and deals with it once it is whole.
    fn more(&mut self, line: Line<'_>) -> Result<()> {
        if self.pending.is_empty() {
            self.end = line.at;
        }
        self.pending.extend_from_slice(line.bytes);
        if line.ended && line.bytes.first() == Some(&b'}') {
            let at = self.end;
            let whole = std::mem::take(&mut self.pending);
            self.record(&whole, at)?;
            if self.end == at {
                // It closed at the margin and is still not whole, so it never will be.
                self.give_up_pending()?;
            }
        }
        Ok(())
    }

    fn has_room_for(&self, bytes: &[u8]) -> bool {
        self.pending.len() + bytes.len() <= LINE_BYTES_MAX
    }

    /// Deals with `bytes`, which start at `at` and should be a record. If they are only the
    /// beginning of one, they become pending.
    fn record(&mut self, bytes: &[u8], at: Position) -> Result<()> {
        let (bytes, at) = self.without_filler(bytes, at);
        if bytes.trim_ascii().is_empty() {
            return Ok(());
        }
        match (self.take)(bytes, at)? {
            Verdict::Taken => self.last = Some(at.offset),
            Verdict::Incomplete if is_start(bytes) => self.wait_for_more(bytes, at),
            Verdict::Incomplete => self.damage(at, bytes.len() as u64, "no JSON object"),
            Verdict::Bad(reason) => self.several(bytes, at, &reason)?,
        }
        Ok(())
    }

    /// Deals with a line that is no record: it may hold several, glued by another program.
    fn several(&mut self, bytes: &[u8], at: Position, reason: &str) -> Result<()> {
        let mut values = serde_json::Deserializer::from_slice(bytes).into_iter::<IgnoredAny>();
        let mut done = 0;
        while let Some(Ok(_)) = values.next() {
            let value = &bytes[done..values.byte_offset()];
            if value.len() == bytes.trim_ascii_end().len() {
                break;
            }
            let here = at.after(done);
            done = values.byte_offset();
            if let Verdict::Bad(reason) = (self.take)(value, here)? {
                self.damage(at, value.trim_ascii().len() as u64, &reason);
            }
        }
        let rest = bytes[done..].trim_ascii();
        if rest.is_empty() {
            return Ok(());
        }
        if done > 0 && is_start(rest) && is_incomplete(rest) {
            self.wait_for_more(rest, at.after(done));
        } else {
            self.damage(at, rest.len() as u64, reason);
        }
        Ok(())
    }

    fn wait_for_more(&mut self, bytes: &[u8], at: Position) {
        self.pending.extend_from_slice(bytes);
        self.end = at;
    }

    /// Cuts meaningless bytes off before a record: a byte order mark at the file's beginning, and
    /// zero bytes, which a power cut leaves and which are reported.
    fn without_filler<'b>(&mut self, bytes: &'b [u8], at: Position) -> (&'b [u8], Position) {
        let text = match at.offset {
            0 => encoding::without_mark(bytes),
            _ => bytes,
        };
        let zeros = text.iter().take_while(|&&byte| byte == 0).count();
        if zeros > 0 {
            self.damage(at, zeros as u64, "zero bytes, as a power cut leaves them");
        }
        let text = &text[zeros..];
        (text, at.after(bytes.len() - text.len()))
    }

    /// Ends the pending record, to which nothing more will be added. It may be whole without having
    /// closed at the margin: it is shown at the end of a file, so it must be when another record
    /// follows.
    fn give_up_pending(&mut self) -> Result<()> {
        if self.pending.is_empty() {
            return Ok(());
        }
        let pending = std::mem::take(&mut self.pending);
        self.record(&pending, self.end)?;
        if !self.pending.is_empty() {
            let bytes = self.pending.len() as u64;
            self.pending.clear();
            self.damage(self.end, bytes, "cut short: a write did not finish");
        }
        Ok(())
    }

    fn damage(&mut self, at: Position, bytes: u64, reason: &str) {
        let damage = Damage {
            place: self.place.to_owned(),
            line: at.line,
            bytes,
            reason: reason.to_owned(),
            is_aside: false,
        };
        push_damage(&mut self.damage, damage);
    }
}

/// Adds `one` to `all`, or to the last of them if there are too many to report one by one.
pub(in crate::jsonl) fn push_damage(all: &mut Vec<Damage>, one: Damage) {
    if all.len() < DAMAGE_MAX {
        all.push(one);
    } else if let Some(last) = all.last_mut() {
        last.bytes += one.bytes;
        last.reason = format!("this and all damage after it: more than {DAMAGE_MAX} places");
    }
}

/// Names `place` in `damage`, which was met in its file.
pub(in crate::jsonl) fn at_place(mut damage: Vec<Damage>, place: &str) -> Vec<Damage> {
    for one in &mut damage {
        place.clone_into(&mut one.place);
    }
    damage
}

/// Whether a line begins a record.
fn is_start(bytes: &[u8]) -> bool {
    matches!(bytes.iter().find(|&&byte| byte != 0), Some(b'{'))
}

fn is_incomplete(bytes: &[u8]) -> bool {
    matches!(serde_json::from_slice::<IgnoredAny>(bytes), Err(error) if error.is_eof())
}
