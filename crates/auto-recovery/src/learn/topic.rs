//! What history is asked about, all at once: each class of failures in each workspace.
//!
//! Who plans a run asks about one failure; a page shows what there is to ask about.

use std::collections::BTreeMap;

use crate::learn::class::Class;
use crate::learn::day::{DAY_SECONDS, Moment};
use crate::learn::evidence::Evidence;
use crate::learn::failure_key::FailureKey;
use crate::learn::history::Run;
use crate::learn::learned::advise;
use crate::learn::settings::LearnSettings;
use crate::plan::Advice;

/// The longest time that is looked ahead for a step to come back: some three years.
const BACK_DAYS_MAX: u32 = 1 << 10;

/// A class of failures in one workspace.
#[derive(Clone, Debug, PartialEq)]
pub struct Topic {
    /// The machine.
    pub host: String,
    /// The workspace, as a path.
    pub workspace: String,
    /// The class.
    pub class: Class,
    /// How often it was faced.
    pub failures: u64,
    /// When it was first seen.
    pub first: Moment,
    /// When it was last seen.
    pub last: Moment,
    /// The newest session that faced it; of those that were advised something, if any was.
    pub session_id: String,
}

/// All that `runs`, in the order of their ends, faced; what was seen last comes first.
pub fn topics(runs: &[Run]) -> Vec<Topic> {
    let mut all: BTreeMap<(&str, &str, &Class), (Topic, bool)> = BTreeMap::new();
    for run in runs {
        let is_advised = run.advised.is_some();
        for incident in &run.incidents {
            let class = &incident.failure.class;
            let key = (&*run.host, &*run.workspace, class);
            let (topic, was_advised) = all.entry(key).or_insert_with(|| {
                let topic = Topic {
                    host: run.host.to_string(),
                    workspace: run.workspace.to_string(),
                    class: class.clone(),
                    failures: 0,
                    first: incident.at,
                    last: incident.at,
                    session_id: String::new(),
                };
                (topic, false)
            });
            topic.failures += 1;
            topic.first = topic.first.min(incident.at);
            topic.last = topic.last.max(incident.at);
            if is_advised || !*was_advised {
                topic.session_id.clear();
                topic.session_id.push_str(&run.session_id);
                *was_advised |= is_advised;
            }
        }
    }
    let mut all: Vec<Topic> = all.into_values().map(|(topic, _)| topic).collect();
    // The sort is stable: what was seen at the same time keeps its order by name.
    all.sort_by_key(|topic| std::cmp::Reverse(topic.last));
    all
}

/// The days after which each step that `advice` leaves out is tried again, if nothing happens until
/// then. A step that stays away for more than three years has none.
pub fn days_until_back(
    advice: &Advice,
    failure: &FailureKey,
    evidence: &Evidence,
    settings: &LearnSettings,
) -> BTreeMap<String, u32> {
    let mut later = evidence.clone();
    let mut is_left_out = |step: &str, days: u32| {
        later.now = Moment(evidence.now.0 + i64::from(days) * DAY_SECONDS);
        let advice = advise(&advice.units, failure, &later, settings);
        advice.left_out.iter().any(|one| one.step == step)
    };
    let mut back = BTreeMap::new();
    for step in advice.left_out.iter().map(|one| &one.step) {
        let (mut out, mut tried) = (0, 1);
        while tried < BACK_DAYS_MAX && is_left_out(step, tried) {
            (out, tried) = (tried, tried * 2);
        }
        if tried == BACK_DAYS_MAX && is_left_out(step, tried) {
            continue;
        }
        while tried - out > 1 {
            let middle = out + (tried - out) / 2;
            match is_left_out(step, middle) {
                true => out = middle,
                false => tried = middle,
            }
        }
        back.insert(step.clone(), tried);
    }
    back
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::{Category, Failure};
    use crate::learn::class::Salt;
    use crate::learn::history::{Incident, Trial};
    use crate::learn::settings::LearnScope;
    use crate::learn::step::Unit;
    use crate::strategy::RecoveryStrategyType::Retry;

    const DAY: i64 = DAY_SECONDS;

    fn key(error_type: &str) -> FailureKey {
        FailureKey::of(
            Category::Transient,
            &Failure::new(error_type, "refused", "npm"),
        )
    }

    /// A session of day `day` in `workspace` in which a retry of 30 s did not cure `error_type`.
    fn run((id, workspace): (&str, &str), error_type: &str, day: i64) -> Run {
        let at = Moment(day * DAY);
        let trial = Trial {
            at,
            step: "retry#1".into(),
            won: false,
            seconds: 30.0,
            number: 1,
        };
        let incident = Incident {
            failure: key(error_type).into(),
            trials: vec![trial],
            at,
        };
        Run::new(id, workspace, at, vec![incident])
    }

    #[test]
    fn each_class_of_each_workspace_is_a_topic_the_last_seen_first() {
        let runs = [
            run(("a", "/shop"), "ECONNREFUSED", 1),
            run(("b", "/till"), "ECONNREFUSED", 2),
            run(("c", "/shop"), "ECONNREFUSED", 3),
            run(("d", "/shop"), "ETIMEDOUT", 2),
        ];
        let found = topics(&runs);
        let told: Vec<(&str, &str, u64, &str)> = found
            .iter()
            .map(|one| {
                let class = &*one.class.error_type;
                (&*one.workspace, class, one.failures, &*one.session_id)
            })
            .collect();
        let expected = [
            ("/shop", "ECONNREFUSED", 2, "c"),
            ("/shop", "ETIMEDOUT", 1, "d"),
            ("/till", "ECONNREFUSED", 1, "b"),
        ];
        assert_eq!(told, expected);
        assert_eq!(
            (found[0].first, found[0].last),
            (Moment(DAY), Moment(3 * DAY))
        );
    }

    #[test]
    fn what_is_left_out_comes_back_on_the_day_that_is_told() {
        let runs: Vec<Run> = (0..60)
            .map(|day| run((&format!("s{day}"), "/shop"), "ECONNREFUSED", day))
            .collect();
        let now = Moment(60 * DAY);
        let of_workspace = LearnSettings {
            scope: LearnScope::Workspace,
            ..LearnSettings::default()
        };
        let evidence = Evidence::of_runs(runs, "/shop", (Salt::default(), now, &of_workspace));
        let unit = |name: &str, asked| Unit {
            name: name.to_owned(),
            first: 1,
            tries: 1,
            kind: Retry,
            tier: None,
            asked,
            typed: false,
        };
        let units = [unit("retry", false), unit("given:1", true)];
        let settings = LearnSettings::default();
        let failure = key("ECONNREFUSED");
        let at = |days: u32| {
            let mut later = evidence.clone();
            later.now = Moment(now.0 + i64::from(days) * DAY);
            advise(&units, &failure, &later, &settings)
        };
        let left: Vec<String> = at(0).left_out.into_iter().map(|one| one.step).collect();
        assert_eq!(left, ["retry#1"]);
        let back = days_until_back(&at(0), &failure, &evidence, &settings)["retry#1"];
        assert!(back > 1, "{back}");
        assert_eq!(at(back - 1).left_out.len(), 1);
        assert_eq!(at(back).left_out, []);
    }
}
