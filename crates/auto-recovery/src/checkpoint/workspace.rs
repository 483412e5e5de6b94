//! The directory a recovery is about: the git top level above the current directory, else that
//! directory itself.
//!
//! Found by looking for `.git` upwards, without starting git, so that a run in a huge or broken
//! repository costs nothing and cannot fail here.

use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use crate::checkpoint::path::fnv128;
use crate::error::{Error, ErrorKind, Result};

/// A working tree, by its canonical root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Workspace {
    root: PathBuf,
    git_dir: Option<PathBuf>,
    home: Option<PathBuf>,
}

impl Workspace {
    /// The workspace that `cwd` lies in. `home` is the user's home directory, when there is one.
    pub fn find(cwd: &Path, home: Option<&Path>) -> Result<Self> {
        let cwd =
            fs::canonicalize(cwd).map_err(|e| Error::io("find the current directory", cwd, e))?;
        let home = home.and_then(|home| fs::canonicalize(home).ok());
        let root = cwd.ancestors().find(|dir| is_top_level(dir));
        let root = root.map_or(cwd.clone(), Path::to_owned);
        let git_dir = git_dir_of(&root);
        Ok(Self {
            root,
            git_dir,
            home,
        })
    }

    /// The canonical root.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The user's git directory, when the workspace is a git work tree. It is only ever read.
    pub fn git_dir(&self) -> Option<&Path> {
        self.git_dir.as_deref()
    }

    /// Whether checkpoints may be taken here: not of `/`, the home directory, or what holds it.
    ///
    /// # Errors
    /// [`ErrorKind::Refused`], saying which and the way out.
    pub fn checkpointable(&self) -> Result<()> {
        let what = if self.root.parent().is_none() {
            "is the root of the file system"
        } else if self.home.as_deref() == Some(&self.root) {
            "is the home directory"
        } else if self
            .home
            .as_ref()
            .is_some_and(|home| home.starts_with(&self.root))
        {
            "holds the home directory"
        } else {
            return Ok(());
        };
        let root = self.root.display();
        Err(Error::new(
            ErrorKind::Refused,
            format!("no checkpoint of {root}: it {what}; run inside a project directory"),
        ))
    }

    /// A stable name for this workspace's directory in the state.
    pub(super) fn key(&self) -> String {
        key_of(&self.root)
    }

    /// The names of the directories above the root, outermost first, as far as a checkpoint could
    /// be taken there.
    pub(super) fn keys_above(&self) -> Vec<String> {
        let above: Vec<_> = self.root.ancestors().skip(1).collect();
        let checkpointable = above.into_iter().rev().filter(|dir| {
            let home = self.home.as_ref();
            dir.parent().is_some() && !home.is_some_and(|home| home.starts_with(dir))
        });
        checkpointable.map(key_of).collect()
    }

    /// The root below the current machine's files, as a record keeps it.
    pub(super) fn at(root: PathBuf) -> Self {
        let git_dir = git_dir_of(&root);
        Self {
            root,
            git_dir,
            home: None,
        }
    }
}

fn key_of(root: &Path) -> String {
    format!("{:032x}", fnv128(root.as_os_str().as_bytes()))
}

/// Whether `dir` is the top of a work tree: also of one whose `.git` points to a repository that is
/// gone. git looks no further up from there, so neither do we. An empty directory `.git` is none.
fn is_top_level(dir: &Path) -> bool {
    let points_away = || fs::read(dir.join(".git")).is_ok_and(|text| text.starts_with(b"gitdir:"));
    git_dir_of(dir).is_some() || points_away()
}

/// The git directory whose work tree is `dir`: `dir/.git`, or where the file `dir/.git` points.
pub(super) fn git_dir_of(dir: &Path) -> Option<PathBuf> {
    let dot_git = dir.join(".git");
    if dot_git.join("HEAD").exists() {
        return Some(dot_git);
    }
    let pointer = fs::read(&dot_git).ok()?;
    let target = pointer.strip_prefix(b"gitdir:")?.trim_ascii();
    let target = dir.join(std::ffi::OsStr::from_bytes(target));
    target.join("HEAD").exists().then_some(target)
}
