//! What must never change the advice, and what must change it in one direction only, on random
//! histories.

use auto_recovery::RecoveryStrategyType::{Alternative, Retry, Rollback};
use auto_recovery::learn::{
    Counting, Evidence, Filter, History, Moment, Others, Run, Summary, Unit,
};
use auto_recovery::plan::{Advice, AdviceStatus, StepFacts};
use auto_recovery::testing::{Random, Rounds};

use super::history::{
    COUNTING, DAY, HERE, HOST, Question, SALT, TODAY, Told, USUAL, runs_of, shipped,
};

/// Histories of each property.
const HISTORIES: Rounds = Rounds {
    ordinary: 60,
    long: 1000,
};

/// Neighbours who have many sessions.
const NEIGHBOURS: Rounds = Rounds {
    ordinary: 3,
    long: 5,
};

/// Sessions of each.
const MANY: Rounds = Rounds {
    ordinary: 1000,
    long: 100_000,
};

/// Runs `check` on random histories; it says whether another order was advised, and that must
/// happen, or nothing was shown.
fn for_each(seed: u64, check: impl Fn(&mut Random, Question) -> bool) {
    let mut changed = 0;
    for number in 0..HISTORIES.count() {
        let mut dice = Random::new(seed * 1_000_000 + number);
        let question = Question::any(&mut dice);
        changed += u64::from(check(&mut dice, question));
    }
    let most = HISTORIES.count();
    assert!(changed * 10 >= most, "{changed} of {most} showed something");
}

fn is_changed(advice: &Advice) -> bool {
    advice.status == AdviceStatus::Changed
}

fn shuffled<T>(mut all: Vec<T>, dice: &mut Random) -> Vec<T> {
    for place in (1..all.len()).rev() {
        all.swap(place, dice.index(place + 1));
    }
    all
}

fn facts<'a>(advice: &'a Advice, step: &str) -> &'a StepFacts {
    advice.steps.iter().find(|one| one.step == step).unwrap()
}

fn place(advice: &Advice, step: &str) -> usize {
    let place = advice.order.iter().position(|one| one == step);
    // What is left out comes after all others.
    place.unwrap_or(advice.shipped.len())
}

#[test]
fn the_order_of_arrival_and_a_second_arrival_change_nothing() {
    for_each(1, |dice, question| {
        let expected = question.advice();
        let files: Vec<Vec<String>> = shuffled(question.told.clone(), dice)
            .iter()
            .map(Told::lines)
            .collect();
        let lines = files.iter().flatten();
        assert_eq!(question.advice_of(runs_of(lines)), expected);
        assert_eq!(
            question.advice_of(runs_of(&interleaved(files, dice))),
            expected
        );
        // One by one, each twice, as sessions end.
        let (mut summary, mut others) = begun();
        for told in question.told.iter().filter(|told| told.workspace == HERE) {
            let run = told.run();
            assert!(summary.add(&run, SALT) && summary.add(&run, SALT));
        }
        summary.fold();
        for workspace in ["/project/c", "/project/b", "/project/c"] {
            let mut known = Summary::new(&COUNTING);
            let mut runs = runs_in(&question, workspace).into_iter();
            assert!(runs.all(|run| known.add(&run, SALT)));
            known.fold();
            others.put(SALT, workspace, &known);
        }
        assert_eq!(
            question.advice_by(&seen(&question, summary, others)),
            expected
        );
        is_changed(&expected)
    });
}

fn begun() -> (Summary, Others) {
    let summary = Summary::new(&COUNTING);
    let others = Others::like(&summary);
    (summary, others)
}

fn runs_in(question: &Question, workspace: &str) -> Vec<Run> {
    let told = question.told.iter();
    let told = told.filter(|told| told.workspace == workspace);
    told.map(Told::run).collect()
}

fn seen(question: &Question, summary: Summary, others: Others) -> Evidence {
    Evidence {
        summary,
        others: question.others.then(|| others.without(SALT, HERE)),
        salt: SALT,
        now: Moment(question.now),
    }
}

