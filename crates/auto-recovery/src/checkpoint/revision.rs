//! A commit of the user's repository as a checkpoint: what a checkout of it would put into the
//! tree.
//!
//! The user's repository is only read: its files are checked out into our state, through an index
//! of our own, with filters and line endings as the user's configuration has them. Files that git
//! does not track stay as they are.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::checkpoint::commit::Checkpoint;
use crate::checkpoint::options::MIB;
use crate::checkpoint::repository::import::Importer;
use crate::checkpoint::repository::user_git;
use crate::checkpoint::session::CheckpointSession;
use crate::checkpoint::store::CheckpointStore;
use crate::checkpoint::tree::manifest::{Entry, Manifest, Node, Told};
use crate::checkpoint::tree::path::{RelPath, ancestors, to_os};
use crate::checkpoint::tree::root::{Root, Way, open_file_at, read_link_at};
use crate::checkpoint::tree::stamp::Ids;
use crate::error::{Error, ErrorKind, Result};
use crate::files::make_private_dirs;
use crate::git::{Git, is_no_file};
use crate::host::Host;
use crate::wording::counted;
use crate::workspace::Workspace;

/// One file of a revision.
struct Listed {
    path: RelPath,
    mode: String,
    size: u64,
}

/// Makes sure that the user's repository has `revision`.
///
/// # Errors
/// [`ErrorKind::NotFound`] if it has not, or if there is no repository.
pub fn check_revision(workspace: &Workspace, revision: &str, host: &Arc<dyn Host>) -> Result<()> {
    let git = Git::new(None, PathBuf::new()).for_user_of(host);
    resolve(&git, workspace, revision).map(drop)
}

/// The commit that `revision` means in the user's repository.
fn resolve(git: &Git, workspace: &Workspace, revision: &str) -> Result<String> {
    let absent = |why: &str| {
        let root = workspace.root().display();
        Error::new(
            ErrorKind::NotFound,
            format!("no revision {revision:?} in {root}: {why}"),
        )
    };
    let git_dir = workspace
        .git_dir()
        .ok_or_else(|| match workspace.foreign_repository() {
            Some(why) => absent(&why),
            None => absent("it has no git repository"),
        })?;
    if revision.starts_with('-') {
        return Err(absent("no name of one begins with `-`"));
    }
    // What a name may mean, as git looks for it.
    let places = ["", "refs/", "refs/tags/", "refs/heads/", "refs/remotes/"];
    let common = user_git::common_dir(git_dir);
    if let Some(place) = places
        .map(|place| common.join(format!("{place}{revision}")))
        .iter()
        .find(|place| is_no_file(place))
    {
        return Err(absent(&format!("{} is no file", place.display())));
    }
    let wanted = format!("{revision}^{{commit}}");
    let args = ["rev-parse", "--verify", "--quiet", &wanted];
    let resolved = git.reading(git_dir, workspace.root(), &args);
    let commit = git
        .output(resolved, "git rev-parse")
        .map_err(|e| match e.kind() {
            ErrorKind::Tool => absent("git does not know it"),
            _ => e,
        })?;
    Ok(String::from_utf8_lossy(commit.trim_ascii()).into_owned())
}

impl CheckpointSession {
    /// The tree that checking out `revision` over `now` would give, as a checkpoint of this
    /// session: what git tracks as the revision has it, all else as it is. A repository inside the
    /// tree is one of its own, and what a sparse checkout leaves out stays out.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] when the workspace has no git or no such revision.
    pub fn import_revision(&mut self, revision: &str, now: &Checkpoint) -> Result<Checkpoint> {
        let store = Arc::clone(&self.store);
        let commit = resolve(&store.git, &store.workspace, revision)?;
        let git_dir = store
            .workspace
            .git_dir()
            .expect("a revision was found in it");
        let args = ["ls-tree", "-r", "-l", "-z", "--full-tree", &commit];
        let listing = store.git.reading(git_dir, store.root.path(), &args);
        let mut listed = read_listing(&store.git.output(listing, "git ls-tree")?, revision)?;
        let nested: BTreeSet<RelPath> = self.nested.keys().cloned().collect();
        let is_nested = |path: &[u8]| ancestors(path).any(|dir| nested.contains(dir));
        listed.retain(|one| !is_nested(&one.path));
        self.check_size(revision, &listed)?;
        let tracked = self.tracked_now();
        let mut importer = Importer::start(&store.git)?;
        let keeps_modes = !user_git::tracks_modes(&store.git, git_dir, store.root.path());
        let aside = Aside::check_out(&store, git_dir, &commit)?;
        let left_out = aside.left_out(&store.git, git_dir)?;
        listed.retain(|one| !left_out.contains(&*one.path));
        let mut files = self.read_files(&aside, &listed, now, &mut importer)?;
        if keeps_modes {
            keep_modes(&mut files, now);
        }
        let is_tracked =
            |path: &[u8]| tracked.contains(path) && !is_nested(path) && !left_out.contains(path);
        let manifest = overlay(&now.manifest, files, is_tracked);
        self.commit_as(
            importer,
            &format!("git:{revision} ({commit})"),
            manifest,
            now,
        )
    }

