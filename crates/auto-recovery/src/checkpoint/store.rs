//! The checkpoints of one workspace: where they are kept, and what can be asked of them.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::ops::ControlFlow;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::FileType;

use crate::checkpoint::commit::{self, Checkpoint};
use crate::checkpoint::options::CheckpointOptions;
use crate::checkpoint::patch::{self, DiffSink, PatchForm};
use crate::checkpoint::repository::head;
use crate::checkpoint::tree::manifest::{Change, Node};
use crate::checkpoint::tree::path::split;
use crate::checkpoint::tree::root::Root;
use crate::checkpoint::tree::watch::{Uncovered, Watch, uncovered_changes};
use crate::error::{Error, ErrorKind, Result};
use crate::files::{Links, Synced, read_small, replace};
use crate::git::Git;
use crate::host::Host;
use crate::redaction::is_secret_file_name;
use crate::workspace::Workspace;
use crate::workspace::layout::{ROOT_BYTES_MAX, has_state, make_workspace_dir, workspace_dir};

/// The checkpoints of one workspace.
pub struct CheckpointStore {
    pub(super) state_dir: PathBuf,
    /// This workspace's directory in the state.
    pub(super) dir: PathBuf,
    pub(super) git: Git,
    pub(super) root: Arc<Root>,
    pub(super) workspace: Workspace,
    pub(super) options: CheckpointOptions,
    /// Paths left out of the tree, relative to the root.
    pub(super) excluded: Vec<Vec<u8>>,
    pub(super) host: Arc<dyn Host>,
}

impl CheckpointStore {
    /// Whether the checkpoints of this workspace are still where they are kept.
    pub fn is_there(&self) -> bool {
        self.dir.is_dir()
    }

    /// The checkpoints of `workspace`, kept in `state_dir`. Makes what is missing.
    ///
    /// # Errors
    /// [`ErrorKind::Refused`] for a workspace that must not be snapshotted,
    /// [`ErrorKind::CommandNotFound`] without git.
    pub fn open(
        state_dir: &Path,
        workspace: &Workspace,
        options: CheckpointOptions,
        host: Arc<dyn Host>,
    ) -> Result<Arc<Self>> {
        workspace.checkpointable()?;
        make_workspace_dir(state_dir, workspace)?;
        // git is started elsewhere, so no path of ours may be relative.
        let state_dir = &fs::canonicalize(state_dir)
            .map_err(|e| Error::io("find the state directory", state_dir, e))?;
        let dir = workspace_dir(state_dir, workspace);
        let git = Git::new(options.git_program.as_deref(), dir.join("git")).for_user_of(&host);
        prepare(&dir, &git, workspace)?;
        let excluded = excluded(workspace.root(), state_dir, &options.exclude)?;
        Ok(Arc::new(Self {
            state_dir: state_dir.to_owned(),
            dir,
            git,
            root: Arc::new(Root::open(workspace.root())?),
            workspace: workspace.clone(),
            options,
            excluded,
            host,
        }))
    }

    /// The same for the holder of the workspace: a private repository that is damaged is set aside
    /// and begun anew, and it is said where it is.
    ///
    /// # Errors
    /// As [`CheckpointStore::open`].
    pub fn open_whole(
        state_dir: &Path,
        workspace: &Workspace,
        options: CheckpointOptions,
        host: Arc<dyn Host>,
    ) -> Result<(Arc<Self>, Option<PathBuf>)> {
        let open = || Self::open(state_dir, workspace, options.clone(), Arc::clone(&host));
        let opened = match open() {
            Err(error) if !is_damage(&error) => return Err(error),
            opened => opened,
        };
        let program = options.git_program.as_deref();
        let dir = workspace_dir(state_dir, workspace);
        let git = Git::new(program, dir.join("git")).for_user_of(&host);
        // One that was not waited for says nothing of the repository.
        let is_whole = |store: &Arc<Self>| {
            let asked = store.git.run(&["rev-parse", "--git-dir"]);
            !asked.is_err_and(|error| error.kind() == ErrorKind::Tool)
        };
        match opened {
            Ok(store) if is_whole(&store) || git.version().is_err() => Ok((store, None)),
            Err(error) if git.version().is_err() => Err(error),
            _ => {
                let aside = set_aside(&dir, git.dir())?;
                Ok((open()?, Some(aside)))
            }
        }
    }

