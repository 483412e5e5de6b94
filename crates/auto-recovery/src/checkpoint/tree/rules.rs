//! The rules that say which paths belong to a snapshot, frozen at a session's first snapshot.
//!
//! Frozen, because a fix that writes a `.gitignore` must not hide its own changes. The rules are
//! stored with each checkpoint, so that a later restore knows which absences the checkpoint vouches
//! for: a file that was ignored then is not "absent then", and is never deleted for that.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::sync::Arc;

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use ignore::gitignore::{Gitignore, GitignoreBuilder};

use crate::checkpoint::tree::mounts::Mounts;
use crate::checkpoint::tree::path::split;
use crate::error::{Error, ErrorKind, Result};

/// First bytes of the stored form.
const MAGIC: &[u8] = b"recover rules 1\0";

/// First bytes of the form with facts that older releases do not know: repositories inside the
/// tree, names compared without their case, mounts.
const MAGIC_2: &[u8] = b"recover rules 2\0";

/// Ignore rules and protected globs of one session.
#[derive(Debug)]
pub(in crate::checkpoint) struct Rules {
    /// Rules for the whole tree that no ignore file of the tree states, weakest first.
    base: Vec<RuleFile>,
    /// The ignore files of the tree by their directory, weakest first.
    by_dir: HashMap<Vec<u8>, Vec<Arc<RuleFile>>>,
    /// Set if names are compared without their case.
    ignores_case: bool,
    /// Mount points that are part of the tree.
    mounts: Mounts,
    protect: Vec<String>,
    protected: Protected,
}

/// The protected paths. Globs as in ignore files: one without a slash matches a name at any depth;
/// a directory means all paths below it.
#[derive(Debug)]
pub struct Protected {
    globs: GlobSet,
    /// The first components of each glob that begins at the root of the tree.
    anchored: Vec<Vec<String>>,
}

/// One ignore file.
#[derive(Debug)]
pub(in crate::checkpoint) struct RuleFile {
    dir: Vec<u8>,
    text: Vec<u8>,
    matcher: Gitignore,
    /// Set if its patterns are too many for a matcher.
    is_lost: bool,
    /// Set if a repository of its own begins in this directory: no rule from above holds in it.
    is_boundary: bool,
}

/// The ignore files that hold for a directory, outermost first.
pub(in crate::checkpoint) type Chain = Arc<Vec<Arc<RuleFile>>>;

impl Rules {
    /// Rules with `base` texts (weakest first) and `protect` globs, to be filled by a first walk.
    pub(in crate::checkpoint) fn new(
        base: Vec<Vec<u8>>,
        ignores_case: bool,
        protect: &[String],
    ) -> Result<Self> {
        Ok(Self {
            base: base
                .into_iter()
                .map(|text| RuleFile::new(Vec::new(), text, ignores_case))
                .collect(),
            by_dir: HashMap::new(),
            ignores_case,
            mounts: Mounts::default(),
            protect: protect.to_vec(),
            protected: Protected::new(protect)?,
        })
    }

    /// Whether the rules outside the ignore files of the tree have too many patterns for a matcher.
    pub(in crate::checkpoint) fn is_lost(&self) -> bool {
        self.base.iter().any(RuleFile::is_lost)
    }

    /// These rules, for a tree that includes `mounts`.
    pub(in crate::checkpoint) fn with_mounts(self, mounts: Mounts) -> Self {
        Self { mounts, ..self }
    }

    /// Mount points below `root` that do not belong to the tree.
    pub(in crate::checkpoint) fn foreign_mounts(&self, root: &Path) -> Mounts {
        Mounts::below(root).other_than(&self.mounts)
    }

    /// Adds an ignore file of the tree.
    pub(in crate::checkpoint) fn add(&mut self, file: Arc<RuleFile>) {
        let files = self.by_dir.entry(file.dir.clone()).or_default();
        files.push(file);
    }

