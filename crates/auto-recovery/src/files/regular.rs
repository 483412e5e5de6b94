//! Opening a name only if a regular file stands there.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

/// Whether the last part of a name may be a symbolic link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Links {
    /// A link is refused: for names in a directory that others may write, and in our own state.
    Refuse,
    /// A link is followed: for names that people are known to link, as their dotfiles.
    Follow,
}

/// Opens the regular file at `path` for reading. Never waits, whatever stands there.
///
/// # Errors
/// `InvalidInput` naming what stands there if it is no regular file; otherwise as
/// [`File::open`].
pub fn open_regular(path: &Path, links: Links) -> io::Result<File> {
    // Asked first, for to open a device is to do something to it.
    let found = match links {
        Links::Refuse => path.symlink_metadata()?,
        Links::Follow => path.metadata()?,
    };
    check(&found)?;
    let no_follow = match links {
        Links::Refuse => libc::O_NOFOLLOW,
        Links::Follow => 0,
    };
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY | no_follow)
        .open(path)?;
    // Another may stand there by now.
    check(&file.metadata()?)?;
    Ok(file)
}

/// What is done where there is no file yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// One is made, with this mode.
    Make(u32),
    /// It is an error.
    Fail,
}

/// Opens the regular file at `path` for reading and appending, never through a link. Never waits,
/// whatever stands there.
///
/// # Errors
/// As [`open_regular`]; a link is what the system makes of it, `ELOOP`.
pub fn append_regular(path: &Path, missing: Missing) -> io::Result<File> {
    match path.symlink_metadata() {
        Ok(found) if found.is_symlink() => {}
        Ok(found) => check(&found)?,
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Err(_) => {}
    }
    let mut options = OpenOptions::new();
    if let Missing::Make(mode) = missing {
        options.create(true).mode(mode);
    }
    let file = options
        .read(true)
        .append(true)
        .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY | libc::O_NOFOLLOW)
        .open(path)?;
    check(&file.metadata()?)?;
    Ok(file)
}

/// Opens the regular file at `path`, or the one that a link there leads to, for writing at its end;
/// one that is not there is made. Never waits, whatever stands there.
///
/// # Errors
/// As [`open_regular`].
pub fn append_through(path: &Path) -> io::Result<File> {
    match path.metadata() {
        Ok(found) => check(&found)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let file = OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY)
        .open(path)?;
    check(&file.metadata()?)?;
    Ok(file)
}

/// Reads the regular file at `path`, of at most `limit` bytes. Never waits, whatever stands there.
///
/// # Errors
/// As [`open_regular`]; `FileTooLarge` if it holds more.
pub fn read_small(path: &Path, links: Links, limit: u64) -> io::Result<Vec<u8>> {
    let file = open_regular(path, links)?;
    let size = file.metadata()?.len();
    if size > limit {
        return Err(too_large(limit));
    }
    // A file may grow while it is read, and some say that they are empty.
    let mut bytes = Vec::with_capacity(size as usize);
    file.take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return Err(too_large(limit));
    }
    Ok(bytes)
}

