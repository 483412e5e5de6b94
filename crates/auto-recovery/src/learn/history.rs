//! From the records of the journal to what counts.
//!
//! A trial is an attempt of `recover run` whose strategy acted and after which the command was run
//! again, or that stood in for it. These are none: what was only logged, an attempt that a deadline
//! or the user cut off, a run that died, and a pass on a tree that an earlier attempt left changed,
//! which credits nobody. A cure that touched what is protected, that somebody refused, or that was
//! taken back later counts as a failure: else cheating would be learned.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::failure::Category;
use crate::learn::day::Moment;
use crate::learn::failure_key::FailureKey;
use crate::learn::reading::{Line, Status, Text, text_of};
use crate::learn::step::{nth, step_name};
use crate::statistics::instant;
use crate::strategy::RecoveryStrategyType;

/// A try of a step, and what came of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Trial {
    /// When it ended.
    pub at: Moment,
    /// The step.
    pub step: Arc<str>,
    /// Whether it cured the failure.
    pub won: bool,
    /// From act to the end of the undo; of a retry with the delay before it.
    pub seconds: f64,
    /// The number of the attempt.
    pub number: u64,
}

/// A failure that was faced, and the trials against it.
#[derive(Clone, Debug, PartialEq)]
pub struct Incident {
    /// The failure; few are met many times.
    pub failure: Arc<FailureKey>,
    /// The trials, in order.
    pub trials: Vec<Trial>,
    /// When it was seen.
    pub at: Moment,
}

/// What a session was advised.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Advised {
    /// Whether another order than the shipped one was advised.
    pub(super) changed: bool,
    pub(super) applied: bool,
    pub(super) control: bool,
    pub(super) shipped: f64,
}

/// A recovery of `recover run`, from its beginning to its end.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    /// The session.
    pub session_id: Arc<str>,
    /// The workspace, as a path.
    pub workspace: Arc<str>,
    /// The machine.
    pub host: Arc<str>,
    /// When it ended.
    pub ended: Moment,
    /// The failures that were faced, in order.
    pub incidents: Vec<Incident>,
    pub(super) advised: Option<Advised>,
    pub(super) outcome: Outcome,
    pub(super) duration_seconds: f64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Outcome {
    Recovered,
    Escalated,
    #[default]
    Other,
}

impl Run {
    /// A run of `workspace` that ended with or without a cure, and in which `incidents` were faced.
    pub fn new(session_id: &str, workspace: &str, ended: Moment, incidents: Vec<Incident>) -> Self {
        let last = incidents.last().and_then(|incident| incident.trials.last());
        let cured = last.is_some_and(|trial| trial.won);
        Self {
            session_id: session_id.into(),
            workspace: workspace.into(),
            host: Arc::default(),
            ended,
            outcome: if cured {
                Outcome::Recovered
            } else {
                Outcome::Escalated
            },
            duration_seconds: 0.0,
            incidents,
            advised: None,
        }
    }

    /// How long its recovery took, somebody who has to look at its end included; `None` where it
    /// did not come to an end.
    pub(super) fn realised(&self, person: f64) -> Option<f64> {
        let trials = self.incidents.iter().flat_map(|one| &one.trials);
        let tried: f64 = trials.map(|trial| trial.seconds).sum();
        match self.outcome {
            Outcome::Recovered => Some(tried),
            Outcome::Escalated => Some(tried + person),
            Outcome::Other => None,
        }
    }
}

/// Which runs count.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Those of this machine alone, if given.
    pub host: Option<String>,
    /// Those that ended no later than this, if given.
    pub until: Option<Moment>,
}

impl Filter {
    /// Whether `run` counts.
    pub fn takes(&self, run: &Run) -> bool {
        let is_here = self.host.as_ref().is_none_or(|host| *run.host == **host);
        is_here && self.until.is_none_or(|until| run.ended <= until)
    }
}

/// Reads records, in the order of the journal.
#[derive(Debug, Default)]
pub struct History {
    sessions: HashMap<Arc<str>, Session>,
    /// The failures met, by a hash of their texts: a journal tells few of them many times.
    known: HashMap<([u8; 32], Category), Arc<FailureKey>>,
    names: Names,
    watched: Watched,
    /// The session at whose failure the history ends, and whether it has.
    before: Option<(String, bool)>,
}

/// The newest failure of one workspace.
#[derive(Debug, Default)]
struct Watched {
    workspace: String,
    /// The machine; `None` for any.
    host: Option<String>,
    /// The session that met it.
    session_id: Option<Arc<str>>,
    /// Its record, as it is written.
    record: Vec<u8>,
}

/// The newest failure in a workspace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewestFailure<'a> {
    /// The session that met it.
    pub session_id: &'a str,
    /// Its record, as it is written.
    pub record: &'a [u8],
}

/// The names of workspaces, machines and steps: each is kept once.
#[derive(Debug, Default)]
struct Names(HashSet<Arc<str>>);

impl Names {
    fn get(&mut self, name: &str) -> Arc<str> {
        if let Some(known) = self.0.get(name) {
            return Arc::clone(known);
        }
        let new: Arc<str> = name.into();
        self.0.insert(Arc::clone(&new));
        new
    }
}

