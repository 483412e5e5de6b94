//! Directories and files that must be the effective user's own.
//!
//! A directory counts as one's own if its owner is the effective user, no other user may write in
//! it, and no other user made the link that leads to it. In such a directory, names are what its
//! owner made them; all the same no link is followed in it, for it may not always have been like
//! that. A user who may rename in a directory above can take it away, but cannot replace it by one
//! that passes for one's own.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use super::private::{make_private_dir, make_private_dirs};
use crate::error::{Error, ErrorKind, Hint};

use super::writers::{other_writers, other_writers_at};

/// The purpose of a directory of one's own: decides the way out in a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Checkpoints, outputs, locks: the state.
    State,
    /// Trails.
    Store,
}

/// Makes sure that `dir` is a directory of the effective user's own. Makes nothing.
///
/// # Errors
/// `NotFound` if there is none; `PermissionDenied`, with the reason and the way out, if it is
/// another user's or another user may write in it; otherwise as `open`.
pub fn check_own_dir(dir: &Path, purpose: Purpose) -> io::Result<()> {
    check(dir).map_err(|error| with_way_out(error, purpose))
}

/// Makes `below` in `base`, and what is missing of both, for the effective user alone, and returns
/// where that is. What is there must be the user's own.
///
/// # Errors
/// As [`check_own_dir`], and as `mkdir`.
pub fn make_own_dir(base: &Path, below: &Path, purpose: Purpose) -> io::Result<PathBuf> {
    make(base, below).map_err(|error| with_way_out(error, purpose))
}

/// Makes sure that the file at `path` is the effective user's own, in a directory in which no other
/// user but root may write: so are all files a program puts beside it. Opens nothing.
///
/// # Errors
/// As [`check_own_dir`].
pub fn check_own_file(path: &Path, purpose: Purpose) -> io::Result<()> {
    check_file(path).map_err(|error| with_way_out(error, purpose))
}

/// Opens a file of the effective user's own in a directory of the user's own, as `options` say.
/// Where it is made, it is for that user alone.
///
/// # Errors
/// `PermissionDenied` if it is a link, another name of some other file, no regular file, or another
/// user's; otherwise as `open`.
pub fn open_own(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_NOCTTY;
    let file = options.mode(0o600).custom_flags(flags).open(path);
    let file = file.map_err(|error| match error.raw_os_error() {
        Some(libc::ELOOP) => refused("it is a symbolic link, not a file of yours"),
        Some(libc::ENXIO) => refused("it is no regular file"),
        _ => error,
    })?;
    let found = file.metadata()?;
    if !found.is_file() {
        return Err(refused("it is no regular file"));
    }
    // One that is removed while it is open has no name left.
    if found.nlink() > 1 {
        return Err(refused("it has another name elsewhere"));
    }
    check_owner(&found)?;
    Ok(file)
}

/// Makes a new file at `path`, for the effective user alone, in place of any file that a dead
/// process left there. The target of a link there is not touched.
///
/// # Errors
/// As `unlink` and `open`.
pub fn create_afresh(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    match options.open(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            fs::remove_file(path)?;
            options.open(path)
        }
        made => made,
    }
}

fn check(dir: &Path) -> io::Result<()> {
    let named = dir.symlink_metadata()?;
    check_link(&named)?;
    match named.is_symlink() {
        true => check_real(&fs::canonicalize(dir)?),
        false => check_real(dir),
    }
}

fn check_file(path: &Path) -> io::Result<()> {
    check_link(&path.symlink_metadata()?)?;
    let real = fs::canonicalize(path)?;
    let found = real.symlink_metadata()?;
    if !found.is_file() {
        return Err(refused("it is no regular file"));
    }
    check_owner(&found)?;
    if let Some(who) = other_writers_at(&real, &found) {
        return Err(refused(&who));
    }
    let dir = real.parent().unwrap_or(Path::new("/"));
    let found = dir.symlink_metadata()?;
    let who = match is_ours_or_roots(&found) {
        true => other_writers_at(dir, &found),
        false => Some(format!("it belongs to user {}", found.uid())),
    };
    match who {
        Some(who) => Err(inside(dir, refused(&who))),
        None => Ok(()),
    }
}

fn make(base: &Path, below: &Path) -> io::Result<PathBuf> {
    match check(base) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            make_private_dirs(base)?;
            check(base)?;
        }
        checked => checked?,
    }
    let mut dir = base.to_owned();
    for name in below.components() {
        dir.push(name);
        let made = match check_real(&dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => match make_private_dir(&dir) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
                _ => check_real(&dir),
            },
            checked => checked,
        };
        made.map_err(|error| inside(&dir, error))?;
    }
    Ok(dir)
}

