//! The directory a recovery is about: the git top level above the current directory, else that
//! directory itself.
//!
//! Found by looking for `.git` upwards, without starting git, so that a run in a huge or broken
//! repository costs nothing and cannot fail here.

use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use crate::error::{Error, ErrorKind, Result};
use crate::files::hash::fnv128;
use crate::files::{Links, read_small};
use crate::workspace::safe_directory::is_safe_directory;

/// The longest file `.git` that is read: far longer than paths may be.
const POINTER_BYTES_MAX: u64 = 64 * 1024;

/// A working tree, by its canonical root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Workspace {
    root: PathBuf,
    git_dir: Option<PathBuf>,
    home: Option<PathBuf>,
    /// Users whose repositories count.
    owners: Vec<u32>,
    foreign: Option<Foreign>,
}

/// A repository that is another user's.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Foreign {
    /// The path that is not the user's, and its owner.
    path: PathBuf,
    owner: u32,
    /// Its work tree.
    top: PathBuf,
}

impl Workspace {
    /// The workspace that `cwd` lies in. `home` is the user's home directory, when there is one.
    ///
    /// # Errors
    /// If there is no such directory.
    pub fn find(cwd: &Path, home: Option<&Path>) -> Result<Self> {
        Self::find_for(cwd, home, None)
    }

    /// The same for a user who may also use what the user `also` owns, such as one who became root
    /// by `sudo`. As git does, a repository counts only if it, its `.git` and its work tree belong
    /// to the user, or `safe.directory` names it. Another user's repository makes no workspace, and
    /// none further up is looked for: the workspace is the current directory then.
    ///
    /// # Errors
    /// If there is no such directory.
    pub fn find_for(cwd: &Path, home: Option<&Path>, also: Option<u32>) -> Result<Self> {
        let cwd =
            fs::canonicalize(cwd).map_err(|e| Error::io("find the current directory", cwd, e))?;
        let home = home.and_then(|home| fs::canonicalize(home).ok());
        let found = cwd
            .ancestors()
            .find_map(|dir| Some((dir, repository_of(dir)?)));
        let mut workspace = Self {
            root: cwd.clone(),
            git_dir: None,
            home,
            owners: owners(also),
            foreign: None,
        };
        if let Some((top, repository)) = found {
            workspace.take(top, repository);
        }
        Ok(workspace)
    }

    /// Takes the repository whose work tree begins at `top` as the workspace's, if it is the user's
    /// own.
    fn take(&mut self, top: &Path, (dot_git, git_dir): (PathBuf, Option<PathBuf>)) {
        let mut parts = vec![top, &*dot_git];
        parts.extend(git_dir.as_deref());
        if let Some((path, owner)) = stranger(&parts, &self.owners) {
            if !is_safe_directory(top) {
                let top = top.to_owned();
                self.foreign = Some(Foreign { path, owner, top });
                return;
            }
            self.owners.push(owner);
        }
        self.root = top.to_owned();
        self.git_dir = git_dir;
    }

    /// Why the repository that the current directory lies in is none of the user's, with what
    /// follows and the way out; `None` if it is, or there is none.
    pub fn foreign_repository(&self) -> Option<String> {
        let Foreign { path, owner, top } = self.foreign.as_ref()?;
        let user = rustix::process::geteuid().as_raw();
        let (path, root) = (path.display(), self.root.display());
        let top = top.display();
        Some(format!(
            "{path} belongs to user {owner}, and you are user {user}: its repository counts for \
             nothing here, and only {root} is covered and undone; `git config --global --add \
             safe.directory {top}` says that you trust it"
        ))
    }

    /// The users whose repositories inside the tree are the user's own.
    pub(crate) fn owners(&self) -> &[u32] {
        &self.owners
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
        let Some(what) = self.why_no_project() else {
            return Ok(());
        };
        let root = self.root.display();
        Err(Error::new(
            ErrorKind::Refused,
            format!("no checkpoint of {root}: it {what}; run inside a project directory"),
        ))
    }

