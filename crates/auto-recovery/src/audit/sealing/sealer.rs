//! Making a seal: what is sealed is on the disk first, then the seal, then the next key; only then
//! is the seal shown to anybody.

use std::collections::HashMap;
use std::fs::File;
use std::path::Path;
use std::sync::{Arc, Mutex};

use super::keys::{Keys, Sector, draw, draw_origin};
use super::store::{LeafLog, Log, SealStore};
use super::told::{SealLine, Told, last_seal};
use crate::audit::{AuditStore, ChainStarted, JournalEvent, TrailSealed};
use crate::error::{Error, ErrorKind, Hint, Result};
use crate::host::{Host, timestamp};
use crate::integrity::{Range, Seal, chain_of};
use crate::mutex::lock;

/// Trails that are remembered as far as they were hashed, at some 500 bytes each. When there are
/// more, they are forgotten, and read from their beginning once they grow.
const TRAILS_REMEMBERED_MAX: usize = 10_000;

/// How often a turn is taken again because the store's first seal was just made.
const TURNS_MAX: u32 = 3;

/// What is to be sealed, besides the journal.
#[derive(Clone, Copy, Debug)]
pub enum WhatToSeal<'a> {
    /// The trails of these sessions.
    Sessions(&'a [&'a str]),
    /// Every trail.
    All,
}

/// What became of sealing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sealed {
    /// A seal was made.
    Made(Seal),
    /// Everything is under this seal already.
    Already(Seal),
    /// Somebody else is sealing.
    Busy,
    /// There is nothing to seal.
    Nothing,
    /// The store keeps no seals.
    NotKept,
}

impl Sealed {
    /// The newest seal, as far as it is known.
    pub fn seal(&self) -> Option<&Seal> {
        match self {
            Self::Made(seal) | Self::Already(seal) => Some(seal),
            Self::Busy | Self::Nothing | Self::NotKept => None,
        }
    }
}

/// What becomes of a chain once its seal is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    GoesOn,
    IsClosed,
}

/// Why a new chain is begun though there was one.
#[derive(Clone, Copy, Debug)]
pub struct NewChain<'a> {
    /// In a person's words.
    pub reason: &'a str,
}

/// Seals one store. Nothing of it is on the path of an append.
///
/// A recovery makes a seal when its intent is durable and before the strategy's command starts, and
/// when the session ends. An error is a warning: it never stops a recovery.
pub struct Sealer {
    store: Arc<dyn AuditStore>,
    host: Arc<dyn Host>,
    keys: Keys,
    memory: Mutex<Memory>,
}

/// What a sealer keeps between seals.
#[derive(Default)]
struct Memory {
    /// The last seal that it made or saw.
    last: Option<Seal>,
    /// The trails that it hashed, and the size of the head that it recorded of each.
    trails: HashMap<String, Hashed>,
    /// Why the last seal that it made says nothing to witnesses who know the store.
    unknown_to_witnesses: Option<Error>,
}

/// A log as far as it was hashed.
#[derive(Clone, Default)]
struct Hashed {
    identity: u64,
    offset: u64,
    range: Range,
    recorded: u64,
}

impl Sealer {
    /// A sealer of `store`, whose keys are in `state_dir`.
    pub fn new(store: Arc<dyn AuditStore>, state_dir: &Path, host: Arc<dyn Host>) -> Self {
        Self {
            store,
            host,
            keys: Keys::in_state(state_dir),
            memory: Mutex::default(),
        }
    }

    pub(super) fn store(&self) -> &dyn AuditStore {
        &*self.store
    }

    pub(super) fn host(&self) -> &dyn Host {
        &*self.host
    }

    pub(super) fn keys(&self) -> &Keys {
        &self.keys
    }

    /// Why the last seal that was made is not signed with the key by which witnesses know the
    /// store, if it should be. It is a seal all the same.
    pub fn unknown_to_witnesses(&self) -> Option<Error> {
        lock(&self.memory).unknown_to_witnesses.take()
    }

