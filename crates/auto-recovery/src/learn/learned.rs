//! The planner that goes by history: the shipped plan, in the order that counts advise.

use std::fmt;
use std::sync::Arc;

use crate::failure::Category;
use crate::learn::day::{DAY_SECONDS, Moment};
use crate::learn::estimate::{Estimate, rounded};
use crate::learn::evidence::{Evidence, Known};
use crate::learn::failure_key::FailureKey;
use crate::learn::guard::{
    GAIN_SECONDS_MIN, GAIN_SHARE_MIN, SURE_DEVIATIONS, certainty, gain, to_the_end,
};
use crate::learn::left_out::tries_left;
use crate::learn::order::{best_order, to_front};
use crate::learn::settings::{LearnMode, LearnSettings};
use crate::learn::step::{UNITS_MAX, Unit, all_steps, steps_of, units_of};
use crate::learn::words::{CURED_THIS, ago, left_out_in_words, sure_in_words};
use crate::plan::{
    Advice, AdviceStatus, Candidate, Case, Expected, LeftOut, Plan, Planner, StepFacts,
};
use crate::wording::{counted, long};

/// Trials, aged, without which nothing is advised.
const TRIALS_MIN: f64 = 5.0;

/// The time for which it is remembered what cured a very failure, in seconds.
const MEMORY_SECONDS: i64 = DAY_SECONDS;

/// A text as records have it.
pub type Mask = Arc<dyn Fn(&str) -> String + Send + Sync>;

/// Plans as another planner does, in the order that history advises.
pub struct Learned {
    /// The planner that decides what is tried at all, and in which order without history.
    pub shipped: Arc<dyn Planner>,
    /// What is known; in words why nothing is.
    pub evidence: Result<Evidence, String>,
    /// What the user says.
    pub settings: LearnSettings,
    /// Whether this session keeps the shipped order for comparison.
    pub control: bool,
    /// Makes texts as records have them.
    pub mask: Mask,
}

impl fmt::Debug for Learned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            shipped,
            evidence,
            settings,
            control,
            mask: _,
        } = self;
        let evidence = evidence.as_ref().map(|evidence| evidence.now);
        f.debug_struct("Learned")
            .field("shipped", shipped)
            .field("evidence", &evidence)
            .field("settings", settings)
            .field("control", control)
            .finish_non_exhaustive()
    }
}

impl Planner for Learned {
    fn plan(&self, case: &Case<'_>, candidates: &[Candidate]) -> Plan {
        let mut plan = self.shipped.plan(case, candidates);
        let Some(failure) = case
            .failure
            .filter(|_| self.settings.mode != LearnMode::Off)
        else {
            return plan;
        };
        let key = FailureKey::masked(case.category, failure, &*self.mask);
        let units = units_of(&plan, candidates, &*self.mask);
        let mut advice = match &self.evidence {
            Ok(evidence) => advise(&units, &key, evidence, &self.settings),
            Err(why) => unadvised(&units, &key, Moment::default(), why),
        };
        advice.control = self.control;
        advice.applied = self.settings.mode == LearnMode::On
            && !self.control
            && advice.status == AdviceStatus::Changed;
        if advice.applied {
            follow(&mut plan, &units, &advice);
        }
        plan.advice = Some(Box::new(advice));
        plan
    }

    fn masked(&self, text: &str) -> String {
        (self.mask)(text)
    }
}

/// Puts the steps of `plan`, which are `units`, into the order of `advice`.
fn follow(plan: &mut Plan, units: &[Unit], advice: &Advice) {
    let mut steps = Vec::with_capacity(plan.steps.len());
    let mut order = advice.order.iter().peekable();
    while let Some(step) = order.next() {
        let place = units.iter().position(|unit| steps_of(unit).contains(step));
        let Some(place) = place else {
            continue;
        };
        let of_unit = steps_of(&units[place]);
        let mut tries = 1;
        while order.next_if(|next| of_unit.contains(next)).is_some() {
            tries += 1;
        }
        let mut chosen = plan.steps[place];
        // Tries beyond those that have names of their own go with the last of them.
        if tries < units[place].tries {
            chosen.max_attempts = tries;
        }
        steps.push(chosen);
    }
    plan.steps = steps;
    let name = |step: &str| match step.strip_prefix("recipe:") {
        Some(recipe) => format!("recipe {recipe}"),
        None => step.to_owned(),
    };
    let left_out = left_out_in_words(&advice.left_out, &name).into_iter();
    plan.skipped
        .extend(left_out.map(|(what, why)| format!("{what}: {why}")));
}

