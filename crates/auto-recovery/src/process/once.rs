//! Inputs that can be read once only.
//!
//! What the shell's `<(…)` makes is a pipe that the command inherits and is told of as
//! `/dev/fd/63`; a named pipe is no different. The first run empties it, and a second one would
//! find no input and perhaps pass. What is found here keeps a command from being run again;
//! standard input is not among it, because that is [kept](super::ReplayedInput), nor are files,
//! which are [set back](super::InheritedFiles); sockets are there for talking, and a jobserver's
//! pipes are for tokens. What git itself reads, and leaves open in a hook, is none of the hook's.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::iter::successors;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileTypeExt;
use std::path::Path;

use crate::platform::descriptors::{
    ACCESS_MODE, CLOSE_ON_EXEC, OURS, WRITE_ONLY, flags, numbers, of as descriptors_of,
    path_of_ours,
};
use crate::platform::processes::Stat;

/// Processes above us that are looked at: a hook that is a script of scripts has a few.
const ANCESTORS_MAX: usize = 16;

/// Standard streams under all their names: those of the command are not ours.
const STREAMS: [&str; 6] = [
    "/dev/stdin",
    "/dev/stdout",
    "/dev/stderr",
    "/dev/fd/0",
    "/dev/fd/1",
    "/dev/fd/2",
];

/// Why `argv`, started by this process in this directory, could not be run a second time, if it
/// reads what can be read once only. `makeflags` is what `make` says to this process, in which its
/// own pipes are named.
pub fn read_once(argv: &[OsString], makeflags: &OsStr) -> Option<String> {
    let named = argv
        .iter()
        .flat_map(|word| places_in(word))
        .find(|place| is_pipe(place));
    if let Some(place) = named {
        let place = place.to_string_lossy();
        return Some(format!(
            "`{place}` is a pipe, and what the first run read from it is gone: give it as a file"
        ));
    }
    let make = jobserver(&makeflags.to_string_lossy());
    let mut inherited = inherited_pipes().filter(|number| !make.contains(number));
    let inherited = inherited.find(|number| !is_gits(*number));
    inherited.map(|number| {
        format!(
            "the command inherits a pipe (descriptor {number}), and what the first run read from \
             it is gone: give it as a file, or close it with `{number}<&-`"
        )
    })
}

/// What in `word` may be a path: the whole, and what follows a `=` or an `@`.
fn places_in(word: &OsStr) -> impl Iterator<Item = &Path> {
    let bytes = word.as_bytes();
    let behind = memchr::memchr2_iter(b'=', b'@', bytes).map(|at| &bytes[at + 1..]);
    let parts = std::iter::once(bytes).chain(behind);
    parts.map(|part| Path::new(OsStr::from_bytes(part)))
}

/// Whether a pipe stands there that can be read from.
fn is_pipe(place: &Path) -> bool {
    let is_ours = |number| place == Path::new(&path_of_ours(number));
    if STREAMS.iter().any(|stream| place == Path::new(stream)) || (0..=2).any(is_ours) {
        return false;
    }
    let is_fifo = fs::metadata(place).is_ok_and(|found| found.file_type().is_fifo());
    is_fifo && descriptor(place).is_none_or(|number| flags(number).is_none_or(can_read))
}

/// The number of our descriptor that `place` names.
fn descriptor(place: &Path) -> Option<u32> {
    let parent = place.parent()?;
    let is_ours = parent == Path::new("/dev/fd") || parent == Path::new(OURS);
    let number = place.file_name()?.to_str()?;
    is_ours.then(|| number.parse().ok()).flatten()
}

/// Pipes that programs we start inherit and can read from, standard input aside.
fn inherited_pipes() -> impl Iterator<Item = u32> {
    numbers().filter(|&number| {
        let path = path_of_ours(number);
        let is_fifo = || fs::metadata(path).is_ok_and(|found| found.file_type().is_fifo());
        let is_inherited = |flags: u32| flags & CLOSE_ON_EXEC == 0 && can_read(flags);
        number > 2 && is_fifo() && flags(number).is_some_and(is_inherited)
    })
}

/// Whether a git above us has our descriptor `number` open too: a push leaves the pipes to the
/// other side open in its hooks.
fn is_gits(number: u32) -> bool {
    let Ok(ours) = fs::read_link(path_of_ours(number)) else {
        return false;
    };
    let holds = |pid: i32| {
        let theirs = descriptors_of(pid).into_iter().flatten().flatten();
        let mut theirs = theirs.filter_map(|one| fs::read_link(one.path()).ok());
        theirs.any(|one| one == ours)
    };
    let above = |of: &Stat| Stat::read(of.parent).filter(|above| above.pid > 1);
    let all = successors(Stat::ours().as_ref().and_then(above), above);
    let mut all = all.take(ANCESTORS_MAX);
    all.any(|one| one.name.starts_with("git") && holds(one.pid))
}

fn can_read(flags: u32) -> bool {
    flags & ACCESS_MODE != WRITE_ONLY
}

/// The descriptors of the jobserver that `makeflags` names.
fn jobserver(makeflags: &str) -> Vec<u32> {
    let words = makeflags.split_ascii_whitespace();
    let numbers = words.filter_map(|word| {
        word.strip_prefix("--jobserver-auth=")
            .or_else(|| word.strip_prefix("--jobserver-fds="))
    });
    numbers
        .flat_map(|numbers| numbers.split(','))
        .filter_map(|number| number.parse().ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsRawFd;

    use super::*;

    fn words(argv: &[&str]) -> Vec<OsString> {
        argv.iter().map(OsString::from).collect()
    }

    #[test]
    fn pipes_are_found_in_words_and_files_are_not() {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        let file = tempfile::NamedTempFile::new().expect("a file");
        let fifo = file.path().with_extension("fifo");
        let mode = rustix::fs::Mode::RWXU;
        rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, mode, 0)
            .expect("a named pipe");
        let (reader, writer) = (reader.as_raw_fd(), writer.as_raw_fd());
        let fifo_path = fifo.display();
        for (word, expected) in [
            (format!("/dev/fd/{reader}"), true),
            (format!("/proc/self/fd/{reader}"), true),
            (format!("--file=/dev/fd/{reader}"), true),
            (format!("@/dev/fd/{reader}"), true),
            (format!("/dev/fd/{writer}"), false),
            (format!("{fifo_path}"), true),
            (format!("--input={fifo_path}"), true),
            (file.path().display().to_string(), false),
            ("/dev/stdin".to_owned(), false),
            ("/dev/fd/0".to_owned(), false),
            ("a=b@c".to_owned(), false),
        ] {
            let found = read_once(&words(&["cat", &word]), OsStr::new(""));
            // The harness may itself have inherited a pipe, which has other words.
            let found = found.is_some_and(|why| why.contains("is a pipe"));
            assert_eq!(found, expected, "{word}");
        }
        fs::remove_file(fifo).expect("removed");
    }

    #[test]
    fn the_jobserver_is_known_by_its_flags() {
        for (flags, expected) in [
            ("", &[][..]),
            (" -j4 --jobserver-auth=3,4", &[3, 4]),
            ("k --jobserver-fds=5,6 -j", &[5, 6]),
            ("--jobserver-auth=fifo:/tmp/GMfifo1", &[]),
        ] {
            assert_eq!(jobserver(flags), expected, "{flags}");
        }
    }
}