/// Reads the beginning of the regular file at `path`, at most `limit` bytes. Never waits, whatever
/// stands there.
///
/// # Errors
/// As [`open_regular`].
pub fn read_start(path: &Path, links: Links, limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open_regular(path, links)?
        .take(limit)
        .read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn too_large(limit: u64) -> io::Error {
    io::Error::new(
        io::ErrorKind::FileTooLarge,
        format!("it holds more than {limit} bytes"),
    )
}

fn check(found: &std::fs::Metadata) -> io::Result<()> {
    use std::os::unix::fs::FileTypeExt as _;

    let kind = found.file_type();
    let what = match () {
        () if kind.is_file() => return Ok(()),
        () if kind.is_symlink() => "a symbolic link",
        () if kind.is_dir() => "a directory",
        () if kind.is_fifo() => "a FIFO",
        () if kind.is_socket() => "a socket",
        () => "a device",
    };
    Err(io::Error::new(
        io::ErrorKind::InvalidInput,
        format!("it is {what}, not a regular file"),
    ))
}

#[cfg(test)]
mod tests {
    use super::{
        Links, Missing, append_regular, append_through, open_regular, read_small, read_start,
    };
    use std::io::ErrorKind;
    use std::os::unix::fs::symlink;

    #[test]
    fn a_regular_file_is_read_up_to_the_limit() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        std::fs::write(&path, "1234").unwrap();
        assert_eq!(read_small(&path, Links::Refuse, 4).unwrap(), b"1234");
        let more = read_small(&path, Links::Refuse, 3).unwrap_err();
        assert_eq!(more.kind(), ErrorKind::FileTooLarge);
        assert_eq!(read_start(&path, Links::Refuse, 3).unwrap(), b"123");
    }

    #[test]
    fn a_link_is_followed_only_where_that_was_said() {
        let dir = tempfile::tempdir().unwrap();
        let (path, link) = (dir.path().join("a"), dir.path().join("b"));
        std::fs::write(&path, "1234").unwrap();
        symlink(&path, &link).unwrap();
        assert_eq!(read_small(&link, Links::Follow, 9).unwrap(), b"1234");
        let refused = read_small(&link, Links::Refuse, 9).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "it is a symbolic link, not a regular file"
        );
    }

    #[test]
    fn what_is_appended_goes_behind_what_is_there_and_into_files_only() {
        use std::io::Write as _;

        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        for text in ["12", "34"] {
            let mut file = append_through(&path).unwrap();
            file.write_all(text.as_bytes()).unwrap();
        }
        assert_eq!(std::fs::read(&path).unwrap(), b"1234");
        let device = append_through("/dev/null".as_ref()).unwrap_err();
        assert_eq!(device.kind(), ErrorKind::InvalidInput);
    }

    #[test]
    fn what_would_hang_or_never_end_is_refused_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let fifo = dir.path().join("fifo");
        rustix::fs::mknodat(
            rustix::fs::CWD,
            &fifo,
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::RUSR,
            0,
        )
        .unwrap();
        let link = dir.path().join("link");
        symlink("/dev/zero", &link).unwrap();
        for (path, says) in [(&fifo, "a FIFO"), (&link, "a device")] {
            let refused = open_regular(path, Links::Follow).unwrap_err();
            assert_eq!(
                refused.to_string(),
                format!("it is {says}, not a regular file")
            );
        }
    }

    #[test]
    fn only_a_regular_file_is_appended_to() {
        let dir = tempfile::tempdir().unwrap();
        let (path, link) = (dir.path().join("a"), dir.path().join("b"));
        let missing = append_regular(&path, Missing::Fail).unwrap_err();
        assert_eq!(missing.kind(), ErrorKind::NotFound);
        append_regular(&path, Missing::Make(0o600)).unwrap();
        symlink(&path, &link).unwrap();
        let dangling = dir.path().join("c");
        symlink(dir.path().join("nowhere"), &dangling).unwrap();
        for path in [&link, &dangling] {
            let refused = append_regular(path, Missing::Make(0o600)).unwrap_err();
            assert_eq!(refused.raw_os_error(), Some(libc::ELOOP));
        }
        for (path, says) in [
            (dir.path(), "a directory"),
            ("/dev/null".as_ref(), "a device"),
        ] {
            let refused = append_regular(path, Missing::Make(0o600)).unwrap_err();
            assert_eq!(
                refused.to_string(),
                format!("it is {says}, not a regular file")
            );
        }
        assert!(!dir.path().join("nowhere").exists());
    }

    #[test]
    fn a_file_that_says_it_is_empty_is_read_all_the_same() {
        let text = read_small("/proc/self/stat".as_ref(), Links::Refuse, 4096).unwrap();
        assert!(!text.is_empty());
    }
}
