//! Running commands: exit codes, output, the copy that is kept, refusals.

use std::fs;
use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::time::Duration;

use auto_recovery::ErrorKind;
use auto_recovery::host::SystemHost;
use auto_recovery::interrupt::Interrupt;
use auto_recovery::process::{
    self, Capture, CommandSpec, Discard, Exit, HeldOutput, HeldStreams, OutputSink, Piece,
    ReplayedInput, Stdin, Stream,
};

use proptest::prelude::*;

use crate::process_support::{Taken, run, sh};

#[test]
fn exit_codes_and_signals_are_faithful() {
    let cases = [
        ("exit 0", Exit::Code(0)),
        ("exit 1", Exit::Code(1)),
        ("exit 255", Exit::Code(255)),
        ("kill -TERM $$", Exit::Signal(15)),
        ("kill -KILL $$", Exit::Signal(9)),
        ("kill -SEGV $$", Exit::Signal(11)),
        ("kill -PIPE $$", Exit::Signal(13)),
    ];
    for (script, expected) in cases {
        let (completion, _) = run(&sh(script));
        assert_eq!(completion.exit, expected, "{script}");
        assert_eq!(completion.is_success(), expected == Exit::Code(0));
        assert!(completion.left_running.is_empty(), "{script}");
    }
    assert_eq!(Exit::Signal(15).shell_code(), 143);
    assert_eq!(Exit::Signal(15).to_string(), "SIGTERM");
}

#[test]
fn binary_output_is_intact_on_both_streams() {
    let dir = tempfile::tempdir().unwrap();
    let bytes: Vec<u8> = (0..1_000_003_u64).map(|i| ((i * i) >> 7) as u8).collect();
    fs::write(dir.path().join("in"), &bytes).unwrap();
    let mut spec = sh("cat in & cat in >&2; wait; exit 3");
    spec.cwd = Some(dir.path().to_owned());
    let (completion, taken) = run(&spec);
    assert_eq!(completion.exit, Exit::Code(3));
    assert!(taken.stdout == bytes && taken.stderr == bytes);
    assert!(*completion.capture.stream(Stream::Stdout) == bytes);
    assert!(*completion.capture.stream(Stream::Stderr) == bytes);
    assert!(*completion.capture.interleaved() == taken.both);
    assert_eq!(
        completion.capture.written(Stream::Stderr),
        bytes.len() as u64
    );
    assert!(!completion.capture.is_cut());
}

/// A sink that refuses every other time, and takes a byte at a time.
struct Reluctant {
    taken: Taken,
    refuse: bool,
    writable: std::os::fd::OwnedFd,
}

impl OutputSink for Reluctant {
    fn write(&mut self, stream: Stream, bytes: &[u8]) -> std::io::Result<usize> {
        self.refuse = !self.refuse;
        if self.refuse {
            return Err(std::io::ErrorKind::WouldBlock.into());
        }
        self.taken.write(stream, &bytes[..1])
    }

    fn wait_on(&self, _stream: Stream) -> Option<std::os::fd::BorrowedFd<'_>> {
        Some(self.writable.as_fd())
    }
}

#[test]
fn a_reluctant_sink_gets_everything() {
    let mut sink = Reluctant {
        taken: Taken::default(),
        refuse: false,
        writable: fs::File::create("/dev/null").unwrap().into(),
    };
    let spec = sh("echo one; echo two >&2; echo three");
    process::run(&spec, &mut sink, &Interrupt::none(), &SystemHost::new()).unwrap();
    assert_eq!(sink.taken.stdout, b"one\nthree\n");
    assert_eq!(sink.taken.stderr, b"two\n");
}

#[test]
fn a_sink_that_ends_closes_the_commands_pipe() {
    struct Full;
    impl OutputSink for Full {
        fn write(&mut self, _: Stream, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::BrokenPipe.into())
        }
    }
    let spec = CommandSpec::new(["yes"]);
    let done = process::run(&spec, &mut Full, &Interrupt::none(), &SystemHost::new()).unwrap();
    assert_eq!(done.exit, Exit::Signal(13), "as `yes | true`");
    let (stream, error) = done.output_error.expect("the sink failed");
    assert_eq!(stream, Stream::Stdout);
    assert_eq!(error.kind(), std::io::ErrorKind::BrokenPipe);
}

