//! A tree to test on, and a walker of our own that says exactly what stands in it.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use auto_recovery::checkpoint::{CheckpointOptions, CheckpointSession, CheckpointStore};
use auto_recovery::host::SystemHost;
use auto_recovery::workspace::Workspace;
use tempfile::TempDir;

/// What stands at a path: type and permissions, and content or target.
pub(crate) type Image = BTreeMap<Vec<u8>, (u32, Vec<u8>)>;

/// A directory with a project, and beside it a state directory.
pub(crate) struct Tree {
    dir: TempDir,
}

impl Tree {
    /// An empty project without git.
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("project")).unwrap();
        Self { dir }
    }

    /// A project that is a git repository.
    pub(crate) fn git() -> Self {
        let tree = Self::new();
        tree.run_git(&["init", "--quiet", "--initial-branch=main"]);
        tree
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.dir.path().join("project")
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.dir.path().join("state")
    }

    pub(crate) fn outside(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn path(&self, path: impl AsRef<OsStr>) -> PathBuf {
        self.root().join(path.as_ref())
    }

    /// Writes a file, making its directories.
    pub(crate) fn write(&self, path: impl AsRef<OsStr>, content: impl AsRef<[u8]>) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    pub(crate) fn read(&self, path: impl AsRef<OsStr>) -> Vec<u8> {
        fs::read(self.path(path)).unwrap()
    }

    pub(crate) fn exists(&self, path: impl AsRef<OsStr>) -> bool {
        self.path(path).symlink_metadata().is_ok()
    }

    pub(crate) fn mkdir(&self, path: impl AsRef<OsStr>) {
        fs::create_dir_all(self.path(path)).unwrap();
    }

    pub(crate) fn link(&self, path: impl AsRef<OsStr>, target: impl AsRef<OsStr>) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        symlink(target.as_ref(), path).unwrap();
    }

    pub(crate) fn chmod(&self, path: impl AsRef<OsStr>, mode: u32) {
        fs::set_permissions(self.path(path), fs::Permissions::from_mode(mode)).unwrap();
    }

    /// Removes a file, a link or a whole directory.
    pub(crate) fn remove(&self, path: impl AsRef<OsStr>) {
        let path = self.path(path);
        if path.symlink_metadata().unwrap().is_dir() {
            fs::remove_dir_all(path).unwrap();
        } else {
            fs::remove_file(path).unwrap();
        }
    }

    /// Runs git in the project, as a user with no configuration would.
    pub(crate) fn run_git(&self, args: &[&str]) -> String {
        self.run_git_in(&self.root(), args)
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "the user of these tests has a git"
    )]
    pub(crate) fn run_git_in(&self, dir: &Path, args: &[&str]) -> String {
        let output = Command::new("git")
            .args(["-c", "user.name=t", "-c", "user.email=t@t"])
            .args(args)
            .current_dir(dir)
            .env("HOME", self.dir.path())
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "git {args:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs git in the project, and says whether it could.
    #[expect(
        clippy::disallowed_methods,
        reason = "the user of these tests has a git"
    )]
    pub(crate) fn tries_git(&self, args: &[&str]) -> bool {
        let mut git = Command::new("git");
        let done = git.args(args).current_dir(self.root()).output().unwrap();
        done.status.success()
    }

    /// Whether any object of the private repositories holds `text`, packed or not, reachable or
    /// not.
    pub(crate) fn is_kept(&self, text: impl AsRef<[u8]>) -> bool {
        let shelves = fs::read_dir(self.state().join("checkpoints"));
        let shelves = shelves.into_iter().flatten().flatten();
        shelves
            .map(|shelf| shelf.path().join("git"))
            .filter(|git| git.exists())
            .any(|git| {
                let objects = every_object(&git);
                memchr::memmem::find(&objects, text.as_ref()).is_some()
            })
    }

    pub(crate) fn workspace(&self) -> Workspace {
        Workspace::find(&self.root(), None).unwrap()
    }

    pub(crate) fn store(&self) -> Arc<CheckpointStore> {
        self.store_with(CheckpointOptions::default())
    }

    pub(crate) fn store_with(&self, options: CheckpointOptions) -> Arc<CheckpointStore> {
        let host = Arc::new(SystemHost::new());
        CheckpointStore::open(&self.state(), &self.workspace(), options, host).unwrap()
    }

    pub(crate) fn session(&self) -> CheckpointSession {
        self.store().begin_session("session_test").unwrap()
    }

    /// Everything in the project but what lies in the project's own `.git`.
    pub(crate) fn image(&self) -> Image {
        let mut image = image(&self.root());
        image.retain(|path, _| !path.starts_with(b".git/") && path != b".git");
        image
    }

    /// Everything in the project's own `.git`.
    pub(crate) fn git_image(&self) -> Image {
        image(&self.root().join(".git"))
    }
}

/// Everything below `root`.
pub(crate) fn image(root: &Path) -> Image {
    let mut image = Image::new();
    let mut todo = vec![root.to_owned()];
    while let Some(dir) = todo.pop() {
        for entry in fs::read_dir(&dir).unwrap() {
            let path = entry.unwrap().path();
            let metadata = path.symlink_metadata().unwrap();
            let content = if metadata.is_symlink() {
                fs::read_link(&path)
                    .unwrap()
                    .as_os_str()
                    .as_bytes()
                    .to_vec()
            } else if metadata.is_dir() {
                todo.push(path.clone());
                Vec::new()
            } else if metadata.is_file() {
                fs::read(&path).unwrap()
            } else {
                b"special".to_vec()
            };
            let name = path
                .strip_prefix(root)
                .unwrap()
                .as_os_str()
                .as_bytes()
                .to_vec();
            image.insert(name, (metadata.mode(), content));
        }
    }
    image
}

/// The contents of every object of a repository.
#[expect(
    clippy::disallowed_methods,
    reason = "the objects are read by git itself"
)]
fn every_object(git: &Path) -> Vec<u8> {
    let mut command = Command::new("git");
    let args = ["cat-file", "--batch", "--batch-all-objects", "--unordered"];
    let output = command.arg("--git-dir").arg(git).args(args).output();
    let output = output.unwrap();
    assert!(output.status.success(), "{output:?}");
    output.stdout
}

/// Bytes as a path.
pub(crate) fn bytes(name: &[u8]) -> &OsStr {
    OsStr::from_bytes(name)
}
