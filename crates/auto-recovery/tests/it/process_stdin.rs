//! Input that every attempt reads from where the first began.

use std::fs;
use std::io::{Read, Seek, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;

use auto_recovery::host::SystemHost;
use auto_recovery::interrupt::Interrupt;
use auto_recovery::process::{self, Discard, InputLost, ReplayedInput, Stdin};
use auto_recovery::{ErrorKind, Hint};

use crate::process_support::{run, sh};

fn input(source: impl AsFd) -> Arc<ReplayedInput> {
    let spool = std::env::temp_dir();
    Arc::new(ReplayedInput::new(source.as_fd(), &spool).expect("it can be looked at"))
}

fn attempt(script: &str, input: &Arc<ReplayedInput>) -> Vec<u8> {
    let mut spec = sh(script);
    spec.stdin = Stdin::Replay(input.clone());
    run(&spec).1.stdout
}

#[test]
fn a_pipe_is_replayed_and_read_on_from() {
    let (reader, mut writer) = std::io::pipe().unwrap();
    let lines: String = (0..20_000).map(|i| format!("line {i}\n")).collect();
    std::thread::scope(|scope| {
        let text = &lines;
        scope.spawn(move || writer.write_all(text.as_bytes()).unwrap());
        let input = input(&reader);
        assert_eq!(attempt("head -c 3; exit 1", &input), b"lin");
        assert_eq!(
            attempt("head -c 100000; exit 1", &input),
            &lines.as_bytes()[..100_000]
        );
        assert!(attempt("cat", &input) == lines.as_bytes());
        assert!(attempt("cat", &input) == lines.as_bytes());
        assert_eq!(input.why_lost(), None);
    });
}

#[test]
fn a_socket_is_replayed_too() {
    let (reader, mut writer) = UnixStream::pair().unwrap();
    writer.write_all(b"one\ntwo\n").unwrap();
    drop(writer);
    let input = input(&reader);
    assert_eq!(attempt("read a; echo $a", &input), b"one\n");
    assert_eq!(attempt("cat", &input), b"one\ntwo\n");
    assert_eq!(attempt("cat", &input), b"one\ntwo\n");
}

#[test]
fn what_no_attempt_reads_stays_for_others() {
    let (mut reader, mut writer) = std::io::pipe().unwrap();
    writer.write_all(b"one\ntwo\nthree\n").unwrap();
    drop(writer);
    let input = input(&reader);
    assert_eq!(attempt("true", &input), b"");
    assert_eq!(attempt("read a; read b; echo $a $b", &input), b"one two\n");
    assert_eq!(attempt("read a; echo $a", &input), b"one\n");
    let mut rest = String::new();
    reader.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "three\n");
}

#[test]
fn a_file_is_read_from_where_it_stood() {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(b"skipped\none\ntwo\n").unwrap();
    file.seek(std::io::SeekFrom::Start(8)).unwrap();
    let input = input(&file);
    assert_eq!(attempt("cat", &input), b"one\ntwo\n");
    assert_eq!(attempt("head -c 4", &input), b"one\n");
    assert_eq!(file.stream_position().unwrap(), 12, "as without us");
}

#[test]
fn a_pipe_longer_than_what_is_kept_says_so() {
    let (reader, mut writer) = std::io::pipe().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            let piece = vec![b'x'; 1 << 20];
            (0..65).for_each(|_| writer.write_all(&piece).unwrap());
        });
        let input = input(&reader);
        assert_eq!(attempt("wc -c", &input), b"68157440\n");
        let why = input.why_lost().expect("65 MiB are more than 64");
        assert_eq!(why, InputLost::TooLong);
        assert!(why.to_string().contains("64 MiB"), "{why}");
        assert_eq!(why.hint(), Some(Hint::GiveFile));
        let mut spec = sh("cat");
        spec.stdin = Stdin::Replay(input);
        let again = process::run(&spec, &mut Discard, &Interrupt::none(), &SystemHost::new())
            .expect_err("the beginning is gone");
        assert_eq!(again.kind(), ErrorKind::Refused);
    });
}

#[test]
fn null_is_handed_on() {
    let null = fs::File::open("/dev/null").unwrap();
    let input = input(&null);
    assert_eq!(
        attempt("cat; readlink /proc/self/fd/0", &input),
        b"/dev/null\n"
    );
}
