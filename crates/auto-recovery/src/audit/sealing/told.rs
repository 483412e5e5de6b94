//! What seals and the journal say, read for those who seal and those who verify.

use std::collections::HashMap;

use memchr::memmem;
use serde::{Deserialize, Serialize};

use crate::audit::AuditStore;
use crate::audit::sealing::{Log, SealStore, SealsWanted};
use crate::error::{Error, ErrorKind, Hint, Result};
use crate::integrity::{Hash, Seal, SealRefused, decode_hash};

/// The newest format of a line of the seals.
const VERSION: u32 = 1;

/// A line of the seals.
#[derive(Serialize, Deserialize)]
pub(super) struct SealLine {
    v: u32,
    /// When it was made; nobody relies on it.
    pub at: String,
    /// The signed note.
    pub note: String,
}

impl SealLine {
    /// The line of `note`.
    pub(super) fn text(at: String, note: String) -> String {
        let line = Self {
            v: VERSION,
            at,
            note,
        };
        serde_json::to_string(&line).expect("texts always serialise")
    }

    /// The seal in `line`.
    ///
    /// # Errors
    /// [`ErrorKind::NewerFormat`] for a line that only a newer release can read.
    pub(super) fn read(line: &[u8], place: &str) -> Result<Result<(Self, Seal), SealRefused>> {
        #[derive(Deserialize)]
        struct Version {
            v: u32,
        }
        let version: Result<Version, _> = serde_json::from_slice(line);
        if let Ok(Version { v }) = version
            && v > VERSION
        {
            let text = format!(
                "{place} has a seal of format {v}, and this release reads up to {VERSION}: use a \
                 newer one"
            );
            return Err(Error::new(ErrorKind::NewerFormat, text));
        }
        let Ok(line) = serde_json::from_slice::<Self>(line) else {
            return Ok(Err(SealRefused::Form));
        };
        Ok(Seal::read(&line.note).map(|seal| (line, seal)))
    }
}

/// Some seals of a store. Only those that somebody asks for are checked: a signature takes a
/// hundred times as long as reading its line.
struct SealLines {
    place: String,
    lines: Vec<Vec<u8>>,
}

impl SealLines {
    fn read(store: &dyn SealStore, wanted: SealsWanted) -> Result<Self> {
        let mut lines = Vec::new();
        store.read_seals(wanted, &mut |line| {
            lines.push(line.to_vec());
            Ok(())
        })?;
        let place = store.seals_place();
        Ok(Self { place, lines })
    }

    /// The last of those that `is_it`. What is no seal is passed over: verification names it.
    fn last_that(&self, is_it: impl Fn(&Seal) -> bool) -> Result<Option<(Seal, String)>> {
        for line in self.lines.iter().rev() {
            if let Ok((line, seal)) = SealLine::read(line, &self.place)?
                && is_it(&seal)
            {
                return Ok(Some((seal, line.note)));
            }
        }
        Ok(None)
    }
}

/// The last seal of `store` that `is_it`, among the newest or else among all.
pub(super) fn last_seal(
    store: &dyn SealStore,
    is_it: impl Fn(&Seal) -> bool,
) -> Result<Option<(Seal, String)>> {
    let newest = SealLines::read(store, SealsWanted::Newest)?.last_that(&is_it)?;
    match newest {
        Some(newest) => Ok(Some(newest)),
        None => SealLines::read(store, SealsWanted::All)?.last_that(&is_it),
    }
}

/// Every seal of `store` with its line, in order.
///
/// # Errors
/// [`ErrorKind::Damaged`] if a line of the seals is none; otherwise if they cannot be read.
pub fn kept_seals(store: &dyn SealStore) -> Result<Vec<(Seal, String)>> {
    let (mut seals, place) = (Vec::new(), store.seals_place());
    store.read_seals(SealsWanted::All, &mut |line| {
        let text = std::str::from_utf8(line).ok().map(str::to_owned);
        match SealLine::read(line, &place)?.ok().zip(text) {
            Some(((_, seal), text)) => seals.push((seal, text)),
            None => {
                let line = seals.len() + 1;
                let text = format!("line {line} of {place} is no seal");
                return Err(Error::new(ErrorKind::Damaged, text).with_hint(Hint::Verify));
            }
        }
        Ok(())
    })?;
    Ok(seals)
}

/// The newest seal of `store`, and its note; `None` if it has none.
///
/// # Errors
/// If the seals cannot be read.
pub fn newest_seal(store: &dyn AuditStore) -> Result<Option<(Seal, String)>> {
    let Some(seals) = store.seals()? else {
        return Ok(None);
    };
    last_seal(seals, |_| true)
}