    /// Seals what is on record now.
    ///
    /// # Errors
    /// [`ErrorKind::Damaged`] if what was sealed before changed, or the key for the next seal is
    /// not at hand; otherwise if something cannot be read or written. The record itself is
    /// untouched then.
    pub fn seal(&self, what: WhatToSeal<'_>) -> Result<Sealed> {
        self.seal_with(what, None, Then::GoesOn)
    }

    /// The same, with a seal after which its chain has no other: nobody can add one any more.
    ///
    /// # Errors
    /// As [`Sealer::seal`].
    pub fn seal_and_close(&self, what: WhatToSeal<'_>) -> Result<Sealed> {
        self.seal_with(what, None, Then::IsClosed)
    }

    /// The same in a new chain, whose beginning is on record.
    ///
    /// # Errors
    /// As [`Sealer::seal`], but the key of an earlier chain is not needed.
    pub fn seal_in_new_chain(&self, what: WhatToSeal<'_>, new: NewChain<'_>) -> Result<Sealed> {
        self.seal_with(what, Some(new), Then::GoesOn)
    }

    fn seal_with(
        &self,
        what: WhatToSeal<'_>,
        new: Option<NewChain<'_>>,
        then: Then,
    ) -> Result<Sealed> {
        let mut memory = lock(&self.memory);
        let Some(store) = self.store.seals()? else {
            return Ok(Sealed::NotKept);
        };
        if store.open_log(Log::Journal)?.is_none() {
            return Ok(Sealed::Nothing);
        }
        self.keys.make_dir()?;
        let Some((_turn, locked)) = self.take_turn(store)? else {
            return Ok(Sealed::Busy);
        };
        let (origin, mut sector, newest) = match (locked.clone(), new) {
            (Some(origin), None) if !self.is_new_here(store, &origin, &memory)? => {
                let (sector, newest) = self.at_hand(store, &origin, &memory)?;
                (origin, sector, newest)
            }
            (origin, new) => {
                let begun = match (&origin, new) {
                    (None, None) => self.begun(store)?,
                    _ => None,
                };
                let begun = begun.map_or_else(|| self.begin(origin, new, &memory), Ok);
                let (origin, sector) = begun?;
                (origin, sector, None)
            }
        };
        // Whoever sees its first seal takes the turn of the new origin, and must not have it before
        // the next key is in place.
        let _turn_of_origin = match locked.as_ref() == Some(&origin) {
            true => None,
            false => match self.keys.try_lock(Some(&origin))? {
                None => return Ok(Sealed::Busy),
                turn => turn,
            },
        };
        self.record_heads(store, what, &mut memory)?;
        let made = self.sign(store, (&origin, &mut sector), newest, then, &mut memory)?;
        memory.last = made.seal().cloned();
        Ok(made)
    }

    /// Whether `store` is one that other machines sealed, and this one never did.
    fn is_new_here(&self, store: &dyn SealStore, origin: &str, memory: &Memory) -> Result<bool> {
        if !store.is_shared() || memory.last.is_some() || self.keys.read(origin)?.is_some() {
            return Ok(false);
        }
        let url = self.store.url();
        let seen = self.keys.seen()?;
        Ok(!seen
            .iter()
            .any(|seen| seen.origin == origin || seen.store == url))
    }

    /// Locks out other sealers. Returns the lock and the origin of the newest seal; `None` if
    /// somebody has the lock.
    pub(super) fn take_turn(
        &self,
        store: &dyn SealStore,
    ) -> Result<Option<(File, Option<String>)>> {
        let newest = || {
            // Machines that began at once gave the store an origin each.
            let is_own = |seal: &Seal| self.keys.place(&seal.origin).exists();
            let own = match store.is_shared() {
                true => last_seal(store, is_own)?,
                false => None,
            };
            let newest = own.map_or_else(|| last_seal(store, |_| true), |own| Ok(Some(own)))?;
            Ok::<_, Error>(newest.map(|(seal, _)| seal))
        };
        let origin_of = |seal: &Option<Seal>| seal.as_ref().map(|seal| seal.origin.clone());
        for _ in 0..TURNS_MAX {
            let origin = origin_of(&newest()?);
            let Some(turn) = self.keys.try_lock(origin.as_deref())? else {
                return Ok(None);
            };
            store.settle_seals()?;
            // Others may have sealed before this one's turn came, or died at it.
            if origin == origin_of(&newest()?) {
                return Ok(Some((turn, origin)));
            }
        }
        Ok(None)
    }