#[test]
fn order_of_both_streams_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    // A line is written only when the one before was seen: the file is the sink's signal.
    struct Paced<'a>(Taken, &'a std::path::Path);
    impl OutputSink for Paced<'_> {
        fn write(&mut self, stream: Stream, bytes: &[u8]) -> std::io::Result<usize> {
            let count = self.0.write(stream, bytes)?;
            fs::write(self.1.join(format!("seen{}", self.0.both.len())), "")?;
            Ok(count)
        }
    }
    let mut spec = sh(
        "for i in 2 4 6 8; do echo o; until [ -e seen$i ]; do :; done; done; \
         echo e >&2; until [ -e seen10 ]; do :; done; echo o",
    );
    spec.cwd = Some(dir.path().to_owned());
    let mut sink = Paced(Taken::default(), dir.path());
    let done = process::run(&spec, &mut sink, &Interrupt::none(), &SystemHost::new()).unwrap();
    assert_eq!(sink.0.both, b"o\no\no\no\ne\no\n");
    assert_eq!(*done.capture.interleaved(), *b"o\no\no\no\ne\no\n");
    let pieces = [
        Piece::Bytes(Stream::Stdout, b"o\no\no\no\n".as_slice()),
        Piece::Bytes(Stream::Stderr, b"e\n".as_slice()),
        Piece::Bytes(Stream::Stdout, b"o\n".as_slice()),
    ];
    assert_eq!(done.capture.pieces(), pieces);
}

#[test]
fn environment_directory_and_input_are_as_said() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("input"), "from a file\n").unwrap();
    let mut spec = sh("pwd -P; echo \"$GIVEN|${CARGO_MANIFEST_DIR-unset}|$RECOVER_TEST_RUN\"; cat");
    spec.cwd = Some(dir.path().to_owned());
    spec.env = vec![("GIVEN".into(), "a b;$c".into())];
    spec.env_remove = vec!["CARGO_MANIFEST_DIR".into()];
    let input = fs::File::open(dir.path().join("input")).unwrap();
    let input = ReplayedInput::new(input.as_fd(), dir.path()).unwrap();
    spec.stdin = Stdin::Replay(Arc::new(input));
    let marker = spec.marker.clone().unwrap().value.into_string().unwrap();
    let (_, taken) = run(&spec);
    let text = String::from_utf8(taken.both).unwrap();
    let expected = format!(
        "{}\na b;$c|unset|{marker}\nfrom a file\n",
        dir.path().canonicalize().unwrap().display()
    );
    assert_eq!(text, expected);
}

#[test]
fn what_cannot_be_started_says_why() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).into_os_string();
    let file = |name: &str, text: &str, mode: u32| {
        fs::write(dir.path().join(name), text).unwrap();
        fs::set_permissions(dir.path().join(name), fs::Permissions::from_mode(mode)).unwrap();
    };
    file("plain", "echo\n", 0o644);
    file("headless", "echo\n", 0o755);
    file("lost", "#!/no/such/interpreter\n", 0o755);
    let cases = [
        (
            "recover-no-such-program".into(),
            ErrorKind::CommandNotFound,
            "in PATH",
        ),
        (
            path("missing"),
            ErrorKind::CommandNotFound,
            "check the path",
        ),
        (
            path("plain/below"),
            ErrorKind::CommandNotFound,
            "no directory",
        ),
        (path("plain"), ErrorKind::NotExecutable, "chmod +x"),
        (path(""), ErrorKind::NotExecutable, "is a directory"),
        (path("headless"), ErrorKind::NotExecutable, "#!"),
        (path("lost"), ErrorKind::NotExecutable, "interpreter"),
    ];
    for (program, kind, words) in cases {
        let spec = CommandSpec::new([program.clone()]);
        let error = process::run(&spec, &mut Discard, &Interrupt::none(), &SystemHost::new())
            .expect_err("it cannot start");
        assert_eq!(error.kind(), kind, "{program:?}: {}", error.chain());
        assert!(error.to_string().contains(words), "{}", error.chain());
    }
    let mut spec = CommandSpec::new(["true"]);
    spec.cwd = Some(dir.path().join("gone"));
    let error = process::run(&spec, &mut Discard, &Interrupt::none(), &SystemHost::new())
        .expect_err("no such directory");
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
}

