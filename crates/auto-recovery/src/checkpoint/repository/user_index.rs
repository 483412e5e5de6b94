//! The index of the user's repository: what is staged, and adding to it what somebody asked for.
//!
//! Asked of git, with the user's own configuration, so that filters and line ends are as a `git
//! add` would have them. This is the only writing to a repository of the user's, and only where the
//! user said so; hooks of the repository do not run for it.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs;
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::checkpoint::store::CheckpointStore;
use crate::error::{Error, ErrorKind, Result};
use crate::git::{Conversation, Git};
use crate::workspace::own_git_dir_of;

/// The variable by which git tells a hook which index the commit is made from.
const INDEX_VARIABLE: &str = "GIT_INDEX_FILE";

/// What git calls the index of a commit of some paths only, which is gone after it.
const OF_SOME_PATHS: &str = "next-index-";

/// The index of a repository of the user's.
#[derive(Debug)]
pub struct UserIndex {
    git: Git,
    git_dir: PathBuf,
    root: PathBuf,
    /// Where it is, if not where git looks unless told otherwise.
    file: Option<PathBuf>,
}

/// How a path stands in the index.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Staged {
    /// Whether the index has it other than HEAD.
    pub is_staged: bool,
    /// Whether the work tree has it other than the index, or the index not at all.
    pub differs: bool,
    /// Whether it waits for a merge to be settled.
    pub is_unmerged: bool,
}

impl UserIndex {
    /// The index at `file`, as git names it to a hook, or the repository's own, of the work tree
    /// that `store` keeps.
    ///
    /// # Errors
    /// [`ErrorKind::Refused`] if there is no repository of the user's, or the index is none of it.
    pub fn of(store: &CheckpointStore, file: Option<&Path>) -> Result<Self> {
        let root = store.workspace().root();
        let refused = |what: String| Error::new(ErrorKind::Refused, what);
        let git_dir = store.workspace().git_dir();
        let git_dir =
            git_dir.ok_or_else(|| refused(format!("{} is no git work tree", root.display())))?;
        let file = file.map(|file| root.join(file));
        if let Some(file) = &file {
            let real = |path: &Path| fs::canonicalize(path).ok();
            let is_in_it = real(git_dir).is_some() && file.parent().and_then(real) == real(git_dir);
            if !is_in_it {
                let (file, git_dir) = (file.display(), git_dir.display());
                return Err(refused(format!(
                    "the index {file} is not that of {git_dir}"
                )));
            }
        }
        Ok(Self {
            git: store.git.clone(),
            git_dir: git_dir.to_owned(),
            root: root.to_owned(),
            file,
        })
    }

    /// The index of the user's own repository at `dir`, relative to the work tree that `store`
    /// keeps; `None` if there is none.
    pub fn inside(store: &CheckpointStore, dir: &[u8]) -> Option<Self> {
        let workspace = store.workspace();
        let root = workspace.root().join(OsStr::from_bytes(dir));
        let git_dir = own_git_dir_of(&root, workspace.owners())?;
        let git = store.git.clone();
        Some(Self {
            git,
            git_dir,
            root,
            file: None,
        })
    }

    /// Whether it is that of a commit of some paths only: what is added to it is not in the one
    /// that stays, so that the next commit would take it back.
    pub fn is_of_some_paths(&self) -> bool {
        let name = self.file.as_deref().and_then(Path::file_name);
        name.is_some_and(|name| name.as_bytes().starts_with(OF_SOME_PATHS.as_bytes()))
    }

    /// Every path, relative to the work tree, that stands otherwise in the index than in HEAD or in
    /// the work tree; those that the index does not have only if `untracked`.
    ///
    /// # Errors
    /// If git fails.
    pub fn standing(&self, untracked: bool) -> Result<BTreeMap<Vec<u8>, Staged>> {
        let files = match untracked {
            true => "--untracked-files=all",
            false => "--untracked-files=no",
        };
        let args = [
            "status",
            "--porcelain=v2",
            "-z",
            "--no-renames",
            "--ignore-submodules=all",
            files,
        ];
        let listing = self.git.output(self.command(&args), "git status")?;
        let records = listing.split(|byte| *byte == 0);
        Ok(records.filter_map(read_record).collect())
    }

    /// Whether `path`, relative to the work tree, lies in a repository of its own, as git has it.
    pub fn is_in_another(&self, path: &[u8]) -> bool {
        let above = Path::new(OsStr::from_bytes(path)).ancestors().skip(1);
        let mut above = above.filter(|dir| !dir.as_os_str().is_empty());
        above.any(|dir| self.root.join(dir).join(".git").symlink_metadata().is_ok())
    }

    /// Those of `paths`, relative to the work tree, that stand otherwise there than in the index,
    /// and that git does not look at because they are flagged so there: `assume-unchanged`, or
    /// `skip-worktree`.
    ///
    /// # Errors
    /// If git fails.
    pub fn overlooked(&self, paths: &[&[u8]]) -> Result<BTreeSet<Vec<u8>>> {
        let mut overlooked = BTreeSet::new();
        if paths.is_empty() {
            return Ok(overlooked);
        }
        let listing = self.command(&["ls-files", "-v", "-s", "-z"]);
        let listing = self.git.output(listing, "git ls-files")?;
        let flagged = listing.split(|byte| *byte == 0).filter_map(read_flagged);
        for (path, id) in flagged.filter(|(path, _)| paths.contains(path)) {
            if self.id_of(path).is_none_or(|now| now != id) {
                overlooked.insert(path.to_vec());
            }
        }
        Ok(overlooked)
    }

