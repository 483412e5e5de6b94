//! Planners without chance or history: the specification's order of each category, and an order
//! that the caller gives.

use std::time::Duration;

use crate::failure::Category;
use crate::plan::candidate::Candidate;
use crate::plan::planner::{Case, Chosen, Plan, Planner};
use crate::strategy::RecoveryStrategyType::{self, Alternative, Fix, Retry, Rollback};

/// Longest run of a failing test that is repeated before the first fix.
const RERUN_FIRST_MAX: Duration = Duration::from_secs(120);

/// The specification's order of the failure's category.
///
/// Unavailable strategies are never tried. A kind that was asked for and that the category's order
/// lacks comes after it: a user who asks for a retry of a lint failure gets it. Rollback comes
/// after all others. A failing test is run again before a fix changes code that may not be broken,
/// unless that takes too long.
#[derive(Clone, Copy, Debug, Default)]
pub struct CategoryOrder;

impl Planner for CategoryOrder {
    fn plan(&self, case: &Case<'_>, candidates: &[Candidate]) -> Plan {
        let available = candidates.iter().enumerate();
        let available: Vec<_> = available.filter(|(_, one)| one.available).collect();
        let first = rerun_first(case, &available);
        let mut steps: Vec<_> = first
            .map(|(place, _)| chosen(place, 1))
            .into_iter()
            .collect();
        for kind in kinds(case.category, &available) {
            for (place, candidate) in &available {
                if candidate.kind != kind {
                    continue;
                }
                let is_first = first.is_some_and(|(first, _)| first == *place);
                match is_first {
                    false => steps.push(chosen(*place, candidate.max_attempts)),
                    true => steps.extend(after_first(candidate).map(|times| chosen(*place, times))),
                }
            }
        }
        Plan {
            steps,
            ..Plan::default()
        }
    }
}

/// The given kinds, in this order, available or not: the caller names them. A kind that is named
/// twice is tried twice.
#[derive(Clone, Debug)]
pub struct GivenOrder(pub Vec<RecoveryStrategyType>);

impl Planner for GivenOrder {
    fn plan(&self, _case: &Case<'_>, candidates: &[Candidate]) -> Plan {
        let mut plan = Plan::default();
        for kind in &self.0 {
            let before = plan.steps.len();
            let places = candidates.iter().enumerate();
            let places = places.filter(|(_, candidate)| candidate.kind == *kind);
            let steps = places.map(|(place, candidate)| chosen(place, candidate.max_attempts));
            plan.steps.extend(steps);
            if plan.steps.len() == before {
                plan.skipped.push(format!("{kind}: nothing here tries it"));
            }
        }
        plan
    }
}

fn chosen(candidate: usize, max_attempts: u32) -> Chosen {
    Chosen {
        candidate,
        max_attempts,
        propensity: 1.0,
    }
}

/// The specification's strategies for `category`, in its order.
fn order(category: Category) -> &'static [RecoveryStrategyType] {
    match category {
        Category::Transient => &[Retry, Fix],
        Category::CodeQuality => &[Fix, Alternative],
        Category::TestFailure | Category::Unknown => &[Fix, Retry, Alternative],
        Category::Dependency => &[Alternative, Fix],
    }
}

/// The kinds to try for `category`, in order and each once.
fn kinds(category: Category, available: &[(usize, &Candidate)]) -> Vec<RecoveryStrategyType> {
    let has = |kind: &RecoveryStrategyType| available.iter().any(|(_, one)| one.kind == *kind);
    let own = order(category).iter().filter(|kind| has(kind));
    let mut kinds: Vec<_> = own.cloned().collect();
    for (_, candidate) in available.iter().filter(|(_, one)| one.asked) {
        if candidate.kind != Rollback && !kinds.contains(&candidate.kind) {
            kinds.push(candidate.kind.clone());
        }
    }
    if has(&Rollback) {
        kinds.push(Rollback);
    }
    kinds
}