    /// The workspace.
    pub fn workspace(&self) -> &Workspace {
        &self.workspace
    }

    /// The checkpoint of that id.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] when this workspace has none.
    pub fn load(&self, id: &str) -> Result<Checkpoint> {
        commit::load(&self.git, id)
    }

    /// Every path at which two checkpoints differ, in path order: also directories, permission
    /// bits, and paths whose content neither holds.
    pub fn changes(&self, before: &Checkpoint, after: &Checkpoint) -> Vec<Change> {
        let differences = before.manifest.differences(&after.manifest);
        differences.iter().map(Change::of).collect()
    }

    /// The changes as a record names them: the display forms of changed files and links, and of
    /// directories that came, went or changed for themselves; sorted, each once.
    pub fn files_modified(&self, before: &Checkpoint, after: &Checkpoint) -> Vec<String> {
        patch::files_modified(&self.changes(before, after))
    }

    /// Gives `sink` the changes as a unified diff for people, piece by piece, until it wants no
    /// more: then that is the answer.
    ///
    /// # Errors
    /// If git fails, or `sink` does.
    pub fn patch(
        &self,
        before: &Checkpoint,
        after: &Checkpoint,
        sink: &mut DiffSink<'_>,
    ) -> Result<ControlFlow<()>> {
        patch::read(&self.git, before, after, sink)
    }

