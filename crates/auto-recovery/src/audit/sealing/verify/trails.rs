//! The trails: each against its heads in the journal, and the sums that are kept beside them.

use std::collections::BTreeSet;
use std::sync::Mutex;

use super::journal::Journal;
use crate::audit::sealing::request::VerifyRequest;
use crate::audit::sealing::told::{Told, TrailTold};
use crate::audit::sealing::{LeafLog, Log, SealStore};
use crate::error::{ErrorKind, Result};
use crate::integrity::{Finding, FindingKind, Range};
use crate::mutex::lock;
use crate::workers::map_all;

/// How often a trail is read again because it was removed meanwhile.
const READS_MAX: u32 = 100;

/// What the trails come to.
#[derive(Debug, Default)]
pub(super) struct Trails {
    /// Number of trails that were read.
    pub trails: u64,
    /// Number of their entries.
    pub entries: u64,
    /// Number of entries that no head speaks of.
    pub entries_since: u64,
    /// What was found.
    pub findings: Vec<Finding>,
}

/// One trail.
#[derive(Debug, Default)]
struct Trail {
    is_there: bool,
    entries: u64,
    sealed: u64,
    finding: Option<Finding>,
}

/// Compares the trails of `store` with what `journal` says.
pub(super) fn read_trails(
    store: &dyn SealStore,
    journal: &Journal,
    request: &VerifyRequest,
) -> Result<Trails> {
    let sessions: BTreeSet<String> = match request.sessions.is_empty() {
        false => request.sessions.iter().cloned().collect(),
        true => {
            let told = journal.told.trails.keys().cloned();
            store.trails()?.into_iter().chain(told).collect()
        }
    };
    let sessions: Vec<_> = sessions.into_iter().collect();
    let now = Now::default();
    let read = map_all(&sessions, |session| {
        let told = journal
            .told
            .trails
            .get(session)
            .cloned()
            .unwrap_or_default();
        let mut trail = read_again(store, session, told, &now)?;
        // A session that is named is looked for where it has no trail, too: whoever asks about all
        // is told by the sums of all.
        if (trail.is_there || !request.sessions.is_empty())
            && trail.finding.is_none()
            && let Some(detail) = store.recount(session)?
        {
            let place = store.trail_place(session);
            let finding = Finding::at(FindingKind::DerivedDiffers, place);
            trail.finding = Some(finding.of_session(session).because(detail));
        }
        Ok(trail)
    })?;
    let mut trails = Trails::default();
    for trail in read {
        trails.trails += u64::from(trail.is_there);
        trails.entries += trail.entries;
        trails.entries_since += trail.entries.saturating_sub(trail.sealed);
        trails.findings.extend(trail.finding);
    }
    if request.sessions.is_empty()
        && let Some(detail) = store.recount_all()?
    {
        let finding = Finding::at(FindingKind::DerivedDiffers, store.seals_place());
        trails.findings.push(finding.because(detail));
    }
    Ok(trails)
}

/// Reads a trail, again if what the journal says of it changed meanwhile: it may have been removed.
fn read_again(
    store: &dyn SealStore,
    session: &str,
    mut told: TrailTold,
    now: &Now,
) -> Result<Trail> {
    for _ in 0..READS_MAX {
        let trail = read_trail(store, session, &told)?;
        if trail.finding.is_none() {
            return Ok(trail);
        }
        let now = now.told(store, session)?;
        if now.removals == told.removals && now.removed == told.removed {
            return Ok(trail);
        }
        told = now;
    }
    Ok(Trail::default())
}

/// The journal as it is by now, read again only where it grew: every trail may have a finding.
#[derive(Default)]
struct Now {
    read: Mutex<(u64, Told)>,
}

impl Now {
    /// What the journal says of the trail of `session` by now.
    fn told(&self, store: &dyn SealStore, session: &str) -> Result<TrailTold> {
        let mut read = lock(&self.read);
        let Some(journal) = store.open_log(Log::Journal)? else {
            return Ok(TrailTold::default());
        };
        let state = journal.state()?;
        if read.0 != state {
            let (mut told, mut number) = (Told::default(), 0);
            journal.read_all(&mut |leaf| {
                number += 1;
                told.take(leaf, number);
                Ok(())
            })?;
            *read = (state, told);
        }
        Ok(read.1.trails.get(session).cloned().unwrap_or_default())
    }
}

fn read_trail(store: &dyn SealStore, session: &str, told: &TrailTold) -> Result<Trail> {
    let sealed = told.heads.iter().map(|head| head.size).max().unwrap_or(0);
    let opened = match store.open_log(Log::Trail(session)) {
        Ok(opened) => opened,
        Err(error) if matches!(error.kind(), ErrorKind::Damaged | ErrorKind::Io) => {
            let finding = (sealed > 0).then(|| {
                let finding = Finding::at(FindingKind::Unreadable, store.trail_place(session));
                finding.of_session(session).because(error.chain())
            });
            return Ok(Trail {
                finding,
                ..Trail::default()
            });
        }
        Err(error) => return Err(error),
    };
    let Some(log) = opened else {
        let finding = told.heads.last().map(|head| {
            let finding = Finding::at(FindingKind::MissingTrail, store.trail_place(session));
            finding
                .of_session(session)
                .between(1, sealed)
                .because(format!("record {}", head.record))
        });
        return Ok(Trail {
            finding: finding.filter(|_| sealed > 0),
            ..Trail::default()
        });
    };
    compare(&*log, session, told, sealed)
}

/// Compares the leaves of `log` with its heads.
fn compare(log: &dyn LeafLog, session: &str, told: &TrailTold, sealed: u64) -> Result<Trail> {
    let mut heads: Vec<_> = told.heads.iter().filter(|head| head.size > 0).collect();
    heads.sort_by_key(|head| head.size);
    let mut heads = heads.into_iter().peekable();
    let (mut range, mut agreed) = (Range::default(), 0);
    let mut finding: Option<Finding> = None;
    let at = |kind| Finding::at(kind, log.place()).of_session(session);
    let read = log.read_all(&mut |leaf| {
        range.push(leaf);
        while let Some(head) = heads.next_if(|head| head.size == range.size()) {
            if head.root == range.root() {
                agreed = head.size;
            } else if finding.is_none() {
                let changed = at(FindingKind::ChangedEntries).between(agreed + 1, head.size);
                finding = Some(changed.because(format!("record {}", head.record)));
            }
        }
        if let Some(removed) = &told.removed
            && (removed.size, removed.root) == (range.size(), range.root())
        {
            let returned = at(FindingKind::ReturnedTrail).between(1, removed.size);
            finding = Some(returned.because(format!("record {}", removed.record)));
        }
        Ok(())
    });
    match read {
        Err(error) if matches!(error.kind(), ErrorKind::Damaged | ErrorKind::Io) => {
            if range.size() < sealed {
                finding = Some(at(FindingKind::Unreadable).because(error.chain()));
            }
        }
        read => read?,
    }
    if finding.is_none()
        && let Some(head) = heads.next()
    {
        let missing = at(FindingKind::MissingEntries).between(range.size() + 1, sealed);
        finding = Some(missing.because(format!("record {}", head.record)));
    }
    Ok(Trail {
        is_there: range.size() > 0,
        entries: range.size(),
        sealed,
        finding,
    })
}
