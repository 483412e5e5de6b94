//! Freeing what was dropped: refs go first, then every object that no ref holds any more.
//!
//! Objects lie in packs, so what stays is packed anew and the old packs are removed, where the disk
//! has room for both. From before the first ref goes until the last object is gone a mark says
//! which refs went: whoever comes after a kill, or on a disk with more room, finishes it.

use std::ffi::OsStr;
use std::fs;
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use crate::checkpoint::restore::reserve;
use crate::checkpoint::retention::{Ref, Shelf, size};
use crate::error::{Error, ErrorKind, Result};
use crate::files::{self, Links, Synced, read_small};
use crate::git::Conversation;
use crate::workspace::layout::REFS;

/// The name of the mark: the refs that were dropped, a line each.
const MARK: &str = "uncollected";

/// The largest mark that is read: a hundred bytes for each of 100,000 refs.
const MARK_BYTES_MAX: u64 = 10 * 1024 * 1024;

/// How the packs are written.
const REPACK: [&str; 7] = [
    "-c",
    "repack.writeBitmaps=false",
    "repack",
    "-a",
    "-d",
    "-n",
    "-q",
];

impl Shelf {
    /// Drops `refs`, and leaves word that their objects are to go.
    pub(super) fn drop_refs(&self, refs: &[Ref]) -> Result<()> {
        if refs.is_empty() {
            return Ok(());
        }
        let mut mark = self.mark();
        let names = refs.iter().flat_map(|found| [found.name.as_str(), "\n"]);
        mark.extend(names);
        files::replace(&self.dir.join(MARK), Synced::Yes, mark.as_bytes())?;
        let args = ["update-ref", "--no-deref", "--stdin"];
        let mut git = Conversation::start(&self.git, self.git.command(&args), "git update-ref")?;
        let (mut stdin, stdout) = git.pipes();
        drop(stdout);
        let lines = refs.iter().map(|found| format!("delete {}\n", found.name));
        let sent = stdin.write_all(lines.collect::<String>().as_bytes());
        drop(stdin);
        match sent {
            Ok(()) => git.finish(),
            Err(error) => Err(git.broken(error)),
        }
    }

    fn mark(&self) -> String {
        let mark = read_small(&self.dir.join(MARK), Links::Refuse, MARK_BYTES_MAX);
        String::from_utf8_lossy(&mark.unwrap_or_default()).into_owned()
    }

    /// Whether objects may be there that no ref holds.
    pub(super) fn is_uncollected(&self) -> bool {
        self.dir.join(MARK).symlink_metadata().is_ok()
    }

    /// Whether objects of the session called `name` may be there, though its refs are gone.
    pub(super) fn is_uncollected_of(&self, name: &str) -> bool {
        let refs = format!("{REFS}/{name}/");
        self.mark().lines().any(|line| line.starts_with(&refs))
    }

    /// The repositories that were set aside, and that have refs of the session called `name`.
    pub(super) fn set_aside_with(&self, name: &str) -> Vec<PathBuf> {
        let packed_refs_max = MARK_BYTES_MAX;
        let in_packed = format!(" {REFS}/{name}/");
        let has_it = |dir: &PathBuf| {
            let packed = read_small(&dir.join("packed-refs"), Links::Refuse, packed_refs_max);
            let packed = packed.unwrap_or_default();
            dir.join(REFS).join(name).exists()
                || memchr::memmem::find(&packed, in_packed.as_bytes()).is_some()
        };
        let aside = self.set_aside().into_iter().map(|(_, dir)| dir);
        aside.filter(has_it).collect()
    }

    /// The number of packs.
    pub(super) fn packs(&self) -> usize {
        let packs = fs::read_dir(self.git.dir().join("objects/pack"))
            .into_iter()
            .flatten()
            .flatten();
        packs
            .filter(|entry| entry.path().extension() == Some(OsStr::new("pack")))
            .count()
    }

    /// Frees what no ref holds any more, and says whether the disk had the room for that. The
    /// holder of the lock calls it.
    pub(super) fn collect(&self) -> Result<bool> {
        // It may speak of objects that are about to go.
        files::remove_synced(&self.dir.join("stamps"))?;
        self.drop_loose_links()?;
        if self.refs("refs/")?.is_empty() {
            let dir = &self.dir;
            let removed = fs::remove_dir_all(dir).map_err(|e| Error::io("remove", dir, e));
            return removed.map(|()| true);
        }
        self.sweep();
        self.git.run(&["prune", "--expire=now"])?;
        let stat = rustix::fs::statvfs(&self.dir)
            .map_err(|e| Error::io("measure the disk of", &self.dir, e.into()))?;
        // Packing anew writes what is kept beside what there is.
        if stat.f_bavail.saturating_mul(stat.f_frsize) <= size(self.git.dir()) {
            return Ok(false);
        }
        self.git.run(&REPACK)?;
        files::remove_synced(&self.dir.join(MARK))?;
        Ok(true)
    }

    /// The same where it was asked that `what` goes: that it goes counts for more than the reserve,
    /// which the next snapshot makes again.
    pub(super) fn collect_at_once(&self, state_dir: &Path, what: &str) -> Result<()> {
        if self.collect()? {
            return Ok(());
        }
        reserve::release(state_dir);
        match self.collect()? {
            true => Ok(()),
            false => {
                let dir = self.git.dir().display();
                let what = format!(
                    "the contents of {what} are still in {dir}: the disk has no room to write \
                     what else is kept of it anew; make room, then this again"
                );
                Err(Error::new(ErrorKind::NoSpace, what))
            }
        }
    }

    /// Removes what a git, or an import, that was killed left behind: half a pack, one without its
    /// index, the word that a pack stays.
    fn sweep(&self) {
        let packs = self.git.dir().join("objects/pack");
        for dir in [&packs, &self.git.dir().to_owned()] {
            for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
                let path = entry.path();
                let name = entry.file_name();
                let name = name.as_bytes();
                let begins = [&b"tmp_"[..], b".tmp-", b"fast_import_crash_"];
                let is_half = begins.iter().any(|begin| name.starts_with(begin))
                    || (name.ends_with(b".pack") && !path.with_extension("idx").exists())
                    || (name.starts_with(b"pack-") && name.ends_with(b".keep"));
                if is_half {
                    let _stays = fs::remove_file(path);
                }
            }
        }
        let _none = fs::remove_dir_all(self.dir.join("checkout"));
    }
}