/// What history advises against `failure`, where `units` are the shipped plan. The same evidence at
/// the same moment gives the same advice, to the bit.
pub fn advise(
    units: &[Unit],
    failure: &FailureKey,
    evidence: &Evidence,
    settings: &LearnSettings,
) -> Advice {
    let person = settings.person.as_secs_f64();
    let weighed = Weighed::of(units, failure, (evidence, person));
    if let Err(why) = may_advise(units, failure, evidence, settings) {
        let mut advice = unadvised(units, failure, evidence.now, &why);
        advice.steps = weighed.facts(&advice.shipped, &advice.shipped);
        if settings.mode == LearnMode::Off {
            advice.status = AdviceStatus::Off;
        }
        return advice;
    }
    let (mut order, mut left, mut why) = match weighed.too_few() {
        Some(why) => {
            let left = weighed.known.iter().map(Vec::len).collect();
            ((0..units.len()).collect(), left, why)
        }
        None => {
            let left = tries_left(units, &weighed.estimates, person);
            let (order, why) = weighed.order(units, &left, person);
            (order, left, why)
        }
    };
    let remembered = weighed.remembered(units, failure, evidence);
    // One cure may be chance: memory, too, begins after some trials, though of one day.
    let remembered = remembered.filter(|_| evidence.trials(failure) >= TRIALS_MIN as u64);
    if let Some((remembered, said)) = remembered {
        let moved = to_front(units, &order, remembered);
        let mut kept = left.clone();
        kept[remembered] = kept[remembered].max(1);
        let is_slower = weighed.is_slower((&moved, &kept), (&order, &left), person);
        if moved.first() == Some(&remembered) && !is_slower {
            why = match (&moved, &kept) == (&order, &left) {
                true => format!("{why}; what stands first {said}"),
                false => said,
            };
            (order, left) = (moved, kept);
        }
    }
    weighed.advice(units, failure, evidence, (&order, &left, person, why))
}

/// Whether anything may be advised; else why not.
fn may_advise(
    units: &[Unit],
    failure: &FailureKey,
    evidence: &Evidence,
    settings: &LearnSettings,
) -> Result<(), String> {
    if settings.mode == LearnMode::Off {
        return Err("learning is off".to_owned());
    }
    if units.is_empty() {
        return Err("nothing that is configured is for it".to_owned());
    }
    if units.len() > UNITS_MAX {
        let units = counted(units.len() as u64, "strategy");
        return Err(format!("the plan has {units}: more than are compared"));
    }
    if let Some(day) = evidence.tripped(failure) {
        return Err(format!(
            "the last recoveries that followed the advice took longer than expected without it: \
             off for 30 days since {day}"
        ));
    }
    let known: Vec<Known> = all_steps(units)
        .iter()
        .map(|step| evidence.known(failure, step))
        .collect();
    let of_this: f64 = known.iter().map(|known| known.this.n()).sum();
    if failure.class.category == Category::Unknown && of_this == 0.0 {
        return Err("this failure is unknown, and was not seen here before".to_owned());
    }
    Ok(())
}

/// No advice, because of `why`.
fn unadvised(units: &[Unit], failure: &FailureKey, now: Moment, why: &str) -> Advice {
    let shipped = all_steps(units);
    Advice {
        status: AdviceStatus::Abstained,
        why: why.to_owned(),
        day: now.day().to_string(),
        class: class_of(failure),
        units: units.to_vec(),
        order: shipped.clone(),
        shipped,
        ..Advice::default()
    }
}

fn class_of(failure: &FailureKey) -> [String; 3] {
    let class = &failure.class;
    [
        class.category.as_str().to_owned(),
        class.tool.clone(),
        class.error_type.clone(),
    ]
}

/// All that is known of the steps of some units.
struct Weighed {
    known: Vec<Vec<Known>>,
    estimates: Vec<Vec<Estimate>>,
}

