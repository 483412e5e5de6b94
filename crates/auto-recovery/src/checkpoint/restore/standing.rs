//! What stands at a path that is to be put back, and whether it may be touched.

use crate::checkpoint::restore::compare::{is_between, stands};
use crate::checkpoint::restore::item::{Expect, Item};
use crate::checkpoint::restore::restorer::{Restorer, Stands};
use crate::checkpoint::tree::path::RelPath;
use crate::checkpoint::tree::stamp::Stamp;
use crate::error::Result;

impl Restorer<'_> {
    /// How `item` may be touched: it is what was expected, or on the way we ourselves left it.
    /// `None` when nothing is to be done or it is foreign.
    pub(in crate::checkpoint) fn may_touch(&mut self, item: &Item) -> Result<Option<Stands>> {
        if self.is_settled(&item.path) {
            return Ok(None);
        }
        if self.is_as_seen(item)? {
            return Ok(Some(Stands::AsExpected));
        }
        let Self { writer, blobs, .. } = self;
        if stands(writer, blobs, &item.path, item.to.as_ref())? {
            return Ok(None);
        }
        let is_rewritten = self.is_rewritten(&item.path)?;
        let is_vacated =
            self.vacated.contains(&item.path) && self.writer.stamp(&item.path)?.is_none();
        let Self { writer, blobs, .. } = self;
        let found = match &item.from {
            _ if is_rewritten || is_vacated => Some(Stands::Somehow),
            Expect::Any => Some(Stands::Somehow),
            Expect::Node(from) if stands(writer, blobs, &item.path, from.as_ref())? => {
                Some(Stands::AsExpected)
            }
            Expect::Node(from) => is_between(writer, &item.path, from.as_ref(), item.to.as_ref())?
                .then_some(Stands::Somehow),
        };
        if found.is_none() {
            self.foreign.insert(item.path.clone());
        }
        Ok(found)
    }

    /// Whether what stands there has the stamp that the snapshot of the present saw, or nothing
    /// stands there as it said. What is wanted is something else.
    pub(in crate::checkpoint) fn is_as_seen(&mut self, item: &Item) -> Result<bool> {
        let Expect::Node(from) = &item.from else {
            return Ok(false);
        };
        let stamp = self.writer.stamp(&item.path)?;
        let (Some(stamp), Some(_)) = (stamp, from) else {
            return Ok(stamp.is_none() && from.is_none());
        };
        let at = self
            .seen
            .binary_search_by(|known| known.path.cmp(&item.path));
        Ok(at.is_ok_and(|at| self.seen[at].is_still(&stamp)))
    }

    /// Whether the file that was put at a path stands there.
    pub(in crate::checkpoint) fn is_as_put(&mut self, path: &RelPath) -> Result<bool> {
        let Some(put) = self.put.get(path).copied() else {
            return Ok(false);
        };
        // A file's change time moves when it gets its name.
        let seen = |stamp: &Stamp| {
            (
                stamp.ino,
                stamp.mode,
                stamp.size,
                stamp.mtime_ns,
                stamp.owner,
            )
        };
        let stamp = self.writer.stamp(path)?;
        Ok(stamp.is_some_and(|stamp| seen(&stamp) == seen(&put)))
    }

    /// Whether what stands there is the file that the snapshot of the present saw, which we wrote
    /// ourselves since, under another name of it.
    pub(in crate::checkpoint) fn is_rewritten(&mut self, path: &RelPath) -> Result<bool> {
        if self.rewritten.is_empty() {
            return Ok(false);
        }
        let Some(stamp) = self.writer.stamp(path)? else {
            return Ok(false);
        };
        let is_seen = |seen: &Stamp| seen.ino == stamp.ino;
        Ok(self.rewritten.contains(&stamp.ino) && self.seen(path).is_some_and(is_seen))
    }

    /// The stamp that the snapshot of the present saw at a path.
    pub(in crate::checkpoint) fn seen(&self, path: &RelPath) -> Option<&Stamp> {
        let at = self
            .seen
            .binary_search_by(|known| known.path.cmp(path))
            .ok()?;
        Some(&self.seen[at].stamp)
    }
}