/// The head of a trail, by a record of the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Head {
    /// Number of entries.
    pub size: u64,
    /// The root of their tree.
    pub root: Hash,
    /// The number of the record, from 1.
    pub record: u64,
}

/// What the journal says of a trail.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct TrailTold {
    /// Its heads since it was last removed.
    pub heads: Vec<Head>,
    /// How often it was removed.
    pub removals: u64,
    /// The head that it had when it was last removed, unless it was taken over again since.
    pub removed: Option<Head>,
}

/// What the journal says of all trails.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// By session.
    pub trails: HashMap<String, TrailTold>,
    /// Why new chains were begun, and the number of the record that says so.
    pub new_chains: Vec<(u64, String)>,
    /// The chains that began from the last on that somebody gave a reason for.
    pub begun: Vec<Begun>,
}

/// The beginning of a chain.
#[derive(Debug)]
pub(super) struct Begun {
    /// The number of the record that says so.
    pub record: u64,
    /// Its name.
    pub chain: String,
    /// The origin of its store.
    pub origin: String,
}

/// The fields of the records that matter here.
#[derive(Deserialize)]
struct RecordView {
    event: String,
    #[serde(default)]
    session_id: Option<String>,
    #[serde(default)]
    size: Option<u64>,
    #[serde(default)]
    root: Option<String>,
    #[serde(default)]
    reason: Option<String>,
    #[serde(default)]
    chain: Option<String>,
    #[serde(default)]
    origin: Option<String>,
}

/// The events that matter here.
const EVENTS: [&str; 5] = [
    "trail_sealed",
    "session_cleared",
    "session_pruned",
    "trail_imported",
    "chain_started",
];

/// The size of the newest head of each trail in `store` since it was last removed, and how many
/// records the journal has. A hundred bytes a session are held, and no other head.
pub(super) fn newest_sizes(store: &dyn SealStore) -> Result<(HashMap<String, u64>, u64)> {
    let (mut sizes, mut records) = (HashMap::new(), 0);
    let Some(journal) = store.open_log(Log::Journal)? else {
        return Ok((sizes, records));
    };
    journal.read_all(&mut |leaf| {
        records += 1;
        if !is_told_of(leaf) {
            return Ok(());
        }
        let Ok(view) = serde_json::from_slice::<RecordView>(leaf) else {
            return Ok(());
        };
        match (view.event.as_str(), view.session_id, view.size) {
            ("trail_sealed", Some(session_id), Some(size)) => {
                sizes.insert(session_id, size);
            }
            ("session_cleared" | "session_pruned", Some(session_id), _) => {
                sizes.remove(&session_id);
            }
            _ => {}
        }
        Ok(())
    })?;
    Ok((sizes, records))
}

/// Whether `raw` may be one of the records that matter here.
fn is_told_of(raw: &[u8]) -> bool {
    let mut events = EVENTS.iter();
    events.any(|event| memmem::find(raw, event.as_bytes()).is_some())
}

impl Told {
    /// Number of heads of the trail of `session`.
    pub(super) fn heads_of(&self, session: &str) -> usize {
        self.trails.get(session).map_or(0, |told| told.heads.len())
    }

    /// Adds what the record `raw`, which has this number, says.
    pub(super) fn take(&mut self, raw: &[u8], number: u64) {
        if !is_told_of(raw) {
            return;
        }
        let Ok(view) = serde_json::from_slice::<RecordView>(raw) else {
            return;
        };
        if view.event == "chain_started" {
            if let Some(reason) = view.reason {
                self.new_chains.push((number, reason));
                self.begun.clear();
            }
            self.begun.extend(view.chain.map(|chain| Begun {
                record: number,
                chain,
                origin: view.origin.unwrap_or_default(),
            }));
            return;
        }
        let Some(session_id) = view.session_id else {
            return;
        };
        let root = view.root.as_deref().and_then(decode_hash);
        let head = view.size.zip(root).map(|(size, root)| Head {
            size,
            root,
            record: number,
        });
        match view.event.as_str() {
            "trail_sealed" => self
                .trails
                .entry(session_id)
                .or_default()
                .heads
                .extend(head),
            "trail_imported" => self.trails.entry(session_id).or_default().removed = None,
            "session_cleared" | "session_pruned" => {
                let told = self.trails.entry(session_id).or_default();
                told.heads.clear();
                told.removals += 1;
                told.removed = head.filter(|head| head.size > 0);
            }
            _ => {}
        }
    }
}
