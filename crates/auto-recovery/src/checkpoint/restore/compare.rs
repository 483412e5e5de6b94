//! The file at a path now, compared with a snapshot's: by bytes, not by stamps.

use std::fs::File;
use std::io::{self, Read, Write};

use rustix::fs::FileType;
use rustix::io::Errno;

use crate::checkpoint::repository::blobs::{Blobs, CopyError};
use crate::checkpoint::restore::tree_writer::{OPENED, TreeWriter};
use crate::checkpoint::tree::manifest::{Node, ObjectId, Told, Why};
use crate::checkpoint::tree::path::split;
use crate::checkpoint::tree::root::{open_own_file_at, read_link_at};
use crate::checkpoint::tree::stamp::Stamp;
use crate::error::{Error, ErrorKind, Result};

/// Bytes of a file that are held at once.
const CHUNK: usize = 64 * 1024;

/// Whether the file at `path` is `node` (`None`: no file).
pub(in crate::checkpoint) fn stands(
    writer: &mut TreeWriter<'_>,
    blobs: &mut Blobs,
    path: &[u8],
    node: Option<&Node>,
) -> Result<bool> {
    let stamp = writer.stamp(path)?;
    let (Some(stamp), Some(node)) = (stamp, node) else {
        return Ok(stamp.is_none() && node.is_none());
    };
    let kind = FileType::from_raw_mode(stamp.mode);
    if node.owner() != Told(Some(stamp.owner)) {
        return Ok(false);
    }
    match node {
        Node::Dir { mode, .. } => {
            Ok(kind.is_dir() && [*mode, *mode | OPENED].contains(&stamp.permissions()))
        }
        Node::Link { target, .. } => {
            Ok(kind.is_symlink() && reading(writer, path, read_link_at)?.as_ref() == Some(target))
        }
        Node::File { id, mode, .. } => Ok(kind.is_file()
            && stamp.permissions() == *mode
            && has_content(writer, blobs, path, *id)?),
        Node::Opaque {
            why: Why::Mount | Why::Written,
            ino,
            ..
        } => Ok(stamp.ino == *ino),
        Node::Opaque {
            size,
            mtime_ns,
            ino,
            mode,
            ..
        } => {
            if *mode != Told(Some(stamp.permissions())) {
                return Ok(false);
            }
            let same = stamp.ino == *ino && stamp.size == *size && stamp.mtime_ns == *mtime_ns;
            // A directory's size and time change with its entries.
            Ok(same || (kind.is_dir() && stamp.ino == *ino))
        }
    }
}

/// Whether `path` is in the state in which a restore from `from` to `to` leaves it when it is
/// killed in the middle: a path that changes its type is absent for a moment, a new directory gets
/// its mode a moment later.
pub(in crate::checkpoint) fn is_between(
    writer: &mut TreeWriter<'_>,
    path: &[u8],
    from: Option<&Node>,
    to: Option<&Node>,
) -> Result<bool> {
    let Some(to) = to else {
        return Ok(false);
    };
    Ok(match writer.stamp(path)? {
        None => from.is_some_and(|from| !from.is_same_type(to)),
        Some(stamp) => to.is_dir() && file_type(&stamp).is_dir() && stamp.permissions() == OPENED,
    })
}

/// Whether the file at `path` has exactly the bytes of the blob `id`.
pub(in crate::checkpoint) fn has_content(
    writer: &mut TreeWriter<'_>,
    blobs: &mut Blobs,
    path: &[u8],
    id: ObjectId,
) -> Result<bool> {
    let Some(mut file) = reading(writer, path, open_own_file_at)? else {
        return Ok(false);
    };
    let len = blobs.ask_for(id)?.ok_or_else(|| missing(id))?;
    let is_same_len = file.metadata().is_ok_and(|metadata| metadata.len() == len);
    let mut compare = Compare {
        file: is_same_len.then_some(&mut file),
        chunk: vec![0; CHUNK],
    };
    match blobs.copy(len, &mut compare) {
        Ok(()) => Ok(compare.is_same() && is_same_len),
        Err(CopyError::Source(error)) => Err(error),
        Err(CopyError::Sink(error)) => Err(writer.error("read", path, error)),
    }
}

/// The error for a blob that a checkpoint names and the repository lacks.
pub(in crate::checkpoint) fn missing(id: ObjectId) -> Error {
    Error::new(
        ErrorKind::Damaged,
        format!("content {id} is missing from the checkpoints"),
    )
}

/// Reads at `path`; `None` if it is removed or of another type by now, or may not be read.
fn reading<T>(
    writer: &mut TreeWriter<'_>,
    path: &[u8],
    read: impl Fn(&std::os::fd::OwnedFd, &[u8]) -> Result<T, Errno>,
) -> Result<Option<T>> {
    let (dir, name) = split(path);
    let result = writer.dir(dir).and_then(|dir| read(dir, name));
    match result {
        Ok(value) => Ok(Some(value)),
        Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::INVAL | Errno::ACCESS) => Ok(None),
        Err(errno) => Err(writer.error("read", path, errno.into())),
    }
}

/// Compares a blob with a file.
struct Compare<'a> {
    /// `None` once they differ.
    file: Option<&'a mut File>,
    chunk: Vec<u8>,
}

impl Compare<'_> {
    fn is_same(&mut self) -> bool {
        self.file.is_some()
    }
}

impl Write for Compare<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let take = bytes.len().min(self.chunk.len());
        if let Some(file) = &mut self.file {
            let have = &mut self.chunk[..take];
            match file.read_exact(have) {
                Ok(()) if have == &bytes[..take] => {}
                Ok(()) => self.file = None,
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => self.file = None,
                Err(error) => return Err(error),
            }
        }
        Ok(take)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The file type in `stamp`.
pub(in crate::checkpoint) fn file_type(stamp: &Stamp) -> FileType {
    FileType::from_raw_mode(stamp.mode)
}