    /// The key at hand of the store `origin`, and the newest seal of its chain with its note.
    fn at_hand(
        &self,
        store: &dyn SealStore,
        origin: &str,
        memory: &Memory,
    ) -> Result<(Sector, Option<(Seal, String)>)> {
        let path = self.keys.place(origin);
        let Some(mut sector) = self.keys.read(origin)? else {
            let text = format!("the key {} for the next seal is not there", path.display());
            return Err(refused(text, Hint::NewChain));
        };
        let (newest, note) = last_seal(store, |seal| seal.chain == sector.chain)?.unzip();
        if let Some(last) = &memory.last {
            // Somebody may have begun a new chain, beside which the last one stays.
            let there = match last.chain == sector.chain {
                true => newest.clone(),
                false => last_seal(store, |seal| seal.chain == last.chain)?.map(|(seal, _)| seal),
            };
            if there.is_none_or(|there| there.number < last.number) {
                let text = format!(
                    "seal {} was made here and is not there any more",
                    last.short()
                );
                return Err(refused(text, Hint::Verify));
            }
        }
        match &newest {
            // It was begun and nobody got to its first seal.
            None if sector.seal == 0 => {}
            Some(newest) if newest.next.is_none() => {
                let text = format!("chain {} is closed", newest.chain);
                return Err(refused(text, Hint::NewChain));
            }
            Some(newest)
                if newest.number + 1 == sector.seal && newest.next == Some(sector.key()) => {}
            // Whoever made the newest died before the next key was in place.
            Some(newest)
                if newest.number == sector.seal
                    && newest.key == sector.key()
                    && newest.next == Some(sector.next()) =>
            {
                sector = self.advanced(&sector, newest);
                self.keys.write(origin, &sector)?;
            }
            Some(newest) if newest.number >= sector.seal => {
                let text = format!("the key {} is older than the newest seal", path.display());
                return Err(refused(text, Hint::NewChain));
            }
            _ => {
                let text = format!("seals are missing in {}", store.seals_place());
                return Err(refused(text, Hint::Verify));
            }
        }
        if newest.is_some() {
            self.keys.saw(self.store.url(), origin, &sector.chain)?;
        }
        Ok((sector, newest.zip(note)))
    }

    /// The sector after `seal` was made with the one before it.
    fn advanced(&self, sector: &Sector, seal: &Seal) -> Sector {
        Sector {
            chain: sector.chain.clone(),
            seal: seal.number + 1,
            seed: sector.next_seed,
            next_seed: draw(&*self.host),
            size: seal.size,
            root: seal.root,
        }
    }

    /// The chain that this machine began in `store` last, and that has no seal: whoever did died
    /// before it was made.
    fn begun(&self, store: &dyn SealStore) -> Result<Option<(String, Sector)>> {
        let told = read_told(store)?;
        let Some(begun) = told.begun.last() else {
            return Ok(None);
        };
        // The record is no evidence: somebody may have written the name of any file there.
        let is_origin =
            begun.origin.len() == 32 && begun.origin.bytes().all(|byte| byte.is_ascii_hexdigit());
        let sector = match is_origin {
            true => self.keys.read(&begun.origin)?,
            false => None,
        };
        let is_it = |sector: &Sector| (sector.seal, &sector.chain) == (0, &begun.chain);
        Ok(sector
            .filter(is_it)
            .map(|sector| (begun.origin.clone(), sector)))
    }

