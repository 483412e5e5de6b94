//! Paths inside a workspace: bytes relative to its root, parted by `/`.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use crate::wording::shortened;

/// A path relative to the root, `/`-separated, in any bytes but NUL.
pub(in crate::checkpoint) type RelPath = Arc<[u8]>;

/// `path` as people and records see it: bytes that are no UTF-8 as `\xNN`, all else as it is.
pub fn display_path(path: &[u8]) -> String {
    let mut text = String::with_capacity(path.len());
    for chunk in path.utf8_chunks() {
        text.push_str(chunk.valid());
        for byte in chunk.invalid() {
            write!(text, "\\x{byte:02x}").expect("writing to a string cannot fail");
        }
    }
    text
}

/// The first `most` of `names`, for people, and how many more there are.
pub fn some_names(names: &[impl AsRef<str>], most: usize) -> String {
    let shown: Vec<_> = names.iter().take(most).map(AsRef::as_ref).collect();
    let shown: Vec<_> = shown.into_iter().map(shortened).collect();
    let shown = shown.join(", ");
    match names.len().saturating_sub(most) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// Joins a directory (empty for the root) and a name.
pub(in crate::checkpoint) fn join(dir: &[u8], name: &[u8]) -> Vec<u8> {
    let mut path = Vec::with_capacity(dir.len() + 1 + name.len());
    if !dir.is_empty() {
        path.extend_from_slice(dir);
        path.push(b'/');
    }
    path.extend_from_slice(name);
    path
}

/// The directory (empty for the root) and the name of `path`.
pub(in crate::checkpoint) fn split(path: &[u8]) -> (&[u8], &[u8]) {
    match memchr::memrchr(b'/', path) {
        Some(slash) => (&path[..slash], &path[slash + 1..]),
        None => (&[], path),
    }
}

/// The directories above `path`, nearest last, without the root.
pub(in crate::checkpoint) fn ancestors(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    memchr::memchr_iter(b'/', path).map(move |slash| &path[..slash])
}

/// Whether `path` is `dir` itself or lies below it.
pub(crate) fn is_within(path: &[u8], dir: &[u8]) -> bool {
    path.strip_prefix(dir)
        .is_some_and(|rest| dir.is_empty() || rest.is_empty() || rest[0] == b'/')
}

/// The operating system's form of a path in bytes.
pub(in crate::checkpoint) fn to_os(path: &[u8]) -> PathBuf {
    use std::os::unix::ffi::OsStrExt as _;
    PathBuf::from(std::ffi::OsStr::from_bytes(path))
}