/// Makes sure that the file `found` under a name is no link of another user.
fn check_link(found: &Metadata) -> io::Result<()> {
    match found.is_symlink() && !is_ours_or_roots(found) {
        true => {
            let by = found.uid();
            Err(refused(&format!("it is a link that user {by} made")))
        }
        false => Ok(()),
    }
}

/// Makes sure that `dir`, which is no link, is a directory of the effective user's alone.
fn check_real(dir: &Path) -> io::Result<()> {
    let flags = libc::O_DIRECTORY | libc::O_NOFOLLOW | libc::O_NONBLOCK;
    let opened = File::options().read(true).custom_flags(flags).open(dir);
    let opened = opened.map_err(|error| match error.raw_os_error() {
        Some(libc::ELOOP | libc::ENOTDIR) if dir.is_symlink() => {
            refused("it is a symbolic link, not a directory of yours")
        }
        _ => error,
    })?;
    let found = opened.metadata()?;
    check_owner(&found)?;
    match other_writers(&opened, &found) {
        Some(who) => Err(refused(&who)),
        None => Ok(()),
    }
}

fn check_owner(found: &Metadata) -> io::Result<()> {
    let user = rustix::process::geteuid().as_raw();
    match found.uid() {
        owner if owner == user => Ok(()),
        owner => Err(refused(&format!(
            "it belongs to user {owner}, and you are user {user}"
        ))),
    }
}

fn is_ours_or_roots(found: &Metadata) -> bool {
    found.uid() == 0 || found.uid() == rustix::process::geteuid().as_raw()
}

fn refused(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::PermissionDenied, why)
}

/// The same error, for an entry inside of the directory asked for.
fn inside(dir: &Path, error: io::Error) -> io::Error {
    match is_ours_to_say(&error) {
        true => refused(&format!("{}: {error}", dir.display())),
        false => error,
    }
}

fn with_way_out(error: io::Error, purpose: Purpose) -> io::Error {
    match is_ours_to_say(&error) {
        true => match purpose {
            Purpose::State => refused(&format!(
                "{error}: set RECOVER_STATE_DIR to a directory of your own (with sudo: `sudo -H`)"
            )),
            Purpose::Store => {
                let error = Error::new(ErrorKind::Io, error.to_string());
                let error = error.with_hint(Hint::OwnStore);
                io::Error::new(io::ErrorKind::PermissionDenied, error)
            }
        },
        false => error,
    }
}

/// Whether a refusal is by the rules of this module, rather than by the system.
fn is_ours_to_say(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::PermissionDenied && error.raw_os_error().is_none()
}

#[cfg(test)]
mod tests {
    use std::fs::{self, OpenOptions, Permissions};
    use std::io::{ErrorKind, Write as _};
    use std::os::unix::fs::{PermissionsExt as _, chown, lchown, symlink};
    use std::path::Path;

    use super::{
        Error, Hint, Purpose, check_own_dir, check_own_file, create_afresh, make_own_dir, open_own,
    };

    fn mode(path: &Path, mode: u32) {
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }

    fn refusal(dir: &Path) -> String {
        let error = check_own_dir(dir, Purpose::State).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{error}");
        error.to_string()
    }

    #[test]
    fn a_directory_that_others_may_write_is_refused_with_the_way_out() {
        let dir = tempfile::tempdir().unwrap();
        let state = dir.path().join("state");
        fs::create_dir(&state).unwrap();
        for (bits, says) in [
            (0o1777, "others can write it (mode 1777)"),
            (0o702, "mode 0702"),
        ] {
            mode(&state, bits);
            let why = refusal(&state);
            assert!(
                why.contains(says) && why.contains("set RECOVER_STATE_DIR"),
                "{why}"
            );
            make_own_dir(&state, "locks".as_ref(), Purpose::State).unwrap_err();
            assert!(!state.join("locks").exists());
        }
        for bits in [0o700, 0o755] {
            mode(&state, bits);
            check_own_dir(&state, Purpose::State).unwrap();
        }
        let absent = check_own_dir(&dir.path().join("none"), Purpose::State).unwrap_err();
        assert_eq!(absent.kind(), ErrorKind::NotFound);
    }