    /// Begins a chain: its first key is in place before its first seal.
    fn begin(
        &self,
        origin: Option<String>,
        new: Option<NewChain<'_>>,
        memory: &Memory,
    ) -> Result<(String, Sector)> {
        let url = self.store.url();
        let seen = self.keys.seen()?;
        let was_sealed = seen.iter().any(|seen| seen.store == url) || memory.last.is_some();
        if new.is_none() && was_sealed {
            let text = format!("{url} was sealed, and its seals are gone");
            return Err(refused(text, Hint::NewChain));
        }
        // The key of a store that this one is a copy of stays.
        let is_of_another = |origin: &str| {
            seen.iter()
                .any(|seen| seen.origin == origin && seen.store != url)
        };
        let origin = origin.filter(|origin| !is_of_another(origin));
        let origin = origin.unwrap_or_else(|| draw_origin(&*self.host));
        let seed = draw(&*self.host);
        let mut sector = Sector {
            chain: String::new(),
            seal: 0,
            seed,
            next_seed: draw(&*self.host),
            size: 0,
            root: Range::default().root(),
        };
        sector.chain = chain_of(&sector.key());
        self.keys.write(&origin, &sector)?;
        // Whoever takes all seals away leaves the name of their chain.
        let started = ChainStarted {
            reason: new.map_or_else(String::new, |new| new.reason.to_owned()),
            chain: sector.chain.clone(),
            origin: origin.clone(),
        };
        self.store
            .record(None, JournalEvent::ChainStarted(started))?;
        Ok((origin, sector))
    }

    /// Brings the trails to the disk, and their heads to the journal.
    fn record_heads(
        &self,
        store: &dyn SealStore,
        what: WhatToSeal<'_>,
        memory: &mut Memory,
    ) -> Result<()> {
        match what {
            WhatToSeal::Sessions(sessions) => {
                for session in sessions {
                    if memory.trails.len() >= TRAILS_REMEMBERED_MAX {
                        memory.trails.clear();
                    }
                    record_head(store, session, memory)?;
                }
                Ok(())
            }
            WhatToSeal::All => {
                let told = read_told(store)?;
                for session in store.trails()? {
                    let heads = told.trails.get(&session).map(|told| &told.heads);
                    let newest = heads.and_then(|heads| heads.last());
                    let hashed = memory.trails.entry(session.clone()).or_default();
                    hashed.recorded = newest.map_or(0, |head| head.size);
                    record_head(store, &session, memory)?;
                    // What is not written to again need not be kept.
                    memory.trails.remove(&session);
                }
                Ok(())
            }
        }
    }

    /// Signs the head of the journal, if it grew.
    fn sign(
        &self,
        store: &dyn SealStore,
        (origin, sector): (&str, &mut Sector),
        newest: Option<(Seal, String)>,
        then: Then,
        memory: &mut Memory,
    ) -> Result<Sealed> {
        let (newest, before) = newest.unzip();
        let Some(journal) = store.open_log(Log::Journal)? else {
            return Ok(Sealed::Nothing);
        };
        if !journal.hold()? {
            return Ok(Sealed::Busy);
        }
        let end = journal.end();
        journal.let_go();
        journal.sync()?;
        if newest.is_none() {
            store.sync_names()?;
        }
        let (offset, range) = self.hashed(&*journal, end?, origin, newest.as_ref())?;
        if let Some(newest) = newest
            && newest.size == range.size()
            && then == Then::GoesOn
        {
            return Ok(Sealed::Already(newest));
        }
        let seal = Seal {
            origin: origin.to_owned(),
            chain: sector.chain.clone(),
            number: sector.seal,
            size: range.size(),
            root: range.root(),
            key: sector.key(),
            next: (then == Then::GoesOn).then(|| sector.next()),
        };
        let at = timestamp(self.host.now());
        let mut note = seal.sign(&sector.seed);
        memory.unknown_to_witnesses = match self.identity_line(&seal, before.as_deref()) {
            Ok(line) => {
                note += &line;
                None
            }
            Err(error) => Some(error),
        };
        store.add_seal(&seal, &SealLine::text(at, note))?;
        *sector = self.advanced(sector, &seal);
        self.keys.write(origin, sector)?;
        if seal.number == 0 {
            self.keys.saw(self.store.url(), origin, &seal.chain)?;
        }
        self.keys.leave_tree(origin, offset, &range);
        Ok(Sealed::Made(seal))
    }

