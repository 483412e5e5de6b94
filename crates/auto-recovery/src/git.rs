//! Starting git: the only place of this module that does.
//!
//! Every call says which repository it means and takes nothing from the environment or the user's
//! configuration that could change bytes, run a program or write. No shell is involved.

use std::ffi::OsStr;
use std::io::{self, Read as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;

use rustix::process::Signal;

use crate::error::{Error, ErrorKind, Result};
use crate::files::{self, Links, Synced, read_small};
use crate::host::Host;
use crate::process::{End, Finished, Helper, Patience};

/// Variables by which an environment (a hook, an outer git) redirects git elsewhere.
const SCRUBBED: [&str; 27] = [
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_ATTR_SOURCE",
    "GIT_CEILING_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_CONFIG",
    "GIT_CONFIG_COUNT",
    "GIT_CONFIG_PARAMETERS",
    "GIT_CONFIG_SYSTEM",
    "GIT_DEFAULT_HASH",
    "GIT_DEFAULT_REF_FORMAT",
    "GIT_DIFF_OPTS",
    "GIT_DIR",
    "GIT_EXTERNAL_DIFF",
    "GIT_GRAFT_FILE",
    "GIT_ICASE_PATHSPECS",
    "GIT_IMPLICIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_INTERNAL_SUPER_PREFIX",
    "GIT_NAMESPACE",
    "GIT_NO_REPLACE_OBJECTS",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
    "GIT_QUARANTINE_PATH",
    "GIT_REPLACE_REF_BASE",
    "GIT_SHALLOW_FILE",
    "GIT_TEMPLATE_DIR",
    "GIT_WORK_TREE",
];

/// Settings by which a repository's configuration starts programs, reads or fetches elsewhere, or
/// changes bytes, as they must be in ours, whatever its file says. git asks the command line first.
const OVERRIDES: [&str; 17] = [
    "core.bare=true",
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.pager=cat",
    "core.askPass=",
    "core.sshCommand=false",
    "core.gitProxy=",
    "core.alternateRefsCommand=",
    "core.attributesFile=/dev/null",
    "core.excludesFile=/dev/null",
    "core.autocrlf=false",
    "credential.helper=",
    "gc.auto=0",
    "gc.recentObjectsHook=true",
    "log.showSignature=false",
    "maintenance.auto=false",
    "protocol.allow=never",
];

/// The same for a repository of the user's, which is only read: its owner's settings for bytes and
/// names hold.
const READING_OVERRIDES: [&str; 10] = [
    "core.fsmonitor=false",
    "core.hooksPath=/dev/null",
    "core.pager=cat",
    "core.askPass=",
    "core.sshCommand=false",
    "core.alternateRefsCommand=",
    "credential.helper=",
    "log.showSignature=false",
    "maintenance.auto=false",
    "protocol.allow=never",
];

/// Files by which a repository takes its configuration, its objects or its history from elsewhere.
/// Ours has none of them.
const LEADING_AWAY: [&str; 8] = [
    "commondir",
    "config.worktree",
    "gitdir",
    "info/grafts",
    "objects/info/alternates",
    "objects/info/http-alternates",
    "shallow",
    "worktrees",
];

/// Files of a repository that git reads whatever it is asked.
const READ_BY_GIT: [&str; 10] = [
    "HEAD",
    "commondir",
    "config",
    "config.worktree",
    "index",
    "info/attributes",
    "info/grafts",
    "objects/info/alternates",
    "packed-refs",
    "shallow",
];

/// The longest file of one line that is read.
const LINE_BYTES_MAX: u64 = 64 * 1024;

/// Directories of a repository, which are no links in ours.
const DIRS: [&str; 6] = [
    "",
    "info",
    "objects",
    "objects/pack",
    "objects/info",
    "refs",
];

/// The configuration of a private repository. Contents are compressed lightly (a snapshot is made
/// far more often than it is read), packs are synced before they count, nothing is collected by
/// itself, and no rule about names that are awkward elsewhere keeps a file of this machine out.
const CONFIG: &str = "\
[core]
\trepositoryformatversion = 0
\tfilemode = true
\tbare = true
\tautocrlf = false
\thooksPath = /dev/null
\tfsmonitor = false
\tprotectNTFS = false
\tprotectHFS = false
\tquotePath = false
\tcompression = 1
\tfsync = committed,reference
[fastimport]
\tunpackLimit = 1
[gc]
\tauto = 0
[pack]
\tcompression = 1
";

/// Raw bytes in, raw bytes out, whatever attributes a tree holds.
const ATTRIBUTES: &str = "* -text -eol -filter -ident -working-tree-encoding\n";

/// The program git, and the repository it is to work on.
#[derive(Clone, Debug)]
pub(crate) struct Git {
    program: PathBuf,
    dir: PathBuf,
    /// Limit on the wait for it; `None` for as long as it takes.
    patience: Option<Patience>,
}

impl Git {
    pub(crate) fn new(program: Option<&Path>, dir: PathBuf) -> Self {
        Self {
            program: program.unwrap_or(Path::new("git")).to_owned(),
            dir,
            patience: None,
        }
    }

    /// The same, waited for as long as the user of `host` waits.
    pub(crate) fn for_user_of(self, host: &Arc<dyn Host>) -> Self {
        Self {
            patience: Some(Patience::new(Arc::clone(host))),
            ..self
        }
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Makes the private repository.
    pub(crate) fn init(&self) -> Result<()> {
        // What later releases of git may choose otherwise, and earlier ones do not know.
        let formats = ["--object-format=sha1", "--ref-format=files"];
        let init = |formats: &[&str]| {
            let mut command = self.bare();
            command.args(["init", "--quiet", "--bare", "--template="]);
            command.args(formats).arg(&self.dir);
            self.output(command, "git init")
        };
        init(&formats)
            .or_else(|_| init(&formats[..1]))
            .or_else(|_| init(&[]))?;
        self.make_sure()
    }

    /// Makes sure that the private repository is as we made it: that its configuration is ours to
    /// the byte, and that nothing leads out of it.
    ///
    /// # Errors
    /// If a directory of it is a link, or what is not ours cannot be replaced.
    pub(crate) fn make_sure(&self) -> Result<()> {
        for path in [self.dir.clone()]
            .into_iter()
            .chain(DIRS.map(|name| self.dir.join(name)))
        {
            if path.is_symlink() {
                let what = format!(
                    "{} is a symbolic link, which recover never made: remove {}",
                    path.display(),
                    self.dir.display()
                );
                return Err(Error::new(ErrorKind::Damaged, what));
            }
        }
        if makes_wait(&self.dir) {
            let what = format!("what git reads in {} is no file", self.dir.display());
            return Err(Error::new(ErrorKind::Damaged, what));
        }
        let info = self.dir.join("info");
        std::fs::create_dir_all(&info).map_err(|e| Error::io("create directory", &info, e))?;
        for name in LEADING_AWAY {
            let path = self.dir.join(name);
            if path.symlink_metadata().is_ok() {
                files::remove_synced(&path)?;
            }
        }
        for (name, text) in [("config", CONFIG), ("info/attributes", ATTRIBUTES)] {
            let path = self.dir.join(name);
            let known = read_small(&path, Links::Refuse, text.len() as u64);
            if known.is_ok_and(|known| known == text.as_bytes()) {
                continue;
            }
            files::replace(&path, Synced::Yes, text.as_bytes())?;
        }
        Ok(())
    }

    /// The output of `git version`, which does not depend on the repository.
    pub(crate) fn version(&self) -> Result<Vec<u8>> {
        let mut command = self.bare();
        command.arg("--version");
        self.output(command, "git --version")
    }

    /// A command on the private repository, under its own configuration only.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = self.bare();
        command.args(OVERRIDES.iter().flat_map(|setting| ["-c", setting]));
        command.arg("--git-dir").arg(&self.dir).args(args);
        command
    }

    /// A command that reads a repository of the user: no lock is taken, nothing refreshed. Where a
    /// FIFO or a device would make git wait, it fails at once.
    pub(crate) fn reading(&self, git_dir: &Path, work_tree: &Path, args: &[&str]) -> Command {
        let git_dir = match makes_wait(git_dir) {
            true => Path::new("/dev/null"),
            false => git_dir,
        };
        let mut command = self.bare();
        let overrides = READING_OVERRIDES.iter();
        command.args(overrides.flat_map(|setting| ["-c", setting]));
        command
            .arg("--git-dir")
            .arg(git_dir)
            .arg("--work-tree")
            .arg(work_tree)
            .args(args);
        command.current_dir(work_tree);
        command
    }

    /// Like [`Git::reading`], with the user's own configuration: what a checkout would see.
    pub(crate) fn reading_as_user(&self, git_dir: &Path, root: &Path, args: &[&str]) -> Command {
        let mut command = self.reading(git_dir, root, args);
        command
            .env_remove("GIT_CONFIG_GLOBAL")
            .env_remove("GIT_CONFIG_NOSYSTEM");
        command
    }

    /// Every `safe.directory` that git's configuration has, the weakest first: its scope and its
    /// value, each ended by a zero byte.
    pub(crate) fn safe_directories(&self) -> Result<Vec<u8>> {
        let mut command = self.bare();
        command
            .env_remove("GIT_CONFIG_GLOBAL")
            .env_remove("GIT_CONFIG_NOSYSTEM")
            .args(["config", "--null", "--show-scope", "--type=path"])
            .args(["--get-all", "safe.directory"]);
        self.output(command, "git config")
    }

    /// Runs a command on the private repository and returns what it wrote.
    pub(crate) fn run(&self, args: &[&str]) -> Result<Vec<u8>> {
        self.output(self.command(args), args[0])
    }

    /// Runs `command` to its end and returns its output.
    pub(crate) fn output(&self, mut command: Command, what: &str) -> Result<Vec<u8>> {
        let program = command.get_program().to_owned();
        let helper = Helper::start(&mut command, what, self.patience.as_ref());
        let mut helper = helper.map_err(|e| start_error(&program, e))?;
        let mut output = Vec::new();
        let (_, stdout) = helper.pipes();
        let read = stdout.map(|mut stdout| stdout.read_to_end(&mut output));
        check(helper.finish()?, what)?;
        match read {
            Some(Err(error)) => Err(Error::os(format!("failed to read from {what}"), error)),
            _ => Ok(output),
        }
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "git is a tool of ours, not a command to recover; this is the room that starts it"
    )]
    fn bare(&self) -> Command {
        let mut command = Command::new(&self.program);
        for name in SCRUBBED {
            command.env_remove(name);
        }
        command
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_OPTIONAL_LOCKS", "0")
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("GIT_NO_LAZY_FETCH", "1")
            .env("LC_ALL", "C")
            .current_dir("/")
            .stdin(Stdio::null());
        command
    }
}