#[derive(Debug, Default)]
struct Session {
    done: Vec<Run>,
    /// Boxed, for of a hundred thousand sessions next to none is open.
    open: Option<Box<Open>>,
}

/// A run that has not ended.
#[derive(Debug)]
struct Open {
    run: Run,
    /// The attempt that has begun: its id, step, and beginning in microseconds.
    begun: Option<(String, Arc<str>, i64)>,
    /// How often each step was begun since the failure was seen.
    tries: Vec<(String, u32)>,
    /// The end of the step before, in microseconds.
    since: i64,
    /// Whether an attempt against this failure left the tree changed.
    kept: bool,
}

impl History {
    /// A history that remembers the newest failure of `workspace`, on the machine `host` if given.
    pub fn watching(workspace: &str, host: Option<&str>) -> Self {
        Self {
            watched: Watched {
                workspace: workspace.to_owned(),
                host: host.map(str::to_owned),
                ..Watched::default()
            },
            ..Self::default()
        }
    }

    /// The history that was there when the session `session_id` met its first failure.
    pub fn before(session_id: &str) -> Self {
        Self {
            before: Some((session_id.to_owned(), false)),
            ..Self::default()
        }
    }

    /// The newest failure in the workspace that is watched. `None` says that the store is to be
    /// asked: none was seen, or it was removed since, or it is encrypted.
    pub fn newest_failure(&self) -> Option<NewestFailure<'_>> {
        let Watched {
            session_id, record, ..
        } = &self.watched;
        let session_id = session_id.as_deref()?;
        Some(NewestFailure { session_id, record })
    }

    /// Takes the text of a record. What is none, or says nothing of a recovery, is passed over.
    pub fn read(&mut self, raw: &[u8]) {
        let Ok(line) = serde_json::from_slice::<Line<'_>>(raw) else {
            return;
        };
        let Some(Text(id)) = &line.session_id else {
            return;
        };
        let id: &str = id;
        if let Some((session_id, has_ended)) = &mut self.before {
            *has_ended |= line.event == "failure_detected" && *session_id == id;
            if *has_ended {
                return;
            }
        }
        match &*line.event {
            "session_cleared" | "session_pruned" => self.remove(id),
            "session_started" => self.begin(&line),
            "failure_detected" => {
                self.watch(&line, raw);
                self.face(line);
            }
            "failure_changed" => self.face(line),
            "attempt_started" | "attempt_finished" | "session_finished" | "restored" => {
                if let Some(session) = self.sessions.get_mut(id) {
                    session.read(&line, &mut self.names);
                }
            }
            _ => {}
        }
    }

    /// The runs, in the order in which they ended.
    pub fn into_runs(self) -> Vec<Run> {
        let mut runs: Vec<Run> = self
            .sessions
            .into_values()
            .flat_map(|one| one.done)
            .collect();
        runs.sort_by(|a, b| (a.ended, &a.session_id).cmp(&(b.ended, &b.session_id)));
        runs
    }

    fn remove(&mut self, id: &str) {
        self.sessions.remove(id);
        if self.watched.session_id.as_deref() == Some(id) {
            self.watched.session_id = None;
        }
    }

    /// Remembers `raw`, the record `line` of a failure, if it is of the workspace that is watched.
    fn watch(&mut self, line: &Line<'_>, raw: &[u8]) {
        let session = self.sessions.get(text_of(line.session_id.as_ref()));
        if let Some(Open { run, .. }) = session.and_then(|session| session.open.as_deref())
            && *run.workspace == *self.watched.workspace
            && self
                .watched
                .host
                .as_ref()
                .is_none_or(|host| **host == *run.host)
        {
            let is_whole = line.private.is_none();
            self.watched.session_id = is_whole.then(|| Arc::clone(&run.session_id));
            self.watched.record.clear();
            self.watched.record.extend_from_slice(raw);
        }
    }

    fn begin(&mut self, line: &Line<'_>) {
        let (Some(Text(id)), Some(Text(workspace))) = (&line.session_id, &line.workspace) else {
            return;
        };
        let id: Arc<str> = (**id).into();
        let session = self.sessions.entry(Arc::clone(&id)).or_default();
        session.open = Some(Box::new(Open {
            run: Run {
                session_id: id,
                workspace: self.names.get(workspace),
                host: self.names.get(text_of(line.host.as_ref())),
                ended: Moment::default(),
                incidents: Vec::new(),
                advised: None,
                outcome: Outcome::Other,
                duration_seconds: 0.0,
            },
            begun: None,
            tries: Vec::new(),
            since: micros(&line.at),
            kept: false,
        }));
    }

    fn face(&mut self, line: Line<'_>) {
        let id = text_of(line.session_id.as_ref());
        let session = self.sessions.get_mut(id);
        let Some(open) = session.and_then(|session| session.open.as_mut()) else {
            return;
        };
        let (Some(text), Some(category)) = (line.failure, line.category) else {
            return;
        };
        let known = self.known.entry((text.hash(), category));
        let failure =
            known.or_insert_with(|| Arc::new(FailureKey::of(category, &text.into_failure())));
        let at = micros(&line.at);
        make_room_for_one(&mut open.run.incidents);
        open.run.incidents.push(Incident {
            failure: Arc::clone(failure),
            trials: Vec::new(),
            at: Moment(at.div_euclid(1_000_000)),
        });
        if open.run.advised.is_none() {
            open.run.advised = line.advice.map(|advice| Advised {
                changed: advice.status == Status::Changed,
                applied: advice.applied,
                control: advice.control,
                shipped: advice.expected.shipped,
            });
        }
        open.tries.clear();
        open.since = at;
        open.kept = false;
    }
}