    /// The leaves of the journal up to `end`, and where they end. What comes before the newest seal
    /// is not read where an earlier seal left its hashes.
    fn hashed(
        &self,
        journal: &dyn LeafLog,
        end: u64,
        origin: &str,
        newest: Option<&Seal>,
    ) -> Result<(u64, Range)> {
        if let (Some(newest), Some((offset, mut range))) = (newest, self.keys.tree(origin))
            && (range.size(), range.root()) == (newest.size, newest.root)
            && offset <= end
        {
            let offset = journal.read(offset, end, &mut |leaf| {
                range.push(leaf);
                Ok(())
            })?;
            return Ok((offset, range));
        }
        let mut range = Range::default();
        let mut holds = newest.is_none_or(|newest| newest.size == 0);
        let offset = journal.read(journal.start(), end, &mut |leaf| {
            range.push(leaf);
            let is_sealed = |newest: &&Seal| newest.size == range.size();
            if let Some(newest) = newest.filter(is_sealed) {
                holds = newest.root == range.root();
            }
            Ok(())
        })?;
        match holds {
            true => Ok((offset, range)),
            false => {
                let text = format!("{} is not what was sealed", journal.place());
                Err(refused(text, Hint::Verify))
            }
        }
    }
}

/// Brings the trail of `session` to the disk, and its head to the journal, if it grew.
fn record_head(store: &dyn SealStore, session: &str, memory: &mut Memory) -> Result<()> {
    let Some(trail) = store.open_log(Log::Trail(session))? else {
        memory.trails.remove(session);
        return Ok(());
    };
    let mut hashed = memory.trails.remove(session).unwrap_or_default();
    if hashed.offset < trail.start() || hashed.identity != trail.identity() {
        hashed = Hashed {
            identity: trail.identity(),
            offset: trail.start(),
            range: Range::default(),
            recorded: if hashed.identity == 0 {
                hashed.recorded
            } else {
                0
            },
        };
    }
    // A long one is read before others have to wait.
    if !trail.hold()? {
        return Ok(());
    }
    let end = trail.end();
    trail.let_go();
    hashed.read_on(&*trail, end?)?;
    if !trail.hold()? {
        return Ok(());
    }
    let recorded = hashed.record(store, &*trail, session);
    trail.let_go();
    recorded?;
    memory.trails.insert(session.to_owned(), hashed);
    Ok(())
}

impl Hashed {
    /// Reads on up to `end`, which was the end while nobody was in the middle of a write: what a
    /// failing write takes back must never be hashed.
    fn read_on(&mut self, trail: &dyn LeafLog, end: u64) -> Result<()> {
        if end < self.offset {
            // The trail was changed: verification tells.
            (self.offset, self.range) = (trail.start(), Range::default());
        }
        let range = &mut self.range;
        self.offset = trail.read(self.offset, end, &mut |leaf| {
            range.push(leaf);
            Ok(())
        })?;
        Ok(())
    }

    /// Records the head of `trail`, which is held: nobody can remove it in between.
    fn record(&mut self, store: &dyn SealStore, trail: &dyn LeafLog, session: &str) -> Result<()> {
        self.read_on(trail, trail.end()?)?;
        if self.range.size() == self.recorded {
            return Ok(());
        }
        trail.sync()?;
        if self.recorded == 0 {
            store.sync_names()?;
        }
        let head = TrailSealed::of(&self.range);
        if store.record_head(trail, session, JournalEvent::TrailSealed(head))? {
            self.recorded = self.range.size();
        }
        Ok(())
    }
}

/// What the journal says of trails.
fn read_told(store: &dyn SealStore) -> Result<Told> {
    let (mut told, mut number) = (Told::default(), 0);
    if let Some(journal) = store.open_log(Log::Journal)? {
        journal.read_all(&mut |leaf| {
            number += 1;
            told.take(leaf, number);
            Ok(())
        })?;
    }
    Ok(told)
}

fn refused(text: String, hint: Hint) -> Error {
    Error::new(ErrorKind::Damaged, text).with_hint(hint)
}