#[test]
fn nothing_starts_after_the_deadline_or_an_interrupt() {
    let mut spec = CommandSpec::new(["true"]);
    spec.deadline = Some(Duration::ZERO);
    let host = SystemHost::new();
    let late = process::run(&spec, &mut Discard, &Interrupt::none(), &host).expect_err("late");
    assert_eq!(late.kind(), ErrorKind::TimedOut);
    let interrupt = Interrupt::new().unwrap();
    interrupt.raise(2);
    let spec = CommandSpec::new(["true"]);
    let stopped = process::run(&spec, &mut Discard, &interrupt, &host).expect_err("stopped");
    assert_eq!(stopped.kind(), ErrorKind::Interrupted);
}

#[test]
fn huge_output_is_kept_in_bounded_memory() {
    let mut spec = sh("head -c 64000000 /dev/zero; echo e >&2; echo the end");
    spec.capture_head = 1000;
    spec.capture_tail = 2000;
    let (done, taken) = run(&spec);
    assert_eq!(taken.stdout.len(), 64_000_008);
    let kept = done.capture.stream(Stream::Stdout).into_owned();
    let marker = "\n[recover: 63997008 bytes of stdout were cut here]\n";
    assert_eq!(kept.len(), 3000 + marker.len());
    assert!(kept.ends_with(b"\0the end\n"));
    assert_eq!(&kept[1000..1000 + marker.len()], marker.as_bytes());
    assert_eq!(*done.capture.stream(Stream::Stderr), *b"e\n");
    assert!(done.capture.is_cut());
}

#[test]
fn the_copy_is_written_when_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("output");
    let mut capture = Capture::new(4, 4);
    capture.push(Stream::Stdout, b"abcdef");
    capture.push(Stream::Stderr, b"ERR\n");
    capture.push(Stream::Stdout, b"ghijkl");
    capture.write_to(&path).unwrap();
    let text = fs::read_to_string(&path).unwrap();
    assert_eq!(
        text,
        "abcdERR\n[recover: 4 bytes of stdout were cut here]\nijkl"
    );
    let mode = fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let again = capture.write_to(&path).expect_err("it exists");
    assert!(again.to_string().contains("output"), "{}", again.chain());
}

#[test]
fn held_output_is_released_or_forgotten() {
    let dir = tempfile::tempdir().unwrap();
    let mut sink = HeldOutput::new(Taken::default(), HeldStreams::Stdout, dir.path());
    let spec = sh("head -c 3000000 /dev/zero; echo err >&2; exit 1");
    let host = SystemHost::new();
    let interrupt = Interrupt::none();
    process::run(&spec, &mut sink, &interrupt, &host).unwrap();
    sink.forget();
    process::run(
        &sh("head -c 2000000 /dev/zero; echo end"),
        &mut sink,
        &interrupt,
        &host,
    )
    .unwrap();
    sink.release(&interrupt, &host).unwrap();
    let taken = sink.into_inner();
    assert_eq!(taken.stdout.len(), 2_000_004);
    assert!(taken.both.starts_with(b"err\n\0") && taken.both.ends_with(b"\0end\n"));
}

proptest! {
    /// Whatever arrives in whatever pieces: each stream's copy is its head and its tail, and the
    /// order is that of arrival.
    #[test]
    fn the_copy_is_head_and_tail_in_order(
        head in 0_usize..20,
        tail in 0_usize..20,
        pieces in prop::collection::vec((any::<bool>(), 0_usize..12), 0..40),
    ) {
        let mut capture = Capture::new(head, tail);
        let mut whole = [Vec::new(), Vec::new()];
        let mut arrived = Vec::new();
        for (number, &(is_err, count)) in pieces.iter().enumerate() {
            let stream = if is_err { Stream::Stderr } else { Stream::Stdout };
            let bytes = vec![number as u8; count];
            capture.push(stream, &bytes);
            for byte in bytes {
                let mine = &mut whole[usize::from(is_err)];
                arrived.push((stream, byte, mine.len()));
                mine.push(byte);
            }
        }
        let total = |stream| whole[usize::from(stream == Stream::Stderr)].len();
        let expected: Vec<_> = arrived
            .into_iter()
            .filter(|&(stream, _, at)| at < head || at + tail >= total(stream))
            .map(|(stream, byte, _)| (stream, byte))
            .collect();
        let mut kept = Vec::new();
        let mut cuts = 0;
        for piece in capture.pieces() {
            match piece {
                Piece::Bytes(stream, bytes) => kept.extend(bytes.iter().map(|&b| (stream, b))),
                Piece::Cut(_, count) => cuts += count,
            }
        }
        prop_assert_eq!(cuts as usize, whole[0].len() + whole[1].len() - expected.len());
        prop_assert_eq!(kept, expected);
    }
}