impl Weighed {
    fn of(units: &[Unit], failure: &FailureKey, (evidence, person): (&Evidence, f64)) -> Self {
        let of_unit = |unit: &Unit| -> Vec<Known> {
            let steps = steps_of(unit);
            steps
                .iter()
                .map(|step| evidence.known(failure, step))
                .collect()
        };
        let known: Vec<Vec<Known>> = units.iter().map(of_unit).collect();
        let estimates = known.iter();
        let estimates = estimates
            .map(|known| {
                let of = |known| Estimate::of(known, person);
                known.iter().map(of).collect()
            })
            .collect();
        Self { known, estimates }
    }

    /// Says that there are too few trials to go by, where that is so.
    fn too_few(&self) -> Option<String> {
        let all = || self.known.iter().flatten();
        let trials: f64 = all().map(|known| known.here.n() + known.others.n()).sum();
        let tried: u64 = all().map(|known| known.here.whole()[1]).sum();
        let trials_here = counted(tried, "trial");
        (trials < TRIALS_MIN).then(|| format!("{trials_here} here: too few, the shipped order"))
    }

    /// The places of `units` in the order that is surely better; else in the shipped one.
    fn order(&self, units: &[Unit], left: &[usize], person: f64) -> (Vec<usize>, String) {
        let shipped: Vec<usize> = (0..units.len()).collect();
        let kept: Vec<Vec<Estimate>> = self
            .estimates
            .iter()
            .zip(left)
            .map(|(steps, tries)| steps[..*tries].to_vec())
            .collect();
        let new = best_order(units, &kept);
        if new == shipped {
            let says = "the shipped order is the best by the counts";
            return (shipped, says.to_owned());
        }
        let (all, places) = flat(&kept);
        let of = |order: &[usize]| -> Vec<usize> {
            order
                .iter()
                .flat_map(|unit| places[*unit].clone())
                .collect()
        };
        let (of_shipped, of_new) = (of(&shipped), of(&new));
        let (gained, deviation) = gain(&all, &of_shipped, &of_new, person);
        let steps: Vec<&Estimate> = of_shipped.iter().map(|place| &all[*place]).collect();
        let least = GAIN_SECONDS_MIN.max(GAIN_SHARE_MIN * to_the_end(&steps, person));
        if gained > SURE_DEVIATIONS * deviation && gained >= least {
            let sure = sure_in_words(certainty(gained, deviation));
            return (new, format!("faster by the counts, {sure}"));
        }
        let says = match gained >= least {
            true => "another order may be better, but that is not sure yet",
            false => "another order would gain next to nothing",
        };
        (shipped, says.to_owned())
    }

    /// Whether the first order of units, with the tries that are left of each, is surely slower
    /// than the second.
    fn is_slower(
        &self,
        (order, left): (&[usize], &[usize]),
        (other, left_of_other): (&[usize], &[usize]),
        person: f64,
    ) -> bool {
        let (all, places) = flat(&self.estimates);
        let order = places_of(&places, order, left);
        let other = places_of(&places, other, left_of_other);
        let (gained, deviation) = gain(&all, &other, &order, person);
        gained < -SURE_DEVIATIONS * deviation
    }

    /// The unit that cured this very failure last, and what is said of that.
    fn remembered(
        &self,
        units: &[Unit],
        failure: &FailureKey,
        evidence: &Evidence,
    ) -> Option<(usize, String)> {
        let now = evidence.now;
        let cured = |unit: &Unit| {
            let steps = steps_of(unit);
            let times = steps
                .iter()
                .filter_map(|step| evidence.cured_last(failure, step));
            // A time to come is that of a clock that was wrong.
            let is_of_late = |then: &Moment| (0..MEMORY_SECONDS).contains(&(now.0 - then.0));
            times.filter(is_of_late).max()
        };
        let units = units.iter().enumerate();
        let all = units.filter_map(|(place, unit)| Some((cured(unit)?, place)));
        let (then, place) = all.max_by_key(|(then, place)| (*then, std::cmp::Reverse(*place)))?;
        Some((place, format!("{CURED_THIS}{}", ago(then, now))))
    }

