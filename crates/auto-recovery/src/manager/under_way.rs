//! A recovery under way: what it works with, and what is known of it so far.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::attempt::RecoveryAttempt;
use crate::error::Error;
use crate::exit::shell_code;
use crate::failure::{Context, Failure};
use crate::manager::incident::Incident;
use crate::manager::parts::Parts;
use crate::manager::step::Step;

/// What a step does, and on which tree.
pub(super) type Deed = (String, String, Option<String>);

/// A recovery under way.
pub(super) struct Recovering<'m> {
    pub(super) parts: Parts<'m>,
    pub(super) context: &'m Context,
    pub(super) incident: Incident,
    /// The failure the next attempt faces: the first one, or that of a kept ground.
    pub(super) current: Failure,
    /// The failure the attempt being recorded faced; `current` may have moved on.
    pub(super) faced: Failure,
    pub(super) session_id: Option<String>,
    pub(super) attempts: Vec<RecoveryAttempt>,
    /// Whether a failed attempt's changes are still in the tree.
    pub(super) kept: bool,
    /// Whether what the command left in a failed retry may still be in the tree.
    pub(super) left: bool,
    /// Why the attempt being recorded could not be put back, which ends the recovery.
    pub(super) not_put_back: Option<Error>,
    /// Paths changed by attempts whose changes are in the tree.
    pub(super) changed: BTreeSet<String>,
    /// Paths changed by attempts that no checkpoint covers, or by somebody else meanwhile.
    pub(super) not_covered: BTreeSet<String>,
    /// Names the attempt under way in the journal.
    pub(super) attempt_id: String,
    /// Whether what failed attempts had left was put back at the end.
    pub(super) put_back: bool,
    /// Why nothing more was tried although something was left to try.
    pub(super) stopped: Option<String>,
    /// Why the deadline ends it although it has not passed.
    pub(super) out_of_time: Option<String>,
    /// The steps that were planned anew on the ground that the attempt being recorded left.
    pub(super) anew: Option<Vec<Step<'m>>>,
    /// How many trees were built upon, the first included.
    pub(super) grounds: u32,
    /// What was tried, and how often: recipes by the tree they were tried on.
    pub(super) done: BTreeMap<Deed, u32>,
    /// What was not tried because somebody did not agree to it, and why.
    pub(super) declined: Vec<String>,
    /// Why the change of the last attempt, with which the command passed, was not kept.
    pub(super) refused: Option<String>,
    /// How the command ended last, as a shell reports it.
    pub(super) last_exit: Option<i32>,
    /// When what is recovered began, on the host's monotonic clock.
    pub(super) started: Duration,
}

impl<'m> Recovering<'m> {
    /// A recovery of `incident` that has not tried anything yet.
    pub(super) fn new(
        parts: Parts<'m>,
        session_id: Option<String>,
        incident: Incident,
        context: &'m Context,
    ) -> Self {
        Self {
            current: incident.failure.clone(),
            faced: incident.failure.clone(),
            last_exit: shell_code(incident.exit_code, incident.signal),
            started: incident.began.unwrap_or_else(|| parts.host.monotonic()),
            parts,
            context,
            incident,
            session_id,
            attempts: Vec::new(),
            kept: false,
            left: false,
            not_put_back: None,
            changed: BTreeSet::new(),
            not_covered: BTreeSet::new(),
            attempt_id: String::new(),
            put_back: false,
            stopped: None,
            out_of_time: None,
            anew: None,
            grounds: 1,
            done: BTreeMap::new(),
            declined: Vec::new(),
            refused: None,
        }
    }
}