    fn check_size(&self, revision: &str, listed: &[Listed]) -> Result<()> {
        let limits = &self.store.options.limits;
        let bytes: u64 = listed.iter().map(|listed| listed.size).sum();
        if bytes > limits.new_bytes_max || listed.len() as u64 > limits.new_files_max {
            let (have, most) = (bytes / MIB, limits.new_bytes_max / MIB);
            let files = counted(listed.len() as u64, "file");
            return Err(Error::new(
                ErrorKind::NoSpace,
                format!(
                    "revision {revision:?} has {files} of {have} MiB together, and one \
                     checkpoint stores at most {} files and {most} MiB; check it out with git",
                    limits.new_files_max
                ),
            ));
        }
        Ok(())
    }

    /// Moves the files of the revision, which is checked out `aside`, into our repository.
    fn read_files(
        &self,
        aside: &Aside,
        listed: &[Listed],
        now: &Checkpoint,
        importer: &mut Importer,
    ) -> Result<BTreeMap<RelPath, Node>> {
        let root = Root::open(&aside.tree())?;
        let mut way = Way::new(&root);
        let mut files = BTreeMap::new();
        let mut sent = Vec::new();
        for Listed { path, mode, size } in listed {
            let fail = |e| Error::io("read", &aside.tree().join(to_os(path)), e);
            let (dir, name) = way.parent(path).map_err(|e| fail(e.into()))?;
            if mode == "120000" {
                let target = read_link_at(dir, name).map_err(|e| fail(e.into()))?;
                let owner = owner_of(path, now);
                files.insert(Arc::clone(path), Node::Link { target, owner });
            } else if *size > self.store.options.limits.file_bytes_max {
                // Not covered, here as anywhere: what stands there stays.
                if let Some(node) = now.manifest.get(path) {
                    files.insert(Arc::clone(path), node.clone());
                }
            } else {
                let mut file = open_file_at(dir, name).map_err(|e| fail(e.into()))?;
                let len = file.metadata().map_err(fail)?.len();
                importer
                    .blob(len, &mut file)
                    .map_err(|e| Error::os("failed to talk to git fast-import", e))?;
                sent.push((Arc::clone(path), mode_of(path, mode == "100755", now)));
            }
        }
        let ids = importer.ids(sent.len())?;
        let sent = sent.into_iter().zip(ids);
        files.extend(sent.map(|((path, mode), id)| {
            let owner = owner_of(&path, now);
            (path, Node::File { id, mode, owner })
        }));
        Ok(files)
    }
}

/// A checkout in a directory of our own, with an index of our own; removed when dropped.
struct Aside {
    dir: PathBuf,
}

impl Aside {
    fn check_out(store: &CheckpointStore, git_dir: &Path, commit: &str) -> Result<Self> {
        let aside = Self {
            dir: store.dir.join("checkout"),
        };
        aside.remove();
        let tree = aside.tree();
        make_private_dirs(&tree).map_err(|e| Error::io("create directory", &tree, e))?;
        // Only a merge into the tree minds a sparse checkout.
        let steps: &[&[&str]] = match is_sparse(git_dir) {
            true => &[&["read-tree", "-m", "-u", commit]],
            false => &[
                &["read-tree", commit],
                &["checkout-index", "--all", "--quiet"],
            ],
        };
        for args in steps {
            let mut command = store.git.reading_as_user(git_dir, &tree, args);
            command.env("GIT_INDEX_FILE", aside.index());
            store.git.output(command, "git checkout")?;
        }
        Ok(aside)
    }

    /// The paths that a sparse checkout leaves out.
    fn left_out(&self, git: &Git, git_dir: &Path) -> Result<BTreeSet<RelPath>> {
        if !is_sparse(git_dir) {
            return Ok(BTreeSet::new());
        }
        let mut command = git.reading(git_dir, &self.tree(), &["ls-files", "-t", "-z"]);
        command.env("GIT_INDEX_FILE", self.index());
        let listing = git.output(command, "git ls-files")?;
        let paths = listing.split(|byte| *byte == 0);
        let left_out = paths.filter_map(|record| record.strip_prefix(b"S "));
        Ok(left_out.map(RelPath::from).collect())
    }

    fn index(&self) -> PathBuf {
        self.dir.join("index")
    }

    fn tree(&self) -> PathBuf {
        self.dir.join("tree")
    }

