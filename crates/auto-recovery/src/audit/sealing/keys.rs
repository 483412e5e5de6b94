//! What a machine keeps to seal with: the key at hand, how far the journal was hashed, and which
//! chains it began.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::error::{Error, ErrorKind, Result};
use crate::files::{
    Links, Purpose, Synced, make_own_dir, open_own, read_small, replace_at_once, sync_dir,
};
use crate::host::Host;
use crate::integrity::{Hash, KEY_BYTES, Range, base64, decode_hash, hex, public_key};

/// The directory in that of the state.
const DIR_NAME: &str = "seal-keys";

/// The name of the list of chains.
const SEEN_NAME: &str = "seen.jsonl";

/// The format of the files here that this release reads and writes.
const VERSION: u32 = 1;

/// A sector: disks write it whole or not at all.
const SECTOR_BYTES: usize = 512;

/// The longest of the other files that is read: a list of some hundred thousand chains.
const FILE_BYTES_MAX: u64 = 32 * 1024 * 1024;

/// Numbers that are drawn for one seed: twice what it needs, should some of their bits be fixed.
const DRAWS: usize = 2 * KEY_BYTES / 8;

/// The keys of a machine.
#[derive(Clone, Debug)]
pub struct Keys {
    state_dir: PathBuf,
}

/// A chain that this machine began.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeenChain {
    v: u32,
    /// The URL of its store.
    pub store: String,
    /// The origin of its store.
    pub origin: String,
    /// Its name.
    pub chain: String,
}

/// The key at hand, and the last seal.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Sector {
    /// The chain.
    pub chain: String,
    /// The number of the seal that is signed next.
    pub seal: u64,
    /// What its key grows from.
    pub seed: Hash,
    /// What the key of the seal after it grows from.
    pub next_seed: Hash,
    /// Number of journal records under the last seal.
    pub size: u64,
    /// Its root.
    pub root: Hash,
}

/// A sector as it is written.
#[derive(Serialize, Deserialize)]
struct SectorText {
    v: u32,
    chain: String,
    seal: u64,
    seed: String,
    next_seed: String,
    size: u64,
    root: String,
}

/// How far the journal was hashed.
#[derive(Serialize, Deserialize)]
struct TreeText {
    v: u32,
    offset: u64,
    size: u64,
    hashes: Vec<String>,
}