/// Whether, in a user's repository, git may block on a special file in place of one it reads.
fn makes_wait(git_dir: &Path) -> bool {
    let line_in = |name: &str| {
        let line = read_small(&git_dir.join(name), Links::Follow, LINE_BYTES_MAX).ok()?;
        Some(PathBuf::from(OsStr::from_bytes(line.trim_ascii())))
    };
    let branch = line_in("HEAD").and_then(|head| {
        let reference = head.to_str()?.strip_prefix("ref: ")?;
        Some(PathBuf::from(reference))
    });
    let common = line_in("commondir").map(|common| git_dir.join(common));
    let dirs = [Some(git_dir), common.as_deref()];
    let names = READ_BY_GIT.iter().map(Path::new).chain(branch.as_deref());
    let mut names = names.flat_map(|name| dirs.iter().flatten().map(move |dir| dir.join(name)));
    names.any(|path| is_no_file(&path))
}

/// Whether opening `path` may block: it is neither a file nor a directory.
pub(crate) fn is_no_file(path: &Path) -> bool {
    path.metadata()
        .is_ok_and(|found| !found.is_file() && !found.is_dir())
}

/// A git that is talked to while it runs. Dropping it kills it.
#[derive(Debug)]
pub(crate) struct Conversation {
    what: &'static str,
    helper: Helper,
}

