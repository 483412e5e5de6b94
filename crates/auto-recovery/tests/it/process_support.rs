//! What the tests of running commands share.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use auto_recovery::host::{Host, SystemHost, Wait};
use auto_recovery::interrupt::Interrupt;
use auto_recovery::process::{self, CommandSpec, Completion, Marker, OutputSink, Stream};

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

/// Whether a process is there and has not ended: a zombie has, and so has one that is taking itself
/// apart.
pub(crate) fn is_alive(pid: i32) -> bool {
    /// What the kernel's `PF_EXITING` is among the flags of a process.
    const EXITING: u64 = 0x4;
    let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat")) else {
        return false;
    };
    let Some((_, fields)) = stat.rsplit_once(") ") else {
        return false;
    };
    let fields: Vec<&str> = fields.split(' ').collect();
    let flags: u64 = fields[6].parse().expect("flags are a number");
    !matches!(fields[0], "Z" | "X") && flags & EXITING == 0
}

/// Set in a copy of the test binary that plays a part of one of its tests.
const ROLE: &str = "RECOVER_TEST_ROLE";

/// Whether this process plays a part.
#[expect(
    clippy::disallowed_methods,
    reason = "tests may know which part they play"
)]
pub(crate) fn in_role() -> bool {
    std::env::var_os(ROLE).is_some()
}

/// Starts `wrapper` with a copy of this binary that plays its part of the test `name` on
/// `terminal`.
#[expect(
    clippy::disallowed_methods,
    reason = "a test stands for the person's shell"
)]
pub(crate) fn start_role(wrapper: &[&str], name: &str, terminal: &OwnedFd) -> Child {
    let stream = || Stdio::from(terminal.try_clone().expect("cloned"));
    let exe = std::env::current_exe().expect("this binary");
    Command::new(wrapper[0])
        .args(&wrapper[1..])
        .arg(exe)
        .args(["--exact", name, "--nocapture"])
        .env(ROLE, name)
        .stdin(stream())
        .stdout(stream())
        .stderr(stream())
        .spawn()
        .expect("the wrapper starts")
}
