//! What a rule would have said of the past: the same decisions, over what the store has, by the
//! times that stand in its records. Nothing is kept and nobody is told.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use auto_recovery::audit::AuditStore;
use auto_recovery::host::timestamp;
use auto_recovery::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};

use super::clock::{millis, parse, time};
use super::config::Rule;
use super::decide::{Change, decide};
use super::facts::Facts;
use super::history::sessions_since;
use super::observe::{Labels, observe};

/// What happens within this time is looked at together, and a rule is looked at this often while
/// something is pending or fires.
const STEP_MS: i64 = 10_000;
const LOOK_MS: i64 = 60_000;

/// Sessions of before that are forgotten.
const KEPT_MS: i64 = 8 * 24 * 60 * 60 * 1000;

/// An incident that would have been.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fired {
    /// When it would have fired, RFC 3339.
    pub at: String,
    /// When it would have been resolved; `None` if it would still fire.
    pub until: Option<String>,
    /// What distinguishes it.
    pub labels: Labels,
    /// What would have been wrong.
    pub summary: String,
}

#[derive(Deserialize)]
struct At {
    at: String,
}

/// Something that a session did.
struct Happened {
    at_ms: i64,
    session_id: String,
    is_entry: bool,
    raw: String,
}

/// The incidents of `rule` between `since` and `now`.
///
/// # Errors
/// [`ErrorKind::InvalidInput`] if the past does not say what the rule looks for; otherwise if
/// `store` cannot be read.
pub fn replay(
    store: &dyn AuditStore,
    rule: &Rule,
    since: SystemTime,
    now: SystemTime,
) -> Result<Vec<Fired>> {
    if !rule.check.is_of_sessions() {
        let text = format!(
            "`{}` is a rule about {}, and the record says nothing about that: only rules over sessions \
             can be tested",
            rule.name,
            rule.check.as_str()
        );
        return Err(Error::new(ErrorKind::InvalidInput, text));
    }
    let history = history(store, since)?;
    Ok(decided(rule, history, millis(since), millis(now)))
}

/// All that happened since, and what rules may still look at then.
fn history(store: &dyn AuditStore, since: SystemTime) -> Result<Vec<Happened>> {
    let kept = Duration::from_millis(KEPT_MS.unsigned_abs());
    let since = since.checked_sub(kept).map(timestamp).unwrap_or_default();
    let mut all = Vec::new();
    for session in sessions_since(store, &since)? {
        let id = session.session_id;
        let mut add = |at: &str, is_entry, raw: String| {
            all.push(Happened {
                at_ms: parse(at).unwrap_or_default(),
                session_id: id.clone(),
                is_entry,
                raw,
            });
        };
        store.read_records_raw(Some(&id), &mut |raw| {
            if let Ok(At { at }) = serde_json::from_slice(raw) {
                add(&at, false, String::from_utf8_lossy(raw).into_owned());
            }
            Ok(())
        })?;
        store.read_trail(&id, &mut |entry| {
            add(&entry.entry().timestamp, true, entry.json().into_owned());
            Ok(())
        })?;
    }
    all.sort_by_key(|one| one.at_ms);
    Ok(all)
}

fn decided(rule: &Rule, history: Vec<Happened>, since: i64, now: i64) -> Vec<Fired> {
    let mut facts = Facts::default();
    facts.ourselves.is_current = true;
    let (mut all, mut next) = (BTreeMap::new(), 1);
    let mut fired: Vec<Fired> = Vec::new();
    let mut open: BTreeMap<Labels, usize> = BTreeMap::new();
    let mut look = |facts: &mut Facts, at_ms: i64, all: &mut BTreeMap<_, _>| {
        facts.forget(at_ms - KEPT_MS);
        let holding = observe(rule, facts, at_ms).unwrap_or_default();
        for transition in decide(rule, all, holding, at_ms, &mut next) {
            match transition.change {
                Change::Firing if at_ms >= since => {
                    open.insert(transition.labels.clone(), fired.len());
                    fired.push(Fired {
                        at: time(at_ms),
                        until: None,
                        labels: transition.labels,
                        summary: transition.observed.summary,
                    });
                }
                Change::Resolved => {
                    if let Some(index) = open.remove(&transition.labels) {
                        fired[index].until = Some(time(at_ms));
                    }
                }
                _ => {}
            }
        }
    };
    let mut happened = history.into_iter().peekable();
    let mut at_ms = happened.peek().map_or(now, |first| first.at_ms);
    while at_ms <= now {
        while let Some(one) = happened.next_if(|one| one.at_ms <= at_ms) {
            match one.is_entry {
                true => facts.entry(&one.session_id, &one.raw),
                false => {
                    let time = |text: &str| parse(text).unwrap_or_default();
                    facts.record(&one.session_id, &one.raw, &time);
                }
            }
        }
        look(&mut facts, at_ms, &mut all);
        let event = happened.peek().map(|one| one.at_ms.max(at_ms + STEP_MS));
        let tick = (!all.is_empty()).then_some(at_ms + LOOK_MS);
        match [event, tick].into_iter().flatten().min() {
            // The last look is now.
            Some(next) if at_ms < now => at_ms = next.min(now),
            _ => break,
        }
    }
    fired
}
