//! The seals: their signatures, how they follow each other, and who vouches for their chains.

use std::collections::{BTreeMap, BTreeSet};

use crate::audit::sealing::keys::{Sector, SeenChain};
use crate::audit::sealing::request::{ChainReport, Outside, VerifyRequest, Voucher};
use crate::audit::sealing::told::SealLine;
use crate::audit::sealing::{SealStore, SealsWanted};
use crate::error::{ErrorKind, Result};
use crate::integrity::{Broken, Chain, Finding, FindingKind, Hash, Seal};

/// How often the seals are read again because somebody sealed meanwhile.
const READS_MAX: u32 = 100;

/// Chains whose seals were kept outside, and agree.
type Outsiders = BTreeSet<String>;

/// What the seals say.
#[derive(Debug, Default)]
pub(super) struct Chains {
    /// The seals whose signatures hold, by their size, and when they were made.
    pub seals: Vec<(Seal, String)>,
    /// The chains, by name: how far each was followed, how many seals it has.
    chains: BTreeMap<String, (Chain, u64)>,
    /// Who vouches for a chain, apart from what was kept outside.
    vouched: BTreeMap<String, Voucher>,
    /// What was found.
    pub findings: Vec<Finding>,
}

impl Chains {
    /// The newest seal that somebody vouches for, or else the newest; and when it was made.
    pub(super) fn newest(&self, outside: &Outsiders) -> Option<(&Seal, &String)> {
        let is_vouched = |seal: &Seal| self.voucher(&seal.chain, outside).is_some();
        let newest = |vouched: bool| {
            let seals = self.seals.iter().rev();
            seals
                .filter(|(seal, _)| !vouched || is_vouched(seal))
                .max_by_key(|(seal, _)| seal.size)
        };
        newest(true)
            .or_else(|| newest(false))
            .map(|(seal, at)| (seal, at))
    }