/// The lines of `files`, those of each in their order.
fn interleaved(files: Vec<Vec<String>>, dice: &mut Random) -> Vec<String> {
    let mut files: Vec<_> = files.into_iter().map(Vec::into_iter).collect();
    let mut lines = Vec::new();
    while !files.is_empty() {
        let file = dice.index(files.len());
        match files[file].next() {
            Some(line) => lines.push(line),
            None => drop(files.swap_remove(file)),
        }
    }
    lines
}

#[test]
fn names_of_others_change_nothing() {
    for_each(2, |dice, mut question| {
        let expected = question.advice();
        let prefix = dice.bits();
        for told in &mut question.told {
            told.id = format!("{prefix:x}_{}", told.id);
            if told.workspace != HERE {
                told.workspace = format!("/elsewhere/{prefix:x}{}", told.workspace);
            }
        }
        assert_eq!(question.advice(), expected);
        // Other machines do not count, whatever they are called and did.
        let foreign = Question::any(dice).told.into_iter().map(|mut told| {
            told.id = format!("foreign_{}", told.id);
            told.host = format!("machine-{prefix:x}");
            told.run()
        });
        let filter = Filter {
            host: Some(HOST.to_owned()),
            until: None,
        };
        let own = question.told.iter().map(Told::run);
        let runs = foreign.chain(own).filter(|run| filter.takes(run)).collect();
        assert_eq!(question.advice_of(runs), expected);
        is_changed(&expected)
    });
}

#[test]
fn one_more_cure_is_never_against_a_step_nor_one_more_failure_for_it() {
    for_each(3, |dice, mut question| {
        question.units.retain(|unit| unit.kind != Retry);
        let Some(unit) = (!question.units.is_empty()).then(|| dice.index(question.units.len()))
        else {
            return false;
        };
        let step = question.units[unit].name.clone();
        let strategy = shipped().iter().position(|one| one.name == step).unwrap();
        let trials = question.told.iter_mut().flat_map(|told| &mut told.trials);
        trials
            .filter(|one| one.0 == strategy)
            .for_each(|one| one.2 = USUAL);
        let before = question.advice();
        for won in [true, false] {
            let mut after = question.clone();
            after.told.push(Told {
                id: "one_more".to_owned(),
                workspace: HERE.to_owned(),
                host: HOST.to_owned(),
                // A day of its own, before what is remembered.
                at: TODAY - DAY / 2,
                failure: question.failure,
                trials: vec![(strategy, won, USUAL)],
            });
            check_moved(&before, &after.advice(), &step, won);
        }
        is_changed(&before)
    });
}

/// `step` was tried once more, and cured or not: its chance and its place go one way, and no
/// other's chance moves.
fn check_moved(before: &Advice, after: &Advice, step: &str, won: bool) {
    for fact in &before.steps {
        let (was, is) = (fact, facts(after, &fact.step));
        if fact.step != step {
            assert_eq!((was.chance, was.seconds), (is.chance, is.seconds));
            continue;
        }
        assert!((is.chance > was.chance) == won, "{was:?} {is:?}");
        assert_eq!(is.seconds, was.seconds);
    }
    let (was, is) = (place(before, step), place(after, step));
    let (earlier, later) = if won { (is, was) } else { (was, is) };
    let excused = is_changed(before) != is_changed(after);
    assert!(
        earlier <= later || excused,
        "{step} {won}: {before:#?} {after:#?}"
    );
}

#[test]
fn ten_times_slower_in_all_is_the_same_order() {
    for_each(4, |_, question| {
        let before = question.advice();
        let mut slower = question.clone();
        slower.person *= 10.0;
        let trials = slower.told.iter_mut().flat_map(|told| &mut told.trials);
        trials.for_each(|one| one.2 *= 10.0);
        let after = slower.advice();
        // The least gain that counts is in seconds.
        let gained = before.expected.shipped - before.expected.order;
        let is_floored = before.order != after.order && before.why.contains("next to nothing");
        assert!(
            before.order == after.order || is_floored,
            "{gained}: {before:#?} {after:#?}"
        );
        is_changed(&before)
    });
}

