//! What the tests of running commands share.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use auto_recovery::host::{Host, SystemHost, Wait};
use auto_recovery::process::{
    self, CommandSpec, Completion, Interrupt, Marker, OutputSink, Stream,
};

/// `script` under `sh`, in an environment of its own, found again by a marker of its own.
pub(crate) fn sh(script: &str) -> CommandSpec {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let mut spec = CommandSpec::new(["sh", "-c", script]);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    spec.marker = Some(Marker {
        name: "RECOVER_TEST_RUN".into(),
        value: format!("{}-{count}", std::process::id()).into(),
    });
    spec
}

/// Takes everything and keeps it, in the order in which it came.
#[derive(Debug, Default)]
pub(crate) struct Taken {
    pub(crate) both: Vec<u8>,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: Vec<u8>,
}

impl OutputSink for Taken {
    fn write(&mut self, stream: Stream, bytes: &[u8]) -> io::Result<usize> {
        self.both.extend_from_slice(bytes);
        match stream {
            Stream::Stdout => self.stdout.extend_from_slice(bytes),
            Stream::Stderr => self.stderr.extend_from_slice(bytes),
        }
        Ok(bytes.len())
    }
}

/// Runs without anybody interrupting.
pub(crate) fn run(spec: &CommandSpec) -> (Completion, Taken) {
    let mut taken = Taken::default();
    let completion = process::run(spec, &mut taken, &Interrupt::none(), &SystemHost::new())
        .expect("the command starts");
    (completion, taken)
}

/// Waits until `happened`, looking often; gives up after ten seconds.
pub(crate) fn eventually(what: &str, mut happened: impl FnMut() -> bool) {
    let host = SystemHost::new();
    while !happened() {
        assert!(host.monotonic() < Duration::from_secs(10), "never: {what}");
        assert_eq!(host.sleep(Duration::from_millis(1)), Wait::Elapsed);
    }
}

/// The process id that a script wrote to `path`, once it did.
pub(crate) fn pid_in(path: &Path) -> i32 {
    let mut pid = None;
    eventually("a process id is written", || {
        let text = fs::read_to_string(path).unwrap_or_default();
        pid = text.strip_suffix('\n').and_then(|text| text.parse().ok());
        pid.is_some()
    });
    pid.expect("it was written")
}

/// Whether a process is there and has not ended: a zombie has.
pub(crate) fn is_alive(pid: i32) -> bool {
    let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat")) else {
        return false;
    };
    let state = stat
        .rsplit(") ")
        .next()
        .and_then(|rest| rest.chars().next());
    !matches!(state, Some('Z' | 'X') | None)
}