    /// Makes an ignore file of the tree.
    pub(in crate::checkpoint) fn file(&self, dir: &[u8], text: Vec<u8>) -> Arc<RuleFile> {
        Arc::new(RuleFile::new(dir.to_vec(), text, self.ignores_case))
    }

    /// The rules at the top of a repository inside the tree, before its ignore files: `text` is the
    /// exclude file of its own git directory.
    pub(in crate::checkpoint) fn boundary(&self, dir: &[u8], text: Vec<u8>) -> Arc<RuleFile> {
        Arc::new(RuleFile {
            is_boundary: true,
            ..RuleFile::new(dir.to_vec(), text, self.ignores_case)
        })
    }

    /// The directories in which repositories of their own begin.
    pub(in crate::checkpoint) fn boundaries(&self) -> impl Iterator<Item = &[u8]> {
        let dirs = self.by_dir.iter();
        let own = dirs.filter(|(_, files)| files.iter().any(|file| file.is_boundary));
        own.map(|(dir, _)| &**dir)
    }

    /// The chain for `dir`, given its parent's.
    pub(in crate::checkpoint) fn chain(&self, parent: &Chain, dir: &[u8]) -> Chain {
        match self.by_dir.get(dir) {
            Some(files) => files.iter().fold(Arc::clone(parent), |chain, file| {
                longer(&chain, Arc::clone(file))
            }),
            None => Arc::clone(parent),
        }
    }

    /// Whether `path`, whose parent is not ignored and has `chain`, is ignored.
    pub(in crate::checkpoint) fn is_ignored_in(
        &self,
        chain: &Chain,
        path: &[u8],
        is_dir: bool,
    ) -> bool {
        let nearest_first = chain
            .iter()
            .rev()
            .map(|file| &**file)
            .chain(self.base.iter().rev());
        for file in nearest_first {
            if let Some(ignored) = file.matched(path, is_dir) {
                return ignored;
            }
            if file.is_boundary {
                return false;
            }
        }
        false
    }

    /// Whether `path` is covered even if it is ignored.
    pub(in crate::checkpoint) fn is_protected(&self, path: &[u8]) -> bool {
        self.protected.matches(path)
    }

    /// Whether something below `dir` is protected by a glob that leads there.
    pub(in crate::checkpoint) fn protects_below(&self, dir: &[u8]) -> bool {
        self.protected.leads_into(dir)
    }

    /// Whether anything is protected at all.
    pub(in crate::checkpoint) fn protects(&self) -> bool {
        !self.protect.is_empty()
    }