    /// Those of `kept` outside that are of this store. People keep seals of several stores in one
    /// file; where none is of this one, all should have been.
    pub(super) fn kept_of_this<'o>(&self, kept: &'o [Outside]) -> Vec<&'o Outside> {
        let origins: BTreeSet<_> = self.seals.iter().map(|(seal, _)| &seal.origin).collect();
        let is_here = |outside: &&Outside| match outside {
            Outside::Short(_) => false,
            Outside::Whole(seal) => origins.contains(&seal.origin),
        };
        let has_own = kept.iter().any(|outside| is_here(&outside));
        let is_short = |outside: &&Outside| matches!(outside, Outside::Short(_));
        let of_this = |outside: &&Outside| !has_own || is_short(outside) || is_here(outside);
        kept.iter().filter(of_this).collect()
    }

    /// Whether `chain` has a seal.
    pub(super) fn has(&self, chain: &str) -> bool {
        self.chains.contains_key(chain)
    }

    /// Whether somebody vouches for a chain.
    pub(super) fn is_vouched(&self, outside: &Outsiders) -> bool {
        self.chains
            .keys()
            .any(|chain| self.voucher(chain, outside).is_some())
    }

    fn voucher(&self, chain: &str, outside: &Outsiders) -> Option<Voucher> {
        let outside = outside.contains(chain).then_some(Voucher::Outside);
        self.vouched.get(chain).copied().max(outside)
    }

    pub(super) fn reports(&self, outside: &Outsiders) -> Vec<ChainReport> {
        let reports = self
            .chains
            .iter()
            .map(|(name, (chain, seals))| ChainReport {
                chain: name.clone(),
                seals: *seals,
                size: chain.newest().size,
                vouched_by: self.voucher(name, outside),
            });
        reports.collect()
    }

    /// Adds the line `number` of the seals.
    fn take(&mut self, line: &[u8], number: u64, place: &str) -> Result<()> {
        let (line, seal) = match SealLine::read(line, place)? {
            Ok(read) => read,
            Err(refused) => {
                let finding = Finding::at(FindingKind::BadSignature, place);
                let detail = format!("line {number}: {refused}");
                self.findings
                    .push(finding.between(number, number).because(detail));
                return Ok(());
            }
        };
        let broken = match self.chains.get_mut(&seal.chain) {
            Some((chain, seals)) => {
                *seals += 1;
                chain.follow(seal.clone()).err()
            }
            None => match Chain::begin(seal.clone()) {
                Ok(chain) => {
                    self.chains.insert(seal.chain.clone(), (chain, 1));
                    None
                }
                Err(broken) => Some(broken),
            },
        };
        if let Some(broken) = broken {
            let finding = Finding::at(kind_of(broken), place).between(seal.number, seal.number);
            let finding = finding.against(seal.short());
            self.findings
                .push(finding.because(format!("line {number}: seal {}", seal.number)));
        }
        self.seals.push((seal, line.at));
        Ok(())
    }

    /// Compares the newest seal of the chain that this machine continues.
    fn compare(&mut self, sector: &Sector, place: &str) {
        let newest = self
            .chains
            .get(&sector.chain)
            .map(|(chain, _)| chain.newest());
        let is_next = |key: Option<&Hash>| key == Some(&sector.key());
        let kind = match newest {
            // Its first seal was not made yet.
            None if sector.seal == 0 => return,
            Some(newest) if newest.number + 1 == sector.seal => {
                let same = (newest.size, newest.root) == (sector.size, sector.root);
                // A closed one names none.
                if same && (newest.next.is_none() || is_next(newest.next.as_ref())) {
                    return;
                }
                FindingKind::Forked
            }
            // Whoever made it died before the next key was in place.
            Some(newest) if newest.number == sector.seal && newest.key == sector.key() => return,
            Some(newest) if newest.number >= sector.seal => FindingKind::MissingKey,
            _ => FindingKind::RolledBack,
        };
        let detail = match kind {
            FindingKind::MissingKey => "the key at hand is older than the newest seal",
            FindingKind::Forked => "the newest seal is not the one that was made here",
            _ => "seals that were made here are not there",
        };
        let last = sector.seal.saturating_sub(1);
        let first_missing = newest.map_or(0, |newest| newest.number + 1).min(last);
        let finding = Finding::at(kind, place).between(first_missing, last);
        self.findings.push(finding.because(detail));
    }
}

fn kind_of(broken: Broken) -> FindingKind {
    match broken {
        Broken::Fork => FindingKind::Forked,
        Broken::Link | Broken::Closed => FindingKind::BrokenChain,
    }
}

/// The seals of `store`, which is at `url`, and who vouches for them.
pub(super) fn read_chains(
    store: &dyn SealStore,
    request: &VerifyRequest,
    url: &str,
) -> Result<Chains> {
    let place = store.seals_place();
    let mut before = None;
    for _ in 0..READS_MAX {
        let mut chains = Chains::default();
        let mut number = 0;
        let read = store.read_seals(SealsWanted::All, &mut |line| {
            number += 1;
            chains.take(line, number, &place)
        });
        if let Err(error) = read {
            if error.kind() != ErrorKind::Damaged {
                return Err(error);
            }
            let finding = Finding::at(FindingKind::Unreadable, &place);
            chains.findings.push(finding.because(error.chain()));
        }
        // A sealer that is at work moves on from the seals to the key.
        let remembered = remembered(&mut chains, request, url, &place)?;
        let is_still = before.as_ref() == Some(&remembered);
        before = Some(remembered);
        if is_still || chains.findings.is_empty() {
            vouch(&mut chains, request, &place);
            return Ok(chains);
        }
    }
    let mut chains = Chains::default();
    let finding = Finding::at(FindingKind::Unreadable, &place);
    chains
        .findings
        .push(finding.because("it changes faster than it can be read"));
    Ok(chains)
}