impl Keys {
    /// The keys that are kept in `state_dir`.
    pub fn in_state(state_dir: &Path) -> Self {
        Self {
            state_dir: state_dir.to_owned(),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.state_dir.join(DIR_NAME).join(name)
    }

    /// Where the key of the store `origin` is.
    pub fn place(&self, origin: &str) -> PathBuf {
        self.path(origin)
    }

    pub(super) fn make_dir(&self) -> Result<()> {
        make_own_dir(&self.state_dir, DIR_NAME.as_ref(), Purpose::State)
            .map(drop)
            .map_err(|error| Error::io("make", &self.state_dir.join(DIR_NAME), error))
    }

    /// The lock of the store `origin`, or of a store that has none yet; `None` if somebody has it.
    pub(super) fn try_lock(&self, origin: Option<&str>) -> Result<Option<File>> {
        let path = self.path(&format!("{}.lock", origin.unwrap_or("first")));
        let opened = open_own(
            &path,
            OpenOptions::new().read(true).write(true).create(true),
        );
        let file = opened.map_err(|error| Error::io("open", &path, error))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(file)),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(Error::io("lock", &path, error)),
        }
    }

    /// The key of the store `origin`; `None` if there is none.
    pub(super) fn read(&self, origin: &str) -> Result<Option<Sector>> {
        let path = self.path(origin);
        let bytes = match read_small(&path, Links::Refuse, FILE_BYTES_MAX) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            read => read.map_err(|error| Error::io("read", &path, error))?,
        };
        let damaged = || {
            let text = format!("the key {} is damaged", path.display());
            Error::new(ErrorKind::Damaged, text)
        };
        let text: SectorText =
            serde_json::from_slice(&bytes).map_err(|error| damaged().with_source(error))?;
        if text.v > VERSION {
            return Err(newer(&path, text.v));
        }
        Sector::of(text).map(Some).ok_or_else(damaged)
    }

    /// Overwrites the key of the store `origin`, and returns once it is on the disk.
    pub(super) fn write(&self, origin: &str, sector: &Sector) -> Result<()> {
        let path = self.path(origin);
        let failed = |error| Error::io("write", &path, error);
        let options = || OpenOptions::new().read(true).write(true).clone();
        let (file, is_new) = match open_own(&path, &mut options()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let made = open_own(&path, options().create_new(true));
                (made.map_err(failed)?, true)
            }
            opened => (opened.map_err(failed)?, false),
        };
        file.write_all_at(&sector.bytes(), 0).map_err(failed)?;
        file.sync_data().map_err(failed)?;
        if is_new {
            let dir = self.state_dir.join(DIR_NAME);
            sync_dir(&dir).map_err(|error| Error::io("sync directory", &dir, error))?;
        }
        Ok(())
    }

    /// How far the journal of the store `origin` was hashed: where in it, and what came before. It
    /// is derived: whoever uses it compares its root with a seal.
    pub(super) fn tree(&self, origin: &str) -> Option<(u64, Range)> {
        let path = self.path(&format!("{origin}.tree"));
        let bytes = read_small(&path, Links::Refuse, FILE_BYTES_MAX).ok()?;
        let text: TreeText = serde_json::from_slice(&bytes).ok()?;
        let hashes = text.hashes.iter().map(|text| decode_hash(text));
        let range = Range::of(text.size, hashes.collect::<Option<_>>()?)?;
        (text.v == VERSION).then_some((text.offset, range))
    }

    /// Leaves for the next seal how far the journal was hashed, if that can be done.
    pub(super) fn leave_tree(&self, origin: &str, offset: u64, range: &Range) {
        let hashes = range.hashes().iter();
        let text = TreeText {
            v: VERSION,
            offset,
            size: range.size(),
            hashes: hashes.map(|hash| base64(hash)).collect(),
        };
        let path = self.path(&format!("{origin}.tree"));
        let left = replace_at_once(&path, Synced::No, &mut |file| {
            serde_json::to_writer(file, &text)
                .map_err(|error| Error::io("write", &path, error.into()))
        });
        // The next one hashes the journal anew.
        drop(left);
    }

    /// The chains that this machine began.
    ///
    /// # Errors
    /// If the list cannot be read.
    pub fn seen(&self) -> Result<Vec<SeenChain>> {
        let path = self.path(SEEN_NAME);
        let bytes = match read_small(&path, Links::Refuse, FILE_BYTES_MAX) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            read => read.map_err(|error| Error::io("read", &path, error))?,
        };
        // A line that was cut short is one that nobody got to know of.
        let lines = bytes.split(|byte| *byte == b'\n');
        let chains = lines.filter_map(|line| serde_json::from_slice::<SeenChain>(line).ok());
        Ok(chains.filter(|seen| seen.v <= VERSION).collect())
    }

    /// Adds a chain that this machine began, unless it is listed.
    pub(super) fn saw(&self, store: String, origin: &str, chain: &str) -> Result<()> {
        let seen = SeenChain {
            v: VERSION,
            store,
            origin: origin.to_owned(),
            chain: chain.to_owned(),
        };
        if self.seen()?.contains(&seen) {
            return Ok(());
        }
        let path = self.path(SEEN_NAME);
        let failed = |error| Error::io("write", &path, error);
        let dir = self.state_dir.join(DIR_NAME);
        let opened = open_own(&path, OpenOptions::new().append(true).create(true));
        let mut file = opened.map_err(failed)?;
        let line = serde_json::to_string(&seen).expect("texts always serialise");
        // What was cut short before it ends there.
        file.write_all(format!("\n{line}\n").as_bytes())
            .and_then(|()| file.sync_data())
            .and_then(|()| sync_dir(&dir))
            .map_err(failed)
    }
}

impl Sector {
    fn of(text: SectorText) -> Option<Self> {
        Some(Self {
            chain: text.chain,
            seal: text.seal,
            seed: decode_hash(&text.seed)?,
            next_seed: decode_hash(&text.next_seed)?,
            size: text.size,
            root: decode_hash(&text.root)?,
        })
    }

    fn bytes(&self) -> [u8; SECTOR_BYTES] {
        let text = SectorText {
            v: VERSION,
            chain: self.chain.clone(),
            seal: self.seal,
            seed: base64(&self.seed),
            next_seed: base64(&self.next_seed),
            size: self.size,
            root: base64(&self.root),
        };
        let text = serde_json::to_string(&text).expect("texts and numbers always serialise");
        // 3 hashes of 44 digits, two numbers of at most 20, a chain of 16, and 60 bytes of names.
        let mut bytes = [b' '; SECTOR_BYTES];
        bytes[..text.len()].copy_from_slice(text.as_bytes());
        bytes[SECTOR_BYTES - 1] = b'\n';
        bytes
    }

    /// The key that signs next.
    pub(super) fn key(&self) -> Hash {
        public_key(&self.seed)
    }

    /// The key after it.
    pub(super) fn next(&self) -> Hash {
        public_key(&self.next_seed)
    }
}

/// 32 bytes that nobody can guess.
pub(super) fn draw(host: &dyn Host) -> Hash {
    let mut hash = Sha256::new();
    hash.update(b"auto-recovery seal");
    for _ in 0..DRAWS {
        hash.update(host.random().to_le_bytes());
    }
    hash.finalize().into()
}

/// An origin for a store that has none.
pub(super) fn draw_origin(host: &dyn Host) -> String {
    hex(&draw(host)[..16])
}

/// The refusal of a file of a format that this release does not know.
pub(super) fn newer(path: &Path, version: u32) -> Error {
    let text = format!(
        "{} has format {version}, and this release reads up to {VERSION}: use a newer one",
        path.display()
    );
    Error::new(ErrorKind::NewerFormat, text)
}