impl Conversation {
    /// Starts `command` of `git` with its input and output open.
    pub(crate) fn start(git: &Git, mut command: Command, what: &'static str) -> Result<Self> {
        let program = command.get_program().to_owned();
        command.stdin(Stdio::piped());
        let helper = Helper::start(&mut command, what, git.patience.as_ref());
        let helper = helper.map_err(|e| start_error(&program, e))?;
        Ok(Self { what, helper })
    }

    /// Its input and output, once.
    pub(crate) fn pipes(&mut self) -> (End<ChildStdin>, End<ChildStdout>) {
        let (stdin, stdout) = self.helper.pipes();
        let stdin = stdin.expect("the pipes are taken once");
        (stdin, stdout.expect("the pipes are taken once"))
    }

    /// Waits for its end; its input must be closed.
    pub(crate) fn finish(self) -> Result<()> {
        check(self.helper.finish()?, self.what)
    }

    /// The error to report for an I/O error on its pipes: the reason why git ended, if it did.
    pub(crate) fn broken(self, error: io::Error) -> Error {
        let what = self.what;
        match self.finish() {
            Err(error) => error,
            Ok(()) => Error::os(format!("failed to talk to {what}"), error),
        }
    }
}

fn check(finished: Finished, what: &str) -> Result<()> {
    let Finished { status, stderr } = finished;
    if status.success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&stderr);
    let is_too_large =
        status.signal() == Some(Signal::XFSZ.as_raw()) || text.contains("File too large");
    let is_full = is_too_large
        || text.contains("No space left on device")
        || text.contains("Disk quota exceeded");
    let kind = match is_full {
        true => ErrorKind::NoSpace,
        false => ErrorKind::Tool,
    };
    let mut says = format!("{what} failed ({status})");
    let limit = is_too_large.then_some("a file would be larger than `ulimit -f` allows");
    let said = Some(text.trim()).filter(|text| !text.is_empty());
    for part in said.into_iter().chain(limit) {
        says = format!("{says}: {part}");
    }
    Err(Error::new(kind, says))
}