#[test]
fn as_much_again_on_other_days_is_surer_and_on_the_same_day_is_nothing() {
    for_each(5, |dice, mut question| {
        let mut often = question.clone();
        let repeated = question.told.iter().flat_map(|told| {
            (0..8).map(move |time| Told {
                id: format!("{}_{time}", told.id),
                ..told.clone()
            })
        });
        often.told = repeated.collect();
        let before = question.advice();
        assert_eq!(often.advice(), before);

        // Shrinking weighs how often a step was tried: among those tried equally often, by the same
        // time, against one failure, ranks hold.
        question.others = false;
        question.told = evenly(dice, question.failure);
        let before = question.advice();
        let again = question.told.clone().into_iter().map(|told| Told {
            id: format!("{}_again", told.id),
            at: told.at - DAY,
            ..told
        });
        let mut twice = question.clone();
        twice.told.extend(again);
        let after = twice.advice();
        for one in &before.steps {
            for other in &before.steps {
                let (one_is, other_is) = (facts(&after, &one.step), facts(&after, &other.step));
                // Equal counts differ a little by their age.
                let holds = one.chance <= other.chance + 0.01 || one_is.chance > other_is.chance;
                assert!(holds, "{one:?} {other:?} {one_is:?} {other_is:?}");
            }
        }
        let is_same = before.order == after.order && is_changed(&before);
        // Where the first steps cure nearly all, less is left to gain, and that may be less sure.
        let gained = |advice: &Advice| advice.expected.shipped - advice.expected.order;
        let is_more = is_same && gained(&after) >= gained(&before);
        assert!(!is_more || after.expected.sure >= before.expected.sure);
        is_changed(&before)
    });
}

/// A history in which every strategy was tried each time, against `failure`, on every second day.
fn evenly(dice: &mut Random, failure: usize) -> Vec<Told> {
    let chances: Vec<u64> = (0..8).map(|_| dice.below(100)).collect();
    let days = 4 + dice.below(12) as i64;
    let told = |day: i64| {
        let trials = [0, 1, 2, 3, 4, 5, 5, 6, 7].into_iter();
        let mut trial = |place: usize| (place, dice.chance(chances[place]), USUAL);
        Told {
            id: format!("session_{day:03}"),
            workspace: HERE.to_owned(),
            host: HOST.to_owned(),
            at: TODAY - (2 + 2 * day) * DAY,
            failure,
            trials: trials.map(&mut trial).collect(),
        }
    };
    (0..days).map(told).collect()
}

#[test]
fn all_days_later_is_the_same_advice_later() {
    for_each(6, |dice, question| {
        let before = question.advice();
        let by = DAY * (dice.below(5000) as i64 - 2500);
        let mut later = question.clone();
        later.now += by;
        later.told.iter_mut().for_each(|told| told.at += by);
        let mut after = later.advice();
        assert!(by == 0 || after.day != before.day);
        after.day.clone_from(&before.day);
        // The hash covers when each step cured last.
        after.summary.clone_from(&before.summary);
        assert_eq!(after, before);
        is_changed(&before)
    });
}

/// What a neighbour lives through who has it the other way round: what cures here fails there.
fn inverted(question: &Question, sessions: i64) -> Vec<Told> {
    let won = |place: usize| {
        let of = question.told.iter().filter(|told| told.workspace == HERE);
        let trials = of.flat_map(|told| &told.trials);
        let (cured, tried) = trials
            .filter(|one| one.0 == place)
            .fold((0, 0), |sum, one| (sum.0 + usize::from(one.1), sum.1 + 1));
        2 * cured < tried
    };
    let trials: Vec<_> = (0..8).map(|place| (place, won(place), USUAL)).collect();
    let told = |number: i64| Told {
        id: format!("neighbour_{number}"),
        workspace: "/project/neighbour".to_owned(),
        host: HOST.to_owned(),
        // Whole days go through all failures, so that five of them are five trials of a class.
        at: TODAY - DAY - number / 6 * DAY,
        failure: usize::try_from(number % 6).unwrap(),
        trials: trials.clone(),
    };
    (0..sessions).map(told).collect()
}

