//! The seals that witnesses signed, as the journal keeps them.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::chains::Chains;
use crate::audit::sealing::SealStore;
use crate::audit::sealing::cosigned::witnessed_note;
use crate::audit::sealing::request::{Witness, Witnessed};
use crate::audit::sealing::told::last_seal;
use crate::error::Result;
use crate::integrity::{Cosignature, Finding, FindingKind, Hash, Seal, Testimony, WitnessKey};

/// What the signatures of witnesses say, record by record.
pub(super) struct Testimonies<'a> {
    witnesses: &'a [WitnessKey],
    /// The seals that are there, by chain and number.
    seals: HashMap<(&'a str, u64), &'a Seal>,
    origins: BTreeSet<&'a str>,
    /// The newest seal that a witness signed, and who did.
    newest: Option<(Seal, Vec<Cosignature>)>,
    /// The chains of such seals.
    chains: BTreeSet<String>,
    /// Seals of this store that a witness signed, and that were not there.
    missing: Vec<(Seal, u64)>,
    findings: Vec<(FindingKind, u64, String)>,
}

/// What it comes to.
#[derive(Debug, Default)]
pub(super) struct Testified {
    /// The newest seal that a witness signed.
    pub newest: Option<Witnessed>,
    /// The chains of such seals.
    pub chains: BTreeSet<String>,
    /// What was found.
    pub findings: Vec<Finding>,
}

impl<'a> Testimonies<'a> {
    pub(super) fn new(chains: &'a Chains, witnesses: &'a [WitnessKey]) -> Self {
        let known = match witnesses.is_empty() {
            true => &[][..],
            false => &chains.seals[..],
        };
        let seals = known.iter().map(|(seal, _)| seal);
        Self {
            witnesses,
            origins: seals.clone().map(|seal| seal.origin.as_str()).collect(),
            seals: seals
                .map(|seal| ((seal.chain.as_str(), seal.number), seal))
                .collect(),
            newest: None,
            chains: BTreeSet::new(),
            missing: Vec::new(),
            findings: Vec::new(),
        }
    }

    /// Adds what the record `leaf`, which has this number, says; `roots` are those of the journal
    /// before it.
    pub(super) fn take(&mut self, leaf: &[u8], number: u64, roots: &BTreeMap<u64, Option<Hash>>) {
        if self.witnesses.is_empty() {
            return;
        }
        let Some(note) = witnessed_note(leaf) else {
            return;
        };
        let Some(said) = Testimony::read(&note, self.witnesses) else {
            return;
        };
        let mut add = |detail| {
            let kind = FindingKind::BadSignature;
            self.findings.push((kind, number, detail));
        };
        if let [name, ..] = &said.failing[..] {
            add(format!("the signature of {name} does not hold"));
            return;
        }
        if said.holding.is_empty() {
            return;
        }
        let seal = match Seal::read(&note) {
            Ok(seal) => seal,
            Err(refused) => {
                add(refused.to_string());
                return;
            }
        };
        let there = self.seals.get(&(seal.chain.as_str(), seal.number));
        if there.is_some_and(|there| **there == seal) {
            // A journal that does not agree with it has its finding.
            if roots.get(&seal.size).copied().flatten() == Some(seal.root) {
                self.count(seal, said.holding);
            }
        } else if self.origins.contains(seal.origin.as_str()) {
            self.missing.push((seal, number));
        }
    }

    fn count(&mut self, seal: Seal, by: Vec<Cosignature>) {
        self.chains.insert(seal.chain.clone());
        match &mut self.newest {
            Some((newest, all)) if *newest == seal => all.extend(by),
            Some((newest, _)) if (newest.size, newest.number) > (seal.size, seal.number) => {}
            newest => *newest = Some((seal, by)),
        }
    }

    /// What it comes to, of the journal at `place`.
    pub(super) fn finish(self, store: &dyn SealStore, place: &str) -> Result<Testified> {
        let mut found = Testified {
            newest: self.newest.map(|(seal, by)| shown(&seal, by)),
            chains: self.chains,
            findings: Vec::new(),
        };
        for (kind, number, detail) in self.findings {
            let finding = Finding::at(kind, place).between(number, number);
            let detail = format!("record {number}: {detail}");
            found.findings.push(finding.because(detail));
        }
        for (seal, number) in self.missing {
            // It may have been made after the seals were read.
            if last_seal(store, |one| *one == seal)?.is_some() {
                continue;
            }
            let kind = match self.seals.contains_key(&(seal.chain.as_str(), seal.number)) {
                true => FindingKind::Forked,
                false => FindingKind::RolledBack,
            };
            let finding = Finding::at(kind, store.seals_place());
            let finding = finding.between(seal.number, seal.number);
            let detail = format!("record {number} has one that a witness signed");
            found
                .findings
                .push(finding.against(seal.short()).because(detail));
        }
        Ok(found)
    }
}

fn shown(seal: &Seal, by: Vec<Cosignature>) -> Witnessed {
    // Of a witness that signed a seal twice, the later time counts.
    let mut last = BTreeMap::new();
    for one in by {
        let at_s = last.entry(one.name).or_insert(one.at_s);
        *at_s = one.at_s.max(*at_s);
    }
    let last = last
        .into_iter()
        .map(|(name, at_s)| Cosignature { name, at_s });
    Witnessed {
        seal: seal.short().to_string(),
        witnesses: last.map(|one| Witness::from(&one)).collect(),
    }
}