    /// Gives `sink` the changes between two checkpoints in `form`, relative to the workspace,
    /// without those at and below the paths `but`: permissions beyond the executable bit and empty
    /// directories, which a patch cannot say, are not in it. The checkpoints are given by their
    /// ids: neither is read, however many files they hold.
    ///
    /// # Errors
    /// If git fails, or `sink` does; [`ErrorKind::Refused`] if there are too many of `but`, and
    /// [`ErrorKind::InvalidInput`] if what is given are no ids of checkpoints.
    pub fn patch_between(
        &self,
        (before, after): (&str, &str),
        form: PatchForm,
        but: &[Vec<u8>],
        sink: &mut DiffSink<'_>,
    ) -> Result<ControlFlow<()>> {
        let is_id = |id: &str| !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_hexdigit());
        match [before, after].into_iter().find(|id| !is_id(id)) {
            Some(id) => {
                let context = format!("{id:?} is no id of a checkpoint");
                Err(Error::new(ErrorKind::InvalidInput, context))
            }
            None => patch::read_in_form(&self.git, (before, after), form, but, sink),
        }
    }

    /// The directories, sorted, of the repositories inside the tree as `checkpoint` knows them: a
    /// patch for the repository around them holds nothing of their contents.
    pub fn repositories_inside(&self, checkpoint: &Checkpoint) -> Vec<Vec<u8>> {
        let dirs = checkpoint.rules.boundaries().map(<[u8]>::to_vec);
        let dirs: BTreeSet<_> = dirs.collect();
        dirs.into_iter().collect()
    }

    /// Describes the changes that such a patch cannot express, a line each.
    pub fn beyond_patch(
        &self,
        before: &Checkpoint,
        after: &Checkpoint,
        but: &[Vec<u8>],
    ) -> Vec<String> {
        patch::beyond_patch(before, after, but)
    }

    /// Makes sure that the directory of the workspace is still the one that was opened.
    ///
    /// # Errors
    /// [`ErrorKind::Refused`] if it was moved, removed or replaced.
    pub fn check_root(&self) -> Result<()> {
        self.root.check()
    }

    /// The uncovered changes between two snapshots of this process.
    pub fn not_covered_changes(&self, before: &Checkpoint, after: &Checkpoint) -> Vec<Uncovered> {
        let none = Watch::default();
        let (watched_before, watched_after) = match (&before.watch, &after.watch) {
            (Some(before), Some(after)) => (&**before, &**after),
            _ => (&none, &none),
        };
        uncovered_changes(
            (&before.manifest, watched_before),
            (&after.manifest, watched_after),
        )
    }

    /// Whether there is something at `path`, as records name it.
    pub fn is_at(&self, path: &str) -> bool {
        self.root
            .stamp(path.as_bytes())
            .is_ok_and(|stamp| stamp.is_some())
    }

    /// Whether the item at `path`, as records name it, is one that no checkpoint holds for its
    /// size, its type or its name, and was not so in `before`.
    pub fn is_left_uncovered(&self, path: &str, before: Option<&Checkpoint>) -> bool {
        let Ok(Some(stamp)) = self.root.stamp(path.as_bytes()) else {
            return false;
        };
        let is_held = match FileType::from_raw_mode(stamp.mode) {
            FileType::RegularFile => {
                stamp.size <= self.options.limits.file_bytes_max
                    && !is_secret_file_name(split(path.as_bytes()).1)
            }
            FileType::Directory | FileType::Symlink => true,
            _ => false,
        };
        let then = before.and_then(|before| before.manifest.get(path.as_bytes()));
        let is_as_then = matches!(
            then,
            Some(Node::Opaque { size, mtime_ns, ino, .. })
                if (*size, *mtime_ns, *ino) == (stamp.size, stamp.mtime_ns, stamp.ino)
        );
        !is_held && !is_as_then
    }

    /// Describes the move of the user's HEAD between two snapshots of this process, with the way
    /// back; `None` if it stayed.
    pub fn head_moved(&self, before: &Checkpoint, after: &Checkpoint) -> Option<String> {
        let git_dir = self.workspace.git_dir()?;
        let (before, after) = (before.watch.as_ref()?, after.watch.as_ref()?);
        let heads = (&before.head, &after.head, before.seen_ns);
        head::moved(&self.git, git_dir, self.root.path(), heads)
    }

    /// Whether both snapshots looked at everything that no checkpoint covers, so that all unnamed
    /// paths are unchanged.
    pub fn saw_all(&self, before: &Checkpoint, after: &Checkpoint) -> bool {
        let watches = [&before.watch, &after.watch];
        let mut watches = watches.into_iter().map(Option::as_ref);
        watches.all(|watch| watch.is_some_and(|watch| watch.is_whole()))
    }

    pub(super) fn cache_path(&self) -> PathBuf {
        self.dir.join("stamps")
    }
}

/// Makes sure that there is a checkpoint `id` of `workspace`. Nothing is made for the question.
///
/// # Errors
/// [`ErrorKind::NotFound`] if there is none.
pub fn check_checkpoint(
    state_dir: &Path,
    workspace: &Workspace,
    id: &str,
    host: &Arc<dyn Host>,
) -> Result<()> {
    if !has_state(state_dir)? {
        return Err(commit::absent(id));
    }
    let git_dir = workspace_dir(state_dir, workspace).join("git");
    // git is started elsewhere, so no path of ours may be relative.
    let git_dir = fs::canonicalize(git_dir).map_err(|_| commit::absent(id))?;
    let git = Git::new(None, git_dir).for_user_of(host);
    commit::load(&git, id).map(drop)
}

/// What the git that checkpoints would be made with says of its version.
///
/// # Errors
/// If there is none, or it cannot be run.
pub(crate) fn git_version(host: &Arc<dyn Host>) -> Result<String> {
    let version = Git::new(None, PathBuf::from("."))
        .for_user_of(host)
        .version()?;
    Ok(String::from_utf8_lossy(&version).trim().to_owned())
}