/// The retry that gets one try before any fix.
fn rerun_first<'c>(
    case: &Case<'_>,
    available: &[(usize, &'c Candidate)],
) -> Option<(usize, &'c Candidate)> {
    let has_fixes = available.iter().any(|(_, one)| one.kind == Fix);
    let is_quick = case.took.is_some_and(|took| took <= RERUN_FIRST_MAX);
    if case.category != Category::TestFailure || !has_fixes || !is_quick {
        return None;
    }
    let mut retries = available.iter().filter(|(_, one)| one.kind == Retry);
    retries.next().copied()
}

/// The tries left to `retry` in its own place after its first try. A failure that showed again is
/// not flaky, unless the retry was asked for.
fn after_first(retry: &Candidate) -> Option<u32> {
    match retry.max_attempts {
        _ if !retry.asked => None,
        0 | 1 => None,
        u32::MAX => Some(u32::MAX),
        times => Some(times - 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use RecoveryStrategyType::Custom;

    fn candidate(kind: RecoveryStrategyType) -> Candidate {
        Candidate {
            action: kind.to_string(),
            recorded: kind.to_string(),
            kind,
            recipe: None,
            max_attempts: 3,
            ends_early: false,
            asked: false,
            typed: false,
            available: true,
        }
    }

    fn asked(kind: RecoveryStrategyType) -> Candidate {
        Candidate {
            asked: true,
            ..candidate(kind)
        }
    }

    fn of(category: Category) -> Case<'static> {
        Case {
            category,
            failure: None,
            took: None,
        }
    }

    /// The kinds of the plan, and the number of tries of each.
    fn planned(
        planner: &dyn Planner,
        case: &Case<'_>,
        candidates: &[Candidate],
    ) -> Vec<(RecoveryStrategyType, u32)> {
        let steps = planner.plan(case, candidates).steps.into_iter();
        steps
            .map(|step| (candidates[step.candidate].kind.clone(), step.max_attempts))
            .collect()
    }

    fn kinds_of(case: &Case<'_>, candidates: &[Candidate]) -> Vec<RecoveryStrategyType> {
        let planned = planned(&CategoryOrder, case, candidates).into_iter();
        planned.map(|(kind, _)| kind).collect()
    }

    #[test]
    fn each_category_has_the_order_of_the_specification() {
        let all = [Rollback, Alternative, Retry, Fix].map(candidate);
        let cases = [
            (Category::Transient, vec![Retry, Fix, Rollback]),
            (Category::CodeQuality, vec![Fix, Alternative, Rollback]),
            (
                Category::TestFailure,
                vec![Fix, Retry, Alternative, Rollback],
            ),
            (Category::Dependency, vec![Alternative, Fix, Rollback]),
            (Category::Unknown, vec![Fix, Retry, Alternative, Rollback]),
        ];
        for (category, expected) in cases {
            assert_eq!(kinds_of(&of(category), &all), expected, "{category}");
        }
    }

    #[test]
    fn what_is_not_available_is_not_planned() {
        let mut none = [Fix, Retry, Alternative, Rollback].map(asked);
        none.iter_mut().for_each(|one| one.available = false);
        for category in Category::ALL {
            assert_eq!(kinds_of(&of(category), &[]), []);
            assert_eq!(kinds_of(&of(category), &none), []);
        }
    }

    #[test]
    fn what_was_asked_for_comes_after_the_categorys_own_and_before_rollback() {
        let given = [Retry, Custom("ask-agent".into()), Rollback, Fix].map(asked);
        assert_eq!(
            kinds_of(&of(Category::CodeQuality), &given),
            [Fix, Retry, Custom("ask-agent".into()), Rollback]
        );
    }

    #[test]
    fn a_kind_that_somebody_asked_for_is_tried_with_all_that_there_is_of_it() {
        let both = [candidate(Retry), asked(Retry)];
        assert_eq!(kinds_of(&of(Category::CodeQuality), &both), [Retry, Retry]);
        assert_eq!(kinds_of(&of(Category::CodeQuality), &both[..1]), []);
    }

    #[test]
    fn a_test_is_run_again_before_the_first_fix_where_that_is_quick() {
        let case = |took| Case {
            took,
            ..of(Category::TestFailure)
        };
        let quick = case(Some(Duration::from_secs(120)));
        let slow = case(Some(Duration::from_secs(121)));
        let times = |case: &Case<'_>, retry: Candidate, times| {
            let retry = Candidate {
                max_attempts: times,
                ..retry
            };
            planned(&CategoryOrder, case, &[candidate(Fix), retry])
        };
        let rows = [
            (&quick, candidate(Retry), 3, vec![(Retry, 1), (Fix, 3)]),
            (&quick, asked(Retry), 1, vec![(Retry, 1), (Fix, 3)]),
            (
                &quick,
                asked(Retry),
                3,
                vec![(Retry, 1), (Fix, 3), (Retry, 2)],
            ),
            (
                &quick,
                asked(Retry),
                u32::MAX,
                vec![(Retry, 1), (Fix, 3), (Retry, u32::MAX)],
            ),
            (&slow, asked(Retry), 3, vec![(Fix, 3), (Retry, 3)]),
            (&case(None), asked(Retry), 3, vec![(Fix, 3), (Retry, 3)]),
        ];
        for (case, retry, max, expected) in rows {
            assert_eq!(times(case, retry.clone(), max), expected, "{retry:?} {max}");
        }
        let alone = [candidate(Retry)];
        assert_eq!(planned(&CategoryOrder, &quick, &alone), [(Retry, 3)]);
    }

    #[test]
    fn a_given_order_is_kept_and_what_nothing_tries_is_named() {
        let mut some = [candidate(Fix), asked(Retry), candidate(Fix)];
        some[0].available = false;
        let given = GivenOrder(vec![Retry, Fix, Custom("x".into()), Retry]);
        let plan = given.plan(&of(Category::Unknown), &some);
        let places: Vec<_> = plan.steps.iter().map(|step| step.candidate).collect();
        assert_eq!(places, [1, 0, 2, 1]);
        assert_eq!(plan.skipped, ["x: nothing here tries it"]);
    }
}