    /// Why the root is no project's: it is `/`, the home directory, or what holds that.
    pub fn why_no_project(&self) -> Option<&'static str> {
        if self.root.parent().is_none() {
            Some("is the root of the file system")
        } else if self.home.as_deref() == Some(&self.root) {
            Some("is the home directory")
        } else if self
            .home
            .as_ref()
            .is_some_and(|home| home.starts_with(&self.root))
        {
            Some("holds the home directory")
        } else {
            None
        }
    }

    /// A stable name for this workspace's directory in the state.
    pub(crate) fn key(&self) -> String {
        key_of(&self.root)
    }

    /// The names of the directories above the root, outermost first, as far as a checkpoint could
    /// be taken there.
    pub(crate) fn keys_above(&self) -> Vec<String> {
        let above: Vec<_> = self.root.ancestors().skip(1).collect();
        let checkpointable = above.into_iter().rev().filter(|dir| {
            let home = self.home.as_ref();
            dir.parent().is_some() && !home.is_some_and(|home| home.starts_with(dir))
        });
        checkpointable.map(key_of).collect()
    }

    /// The workspace with this root, as a record keeps it, of the user that `like` was found for.
    pub(crate) fn at(root: PathBuf, like: Option<&Self>) -> Self {
        let mut workspace = Self {
            root: root.clone(),
            git_dir: None,
            home: None,
            owners: like.map_or_else(|| owners(None), |like| like.owners.clone()),
            foreign: None,
        };
        if let Some(repository) = repository_of(&root) {
            workspace.take(&root, repository);
        }
        workspace
    }
}

/// The effective user; where that is root, `also` who became root.
fn owners(also: Option<u32>) -> Vec<u32> {
    let user = rustix::process::geteuid();
    let also = also.filter(|_| user.is_root());
    [user.as_raw()].into_iter().chain(also).collect()
}

fn key_of(root: &Path) -> String {
    format!("{:032x}", fnv128(root.as_os_str().as_bytes()))
}

/// The git directory whose work tree is `dir`: `dir/.git`, or where the file `dir/.git` points,
/// whosesoever it is. Only to be looked at.
pub(crate) fn git_dir_of(dir: &Path) -> Option<PathBuf> {
    match repository_of(dir)? {
        (_, Some(git_dir)) => Some(git_dir),
        _ => None,
    }
}

/// The same of a repository that belongs to one of `owners`.
pub(crate) fn own_git_dir_of(dir: &Path, owners: &[u32]) -> Option<PathBuf> {
    let (dot_git, git_dir) = repository_of(dir)?;
    let git_dir = git_dir?;
    let is_own = stranger(&[dir, &dot_git, &git_dir], owners).is_none();
    is_own.then_some(git_dir)
}

/// `dir/.git` and the git directory that it means, if `dir` is the top of a work tree: also of one
/// whose `.git` points to a repository that is gone. git looks no further up from there, so neither
/// do we. An empty directory `.git` is none.
fn repository_of(dir: &Path) -> Option<(PathBuf, Option<PathBuf>)> {
    let dot_git = dir.join(".git");
    if dot_git.join("HEAD").exists() {
        return Some((dot_git.clone(), Some(dot_git)));
    }
    let pointer = read_small(&dot_git, Links::Follow, POINTER_BYTES_MAX).ok()?;
    let target = pointer.strip_prefix(b"gitdir:")?.trim_ascii();
    let target = dir.join(std::ffi::OsStr::from_bytes(target));
    let is_there = target.join("HEAD").exists();
    Some((dot_git, is_there.then_some(target)))
}

/// The first of `paths` that is none of the `owners`', and whose it is. Links count, and what they
/// lead to.
fn stranger(paths: &[&Path], owners: &[u32]) -> Option<(PathBuf, u32)> {
    paths.iter().find_map(|path| {
        let found = [path.symlink_metadata(), path.metadata()];
        let uids = found.into_iter().flatten().map(|found| found.uid());
        let uid = uids.into_iter().find(|uid| !owners.contains(uid))?;
        Some((path.to_path_buf(), uid))
    })
}
