//! Input that the system does not let us look at, which takes a sandbox to have for real.

use std::io::Write as _;
use std::os::unix::net::UnixStream;

use super::*;
use crate::host::SystemHost;
use crate::interrupt::Interrupt;
use crate::process::{CommandSpec, OutputSink, Stdin, Stream, run};

/// Keeps what comes on stdout.
#[derive(Default)]
struct Taken(Vec<u8>);

impl OutputSink for Taken {
    fn write(&mut self, _stream: Stream, bytes: &[u8]) -> io::Result<usize> {
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }
}

fn attempt(script: &str, input: &Arc<ReplayedInput>) -> Vec<u8> {
    let mut spec = CommandSpec::new(["sh", "-c", script]);
    spec.stdin = Stdin::Replay(input.clone());
    let mut taken = Taken::default();
    run(&spec, &mut taken, &Interrupt::none(), &SystemHost::new()).expect("it starts");
    taken.0
}

/// An input in which `tee` cannot look, though it is taken for a pipe.
fn blind(source: &UnixStream) -> Arc<ReplayedInput> {
    let mut input = ReplayedInput::new(source.as_fd(), &std::env::temp_dir()).expect("looked at");
    input.kind = Kind::Pipe;
    Arc::new(input)
}

#[test]
fn what_cannot_be_looked_at_is_taken_and_kept() {
    let (reader, mut writer) = UnixStream::pair().expect("a pair");
    let lines: String = (0..20_000).map(|i| format!("line {i}\n")).collect();
    std::thread::scope(|scope| {
        let text = &lines;
        scope.spawn(move || {
            writer.write_all(text.as_bytes()).expect("written");
            drop(writer);
        });
        let input = blind(&reader);
        assert_eq!(attempt("head -c 3; exit 1", &input), b"lin");
        assert!(
            !input.can_look.load(Ordering::Relaxed),
            "the slow way is taken"
        );
        assert_eq!(
            attempt("head -c 100000", &input),
            &lines.as_bytes()[..100_000]
        );
        assert!(attempt("cat", &input) == lines.as_bytes());
        assert!(attempt("cat", &input) == lines.as_bytes());
        assert_eq!(input.why_lost(), None);
    });
}

#[test]
fn no_more_is_taken_than_our_pipe_holds() {
    let (reader, mut writer) = UnixStream::pair().expect("a pair");
    writer.write_all(&[b'x'; 3 * PIECE_MAX]).expect("written");
    let input = blind(&reader);
    assert_eq!(attempt("true", &input), b"");
    assert!(
        input.kept().count <= PIECE_MAX as u64,
        "{}",
        input.kept().count
    );
}

#[test]
fn an_input_that_cannot_be_read_is_lost_aloud() {
    let directory = std::fs::File::open("/").expect("opened");
    let mut input =
        ReplayedInput::new(directory.as_fd(), &std::env::temp_dir()).expect("looked at");
    input.kind = Kind::Pipe;
    let input = Arc::new(input);
    assert_eq!(attempt("cat", &input), b"");
    let why = input.why_lost().expect("it is lost");
    assert!(matches!(why, InputLost::Unreadable(_)), "{why}");
}
