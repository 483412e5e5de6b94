//! Random histories: sessions of several projects, each a failure and what was tried against it,
//! told as runs or as lines of the journal.

use std::sync::OnceLock;

use auto_recovery::RecoveryStrategyType::{self, Alternative, Fix, Retry, Rollback};
use auto_recovery::learn::{
    Counting, Evidence, FailureKey, History, Incident, LearnMode, LearnScope, LearnSettings,
    Moment, Run, Salt, Trial, Unit, advise, step_name,
};
use auto_recovery::plan::Advice;
use auto_recovery::recipe::Tier;
use auto_recovery::testing::Random;
use auto_recovery::{Category, Failure};
use serde_json::{Value, json};

use super::world::unit;

pub(super) const HERE: &str = "/project/here";
pub(super) const SALT: Salt = Salt(11);
pub(super) const DAY: i64 = 86_400;
/// Midnight before the moment at which all is looked at.
pub(super) const TODAY: i64 = 20_400 * DAY;
/// The machine that counts.
pub(super) const HOST: &str = "this-machine";

/// How it counts.
pub(super) const COUNTING: Counting<'_> = Counting {
    salt: SALT,
    host: None,
    person: std::time::Duration::from_secs(600),
};

/// Seconds of an unknown step.
pub(super) const USUAL: f64 = 30.0;

/// A strategy of the shipped plan: kind, recipe with its tier, action, and whether it was typed.
type Strategy = (
    RecoveryStrategyType,
    Option<(&'static str, Tier)>,
    &'static str,
    bool,
);

fn strategies() -> [Strategy; 8] {
    [
        (Fix, None, "./typed-a", true),
        (Fix, None, "./typed-b", true),
        (Fix, None, "./agent", false),
        (Fix, Some(("own", Tier::Safe)), "own", false),
        (Fix, Some(("fetch", Tier::Network)), "fetch", false),
        (Retry, None, "run it again", false),
        (Alternative, None, "./other", false),
        (Rollback, None, "back", false),
    ]
}

/// The shipped plan. Any part of it may stand for a plan.
pub(super) fn shipped() -> &'static [Unit] {
    static SHIPPED: OnceLock<Vec<Unit>> = OnceLock::new();
    SHIPPED.get_or_init(|| {
        let unit = |(kind, recipe, action, typed): Strategy| Unit {
            name: step_name(&kind, recipe.map(|one| one.0), action),
            first: 1,
            tries: if kind == Retry { 2 } else { 1 },
            asked: recipe.is_none() && kind != Retry,
            tier: recipe.map(|one| one.1),
            typed,
            kind,
        };
        strategies().map(unit).to_vec()
    })
}

/// A session: a failure, and what was tried against it.
#[derive(Clone, Debug)]
pub(super) struct Told {
    pub(super) id: String,
    pub(super) workspace: String,
    pub(super) host: String,
    pub(super) at: i64,
    pub(super) failure: usize,
    /// The place of each strategy, whether it cured, and its seconds.
    pub(super) trials: Vec<(usize, bool, f64)>,
}

/// Failures come in two classes, three of each.
pub(super) fn failure(number: usize) -> Failure {
    let kind = format!("E{}", number / 3);
    Failure::new(kind, ["one", "two", "three"][number % 3], "tool")
}

pub(super) fn key(number: usize) -> FailureKey {
    FailureKey::of(Category::Dependency, &failure(number))
}

impl Told {
    /// It as a run.
    pub(super) fn run(&self) -> Run {
        let trial = |(number, (place, won, seconds)): (usize, &(usize, bool, f64))| {
            let unit = &shipped()[*place];
            let again = self.trials[..number].iter().filter(|one| one.0 == *place);
            let step = match unit.kind {
                Retry => format!("{}#{}", unit.name, again.count() + 1),
                _ => unit.name.clone(),
            };
            Trial {
                at: Moment(self.at),
                step: step.into(),
                won: *won,
                seconds: *seconds,
                number: number as u64 + 1,
            }
        };
        let incident = Incident {
            failure: key(self.failure).into(),
            trials: self.trials.iter().enumerate().map(trial).collect(),
            at: Moment(self.at),
        };
        let mut run = Run::new(&self.id, &self.workspace, Moment(self.at), vec![incident]);
        run.host = self.host.as_str().into();
        run
    }