    #[test]
    fn what_is_another_users_is_refused_and_so_is_a_link_that_another_made() {
        if !rustix::process::geteuid().is_root() {
            let why = b"skipped: only root can make what is another user's\n";
            std::io::stderr().write_all(why).unwrap();
            return;
        }
        let dir = tempfile::tempdir().unwrap();
        let (state, link) = (dir.path().join("state"), dir.path().join("link"));
        fs::create_dir(&state).unwrap();
        mode(&state, 0o700);
        symlink(&state, &link).unwrap();
        check_own_dir(&link, Purpose::State).unwrap();
        lchown(&link, Some(65534), None).unwrap();
        assert!(refusal(&link).contains("a link that user 65534 made"));
        chown(&state, Some(65534), None).unwrap();
        let why = refusal(&state);
        assert!(
            why.contains("it belongs to user 65534, and you are user 0"),
            "{why}"
        );
        chown(&state, Some(0), None).unwrap();
        let below = state.join("locks");
        fs::create_dir(&below).unwrap();
        chown(&below, Some(65534), None).unwrap();
        let made = make_own_dir(&state, "locks".as_ref(), Purpose::State).unwrap_err();
        let why = made.to_string();
        assert!(why.contains("/locks: it belongs to user 65534"), "{why}");
    }

    #[test]
    fn a_file_is_ones_own_only_in_a_directory_where_nobody_else_writes() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("a.db");
        fs::write(&file, "").unwrap();
        mode(&file, 0o600);
        let check = || check_own_file(&file, Purpose::Store);
        check().unwrap();
        mode(&file, 0o666);
        let error = check().unwrap_err();
        let ours = error
            .get_ref()
            .and_then(|ours| ours.downcast_ref::<Error>());
        let hint = ours.and_then(Error::hint);
        let why = error.to_string();
        assert!(
            why.contains("others can write it") && hint == Some(&Hint::OwnStore),
            "{why}"
        );
        let told = Error::io("open", &file, error).chain_with(|says, _| format!("{says}!"));
        assert!(told.ends_with("(mode 0666)!"), "{told}");
        mode(&file, 0o600);
        // SQLite's files beside it could be any user's there.
        mode(dir.path(), 0o1777);
        let why = check().unwrap_err().to_string();
        assert!(why.contains("others can write it (mode 1777)"), "{why}");
        mode(dir.path(), 0o755);
        check().unwrap();
        if rustix::process::geteuid().is_root() {
            chown(&file, Some(65534), None).unwrap();
            assert!(
                check()
                    .unwrap_err()
                    .to_string()
                    .contains("it belongs to user 65534")
            );
        }
    }

    #[test]
    fn a_link_in_place_of_a_directory_below_is_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        let (state, other) = (dir.path().join("state"), dir.path().join("other"));
        fs::create_dir(&other).unwrap();
        fs::create_dir(&state).unwrap();
        mode(&state, 0o700);
        symlink(&other, state.join("a")).unwrap();
        make_own_dir(&state, "a/b".as_ref(), Purpose::State).unwrap_err();
        assert_eq!(fs::read_dir(&other).unwrap().count(), 0);
        let made = make_own_dir(&state, "b/c".as_ref(), Purpose::State).unwrap();
        assert_eq!(made, state.join("b/c"));
        assert_eq!(made.metadata().unwrap().permissions().mode() & 0o777, 0o700);
    }

    #[test]
    fn a_file_of_ones_own_is_no_link_and_has_one_name() {
        let dir = tempfile::tempdir().unwrap();
        let (own, victim) = (dir.path().join("own"), dir.path().join("victim"));
        fs::write(&victim, "whole").unwrap();
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true);
        open_own(&own, &mut options).unwrap();
        for name in ["symbolic", "hard", "fifo"] {
            let path = dir.path().join(name);
            match name {
                "symbolic" => symlink(&victim, &path).unwrap(),
                "hard" => fs::hard_link(&victim, &path).unwrap(),
                _ => rustix::fs::mknodat(
                    rustix::fs::CWD,
                    &path,
                    rustix::fs::FileType::Fifo,
                    rustix::fs::Mode::RWXU,
                    0,
                )
                .unwrap(),
            }
            let refused = open_own(&path, &mut options).unwrap_err();
            assert_eq!(
                refused.kind(),
                ErrorKind::PermissionDenied,
                "{name}: {refused}"
            );
            create_afresh(&path).unwrap().write_all(b"mine").unwrap();
            assert_eq!(fs::read(&path).unwrap(), b"mine");
        }
        assert_eq!(fs::read(&victim).unwrap(), b"whole");
    }
}