fn start_error(program: &OsStr, error: io::Error) -> Error {
    let program = program.display();
    match error.kind() {
        io::ErrorKind::NotFound => Error::new(
            ErrorKind::CommandNotFound,
            format!(
                "checkpoints need the program `{program}`, which is not installed; install git, or \
                 run without checkpoints"
            ),
        ),
        _ => Error::os(format!("failed to start {program}"), error),
    }
}

#[cfg(test)]
mod tests {
    use std::process::ExitStatus;

    use super::*;

    fn told(status: i32, stderr: &str) -> (ErrorKind, String) {
        let finished = Finished {
            status: ExitStatus::from_raw(status),
            stderr: stderr.as_bytes().to_vec(),
        };
        let error = check(finished, "git x").unwrap_err();
        (error.kind(), error.to_string())
    }

    #[test]
    fn why_git_failed_is_told_where_it_says_nothing_too() {
        let limit =
            "git x failed (signal: 25 (SIGXFSZ)): a file would be larger than `ulimit -f` allows";
        assert_eq!(told(25, "\n"), (ErrorKind::NoSpace, limit.to_owned()));
        let bad = "git x failed (exit status: 1): fatal: bad";
        assert_eq!(
            told(1 << 8, "fatal: bad\n"),
            (ErrorKind::Tool, bad.to_owned())
        );
        let none = "git x failed (exit status: 1)";
        assert_eq!(told(1 << 8, ""), (ErrorKind::Tool, none.to_owned()));
        let full = told(128 << 8, "fatal: write error: No space left on device");
        assert_eq!(full.0, ErrorKind::NoSpace);
    }
}