    /// What git would call the content of the file at `path`.
    fn id_of(&self, path: &[u8]) -> Option<Vec<u8>> {
        let mut command = self.command(&["hash-object", "--"]);
        command.arg(OsStr::from_bytes(path));
        let said = self.git.output(command, "git hash-object").ok()?;
        Some(said.trim_ascii_end().to_vec())
    }

    /// Whether a link stands above `path`, relative to the work tree: git adds and removes nothing
    /// beyond one.
    pub fn is_beyond_link(&self, path: &[u8]) -> bool {
        let above = Path::new(OsStr::from_bytes(path)).ancestors().skip(1);
        above
            .into_iter()
            .any(|dir| self.root.join(dir).is_symlink() && !dir.as_os_str().is_empty())
    }

    /// Whether what stands at `path`, relative to the work tree, changed after `then`.
    pub fn changed_since(&self, path: &[u8], then: Option<SystemTime>) -> bool {
        let then = then.and_then(|then| then.duration_since(UNIX_EPOCH).ok());
        let stands = fs::symlink_metadata(self.root.join(OsStr::from_bytes(path)));
        let (Some(then), Ok(stands)) = (then, stands) else {
            return false;
        };
        let at = (stands.ctime(), stands.ctime_nsec());
        at >= (then.as_secs().cast_signed(), i64::from(then.subsec_nanos()))
    }

    /// Adds `paths`, relative to the work tree, to the index as they stand there; one that is gone
    /// is removed from it. All of them or none.
    ///
    /// # Errors
    /// If git fails: another one holds the index.
    pub fn add(&self, paths: &[Vec<u8>]) -> Result<()> {
        let command = self.command(&["update-index", "--add", "--remove", "-z", "--stdin"]);
        let mut conversation = Conversation::start(&self.git, command, "git update-index")?;
        let (mut stdin, stdout) = conversation.pipes();
        // It says nothing but errors.
        drop(stdout);
        let all: Vec<u8> = paths
            .iter()
            .flat_map(|path| path.iter().copied().chain([0]))
            .collect();
        match stdin.write_all(&all) {
            Ok(()) => drop(stdin),
            Err(error) => return Err(conversation.broken(error)),
        }
        conversation.finish()
    }

    fn command(&self, args: &[&str]) -> std::process::Command {
        let mut command = self.git.reading_as_user(&self.git_dir, &self.root, args);
        if let Some(file) = &self.file {
            command.env(INDEX_VARIABLE, file);
        }
        command
    }
}

/// A record of `git ls-files -v -s -z` that is flagged not to be looked at: its path and its id.
fn read_flagged(record: &[u8]) -> Option<(&[u8], &[u8])> {
    // `T mode id stage`, a tab and the path; T is small where it is assumed to be unchanged.
    let tag = *record.first()?;
    let at = record.iter().position(|byte| *byte == b'\t')?;
    let id = record[..at].split(|byte| *byte == b' ').nth(2)?;
    (tag.is_ascii_lowercase() || tag == b'S').then_some((&record[at + 1..], id))
}

/// A record of `git status --porcelain=v2 -z`: its path, and how that stands.
fn read_record(record: &[u8]) -> Option<(Vec<u8>, Staged)> {
    // What stands before the path: `1 XY sub mH mI mW hH hI`, `u XY sub m1 m2 m3 mW h1 h2 h3`, `?`.
    let fields = match record.first()? {
        b'1' => 8,
        b'u' => 10,
        b'?' => 1,
        _ => return None,
    };
    let mut parts = record.splitn(fields + 1, |byte| *byte == b' ');
    let kind = parts.next()?;
    let state = parts.next()?;
    let path = match kind {
        b"?" => state,
        _ => parts.last()?,
    };
    let standing = match (kind, state) {
        (b"1", [index, tree]) => Staged {
            is_staged: *index != b'.',
            differs: *tree != b'.',
            is_unmerged: false,
        },
        (b"u", _) => Staged {
            is_staged: true,
            differs: true,
            is_unmerged: true,
        },
        _ => Staged {
            differs: true,
            ..Staged::default()
        },
    };
    Some((path.to_vec(), standing))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flag_says_that_nobody_looks() {
        let flagged = |record: &'static [u8]| read_flagged(record);
        let both = Some((&b"a\tb"[..], &b"1234"[..]));
        assert_eq!(flagged(b"h 100644 1234 0\ta\tb"), both);
        assert_eq!(flagged(b"S 100644 1234 0\ta\tb"), both);
        assert_eq!(flagged(b"H 100644 1234 0\ta"), None);
        assert_eq!(flagged(b""), None);
    }

    #[test]
    fn a_record_says_how_its_path_stands() {
        let check = |record: &[u8], path: &[u8], flags: (bool, bool, bool)| {
            let (found, staged) = read_record(record).unwrap();
            let found_flags = (staged.is_staged, staged.differs, staged.is_unmerged);
            assert_eq!((&*found, found_flags), (path, flags));
        };
        let at = b"N... 100644 100644 100644 1111 2222";
        let record = |state: &[u8], path: &[u8]| [b"1 ", state, b" ", at, b" ", path].concat();
        check(&record(b"M.", b"a b"), b"a b", (true, false, false));
        check(&record(b"MM", b"a\nb"), b"a\nb", (true, true, false));
        check(&record(b".D", b"\xff"), b"\xff", (false, true, false));
        check(b"? new one", b"new one", (false, true, false));
        let unmerged = b"u UU N... 100644 100644 100644 100644 1 2 3 x y";
        check(unmerged, b"x y", (true, true, true));
        assert!(read_record(b"").is_none());
        assert!(read_record(b"# branch.oid").is_none());
    }
}
