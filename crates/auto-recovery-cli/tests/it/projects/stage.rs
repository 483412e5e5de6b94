//! A project on a machine of its own, where commands are run on it with and without `recover`.

use std::fs;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::Value;

use crate::harness::Machine;
use crate::projects::description::{self, Project};
use crate::projects::processes;
use crate::projects::tools::Tools;
use crate::projects::tree::{self, Tree};

/// How long a server of a project may take to be ready.
const READY_MAX: Duration = Duration::from_secs(30);
/// Between two looks whether it is.
const READY_LOOK: Duration = Duration::from_millis(5);

/// The project's machine.
pub(super) struct Stage {
    machine: Machine,
    tools: &'static Tools,
    meanwhile: Option<Meanwhile>,
}

/// What a command did.
#[derive(Debug)]
pub(super) struct Ended {
    /// Its exit code; 128 and the signal's number for a signal.
    pub(super) code: i32,
    /// Its stdout.
    pub(super) stdout: String,
    /// Its stderr.
    pub(super) stderr: String,
}

/// What runs meanwhile; ended with the test.
struct Meanwhile(Child);

impl Stage {
    /// Copies the project in `folder` to a new machine and makes it what its description says.
    pub(super) fn set(folder: &Path, project: &Project) -> Self {
        let tools = Tools::get();
        for program in &project.needs {
            assert!(
                tools.has(program),
                "{program} is missing: `./scripts/test` installs what the tests need"
            );
        }
        let machine = Machine::new();
        let user = "[user]\nname = tester\nemail = tester@localhost\n";
        fs::write(machine.home().join(".gitconfig"), user).expect("say who commits");
        let like = (!project.like.is_empty()).then(|| folder.with_file_name(&project.like));
        let into = machine.work().join(&project.into);
        fs::create_dir_all(&into).expect("create a folder");
        if let Some(like) = &like {
            tree::copy(like, &into);
        }
        if folder.join(description::FILE).exists() {
            tree::copy(folder, &machine.work());
        }
        for (name, content) in &project.files {
            let path = machine.work().join(name);
            fs::create_dir_all(path.parent().expect("a folder")).expect("create a folder");
            fs::write(path, content).expect("write a file");
        }
        let mut stage = Self {
            machine,
            tools,
            meanwhile: None,
        };
        if project.git {
            stage.must("git init --quiet");
        }
        if let Some(like) = &like {
            let setup = Project::read(like).setup;
            stage.must(&format!("cd './{}'\n{setup}", project.into));
        }
        stage.must(&project.setup);
        if project.git {
            stage.must(
                "git rev-parse --quiet --verify HEAD ||
                    { git add . 2>&1; git commit --quiet --message start; }",
            );
        }
        if !project.meanwhile.is_empty() {
            stage.meanwhile = Some(stage.start(&project.meanwhile));
        }
        stage
    }

    /// The project's command, without `recover`.
    pub(super) fn bare(&self, project: &Project) -> Ended {
        let mut command = self.machine.shell("exec \"$@\"");
        command.arg("sh").args(&project.command);
        self.run(&mut command, &project.cwd)
    }

    /// `recover` with `args`.
    pub(super) fn recover(&self, args: &[&str], cwd: &str) -> Ended {
        self.run(&mut self.machine.command(args), cwd)
    }

    /// The project's files.
    pub(super) fn tree(&self) -> Tree {
        Tree::read(&self.machine.work())
    }

    /// The paths that changed since the tree was `before`, but for what a runner of hooks does to
    /// git's index by itself, with `recover` and without.
    pub(super) fn changes_since(&self, before: &Tree, project: &Project) -> Vec<String> {
        let mut changes = before.differences(&self.tree());
        if matches!(project.behind.as_str(), "lefthook" | "pre-commit") {
            changes.retain(|path| path != ".git/index");
        }
        changes
    }

    /// Processes that are still there and should not be.
    pub(super) fn left_running(&self) -> Vec<String> {
        let known = self.meanwhile.as_ref().map(Meanwhile::group);
        processes::left(&self.machine.home(), known)
    }

    /// The events of `session`.
    pub(super) fn journal(&self, session: &str) -> Vec<Value> {
        let text = fs::read_to_string(self.machine.state().join("journal.jsonl"));
        text.expect("a journal")
            .lines()
            .map(|line| serde_json::from_str(line).expect("an event is JSON"))
            .filter(|event: &Value| event["session_id"] == session)
            .collect()
    }

    fn run(&self, command: &mut Command, cwd: &str) -> Ended {
        let folder: PathBuf = self.machine.work().join(cwd);
        let output = command
            .current_dir(folder)
            .env("PATH", &self.tools.path)
            .stdin(Stdio::null())
            .output();
        Ended::from(output.expect("start the command"))
    }

    /// Runs a shell script that must succeed.
    fn must(&self, script: &str) {
        let mut command = self.machine.shell(&format!("set -eu\n{script}"));
        let ended = self.run(command.env("TOOLS", &self.tools.folder), "");
        assert_eq!(ended.code, 0, "{script}: {ended:?}");
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "a server of another process is ready when it is"
    )]
    fn start(&self, script: &str) -> Meanwhile {
        let mut command = self.machine.shell(script);
        command
            .env("PATH", &self.tools.path)
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let child = Meanwhile(command.spawn().expect("start sh"));
        let end = Instant::now() + READY_MAX;
        while !self.machine.home().join("ready").exists() {
            assert!(Instant::now() < end, "`{script}` does not get ready");
            std::thread::sleep(READY_LOOK);
        }
        child
    }
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self {
            code: code(output.status),
            stdout: text(&output.stdout),
            stderr: text(&output.stderr),
        }
    }
}

fn code(status: ExitStatus) -> i32 {
    status
        .code()
        .or_else(|| status.signal().map(|signal| 128 + signal))
        .expect("an exit code or a signal")
}

impl Meanwhile {
    fn group(&self) -> Pid {
        Pid::from_child(&self.0)
    }
}

impl Drop for Meanwhile {
    fn drop(&mut self) {
        kill_process_group(self.group(), Signal::KILL).ok();
        self.0.wait().ok();
    }
}