/// Compares the seals with what this machine remembers, and returns the number and the chain of
/// the key at hand.
fn remembered(
    chains: &mut Chains,
    request: &VerifyRequest,
    url: &str,
    place: &str,
) -> Result<Vec<(String, u64)>> {
    let Some(keys) = &request.keys else {
        return Ok(Vec::new());
    };
    let seen = keys.seen()?;
    let of_seals = chains.seals.iter().map(|(seal, _)| seal.origin.clone());
    let of_store = seen.iter().filter(|seen| seen.store == url);
    let mut origins: Vec<_> = of_seals
        .chain(of_store.map(|seen| seen.origin.clone()))
        .collect();
    origins.sort_unstable();
    origins.dedup();
    let mut at_hand = Vec::new();
    for origin in origins {
        let is_of_origin = |chain: &str| {
            let of_chain = |(seal, _): &&(Seal, String)| seal.chain == chain;
            chains
                .seals
                .iter()
                .find(of_chain)
                .is_none_or(|(seal, _)| seal.origin == origin)
        };
        for seen in seen
            .iter()
            .filter(|seen| seen.origin == origin && is_of_origin(&seen.chain))
        {
            chains.vouched.insert(seen.chain.clone(), Voucher::Memory);
        }
        let is_known = seen.iter().any(|seen| seen.origin == origin);
        let missing = |detail: String| {
            Finding::at(
                FindingKind::MissingKey,
                keys.place(&origin).display().to_string(),
            )
            .because(detail)
        };
        if goes_on_elsewhere(&seen, &origin, url) {
            continue;
        }
        match keys.read(&origin) {
            Ok(Some(sector)) => {
                at_hand.push((sector.chain.clone(), sector.seal));
                chains.compare(&sector, place);
                chains.vouched.insert(sector.chain, Voucher::Key);
            }
            Ok(None) if is_known => {
                let detail = "this machine sealed here, and its key is gone".to_owned();
                chains.findings.push(missing(detail));
            }
            // A copy, whose chain nobody here began.
            Ok(None) => {}
            Err(error) if error.kind() == ErrorKind::NewerFormat => return Err(error),
            Err(error) => chains.findings.push(missing(error.chain())),
        }
    }
    Ok(at_hand)
}

/// Whether the store at `url` is a copy that goes on in a chain of its own, and `origin` that of
/// the store that it was copied from: the key at hand moves on with the seals that are made there.
fn goes_on_elsewhere(seen: &[SeenChain], origin: &str, url: &str) -> bool {
    let of_origin = || seen.iter().filter(|seen| seen.origin == origin);
    let is_here = of_origin().any(|seen| seen.store == url);
    let has_own = seen.iter().any(|seen| seen.store == url);
    !is_here && has_own && of_origin().next().is_some()
}

/// Notes which chains somebody wrote down or kept seals of.
fn vouch(chains: &mut Chains, request: &VerifyRequest, place: &str) {
    for pin in &request.pins {
        match chains.chains.contains_key(pin) {
            true => drop(chains.vouched.insert(pin.clone(), Voucher::Pin)),
            false => {
                let finding = Finding::at(FindingKind::RolledBack, place);
                let detail = format!("there is no seal of chain {pin}");
                chains.findings.push(finding.because(detail));
            }
        }
    }
    for outside in &request.against {
        let Outside::Whole(outside) = outside else {
            continue;
        };
        let same = |(seal, _): &&(Seal, String)| {
            (&seal.chain, seal.number) == (&outside.chain, outside.number)
        };
        if let Some((seal, _)) = chains.seals.iter().find(same)
            && seal != outside
        {
            let finding = Finding::at(FindingKind::Forked, place);
            let finding = finding
                .between(seal.number, seal.number)
                .against(outside.short());
            let detail = format!("another seal {} of chain {}", seal.number, seal.chain);
            chains.findings.push(finding.because(detail));
        }
    }
}
