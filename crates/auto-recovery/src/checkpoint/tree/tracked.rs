//! The paths that the user's index lists: covered even when an ignore rule matches them.
//!
//! Read with `git ls-files`, which takes no lock and refreshes nothing, and only when the index
//! file has another stamp than last time.

use std::path::Path;
use std::sync::Arc;

use crate::checkpoint::tree::path::join;
use crate::checkpoint::tree::stamp::Stamp;
use crate::error::Result;
use crate::files::hash::fnv128;
use crate::git::Git;

/// Mode of an index entry that stands for a whole other repository.
const GITLINK: &[u8] = b"160000";

/// The paths of an index.
#[derive(Clone, Debug, Default)]
pub(in crate::checkpoint) struct Tracked {
    /// Sorted.
    paths: Vec<Box<[u8]>>,
    /// Names what the index says, whatever its stamps.
    pub(in crate::checkpoint) digest: u128,
}

impl Tracked {
    pub(in crate::checkpoint) fn contains(&self, path: &[u8]) -> bool {
        self.paths
            .binary_search_by(|known| (**known).cmp(path))
            .is_ok()
    }

    pub(in crate::checkpoint) fn has_below(&self, dir: &[u8]) -> bool {
        let prefix = [dir, b"/"].concat();
        let at = self.paths.partition_point(|known| **known < *prefix);
        self.paths
            .get(at)
            .is_some_and(|known| known.starts_with(&prefix))
    }

    /// These paths and those of a repository inside the tree, whose directory is `dir`.
    pub(in crate::checkpoint) fn with_nested(&mut self, dir: &[u8], nested: &Self) {
        let paths = nested.paths.iter().map(|path| join(dir, path).into());
        self.paths.extend(paths);
        self.paths.sort_unstable();
    }

    fn read(git: &Git, git_dir: &Path, root: &Path) -> Result<Self> {
        // With their flags: one that hides a change is a change itself.
        let command = git.reading(git_dir, root, &["ls-files", "-v", "--stage", "-z"]);
        let listing = git.output(command, "git ls-files")?;
        let mut paths = Vec::new();
        for record in listing.split(|byte| *byte == 0) {
            let Some(tab) = memchr::memchr(b'\t', record) else {
                continue;
            };
            // `H 100644 ID STAGE`, tab, path.
            if !record
                .get(2..)
                .is_some_and(|record| record.starts_with(GITLINK))
            {
                paths.push(record[tab + 1..].into());
            }
        }
        paths.sort_unstable();
        Ok(Self {
            paths,
            digest: fnv128(&listing),
        })
    }
}

/// The last listing of an index, and the stamp of the index it was read from.
#[derive(Debug, Default)]
pub(in crate::checkpoint) struct TrackedCache {
    stamp: Option<Stamp>,
    tracked: Arc<Tracked>,
    /// Why the index could not be read, when it could not.
    pub(in crate::checkpoint) warning: Option<String>,
}

impl TrackedCache {
    /// What the index of `git_dir` lists now. An index that cannot be read lists nothing, with a
    /// warning: a broken repository is a failure that someone may want to recover from.
    pub(in crate::checkpoint) fn current(
        &mut self,
        git: &Git,
        git_dir: &Path,
        root: &Path,
    ) -> Arc<Tracked> {
        let stamp = rustix::fs::stat(git_dir.join("index"))
            .ok()
            .map(|stat| Stamp::of(&stat));
        if stamp != self.stamp {
            self.stamp = stamp;
            self.warning = None;
            let read = match stamp {
                Some(_) => Tracked::read(git, git_dir, root),
                None => Ok(Tracked::default()),
            };
            self.tracked = Arc::new(read.unwrap_or_else(|error| {
                self.warning = Some(format!(
                    "the git index could not be read, so files that it tracks are not covered \
                     where they are ignored or have the name of a secret: {}",
                    error.chain()
                ));
                Tracked::default()
            }));
        }
        Arc::clone(&self.tracked)
    }
}