#[test]
fn a_neighbour_of_any_size_counts_for_five_trials() {
    let many = i64::try_from(MANY.count()).unwrap();
    for number in 0..NEIGHBOURS.count() {
        let mut question = Question::any(&mut Random::new(7_000_000 + number));
        question.others = false;
        let alone = question.advice();
        let with = |sessions: i64, others: bool| {
            let mut question = question.clone();
            let neighbour = inverted(&question, sessions);
            question.told.extend(neighbour);
            question.others = others;
            question.advice()
        };
        assert_eq!(with(many, false), alone, "scope = workspace");
        let (few, huge) = (with(24, true), with(many, true));
        for step in &few.steps {
            let other = facts(&huge, &step.step);
            // Two days of three failures each are six trials, so five count, a little aged.
            assert!(
                (step.chance - other.chance).abs() < 0.01,
                "{step:?} {other:?}"
            );
        }
    }
}

#[test]
fn with_little_or_nothing_the_shipped_order_stays() {
    for_each(8, |dice, mut question| {
        let changed = is_changed(&question.advice());
        question.others = false;
        let here = question.told.iter().filter(|told| told.workspace == HERE);
        let mut few = question.clone();
        few.told = here.take(dice.index(3)).cloned().collect();
        // Four trials of the class at most.
        let mut left = 4;
        for told in &mut few.told {
            told.trials.truncate(left);
            left -= told.trials.len();
        }
        let advice = few.advice();
        assert_eq!(advice.status, AdviceStatus::Abstained);
        assert_eq!((&advice.order, advice.left_out.len()), (&advice.shipped, 0));

        let mut summary = Summary::new(&COUNTING);
        for run in question.told.iter().map(Told::run) {
            assert!(summary.add(&run, SALT));
        }
        let text = summary.to_text();
        assert!(Summary::read(text.as_bytes(), &COUNTING).is_ok());
        let of_host = Counting {
            host: Some(HOST),
            ..COUNTING
        };
        assert!(Summary::read(text.as_bytes(), &of_host).is_err());
        let of_another_person = Counting {
            person: COUNTING.person * 2,
            ..COUNTING
        };
        assert!(Summary::read(text.as_bytes(), &of_another_person).is_err());
        let cut = dice.index(text.len());
        assert!(Summary::read(&text.as_bytes()[..cut], &COUNTING).is_err());
        for other in ["\"v\":2", "\"v\":4"] {
            let other = text.replacen("\"v\":3", other, 1);
            assert_ne!(other, text);
            assert!(Summary::read(other.as_bytes(), &COUNTING).is_err());
        }
        changed
    });
}

#[test]
fn what_is_counted_session_by_session_through_files_is_what_is_counted_at_once() {
    for_each(9, |_, question| {
        let expected = question.advice();
        let empty = Summary::new(&COUNTING);
        let mut texts = std::collections::BTreeMap::<&str, String>::new();
        let mut others = Others::like(&empty);
        for told in &question.told {
            let text = texts.get(&*told.workspace);
            let read = |text: &String| Summary::read(text.as_bytes(), &COUNTING).unwrap();
            let mut summary = text.map_or_else(|| empty.clone(), read);
            let run = told.run();
            assert!(summary.add(&run, SALT));
            summary.fold();
            others.put_run(SALT, &run, &summary);
            let text = others.to_text();
            others = Others::read(text.as_bytes(), &summary).unwrap();
            texts.insert(&told.workspace, summary.to_text());
        }
        let text = texts.get(HERE);
        let read = |text: &String| Summary::read(text.as_bytes(), &COUNTING).unwrap();
        let summary = text.map_or(empty, read);
        assert_eq!(
            question.advice_by(&seen(&question, summary, others)),
            expected
        );
        is_changed(&expected)
    });
}

