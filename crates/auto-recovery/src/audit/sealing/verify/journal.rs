//! The journal: one pass gives its roots at all sizes that a seal speaks of.

use std::collections::{BTreeMap, BTreeSet};

use super::chains::Chains;
use super::witnessed::Testimonies;
use crate::audit::sealing::request::{Outside, VerifyRequest, Witnessed};
use crate::audit::sealing::told::Told;
use crate::audit::sealing::{Log, SealStore};
use crate::error::{ErrorKind, Result};
use crate::integrity::{Finding, FindingKind, Hash, Range};

/// What the journal is, and says.
#[derive(Debug, Default)]
pub(super) struct Journal {
    /// Number of its records.
    pub records: u64,
    /// What it says of trails.
    pub told: Told,
    /// Whether a seal that was kept outside, or that a witness signed, agrees.
    pub has_outside: bool,
    /// The newest seal that a witness signed.
    pub witnessed: Option<Witnessed>,
    /// Chains whose seal was kept outside, and agrees.
    pub outside_chains: BTreeSet<String>,
    /// What was found.
    pub findings: Vec<Finding>,
}

/// Reads the journal of `store` and compares it with the seals of `chains`, and with those that
/// were kept outside.
pub(super) fn read_journal(
    store: &dyn SealStore,
    chains: &Chains,
    request: &VerifyRequest,
) -> Result<Journal> {
    let mut roots: BTreeMap<u64, Option<Hash>> = BTreeMap::new();
    roots.extend(chains.seals.iter().map(|(seal, _)| (seal.size, None)));
    roots.extend(request.against.iter().map(|outside| match outside {
        Outside::Short(short) => (short.size, None),
        Outside::Whole(seal) => (seal.size, None),
    }));
    let mut journal = Journal::default();
    let mut place = "the journal".to_owned();
    let mut range = Range::default();
    if let Some(empty) = roots.get_mut(&0) {
        *empty = Some(range.root());
    }
    let mut testimonies = Testimonies::new(chains, &request.witnesses);
    let told = &mut journal.told;
    let opened = store.open_log(Log::Journal);
    let read = opened.and_then(|log| {
        let Some(log) = log else {
            return Ok(());
        };
        place = log.place();
        log.read_all(&mut |leaf| {
            range.push(leaf);
            if let Some(root) = roots.get_mut(&range.size()) {
                *root = Some(range.root());
            }
            told.take(leaf, range.size());
            testimonies.take(leaf, range.size(), &roots);
            Ok(())
        })
    });
    if let Err(error) = read {
        if !matches!(error.kind(), ErrorKind::Damaged | ErrorKind::Io) {
            return Err(error);
        }
        let finding = Finding::at(FindingKind::Unreadable, &place);
        journal.findings.push(finding.because(error.chain()));
    }
    journal.records = range.size();
    journal.compare(chains, &roots, &place);
    journal.compare_outside(&chains.kept_of_this(&request.against), &roots, &place);
    let testified = testimonies.finish(store, &place)?;
    journal.has_outside |= testified.newest.is_some();
    journal.witnessed = testified.newest;
    journal.outside_chains.extend(testified.chains);
    journal.findings.extend(testified.findings);
    Ok(journal)
}

impl Journal {
    /// Compares the roots with those of the seals. Of the seals that it does not agree with, the
    /// first brackets what changed.
    fn compare(&mut self, chains: &Chains, roots: &BTreeMap<u64, Option<Hash>>, place: &str) {
        let mut seals: Vec<_> = chains.seals.iter().map(|(seal, _)| seal).collect();
        seals.sort_by_key(|seal| seal.size);
        let mut agreed = 0;
        for seal in seals {
            match roots.get(&seal.size).copied().flatten() {
                Some(root) if root == seal.root => agreed = seal.size,
                root => {
                    let finding = self.differs(root.is_some(), (agreed, seal.size), place);
                    self.findings.push(finding.against(seal.short()));
                    return;
                }
            }
        }
    }

    /// Compares them with what was kept outside.
    fn compare_outside(
        &mut self,
        kept: &[&Outside],
        roots: &BTreeMap<u64, Option<Hash>>,
        place: &str,
    ) {
        for outside in kept {
            let (size, name, chain) = match outside {
                Outside::Short(short) => (short.size, short.to_string(), None),
                Outside::Whole(seal) => (seal.size, seal.short().to_string(), Some(&seal.chain)),
            };
            let root = roots.get(&size).copied().flatten();
            let agrees = root.is_some_and(|root| match outside {
                Outside::Short(short) => short.is_of(&root),
                Outside::Whole(seal) => seal.root == root,
            });
            if agrees {
                self.has_outside = true;
                self.outside_chains.extend(chain.cloned());
            } else {
                let finding = self.differs(root.is_some(), (0, size), place).against(name);
                self.findings
                    .push(finding.because("a seal that was kept outside"));
            }
        }
    }

    /// That the records from `agreed` on are not what `size` of them were.
    fn differs(&self, is_there: bool, (agreed, size): (u64, u64), place: &str) -> Finding {
        match is_there {
            true => Finding::at(FindingKind::ChangedRecords, place).between(agreed + 1, size),
            false => {
                let from = (self.records + 1).max(agreed + 1);
                Finding::at(FindingKind::MissingRecords, place).between(from, size)
            }
        }
    }
}