    fn remove(&self) {
        let _not_there = fs::remove_dir_all(&self.dir);
    }
}

/// Whether the checkout of `git_dir` may be sparse: it has patterns, which count where its
/// configuration says so.
fn is_sparse(git_dir: &Path) -> bool {
    git_dir.join("info/sparse-checkout").exists()
}

impl Drop for Aside {
    fn drop(&mut self) {
        self.remove();
    }
}

/// Where git does not track modes, a checkout leaves them as they are.
fn keep_modes(files: &mut BTreeMap<RelPath, Node>, now: &Checkpoint) {
    for (path, node) in files {
        if let (Node::File { mode, .. }, Some(Node::File { mode: here, .. })) =
            (node, now.manifest.get(path))
        {
            *mode = *here;
        }
    }
}

/// The mode a checkout would give: as it is now where only the execute bits agree, else the usual.
fn mode_of(path: &[u8], is_executable: bool, now: &Checkpoint) -> u16 {
    match now.manifest.get(path) {
        Some(Node::File { mode, .. }) if (mode & 0o100 != 0) == is_executable => *mode,
        _ if is_executable => 0o755,
        _ => 0o644,
    }
}

/// Whose a path is now; git does not say whose one is that is not there.
fn owner_of(path: &[u8], now: &Checkpoint) -> Told<Ids> {
    now.manifest.get(path).map_or(Told(None), Node::owner)
}

/// The files and links of a NUL-separated `git ls-tree -l`; submodules are left out.
///
/// # Errors
/// [`ErrorKind::Refused`] if this clone has not fetched all contents of the revision.
fn read_listing(listing: &[u8], revision: &str) -> Result<Vec<Listed>> {
    let not_here = || {
        let context = format!(
            "revision {revision:?} has contents that this partial clone has not fetched: fetch them \
             with `git archive {revision} > /dev/null`, then run this again"
        );
        Error::new(ErrorKind::Refused, context)
    };
    let damaged = || Error::new(ErrorKind::Tool, "git ls-tree answered what is no listing");
    let mut listed = Vec::new();
    for record in listing
        .split(|byte| *byte == 0)
        .filter(|record| !record.is_empty())
    {
        let tab = memchr::memchr(b'\t', record).ok_or_else(damaged)?;
        let head = String::from_utf8_lossy(&record[..tab]).into_owned();
        let fields: Vec<_> = head.split_whitespace().collect();
        let [mode, kind, _, size] = fields[..] else {
            return Err(damaged());
        };
        // What git says where the size of an object is not known here.
        if kind == "blob" && size == "BAD" {
            return Err(not_here());
        }
        if kind == "blob" {
            listed.push(Listed {
                path: record[tab + 1..].into(),
                mode: mode.to_owned(),
                size: size.parse().map_err(|_| damaged())?,
            });
        }
    }
    Ok(listed)
}

/// `now` with the tracked paths replaced by `files`.
fn overlay(
    now: &Manifest,
    files: BTreeMap<RelPath, Node>,
    is_tracked: impl Fn(&[u8]) -> bool,
) -> Manifest {
    let dirs: BTreeSet<&[u8]> = files.keys().flat_map(|path| ancestors(path)).collect();
    let mut kept: Vec<Entry> = Vec::new();
    let mut emptied: BTreeSet<&[u8]> = BTreeSet::new();
    for entry in &now.entries {
        let is_replaced = files.contains_key(&entry.path)
            || (dirs.contains(&*entry.path) && !entry.node.is_dir())
            || ancestors(&entry.path).any(|dir| files.contains_key(dir));
        if is_replaced || (is_tracked(&entry.path) && !entry.node.is_opaque()) {
            emptied.extend(ancestors(&entry.path));
        } else {
            kept.push(entry.clone());
        }
    }
    // A checkout leaves no directory that it emptied.
    let held: BTreeSet<Vec<u8>> = kept
        .iter()
        .filter(|entry| !entry.node.is_dir() || !emptied.contains(&*entry.path))
        .flat_map(|entry| {
            ancestors(&entry.path)
                .map(<[u8]>::to_vec)
                .collect::<Vec<_>>()
        })
        .collect();
    kept.retain(|entry| {
        let path = &*entry.path;
        !entry.node.is_dir()
            || !emptied.contains(path)
            || held.contains(path)
            || dirs.contains(path)
    });
    let missing: Vec<_> = dirs
        .iter()
        .filter(|dir| !matches!(now.get(dir), Some(Node::Dir { .. })))
        .map(|dir| Entry {
            path: RelPath::from(*dir),
            node: Node::Dir {
                mode: 0o755,
                owner: Told(None),
            },
        })
        .collect();
    kept.extend(missing);
    kept.extend(files.into_iter().map(|(path, node)| Entry { path, node }));
    Manifest::from_unsorted(kept)
}
