//! Whether files can be made at a place, found out by making one that has no name.

use std::path::Path;

use super::replace::unmade;
use crate::error::{Error, ErrorKind, Result};

/// Checks that files can be made in the directory `dir`, which may not be there yet, and leaves
/// nothing behind. Permissions do not say it: root has them all, and some disks take no files.
///
/// # Errors
/// Why not, of the nearest directory that is there.
pub fn check_room(dir: &Path) -> Result<()> {
    let is_there = |dir: &&Path| dir.symlink_metadata().is_ok();
    // A relative path begins in the current directory.
    let dir = dir.ancestors().find(is_there).unwrap_or(Path::new("."));
    if !dir.is_dir() {
        let context = format!("{} is no directory", dir.display());
        return Err(Error::new(ErrorKind::Io, context));
    }
    match tempfile::tempfile_in(dir) {
        Ok(_unnamed) => Ok(()),
        Err(error) => Err(unmade("make a file in", dir, error)),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::check_room;

    #[test]
    fn a_place_that_takes_no_files_is_known_and_one_that_does_stays_empty() {
        let dir = tempfile::tempdir().unwrap();
        check_room(&dir.path().join("a/b")).unwrap();
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
        fs::write(dir.path().join("file"), "").unwrap();
        for (place, says) in [
            (dir.path().join("file/below"), "file is no directory"),
            (Path::new("/proc").join("x"), "make a file in /proc"),
        ] {
            let refused = check_room(&place).unwrap_err().to_string();
            assert!(refused.contains(says), "{refused}");
        }
    }
}
