//! What happens in a world under the learned order: failure by failure, the steps are tried in the
//! order that is advised, and what came of them is all that is learned.

use std::collections::BTreeMap;

use auto_recovery::learn::{
    Evidence, Incident, LearnMode, LearnSettings, Moment, Others, Run, Salt, Summary, Trial, advise,
};
use auto_recovery::plan::{Advice, AdviceStatus};
use auto_recovery::testing::Random;

use super::history::COUNTING;
use super::world::{Kind, STEPS, Truth, World, normal, unit};

const SALT: Salt = Salt(7);
const DAY: i64 = 86_400;
/// The day on which a world begins.
const BEGIN: i64 = 20_000;
/// How often a failure comes in a burst.
const BURST: u64 = 8;

/// What a failure cost under each policy, in seconds to the end, expected.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Cost {
    pub(super) learned: f64,
    pub(super) shipped: f64,
    pub(super) cheapest: f64,
    pub(super) best: f64,
}

/// What advice said of itself, and what was true.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Calibration {
    /// Advice that was 80 % sure, and how much of it was faster.
    pub(super) sure: u64,
    pub(super) faster: u64,
    /// Intervals that were given of steps that were tried, and how many had the true chance.
    pub(super) intervals: u64,
    pub(super) covered: u64,
}

/// What happened in a world.
#[derive(Debug, Default)]
pub(super) struct Story {
    /// By failure, in the order in which they came. Those of a forged project are not among them.
    pub(super) costs: Vec<Cost>,
    pub(super) calibration: Calibration,
}

/// Lives through `count` failures of `world`. Without `caps`, the trials of a day are not counted
/// as one: the control, which must do harm where failures come in bursts.
pub(super) fn live(world: &World, count: usize, dice: &mut Random, caps: bool) -> Story {
    let mut story = Story::default();
    let mut mind = Mind::new();
    let mut known: BTreeMap<String, (f64, f64, f64)> = BTreeMap::new();
    let mut at = BEGIN * DAY;
    let apart = if world.kind == Kind::TwoADay {
        DAY / 2
    } else {
        DAY / 20
    };
    while story.costs.len() < count {
        let is_shifted = story.costs.len() >= count / 2;
        let truth = world.draw(dice, is_shifted);
        let times = if world.kind == Kind::NullInBursts {
            burst(dice)
        } else {
            1
        };
        for time in 0..times {
            if time == 0 {
                at += apart;
            } else {
                at += 60;
            }
            let moment = Moment(at);
            let forged = world.kind == Kind::Forged && truth.project == 0;
            if forged {
                mind.learn_forged(truth, moment);
                continue;
            }
            let advice = mind.advise(truth, moment);
            let order = places(truth, &advice);
            let told = known
                .entry(format!("{:?}{}", truth.key, truth.project))
                .or_insert_with(|| {
                    let all: Vec<usize> = (0..truth.units.len()).collect();
                    (
                        truth.expected(&all),
                        truth.expected(&truth.cheapest()),
                        truth.best(),
                    )
                });
            if is_shifted && world.kind == Kind::Shifted {
                let all: Vec<usize> = (0..truth.units.len()).collect();
                *told = (
                    truth.expected(&all),
                    truth.expected(&truth.cheapest()),
                    truth.best(),
                );
            }
            let cost = Cost {
                learned: truth.expected(&order),
                shipped: told.0,
                cheapest: told.1,
                best: told.2,
            };
            story.costs.push(cost);
            story.calibration.note(truth, &advice, cost);
            let spread = if caps { 0 } else { time };
            mind.learn(
                truth,
                &order,
                Moment(at + i64::from(u8::from(!caps)) * spread as i64 * DAY),
                dice,
            );
        }
    }
    story.costs.truncate(count);
    story
}

/// The length of a burst, [`BURST`] on average.
fn burst(dice: &mut Random) -> u64 {
    let mut times = 1;
    while times < 60 && dice.below(BURST) > 0 {
        times += 1;
    }
    times
}

fn places(truth: &Truth, advice: &Advice) -> Vec<usize> {
    let place = |step: &String| {
        let name = step.split('#').next().unwrap();
        truth
            .units
            .iter()
            .position(|unit| unit.name == name)
            .unwrap()
    };
    advice.order.iter().map(place).collect()
}

