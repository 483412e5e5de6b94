//! A project directory, a state directory, and a run in them.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use auto_recovery::audit::{JournalEvent, Recorder};
use auto_recovery::host::{Host, SystemHost, Wait};
use auto_recovery::interrupt::Interrupt;
use auto_recovery::jsonl::{JsonlOptions, JsonlStore};
use auto_recovery::process::{CommandSpec, OutputSink, Stream};
use auto_recovery::run::{
    self, Console, Policy, Role, RunEvent, RunObserver, RunOutcome, RunRequest, StrategyCommand,
    World,
};
use auto_recovery::{RecoveryAuditEntry, RecoveryAuditLogger, Result};
use tempfile::TempDir;

/// A host whose sleeps take no time; processes run on the real clock.
pub(crate) struct QuickHost(SystemHost);

impl Host for QuickHost {
    fn now(&self) -> SystemTime {
        self.0.now()
    }

    fn monotonic(&self) -> Duration {
        self.0.monotonic()
    }

    fn sleep(&self, _duration: Duration) -> Wait {
        match self.0.is_interrupted() {
            true => Wait::Interrupted,
            false => Wait::Elapsed,
        }
    }

    fn is_interrupted(&self) -> bool {
        self.0.is_interrupted()
    }

    fn random(&self) -> u64 {
        self.0.random()
    }
}

/// What was written and told during a run.
#[derive(Default)]
pub(crate) struct Seen {
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: Vec<u8>,
    pub(crate) events: Vec<String>,
}

type Shared = Arc<Mutex<Seen>>;

struct TestConsole(Shared);

struct TestSink<'a>(&'a Shared, Role);

impl OutputSink for TestSink<'_> {
    fn write(&mut self, stream: Stream, bytes: &[u8]) -> io::Result<usize> {
        let mut seen = self.0.lock().unwrap();
        match (self.1, stream) {
            (Role::Command, Stream::Stdout) => seen.stdout.extend(bytes),
            _ => seen.stderr.extend(bytes),
        }
        Ok(bytes.len())
    }
}

impl Console for TestConsole {
    fn prepare(&mut self, _role: Role, _spec: &mut CommandSpec) -> Result<()> {
        Ok(())
    }

    fn sink(&mut self, role: Role) -> Result<Box<dyn OutputSink + '_>> {
        Ok(Box::new(TestSink(&self.0, role)))
    }

    fn can_run_again(&self, _argv: &[OsString]) -> std::result::Result<(), String> {
        Ok(())
    }
}

struct TestObserver(Shared);

impl RunObserver for TestObserver {
    fn observe(&mut self, event: &RunEvent<'_>) {
        self.0.lock().unwrap().events.push(format!("{event:?}"));
    }
}

/// A project that runs happen in.
pub(crate) struct Project {
    dir: TempDir,
}

impl Project {
    /// A project with these files.
    pub(crate) fn new(files: &[(&str, &str)]) -> Self {
        let project = Self {
            dir: tempfile::tempdir().unwrap(),
        };
        fs::create_dir(project.root()).unwrap();
        for (path, content) in files {
            project.write(path, content);
        }
        project
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.dir.path().join("project")
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.dir.path().join("state")
    }

    pub(crate) fn write(&self, path: &str, content: &str) {
        let path = self.root().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    pub(crate) fn read(&self, path: &str) -> String {
        fs::read_to_string(self.root().join(path)).unwrap()
    }

    pub(crate) fn has(&self, path: &str) -> bool {
        self.root().join(path).exists()
    }

    /// The request to run `argv` here with `policy`, with everything else as it is by default.
    pub(crate) fn request(&self, argv: &[&str], policy: Policy) -> RunRequest {
        let host: Arc<dyn Host> = Arc::new(SystemHost::new());
        let store =
            JsonlStore::open(&self.state(), JsonlOptions::default(), Recorder::new(host)).unwrap();
        let argv = argv.iter().map(OsString::from).collect();
        let mut request = RunRequest::new(argv, self.root(), self.state(), Arc::new(store));
        request.state.store_paths = vec![self.state()];
        request.record.session_id = Some("s".to_owned());
        request.tries.policy = Arc::new(move |_, _| policy.clone());
        request.command.search_path = Some("/usr/local/bin:/usr/bin:/bin".into());
        request.limits.grace = Duration::from_millis(200);
        request
    }

    /// Runs `request`.
    pub(crate) fn run(&self, request: RunRequest) -> (Result<RunOutcome>, Seen) {
        let seen = Shared::default();
        let interrupt = Arc::new(Interrupt::none());
        let world = World {
            consent: None,
            host: Arc::new(QuickHost(SystemHost::with_interrupt(Arc::clone(
                &interrupt,
            )))),
            interrupt,
            console: Box::new(TestConsole(Arc::clone(&seen))),
            observer: Arc::new(Mutex::new(TestObserver(Arc::clone(&seen)))),
        };
        let outcome = run::run(request, world);
        let seen = std::mem::take(&mut *seen.lock().unwrap());
        (outcome, seen)
    }

    /// Runs `sh -c script` with fixes, each up to three times.
    pub(crate) fn shell(&self, script: &str, fixes: &[&str]) -> (RunOutcome, Seen) {
        let (outcome, seen) = self.run(self.request(&["sh", "-c", script], fixing(fixes)));
        (outcome.unwrap(), seen)
    }

    /// The trail of session `s`.
    pub(crate) fn trail(&self) -> Vec<RecoveryAuditEntry> {
        self.logger().get_recovery_history("s").unwrap()
    }

    /// The journal of session `s`.
    pub(crate) fn journal(&self) -> Vec<JournalEvent> {
        let mut events = Vec::new();
        let logger = self.logger();
        logger
            .store()
            .read_journal(Some("s"), &mut |record| {
                events.push(record.event);
                Ok(())
            })
            .unwrap();
        events
    }

    fn logger(&self) -> RecoveryAuditLogger {
        RecoveryAuditLogger::open(&self.state(), Arc::new(SystemHost::new())).unwrap()
    }
}

/// A policy with these fixes.
pub(crate) fn fixing(fixes: &[&str]) -> Policy {
    let fixes = fixes
        .iter()
        .map(|text| StrategyCommand::shell(text))
        .collect();
    Policy {
        fixes,
        ..Policy::default()
    }
}

/// Every path below `root` with its permission bits and what it holds.
pub(crate) fn listing(root: &Path) -> Vec<(PathBuf, u32, Option<Vec<u8>>)> {
    use std::os::unix::fs::PermissionsExt as _;
    let mut found = Vec::new();
    let mut left = vec![root.to_owned()];
    while let Some(dir) = left.pop() {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            let file = fs::symlink_metadata(&path).unwrap();
            let content = match file.file_type() {
                kind if kind.is_dir() => {
                    left.push(path.clone());
                    None
                }
                kind if kind.is_symlink() => Some(
                    fs::read_link(&path)
                        .unwrap()
                        .into_os_string()
                        .into_encoded_bytes(),
                ),
                _ => Some(fs::read(&path).unwrap()),
            };
            found.push((path, file.permissions().mode(), content));
        }
    }
    found.sort();
    found
}
