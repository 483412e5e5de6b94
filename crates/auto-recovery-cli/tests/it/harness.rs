//! A machine of its own for each test: a home, a workspace, and nothing of the real environment.

use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

/// A trail with every kind of entry, long ago, so that ages are dates and outputs never change.
pub(crate) const TRAIL: &str = r#"{"session_id":"build-7","strategy":"fix","success":false,"error_type":"E0308","error_message":"mismatched types","files_modified":["src/main.rs","src/lib.rs"],"rollback_performed":true,"next_action":"retry","duration_seconds":1.5,"timestamp":"2020-01-02T03:04:05Z"}
{"session_id":"build-7","strategy":"retry","success":false,"error_type":"E0308","error_message":"mismatched types","duration_seconds":0.25,"timestamp":"2020-01-02T03:04:10Z"}
{"session_id":"build-7","strategy":"alternative","success":true,"error_type":"ImportError","error_message":"no module","changes_made":["used the old linker"],"duration_seconds":90,"timestamp":"2020-01-02T03:05:40Z","recovery_message":"passed"}
"#;

/// The machine.
pub(crate) struct Machine {
    root: TempDir,
}

/// What a command left behind.
#[derive(Debug)]
pub(crate) struct Run {
    /// Its exit code.
    pub(crate) code: i32,
    /// Its stdout.
    pub(crate) stdout: String,
    /// Its stderr, with the machine's directory as `[ROOT]`.
    pub(crate) stderr: String,
}

impl Machine {
    /// A machine with an empty home and an empty workspace.
    pub(crate) fn new() -> Self {
        let root = TempDir::new().expect("a temporary directory");
        let machine = Self { root };
        fs::create_dir(machine.home()).expect("create the home");
        fs::create_dir(machine.work()).expect("create the workspace");
        machine
    }

    /// The same with [`TRAIL`] recorded.
    pub(crate) fn with_trail() -> Self {
        let machine = Self::new();
        let run = machine.recover_with(&["log"], TRAIL);
        assert_eq!(run.code, 0, "{run:?}");
        machine
    }

    /// The same, and nobody sealed it.
    pub(crate) fn with_unsealed_trail() -> Self {
        let machine = Self::new();
        let run = machine.log_unsealed(TRAIL);
        assert_eq!(run.code, 0, "{run:?}");
        machine
    }

    /// Records `lines` without a seal at the end.
    pub(crate) fn log_unsealed(&self, lines: &str) -> Run {
        let config = self.write("unsealed.toml", "[seal]\nwhen = \"off\"\n");
        let config = config.to_str().expect("UTF-8");
        self.recover_with(&["log", "--config", config], lines)
    }

    pub(crate) fn root(&self) -> &Path {
        self.root.path()
    }

    pub(crate) fn home(&self) -> PathBuf {
        self.root().join("user")
    }

    pub(crate) fn work(&self) -> PathBuf {
        self.root().join("project")
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.home().join(".local/state/auto-recovery")
    }

    /// Writes a file that only its owner can write.
    pub(crate) fn write(&self, path: &str, text: &str) -> PathBuf {
        let path = self.root().join(path);
        fs::create_dir_all(path.parent().expect("a parent")).expect("create directories");
        fs::write(&path, text).expect("write a file");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("set its mode");
        path
    }

    /// `recover` with `args`, ready to be started in the workspace.
    #[expect(
        clippy::disallowed_methods,
        reason = "tests start the program they test"
    )]
    pub(crate) fn command<S: AsRef<OsStr>>(&self, args: &[S]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_recover"));
        command
            .args(args)
            .env_clear()
            .env("HOME", self.home())
            .env("USER", "tester")
            .env("PATH", "/usr/bin:/bin")
            .current_dir(self.work())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// `sh` with `script`, which finds `recover` in `$RECOVER`.
    #[expect(
        clippy::disallowed_methods,
        reason = "tests start the programs they test with"
    )]
    pub(crate) fn shell(&self, script: &str) -> Command {
        let mut command = Command::new("/bin/sh");
        command
            .args(["-c", script])
            .env_clear()
            .env("HOME", self.home())
            .env("PATH", "/usr/bin:/bin")
            .env("RECOVER", env!("CARGO_BIN_EXE_recover"))
            .current_dir(self.work());
        command
    }

    /// Runs `recover` with `args` and without input.
    pub(crate) fn recover(&self, args: &[&str]) -> Run {
        self.finish(self.command(args).output().expect("run recover"))
    }

    /// Runs `recover` with `args` and `input`.
    pub(crate) fn recover_with(&self, args: &[&str], input: impl AsRef<[u8]>) -> Run {
        let mut child = self
            .command(args)
            .stdin(Stdio::piped())
            .spawn()
            .expect("start recover");
        let mut stdin = child.stdin.take().expect("its input");
        let input = input.as_ref().to_vec();
        // Written from beside, so that neither side can wait for the other for ever.
        let writer = std::thread::spawn(move || stdin.write_all(&input).ok());
        let output = child.wait_with_output().expect("wait for recover");
        writer.join().expect("the writer");
        self.finish(output)
    }

    /// Runs `command`.
    pub(crate) fn run(&self, command: &mut Command) -> Run {
        self.finish(command.output().expect("run recover"))
    }

    fn finish(&self, output: Output) -> Run {
        let text = |bytes| String::from_utf8(bytes).expect("output is UTF-8");
        let root = self.root().to_str().expect("a UTF-8 path");
        Run {
            code: output.status.code().expect("an exit code, not a signal"),
            stdout: text(output.stdout),
            stderr: text(output.stderr).replace(root, "[ROOT]"),
        }
    }
}

impl Run {
    /// Its stdout, which must be JSON.
    pub(crate) fn json(&self) -> serde_json::Value {
        assert_eq!(self.code, 0, "{self:?}");
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// It must have succeeded and said nothing on stderr; its stdout.
    pub(crate) fn quiet(&self) -> &str {
        assert_eq!((self.code, self.stderr.as_str()), (0, ""), "{self:?}");
        &self.stdout
    }

    /// It must have failed with `code`, nothing on stdout, and one line that says `error`.
    pub(crate) fn fails(&self, code: i32, error: &str) {
        let expected = (code, "", format!("recover: error: {error}\n"));
        assert_eq!(
            (self.code, self.stdout.as_str(), self.stderr.clone()),
            expected
        );
    }
}

/// The keys of an object, in their order.
pub(crate) fn keys(value: &serde_json::Value) -> Vec<&str> {
    let object = value.as_object().expect("an object");
    object.keys().map(String::as_str).collect()
}

/// Whether pages are to be written instead of compared: `PAGES=write`.
#[expect(
    clippy::disallowed_methods,
    reason = "whoever runs the tests says it, and no setting of the command line"
)]
pub(crate) fn writes_pages() -> bool {
    std::env::var_os("PAGES").is_some_and(|value| value == "write")
}

/// Says why a test proves nothing on this machine.
pub(crate) fn skipped(why: &str) {
    writeln!(std::io::stderr(), "skipped: {why}").ok();
}
