//! From conditions that hold to states: inactive, pending, firing, resolved. Pure.
//!
//! A condition must hold for the rule's `for` before it fires, and be over for its
//! `keep_firing_for` before it is resolved. One that cannot be known keeps its state.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::config::{Check, Rule};
use super::observe::{Labels, Observed, ms};

/// The state of one condition of a rule. One that is inactive is not kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub(crate) enum State {
    /// It holds, and not for long enough.
    Pending { since_ms: i64 },
    /// It fires.
    Firing {
        since_ms: i64,
        /// Its number among all incidents of this feed.
        incident: u64,
        /// Since when it does not hold any more.
        over_ms: Option<i64>,
        /// The newest session that somebody acknowledged.
        known_ms: Option<i64>,
    },
    /// It holds, and somebody knows of all of it: it is over until there is more.
    Known {
        since_ms: i64,
        known_ms: i64,
        /// The incident that was acknowledged; 0 where an earlier release wrote it.
        #[serde(default)]
        incident: u64,
    },
}

impl State {
    pub(crate) fn since_ms(&self) -> i64 {
        match self {
            Self::Pending { since_ms }
            | Self::Firing { since_ms, .. }
            | Self::Known { since_ms, .. } => *since_ms,
        }
    }

    pub(crate) fn incident(&self) -> Option<u64> {
        match self {
            Self::Firing { incident, .. } => Some(*incident),
            Self::Pending { .. } | Self::Known { .. } => None,
        }
    }
}

/// A condition of a rule while it is not inactive.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Series {
    #[serde(flatten)]
    pub(crate) state: State,
    /// It as it was last seen to hold.
    pub(crate) observed: Observed,
}

/// What became of a condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    Pending,
    /// It does not hold any more, before it fired.
    Inactive,
    Firing,
    Resolved,
}

impl Change {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Inactive => "inactive",
            Self::Firing => "firing",
            Self::Resolved => "resolved",
        }
    }
}

/// A change of the state of one condition.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Transition {
    pub(crate) labels: Labels,
    pub(crate) change: Change,
    pub(crate) incident: Option<u64>,
    pub(crate) observed: Observed,
}

/// Steps the conditions of `rule`; those in `holding` hold at `now`. `next` is the number of the
/// next incident.
pub(crate) fn decide(
    rule: &Rule,
    all: &mut BTreeMap<Labels, Series>,
    holding: BTreeMap<Labels, Observed>,
    now: i64,
    next: &mut u64,
) -> Vec<Transition> {
    let mut transitions = Vec::new();
    let mut tell = |labels: &Labels, change, incident, observed: &Observed| {
        transitions.push(Transition {
            labels: labels.clone(),
            change,
            incident,
            observed: observed.clone(),
        });
    };
    all.retain(|labels, series| series.is_known_still(holding.get(labels)));
    let mut gone = Vec::new();
    for (labels, series) in all.iter_mut() {
        let seen = holding.get(labels);
        if let Some((change, incident)) = series.look(rule, seen, now) {
            tell(labels, change, incident, &series.observed);
            match series.known_ms().filter(|_| seen.is_some()) {
                Some(known_ms) => {
                    series.state = State::Known {
                        since_ms: now,
                        known_ms,
                        incident: incident.unwrap_or_default(),
                    };
                }
                None => gone.push(labels.clone()),
            }
        }
    }
    for (labels, observed) in &holding {
        if !all.contains_key(labels) {
            let state = State::Pending { since_ms: now };
            let observed = observed.clone();
            tell(labels, Change::Pending, None, &observed);
            all.insert(labels.clone(), Series { state, observed });
        }
    }
    for labels in &gone {
        all.remove(labels);
    }
    for (labels, series) in all.iter_mut() {
        let State::Pending { since_ms } = series.state else {
            continue;
        };
        if now - since_ms >= ms(rule.hold) {
            let incident = *next;
            *next += 1;
            series.state = State::Firing {
                since_ms: now,
                incident,
                over_ms: None,
                known_ms: None,
            };
            tell(labels, Change::Firing, Some(incident), &series.observed);
        }
    }
    transitions
}

impl Series {
    /// The newest session that somebody acknowledged while it fired.
    fn known_ms(&self) -> Option<i64> {
        match self.state {
            State::Firing { known_ms, .. } => known_ms,
            State::Pending { .. } | State::Known { .. } => None,
        }
    }

    /// Whether somebody knows all that is `seen` of it, or it is not one that is over for them.
    fn is_known_still(&self, seen: Option<&Observed>) -> bool {
        match self.state {
            State::Known { known_ms, .. } => seen.is_some_and(|seen| seen.newest_ms <= known_ms),
            State::Pending { .. } | State::Firing { .. } => true,
        }
    }

    /// Looks whether it still holds, as it was `seen` to if so. Returns how it ends, if it does.
    fn look(
        &mut self,
        rule: &Rule,
        seen: Option<&Observed>,
        now: i64,
    ) -> Option<(Change, Option<u64>)> {
        if let Some(seen) = seen {
            self.observed = seen.clone();
        }
        let State::Firing {
            over_ms,
            incident,
            known_ms,
            ..
        } = &mut self.state
        else {
            let is_over = matches!(self.state, State::Pending { .. }) && seen.is_none();
            return is_over.then_some((Change::Inactive, None));
        };
        // What somebody knows of is over for them, until there is more of it.
        let is_known = |seen: &Observed| known_ms.is_some_and(|known| seen.newest_ms <= known);
        let is_on = match &rule.check {
            Check::Escalated => seen.is_some_and(|seen| !is_known(seen)),
            _ => seen.is_some(),
        };
        if is_on {
            *over_ms = None;
            return None;
        }
        let over = *over_ms.get_or_insert(now);
        (now - over >= ms(rule.keep_firing)).then_some((Change::Resolved, Some(*incident)))
    }
}