#[test]
fn a_session_that_is_cleared_was_never_there() {
    for_each(11, |dice, question| {
        let (mut lines, mut kept) = (Vec::new(), Vec::new());
        let mut cleared = Vec::new();
        for told in &question.told {
            lines.extend(told.lines());
            if dice.chance(30) {
                cleared.push(told.id.clone());
            } else {
                kept.extend(told.lines());
            }
        }
        let event = |id| {
            let event = dice.one_of(&["session_cleared", "session_pruned"]);
            format!(r#"{{"event":"{event}","at":"2026-01-01T00:00:00Z","session_id":"{id}"}}"#)
        };
        lines.extend(cleared.into_iter().map(event));
        let advice = question.advice_of(runs_of(&lines));
        assert_eq!(advice, question.advice_of(runs_of(&kept)));
        is_changed(&advice)
    });
}

#[test]
fn the_newest_failure_is_remembered_until_it_is_removed_or_one_is_encrypted() {
    let told = |id: &str, workspace: &str| Told {
        id: id.to_owned(),
        workspace: workspace.to_owned(),
        host: HOST.to_owned(),
        at: TODAY,
        failure: 0,
        trials: Vec::new(),
    };
    let mut history = History::watching(HERE, Some(HOST));
    let read = |history: &mut History, lines: &[String]| {
        lines.iter().for_each(|line| history.read(line.as_bytes()));
        let newest = history.newest_failure();
        newest.map(|newest| String::from_utf8(newest.record.to_vec()).unwrap())
    };
    assert_eq!(read(&mut history, &[]), None);
    let first = told("first", HERE).lines();
    assert_eq!(read(&mut history, &first), Some(first[1].clone()));
    let second = told("second", HERE).lines();
    assert_eq!(read(&mut history, &second), Some(second[1].clone()));
    let elsewhere = told("elsewhere", "/project/there").lines();
    assert_eq!(read(&mut history, &elsewhere), Some(second[1].clone()));
    let mut of_another = told("of another", HERE);
    of_another.host = "another-machine".to_owned();
    assert_eq!(
        read(&mut history, &of_another.lines()),
        Some(second[1].clone())
    );
    let cleared = |id: &str| format!(r#"{{"event":"session_cleared","session_id":"{id}"}}"#);
    assert_eq!(
        read(&mut history, &[cleared("first")]),
        Some(second[1].clone())
    );
    assert_eq!(read(&mut history, &[cleared("second")]), None);
    let third = told("third", HERE).lines();
    assert_eq!(read(&mut history, &third), Some(third[1].clone()));
    let mut closed = told("fourth", HERE).lines();
    closed[1] = closed[1].replacen('{', r#"{"private":"enc:x","#, 1);
    assert_eq!(read(&mut history, &closed), None);
}

#[test]
fn advice_invents_nothing_and_keeps_to_the_rules() {
    for_each(12, |_, question| {
        let advice = question.advice();
        let left_out = || advice.left_out.iter().map(|one| &one.step);
        let mut all: Vec<&String> = advice.order.iter().chain(left_out()).collect();
        all.sort();
        let mut shipped: Vec<&String> = advice.shipped.iter().collect();
        shipped.sort();
        assert_eq!(all, shipped);
        let unit = |step: &String| {
            let name = step.split('#').next().unwrap();
            question
                .units
                .iter()
                .find(|unit| unit.name == name)
                .unwrap()
        };
        assert!(left_out().all(|step| !unit(step).asked));
        for (number, first) in advice.order.iter().enumerate() {
            for second in &advice.order[number + 1..] {
                let was = |step| advice.shipped.iter().position(|one| one == step).unwrap();
                if was(first) > was(second) {
                    check_may_pass(unit(first), unit(second));
                }
            }
        }
        is_changed(&advice)
    });
}

/// The rules, once more: `unit` went ahead of `other`.
fn check_may_pass(unit: &Unit, other: &Unit) {
    let both = format!("{unit:?} ahead of {other:?}");
    assert!(unit.name != other.name, "tries: {both}");
    assert!(unit.kind != Rollback, "{both}");
    assert!(
        unit.kind != Alternative || other.kind == Alternative,
        "{both}"
    );
    assert!(!(unit.typed && other.typed), "{both}");
    // A retry is below every tier, and what somebody gave is theirs to weigh.
    let risk = |unit: &Unit| (unit.kind != Retry).then_some(unit.tier);
    let is_riskier = !unit.asked && !other.asked && risk(unit) > risk(other);
    assert!(!is_riskier, "{both}");
}