impl Session {
    fn read(&mut self, line: &Line<'_>, names: &mut Names) {
        match &*line.event {
            "restored" => self.take_back(line.attempt_number.unwrap_or(0)),
            "session_finished" => {
                if let Some(mut open) = self.open.take() {
                    open.end(line);
                    make_room_for_one(&mut self.done);
                    self.done.push(open.run);
                }
            }
            event => {
                if let Some(open) = &mut self.open {
                    match event {
                        "attempt_started" => open.attempt(line, names),
                        _ => open.attempted(line),
                    }
                }
            }
        }
    }

    /// What was cured after attempt `number` was taken back.
    fn take_back(&mut self, number: u64) {
        let open = self.open.iter_mut().map(|open| &mut open.run);
        let incidents = self
            .done
            .iter_mut()
            .chain(open)
            .flat_map(|run| &mut run.incidents);
        for trial in incidents.flat_map(|incident| &mut incident.trials) {
            trial.won &= trial.number <= number;
        }
    }
}

impl Open {
    fn attempt(&mut self, line: &Line<'_>, names: &mut Names) {
        let kind = text_of(line.strategy.as_ref());
        let kind = RecoveryStrategyType::from(kind.to_owned());
        let action = text_of(line.action.as_ref());
        let name = step_name(&kind, line.recipe.as_ref().map(|recipe| &*recipe.0), action);
        let place = self.tries.iter().position(|(known, _)| *known == name);
        let place = place.unwrap_or_else(|| {
            self.tries.push((name.clone(), 0));
            self.tries.len() - 1
        });
        self.tries[place].1 += 1;
        let step = names.get(&nth(&name, self.tries[place].1));
        let id = text_of(line.attempt_id.as_ref()).to_owned();
        let at = micros(&line.at);
        let from = if kind == RecoveryStrategyType::Retry {
            self.since
        } else {
            at
        };
        // What is given and cannot be read cannot be told from others.
        let is_hidden = action.is_empty() && name.starts_with("given:");
        self.begun = (!is_hidden).then_some((id, step, from));
    }

    fn attempted(&mut self, line: &Line<'_>) {
        let at = micros(&line.at);
        self.since = at;
        let was_kept = self.kept;
        self.kept |= line.kept;
        let id = text_of(line.attempt_id.as_ref());
        let Some((_, step, from)) = self.begun.take().filter(|begun| begun.0 == id) else {
            return;
        };
        let won = line.success && line.protected.is_empty();
        let stood_in = line.strategy_exit_code.is_some() && step.starts_with("given:");
        let ran_again = line.exit_code.is_some() || line.signal.is_some();
        let counts = ran_again || stood_in || !line.protected.is_empty();
        let passed_anyway =
            line.confirmed == Some(false) || (line.flaky && !step.starts_with("retry"));
        if !counts || (line.success && (was_kept || passed_anyway)) {
            return;
        }
        if let Some(incident) = self.run.incidents.last_mut() {
            make_room_for_one(&mut incident.trials);
            incident.trials.push(Trial {
                at: Moment(at.div_euclid(1_000_000)),
                step,
                won,
                seconds: (at - from).max(0) as f64 / 1e6,
                number: line.attempt_number.unwrap_or(0),
            });
        }
    }

    fn end(&mut self, line: &Line<'_>) {
        /// The exit code after the deadline.
        const TIMED_OUT: i32 = 124;

        self.run.ended = Moment(micros(&line.at).div_euclid(1_000_000));
        self.run.duration_seconds = line.duration_seconds;
        let outcome = text_of(line.outcome.as_ref());
        let was_cut_off = line.exit_code == Some(TIMED_OUT);
        self.run.outcome = match outcome {
            "recovered" => Outcome::Recovered,
            "escalated" if !was_cut_off => Outcome::Escalated,
            _ => Outcome::Other,
        };
        // The last attempt may have been the one that was cut off.
        if self.run.outcome == Outcome::Other
            && let Some(incident) = self.run.incidents.last_mut()
        {
            incident.trials.pop_if(|trial| !trial.won);
        }
    }
}

fn micros(at: &str) -> i64 {
    instant(at).unwrap_or(0)
}

/// Most have one, and the room that is made by itself is for four.
fn make_room_for_one<T>(list: &mut Vec<T>) {
    if list.is_empty() {
        list.reserve_exact(1);
    }
}