    fn advice(
        &self,
        units: &[Unit],
        failure: &FailureKey,
        evidence: &Evidence,
        (order, left, person, why): (&[usize], &[usize], f64, String),
    ) -> Advice {
        let shipped = all_steps(units);
        let of = |unit: &usize| steps_of(&units[*unit])[..left[*unit]].to_vec();
        let new: Vec<String> = order.iter().flat_map(of).collect();
        let left_out: Vec<LeftOut> = shipped
            .iter()
            .filter(|step| !new.contains(step))
            .map(|step| self.left_out(&shipped, step))
            .collect();
        let (all, places) = flat(&self.estimates);
        let of_new = places_of(&places, order, left);
        let of_shipped: Vec<usize> = (0..all.len()).collect();
        let (gained, deviation) = gain(&all, &of_shipped, &of_new, person);
        let refs =
            |order: &[usize]| -> Vec<&Estimate> { order.iter().map(|at| &all[*at]).collect() };
        let changed = new != shipped;
        let mut why = why;
        if changed
            && left_out.len() + new.len() == shipped.len()
            && new == rest(&shipped, &left_out)
        {
            why = "what is not worth its time is left out".to_owned();
        }
        let mut advice = Advice {
            expected: Expected {
                shipped: rounded(to_the_end(&refs(&of_shipped), person)),
                order: rounded(to_the_end(&refs(&of_new), person)),
                sure: if changed {
                    rounded(certainty(gained, deviation))
                } else {
                    0.0
                },
            },
            summary: evidence.hash(failure, &shipped),
            order: new,
            left_out,
            ..unadvised(units, failure, evidence.now, &why)
        };
        if changed {
            advice.status = AdviceStatus::Changed;
        }
        let gone = advice.left_out.iter().map(|one| &one.step);
        let told: Vec<String> = advice.order.iter().chain(gone).cloned().collect();
        advice.steps = self.facts(&shipped, &told);
        advice
    }

    /// Why `step`, one of all `steps`, is left out.
    fn left_out(&self, steps: &[String], step: &str) -> LeftOut {
        let (all, _) = flat(&self.estimates);
        let known: Vec<&Known> = self.known.iter().flatten().collect();
        let place = steps.iter().position(|one| one == step).unwrap_or(0);
        let [cured, tried] = known[place].here.whole();
        let (_, high) = all[place].interval();
        LeftOut {
            step: step.to_owned(),
            why: format!(
                "cured {cured} of {tried} such failures here: {} for a chance of at most {:.0} %",
                long(all[place].seconds),
                high * 100.0
            ),
        }
    }

    /// What is known of each of `steps`, which are some of `all`.
    fn facts(&self, all: &[String], steps: &[String]) -> Vec<StepFacts> {
        let (estimates, _) = flat(&self.estimates);
        let known: Vec<&Known> = self.known.iter().flatten().collect();
        let place = |step: &String| all.iter().position(|one| one == step);
        let fact = |(step, place): (&String, usize)| {
            let (low, high) = estimates[place].interval();
            StepFacts {
                step: step.clone(),
                here: known[place].here.whole(),
                others: known[place].others.whole(),
                chance: rounded(estimates[place].chance),
                low: rounded(low),
                high: rounded(high),
                seconds: rounded(estimates[place].seconds),
            }
        };
        let steps = steps.iter();
        steps
            .filter_map(|step| Some((step, place(step)?)))
            .map(fact)
            .collect()
    }
}

/// `steps` without those left out.
fn rest(steps: &[String], left_out: &[LeftOut]) -> Vec<String> {
    let is_left = |step: &&String| !left_out.iter().any(|one| one.step == **step);
    steps.iter().filter(is_left).cloned().collect()
}

/// The places of the steps of `order`, as many of each unit as are `left`.
fn places_of(places: &[Vec<usize>], order: &[usize], left: &[usize]) -> Vec<usize> {
    let of = |unit: &usize| places[*unit][..left[*unit]].to_vec();
    order.iter().flat_map(of).collect()
}

/// All of `steps` in one row, and the places of each unit's in it.
fn flat(steps: &[Vec<Estimate>]) -> (Vec<Estimate>, Vec<Vec<usize>>) {
    let mut places = Vec::with_capacity(steps.len());
    let mut all = Vec::new();
    for of_unit in steps {
        places.push((all.len()..all.len() + of_unit.len()).collect());
        all.extend_from_slice(of_unit);
    }
    (all, places)
}
