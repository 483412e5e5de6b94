//! The names in directories, brought to the disk.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// Brings the names in directory `dir` to the disk.
///
/// # Errors
/// As `open` and `fsync`.
pub fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

/// Brings the names that lead to `path` to the disk with `sync`, as far up as one may just have
/// been made for us: each directory in which something of ours stands, on the same file system.
///
/// # Errors
/// As `stat`, and as `sync`.
pub fn sync_names_above(path: &Path, sync: &dyn Fn(&Path) -> io::Result<()>) -> io::Result<()> {
    let user = rustix::process::geteuid().as_raw();
    let mut below = fs::metadata(path)?;
    for above in path.ancestors().skip(1) {
        let metadata = fs::metadata(above)?;
        if below.uid() != user || below.dev() != metadata.dev() {
            break;
        }
        match sync(above) {
            // One that we may pass through but not open. Nothing more can be done.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {}
            result => result?,
        }
        below = metadata;
    }
    Ok(())
}

/// Gives what stands at `from` the name `to` in the same directory, and brings that to the disk.
///
/// # Errors
/// As `rename`, `open` and `fsync`.
pub fn rename_synced(from: &Path, to: &Path) -> io::Result<()> {
    fs::rename(from, to)?;
    sync_dir(dir_of(to))
}

/// The directory in which `path` stands.
pub(super) fn dir_of(path: &Path) -> &Path {
    match path.parent() {
        Some(dir) if !dir.as_os_str().is_empty() => dir,
        _ => Path::new("."),
    }
}
