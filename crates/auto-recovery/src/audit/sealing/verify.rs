//! Verifying a store against its seals, this machine's keys and what others kept.

mod chains;
mod journal;
mod trails;
mod witnessed;

use std::collections::BTreeSet;

use self::chains::{Chains, read_chains};
use self::journal::{Journal, read_journal};
use super::request::{ChainReport, Requirements, VerifyRequest, Voucher, Witnessed};
use super::store::SealStore;
use crate::audit::AuditStore;
use crate::error::Result;
use crate::integrity::{Finding, FindingKind, Seal, Verdict};

/// What verifying a store came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verification {
    /// The verdict.
    pub verdict: Verdict,
    /// The newest seal that somebody vouches for, or else the newest.
    pub newest: Option<Seal>,
    /// When that was made, by the clock of who made it.
    pub newest_at: Option<String>,
    /// Number of journal records.
    pub records: u64,
    /// Number of them behind the newest seal.
    pub records_since: u64,
    /// Number of trails that were read.
    pub trails: u64,
    /// Number of their entries.
    pub entries: u64,
    /// Number of entries that no seal speaks of.
    pub entries_since: u64,
    /// Number of trails that were removed and said so.
    pub removed: u64,
    /// The chains.
    pub chains: Vec<ChainReport>,
    /// Why new chains were begun, and the number of the record that says so.
    pub new_chains: Vec<(u64, String)>,
    /// Whether a seal that was kept outside, or that a witness signed, agrees.
    pub has_outside: bool,
    /// The newest seal that a known witness signed.
    pub witnessed: Option<Witnessed>,
    /// What was found.
    pub findings: Vec<Finding>,
}

/// Verifies `store`. It writes nothing, and may be written to meanwhile.
///
/// # Errors
/// [`ErrorKind::NewerFormat`](crate::ErrorKind::NewerFormat) if something is of a format that this
/// release does not know; otherwise if something cannot be read that is no finding.
pub fn verify(store: &dyn AuditStore, request: &VerifyRequest) -> Result<Verification> {
    let Some(seals) = store.seals()? else {
        return Ok(not_kept(store));
    };
    // The seals come first: what is recorded or removed after they were read is behind them.
    let chains = read_chains(seals, request, &store.url())?;
    let journal = read_journal(seals, &chains, request)?;
    let trails = trails::read_trails(seals, &journal, request)?;
    let mut findings = chains.findings.clone();
    findings.extend(journal.findings.iter().cloned());
    findings.extend(trails.findings);
    let newest = chains.newest(&journal.outside_chains);
    let newest_size = newest.map_or(0, |(seal, _)| seal.size);
    let mut verification = Verification {
        verdict: Verdict::Proved,
        newest: newest.map(|(seal, _)| seal.clone()),
        newest_at: newest.map(|(_, at)| at.clone()),
        records: journal.records,
        records_since: journal.records.saturating_sub(newest_size),
        trails: trails.trails,
        entries: trails.entries,
        entries_since: trails.entries_since,
        removed: journal.told.trails.values().map(|told| told.removals).sum(),
        chains: chains.reports(&journal.outside_chains),
        new_chains: journal.told.new_chains.clone(),
        has_outside: journal.has_outside,
        witnessed: journal.witnessed.clone(),
        findings,
    };
    verification.require(request, seals, &chains, &journal);
    verification.verdict = verdict_of(&verification.findings);
    Ok(verification)
}

impl Verification {
    /// Adds what keeps the record from being proved though nothing of it is known to have changed.
    fn require(
        &mut self,
        request: &VerifyRequest,
        store: &dyn SealStore,
        chains: &Chains,
        journal: &Journal,
    ) {
        let place = store.seals_place();
        let mut add = |kind, detail: String| {
            self.findings
                .push(Finding::at(kind, &place).because(detail));
        };
        let Requirements {
            sealed,
            pinned,
            outside,
        } = request.require;
        if self.newest.is_none() {
            if !self.chains.is_empty() || chains.findings.is_empty() {
                add(FindingKind::Unsealed, "nothing is sealed".to_owned());
            }
        } else if !chains.is_vouched(&journal.outside_chains) {
            let names: BTreeSet<_> = self.chains.iter().map(|one| one.chain.as_str()).collect();
            let names: Vec<_> = names.into_iter().collect();
            let detail = format!("nobody here vouches for chain {}", names.join(", "));
            add(FindingKind::UnknownChain, detail);
        }
        let sealed_size = self.newest.as_ref().map_or(0, |seal| seal.size);
        // Where machines share a store, one may have begun a chain and not have come to its first
        // seal.
        let begun = journal.told.begun.iter().filter(|_| !store.is_shared());
        for begun in begun.filter(|begun| begun.record <= sealed_size) {
            if !chains.has(&begun.chain) {
                let (record, chain) = (begun.record, &begun.chain);
                let detail =
                    format!("record {record} names chain {chain}, and no seal of it is here");
                add(FindingKind::UnknownChain, detail);
            }
        }
        if sealed && self.newest.is_some() && self.records_since + self.entries_since > 0 {
            let detail = format!(
                "records and entries since the newest seal: {} and {}",
                self.records_since, self.entries_since
            );
            add(FindingKind::Unsealed, detail);
        }
        let is_pinned = |one: &&ChainReport| one.vouched_by == Some(Voucher::Pin);
        let pinned_size = self.chains.iter().filter(is_pinned).map(|one| one.size);
        let pinned_size = pinned_size.max().unwrap_or(0);
        if pinned && pinned_size == 0 {
            let detail = "no chain that was pinned sealed it".to_owned();
            add(FindingKind::UnknownChain, detail);
        } else if pinned && pinned_size < sealed_size {
            let detail = format!(
                "records {} to {sealed_size} are under seals of a chain that was not pinned",
                pinned_size + 1
            );
            add(FindingKind::UnknownChain, detail);
        }
        if outside && !journal.has_outside {
            let detail = "no seal that was kept outside was given, and no known witness signed one";
            let detail = detail.to_owned();
            add(FindingKind::UnknownChain, detail);
        }
    }
}

fn verdict_of(findings: &[Finding]) -> Verdict {
    let verdicts = findings.iter().map(|finding| finding.kind.verdict());
    verdicts.max().unwrap_or(Verdict::Proved)
}

/// The answer for a store that keeps no seals.
fn not_kept(store: &dyn AuditStore) -> Verification {
    let finding = Finding::at(FindingKind::Unsealed, store.url());
    Verification {
        verdict: Verdict::Unproved,
        newest: None,
        newest_at: None,
        records: 0,
        records_since: 0,
        trails: 0,
        entries: 0,
        entries_since: 0,
        removed: 0,
        chains: Vec::new(),
        new_chains: Vec::new(),
        has_outside: false,
        witnessed: None,
        findings: vec![finding.because("this store keeps no seals")],
    }
}