    /// It as lines of the journal.
    pub(super) fn lines(&self) -> Vec<String> {
        let mut at = self.at * 1_000_000;
        let line = |event: &str, at: i64, mut more: Value| {
            more["event"] = json!(event);
            more["at"] = json!(stamp(at));
            more["session_id"] = json!(self.id);
            more.to_string()
        };
        let failure = failure(self.failure);
        let mut lines = vec![
            line(
                "session_started",
                at,
                json!({"workspace": self.workspace, "host": self.host}),
            ),
            line(
                "failure_detected",
                at,
                json!({"category": "dependency", "failure": {"error_type": failure.error_type,
                    "message": failure.message, "source": failure.source}}),
            ),
        ];
        for (number, (place, won, seconds)) in self.trials.iter().enumerate() {
            let (kind, recipe, action, _) = strategies()[*place].clone();
            let id = format!("attempt_{number}");
            let begun = json!({"attempt_id": id, "attempt_number": number + 1, "action": action,
                "strategy": kind.as_str(), "recipe": recipe.map(|one| one.0)});
            lines.push(line("attempt_started", at, begun));
            at += (seconds * 1e6).round() as i64;
            let ended = json!({"attempt_id": id, "attempt_number": number + 1, "success": won,
                "exit_code": i32::from(!won)});
            lines.push(line("attempt_finished", at, ended));
        }
        let cured = self.trials.last().is_some_and(|one| one.1);
        let outcome = if cured { "recovered" } else { "escalated" };
        lines.push(line(
            "session_finished",
            at,
            json!({"outcome": outcome, "exit_code": 1}),
        ));
        lines
    }
}

fn stamp(micros: i64) -> String {
    let time = jiff::Timestamp::from_microsecond(micros).unwrap();
    format!("{time:.6}")
}

/// A history, a plan, and a failure against which advice is wanted.
#[derive(Clone, Debug)]
pub(super) struct Question {
    pub(super) told: Vec<Told>,
    pub(super) units: Vec<Unit>,
    pub(super) failure: usize,
    pub(super) now: i64,
    pub(super) person: f64,
    pub(super) others: bool,
}

impl Question {
    /// Any history; it ends before yesterday, so that nothing is remembered of this very failure.
    pub(super) fn any(dice: &mut Random) -> Self {
        let sessions = dice.one_of(&[0, 3, 12, 40, 90]);
        let chances: Vec<f64> = (0..8).map(|_| unit(dice) * unit(dice)).collect();
        let costs: Vec<f64> = (0..8).map(|_| 2.0 + 120.0 * unit(dice)).collect();
        let span = dice.one_of(&[5, 40, 200]);
        let workspaces = [HERE, HERE, HERE, "/project/b", "/project/c"];
        let mut told = Vec::new();
        for number in 0..sessions {
            let mut trials = Vec::new();
            for place in order(dice) {
                let seconds = costs[place] * (0.7 + 0.6 * unit(dice));
                let won = unit(dice) < chances[place];
                trials.push((place, won, (seconds * 1000.0).round() / 1000.0));
                if won {
                    break;
                }
            }
            let day = 2 + dice.below(span) as i64;
            told.push(Told {
                id: format!("session_{number:03}"),
                workspace: dice.one_of(&workspaces).to_owned(),
                host: HOST.to_owned(),
                at: TODAY - day * DAY + dice.below(80_000) as i64,
                failure: dice.index(6),
                trials,
            });
        }
        told.sort_by(|a, b| (a.at, &a.id).cmp(&(b.at, &b.id)));
        let units = shipped()
            .iter()
            .filter(|_| dice.chance(75))
            .cloned()
            .collect();
        Self {
            told,
            units,
            failure: dice.index(6),
            now: TODAY + 3600,
            person: 600.0,
            others: dice.chance(70),
        }
    }

    pub(super) fn settings(&self) -> LearnSettings {
        LearnSettings {
            mode: LearnMode::On,
            person: std::time::Duration::from_secs_f64(self.person),
            scope: match self.others {
                true => LearnScope::User,
                false => LearnScope::Workspace,
            },
            ..LearnSettings::default()
        }
    }

    pub(super) fn advice(&self) -> Advice {
        self.advice_of(self.told.iter().map(Told::run).collect())
    }

    /// The advice by `runs`.
    pub(super) fn advice_of(&self, runs: Vec<Run>) -> Advice {
        let evidence = Evidence::of_runs(runs, HERE, (SALT, Moment(self.now), &self.settings()));
        self.advice_by(&evidence)
    }

    pub(super) fn advice_by(&self, evidence: &Evidence) -> Advice {
        advise(&self.units, &key(self.failure), evidence, &self.settings())
    }
}

/// Some of the strategies in any order, most of the time cheap ones before the rest.
fn order(dice: &mut Random) -> Vec<usize> {
    let mut left: Vec<usize> = (0..8).collect();
    let mut order = Vec::new();
    while !left.is_empty() {
        let place = left.remove(dice.index(left.len()));
        order.push(place);
        // Retry has a second try.
        if place == 5 && dice.chance(50) {
            order.push(place);
        }
    }
    order
}

/// The runs that the journal `lines` tell.
pub(super) fn runs_of<'l>(lines: impl IntoIterator<Item = &'l String>) -> Vec<Run> {
    let mut history = History::default();
    for line in lines {
        history.read(line.as_bytes());
    }
    history.into_runs()
}