    /// The absences that a snapshot under these rules implies by not naming a path.
    pub(in crate::checkpoint) fn absences(&self) -> Absences<'_> {
        Absences {
            rules: self,
            top: self.chain(&Chain::default(), b""),
            path: Vec::new(),
            levels: Vec::new(),
        }
    }

    /// The stored form.
    pub(in crate::checkpoint) fn encode(&self) -> Vec<u8> {
        let mut dirs: Vec<_> = self.by_dir.iter().collect();
        dirs.sort_unstable_by(|a, b| a.0.cmp(b.0));
        let files: Vec<_> = dirs.into_iter().flat_map(|(_, files)| files).collect();
        let is_old = !self.ignores_case
            && self.mounts == Mounts::default()
            && !files.iter().any(|file| file.is_boundary);
        let mut out = if is_old { MAGIC } else { MAGIC_2 }.to_vec();
        let mut put = |tag: u8, name: &[u8], text: &[u8]| {
            out.push(tag);
            for bytes in [name, text] {
                out.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
                out.extend_from_slice(bytes);
            }
        };
        if self.ignores_case {
            put(b'i', b"", b"");
        }
        for (place, what) in &self.mounts.0 {
            put(b'm', place, what);
        }
        for file in &self.base {
            put(b'b', b"", &file.text);
        }
        for file in files {
            let tag = if file.is_boundary { b'n' } else { b'd' };
            put(tag, &file.dir, &file.text);
        }
        for glob in &self.protect {
            put(b'p', b"", glob.as_bytes());
        }
        out
    }

    /// Reads the stored form.
    pub(in crate::checkpoint) fn decode(bytes: &[u8]) -> Result<Self> {
        let damaged = || {
            Error::new(
                ErrorKind::Damaged,
                "the ignore rules of a checkpoint are damaged",
            )
        };
        let known = [MAGIC, MAGIC_2].into_iter();
        let mut rest = known
            .filter_map(|magic| bytes.strip_prefix(magic))
            .next()
            .ok_or_else(damaged)?;
        let mut ignores_case = false;
        let mut mounts = Mounts::default();
        let (mut base, mut files, mut protect) = (Vec::new(), Vec::new(), Vec::new());
        while let Some((tag, tail)) = rest.split_first() {
            rest = tail;
            let mut fields = [&[][..]; 2];
            for field in &mut fields {
                let (len, tail) = rest.split_first_chunk::<8>().ok_or_else(damaged)?;
                let len = usize::try_from(u64::from_le_bytes(*len)).map_err(|_| damaged())?;
                (*field, rest) = tail.split_at_checked(len).ok_or_else(damaged)?;
            }
            let [name, text] = fields;
            match tag {
                b'b' => base.push(text.to_vec()),
                b'd' | b'n' => files.push((tag, name, text)),
                b'i' => ignores_case = true,
                b'm' => mounts.0.extend([(name.to_vec(), text.to_vec())]),
                b'p' => protect.push(String::from_utf8(text.to_vec()).map_err(|_| damaged())?),
                _ => return Err(damaged()),
            }
        }
        let mut rules = Self::new(base, ignores_case, &protect)?.with_mounts(mounts);
        for (tag, dir, text) in files {
            let file = match tag {
                b'n' => rules.boundary(dir, text.to_vec()),
                _ => rules.file(dir, text.to_vec()),
            };
            rules.add(file);
        }
        Ok(rules)
    }
}

/// The absences that a snapshot vouches for. Rules of directories are kept from one question to the
/// next, since paths are asked for in their order.
pub(in crate::checkpoint) struct Absences<'r> {
    rules: &'r Rules,
    top: Chain,
    /// The directory of the last question, and the rules on the way to it.
    path: Vec<u8>,
    levels: Vec<DirRules>,
}

/// The rules of a directory.
struct DirRules {
    /// The end of its name in the path.
    end: usize,
    chain: Chain,
    is_ignored: bool,
}

impl Absences<'_> {
    /// Whether `path` was absent, given that the snapshot does not name it.
    pub(in crate::checkpoint) fn are_known(&mut self, path: &[u8], is_dir: bool) -> bool {
        if self.rules.is_protected(path) {
            return true;
        }
        let (dir, _) = split(path);
        let same = dir.iter().zip(&self.path).take_while(|(a, b)| a == b);
        let same = same.count();
        let is_on_way = |end: usize| end <= same && dir.get(end).is_none_or(|at| *at == b'/');
        while self.levels.pop_if(|level| !is_on_way(level.end)).is_some() {}
        let known = self.levels.last().map_or(0, |level| level.end);
        self.path.truncate(known);
        self.path.extend_from_slice(&dir[known..]);
        while self.levels.last().map_or(0, |level| level.end) < dir.len() {
            let begin = self.levels.last().map_or(0, |level| level.end + 1);
            let end = memchr::memchr(b'/', &dir[begin..]).map_or(dir.len(), |at| begin + at);
            let (chain, is_ignored) = self.last();
            let above = &dir[..end];
            let is_ignored = is_ignored || self.rules.is_ignored_in(chain, above, true);
            let chain = self.rules.chain(chain, above);
            self.levels.push(DirRules {
                end,
                chain,
                is_ignored,
            });
        }
        let (chain, is_ignored) = self.last();
        !is_ignored && !self.rules.is_ignored_in(chain, path, is_dir)
    }

    fn last(&self) -> (&Chain, bool) {
        match self.levels.last() {
            Some(level) => (&level.chain, level.is_ignored),
            None => (&self.top, false),
        }
    }
}