/// Whether `error` means that our own files were altered, rather than a fault of the disk or of
/// rights.
fn is_damage(error: &Error) -> bool {
    const WRONG: [i32; 5] = [
        libc::EISDIR,
        libc::ENOTDIR,
        libc::EEXIST,
        libc::ELOOP,
        libc::EINVAL,
    ];
    let cause = std::error::Error::source(error);
    let cause = cause.and_then(|cause| cause.downcast_ref::<io::Error>());
    match error.kind() {
        ErrorKind::Tool | ErrorKind::Damaged => true,
        _ => cause.is_some_and(|cause| {
            let code = cause.raw_os_error();
            code.is_some_and(|code| WRONG.contains(&code))
        }),
    }
}

/// Renames `ours` in the workspace's directory `dir`, so that a new one is made in its place;
/// returns the new name.
fn set_aside(dir: &Path, ours: &Path) -> Result<PathBuf> {
    let aside = (1..)
        .map(|number| dir.join(format!("git.damaged-{number}")))
        .find(|path| path.symlink_metadata().is_err())
        .unwrap_or_else(|| dir.join("git.damaged"));
    fs::rename(ours, &aside).map_err(|e| Error::io("set aside", ours, e))?;
    // What it says of objects is of the other repository's.
    let _slower = fs::remove_file(dir.join("stamps"));
    Ok(aside)
}

/// Makes the workspace's directory and repository. A repository whose making was cut short is made
/// again: `git init` completes what is there.
fn prepare(dir: &Path, git: &Git, workspace: &Workspace) -> Result<()> {
    let root_file = dir.join("root");
    let root = workspace.root().as_os_str().as_bytes();
    match read_small(&root_file, Links::Refuse, ROOT_BYTES_MAX) {
        Ok(known) if known == root && git.dir().join("HEAD").exists() => return git.make_sure(),
        // Anything but a path was never ours.
        Ok(known) if known != root && known.starts_with(b"/") => {
            let known = Path::new(OsStr::from_bytes(&known)).display();
            return Err(Error::new(
                ErrorKind::Refused,
                format!(
                    "{} belongs to the workspace {known}; move it away",
                    dir.display()
                ),
            ));
        }
        Ok(_) => {}
        Err(e) if e.kind() == io::ErrorKind::NotFound => {}
        // No file: it was never ours, and is written anew.
        Err(e) if e.kind() == io::ErrorKind::InvalidInput => drop(set_aside(dir, &root_file)?),
        Err(e) => return Err(Error::io("read", &root_file, e)),
    }
    git.init()?;
    // Written last: where it exists, the repository is whole.
    replace(&root_file, Synced::No, root)
}

/// The paths left out of the tree, relative to `root`: our own state, and those the caller names.
fn excluded(root: &Path, state_dir: &Path, named: &[PathBuf]) -> Result<Vec<Vec<u8>>> {
    let mut excluded = Vec::new();
    for path in named.iter().map(PathBuf::as_path).chain([state_dir]) {
        if let Ok(inside) = real(path).strip_prefix(root) {
            if inside.as_os_str().is_empty() {
                return Err(Error::new(
                    ErrorKind::Refused,
                    format!(
                        "no checkpoint of {}: the state or the store is kept in this very \
                         directory; keep it elsewhere",
                        root.display()
                    ),
                ));
            }
            excluded.push(inside.as_os_str().as_bytes().to_vec());
        }
    }
    Ok(excluded)
}

/// `path` without links, as far as it exists: a path yet to be created may lack its end.
fn real(path: &Path) -> PathBuf {
    for above in path.ancestors() {
        if let Ok(real) = fs::canonicalize(above)
            && let Ok(rest) = path.strip_prefix(above)
        {
            return match rest.as_os_str().is_empty() {
                true => real,
                false => real.join(rest),
            };
        }
    }
    path.to_owned()
}