impl Calibration {
    fn note(&mut self, truth: &Truth, advice: &Advice, cost: Cost) {
        if advice.status == AdviceStatus::Changed && advice.expected.sure >= 0.8 {
            self.sure += 1;
            self.faster += u64::from(cost.learned < cost.shipped);
        }
        for step in advice.steps.iter().filter(|step| step.here[1] >= 5) {
            let name = step.step.split('#').next().unwrap();
            let place = truth
                .units
                .iter()
                .position(|unit| unit.name == name)
                .unwrap();
            let chance = truth.chance(place);
            self.intervals += 1;
            self.covered += u64::from((step.low..=step.high).contains(&chance));
        }
    }
}

/// What the library knows in a world.
struct Mind {
    evidence: BTreeMap<usize, Evidence>,
    others: Others,
    runs: u64,
}

impl Mind {
    fn new() -> Self {
        let empty = Summary::new(&COUNTING);
        Self {
            evidence: BTreeMap::new(),
            others: Others::like(&empty),
            runs: 0,
        }
    }

    fn evidence(&mut self, project: usize) -> &mut Evidence {
        self.evidence.entry(project).or_insert_with(|| Evidence {
            summary: Summary::new(&COUNTING),
            others: None,
            salt: SALT,
            now: Moment(0),
        })
    }

    fn advise(&mut self, truth: &Truth, now: Moment) -> Advice {
        let others = self.others.clone().without(SALT, &workspace(truth.project));
        let evidence = self.evidence(truth.project);
        evidence.now = now;
        evidence.others = Some(others);
        let settings = LearnSettings {
            mode: LearnMode::On,
            ..LearnSettings::default()
        };
        let advice = advise(&truth.units, &truth.key, evidence, &settings);
        evidence.others = None;
        advice
    }

    /// Tries `order` against `truth`, and learns from what comes of it.
    fn learn(&mut self, truth: &Truth, order: &[usize], at: Moment, dice: &mut Random) {
        let mut share = unit(dice);
        let mut cause = 0;
        while cause + 1 < truth.causes.len() && share > truth.causes[cause].0 {
            share -= truth.causes[cause].0;
            cause += 1;
        }
        let mut trials = Vec::new();
        for place in order {
            let won = unit(dice) < truth.causes[cause].1[*place];
            let seconds = truth.costs[*place] * (0.2 * normal(dice)).exp();
            trials.push(trial(truth, *place, (won, seconds), at));
            if won {
                break;
            }
        }
        self.count(truth, trials, at);
    }

    /// In the forged project, what is slowest always cures, and the rest never does.
    fn learn_forged(&mut self, truth: &Truth, at: Moment) {
        let costs = truth.costs.iter().enumerate();
        let slowest = costs
            .max_by(|a, b| a.1.total_cmp(b.1))
            .map(|(place, _)| place);
        let all = 0..truth.units.len();
        let trials = all.map(|place| trial(truth, place, (Some(place) == slowest, 1.0), at));
        // Four times as many as an honest one: 44 % of all.
        for _ in 0..3 {
            self.count(truth, trials.clone().collect(), at);
        }
    }

    fn count(&mut self, truth: &Truth, trials: Vec<Trial>, at: Moment) {
        self.runs += 1;
        let incident = Incident {
            failure: truth.key.clone().into(),
            trials,
            at,
        };
        let session = format!("session_{}", self.runs);
        let run = Run::new(&session, &workspace(truth.project), at, vec![incident]);
        let summary = &mut self.evidence(truth.project).summary;
        if summary.add(&run, SALT) {
            summary.fold();
        }
        let summary = summary.clone();
        self.others.put_run(SALT, &run, &summary);
    }
}

fn workspace(project: usize) -> String {
    format!("/project/{project}")
}

fn trial(truth: &Truth, place: usize, (won, seconds): (bool, f64), at: Moment) -> Trial {
    let name = &truth.units[place].name;
    let step = match STEPS[0] == name {
        true => format!("{name}#1"),
        false => name.clone(),
    };
    Trial {
        at,
        step: step.into(),
        won,
        seconds,
        number: 1,
    }
}