/// `chain` with one more file, nearer than all others.
pub(in crate::checkpoint) fn longer(chain: &Chain, file: Arc<RuleFile>) -> Chain {
    let mut files = chain.to_vec();
    files.push(file);
    Arc::new(files)
}

impl RuleFile {
    /// Lines that the matcher cannot read are skipped, as git does: they ignore nothing.
    fn new(dir: Vec<u8>, text: Vec<u8>, ignores_case: bool) -> Self {
        let mut builder = GitignoreBuilder::new("");
        // Only an invalid glob could fail here, and none was added yet.
        let _always = builder.case_insensitive(ignores_case);
        let body = text.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&text);
        for line in body.split(|byte| *byte == b'\n') {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            let _skipped = builder.add_line(None, &String::from_utf8_lossy(line));
        }
        let built = builder.build();
        Self {
            dir,
            text,
            is_lost: built.is_err(),
            matcher: built.unwrap_or_else(|_| Gitignore::empty()),
            is_boundary: false,
        }
    }

    /// Whether it ignores nothing because its patterns are too many.
    pub(in crate::checkpoint) fn is_lost(&self) -> bool {
        self.is_lost
    }

    fn matched(&self, path: &[u8], is_dir: bool) -> Option<bool> {
        if self.matcher.is_empty() {
            return None;
        }
        let below = if self.dir.is_empty() {
            path
        } else {
            path.get(self.dir.len() + 1..)?
        };
        match self
            .matcher
            .matched(Path::new(OsStr::from_bytes(below)), is_dir)
        {
            ignore::Match::None => None,
            ignore::Match::Ignore(_) => Some(true),
            ignore::Match::Whitelist(_) => Some(false),
        }
    }
}

impl Protected {
    /// Compiles `patterns`.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] if one is no glob, or names nothing.
    pub fn new(patterns: &[String]) -> Result<Self> {
        let mut set = GlobSetBuilder::new();
        let mut anchored = Vec::new();
        for pattern in patterns {
            let invalid = |reason: &str| {
                let context = format!("protect {pattern:?} {reason}");
                Error::new(ErrorKind::InvalidInput, context)
            };
            let from_root = pattern.trim_start_matches("./");
            let trimmed = from_root.trim_matches('/');
            if trimmed.is_empty() {
                return Err(invalid("names nothing"));
            }
            let is_anchored = trimmed.contains('/') || from_root.len() != pattern.len();
            let whole = if is_anchored || pattern.starts_with('/') {
                anchored.push(trimmed.split('/').map(str::to_owned).collect());
                trimmed.to_owned()
            } else {
                format!("**/{trimmed}")
            };
            for glob in [format!("{whole}/**"), whole] {
                let glob = GlobBuilder::new(&glob).literal_separator(true).build();
                set.add(glob.map_err(|error| {
                    // As it was written: what is compiled has more in it.
                    let why = error.kind();
                    invalid(&format!(
                        "is not a glob: {why}; `\\` before a character makes it plain"
                    ))
                })?);
            }
        }
        let globs = set.build().map_err(|error| {
            let context = "the protect globs are too large together";
            Error::new(ErrorKind::InvalidInput, context).with_source(error)
        })?;
        Ok(Self { globs, anchored })
    }

    /// Whether `path` is protected.
    pub fn matches(&self, path: &[u8]) -> bool {
        !self.globs.is_empty() && self.globs.is_match(Path::new(OsStr::from_bytes(path)))
    }

    /// Whether a glob that begins at the root of the tree leads into `dir`.
    fn leads_into(&self, dir: &[u8]) -> bool {
        let fits = |glob: &String, name: &[u8]| {
            glob.as_bytes() == name || (glob != "**" && glob.contains(['*', '?', '[', '{']))
        };
        self.anchored.iter().any(|glob| {
            let mut names = dir.split(|byte| *byte == b'/').zip(glob);
            names.all(|(name, glob)| fits(glob, name))
        })
    }
}
