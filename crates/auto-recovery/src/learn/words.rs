//! What is advised, in words.

use std::time::Duration;

use crate::learn::day::Moment;
use crate::plan::{Advice, AdviceStatus, LeftOut, StepFacts};
use crate::wording::{counted, long, spelled};

/// `14 of 16`, or a dash where nothing was tried.
pub fn counts_in_words([cured, tried]: [u64; 2]) -> String {
    match tried {
        0 => "–".to_owned(),
        _ => format!("{cured} of {tried}"),
    }
}

/// What is advised, in a line for the screen of a run: which step moves ahead and by which counts,
/// or what is left out. `name` says what a step does. `None` where there is nothing to say.
pub fn sentence(advice: &Advice, name: &dyn Fn(&str) -> String) -> Option<String> {
    if advice.status != AdviceStatus::Changed {
        return None;
    }
    let kept = advice
        .shipped
        .iter()
        .filter(|step| advice.order.contains(step));
    let mut pairs = advice.order.iter().zip(kept).enumerate();
    let moved = pairs.find(|(_, (step, shipped))| step != shipped);
    let (place, step) = match moved {
        Some((place, (step, _))) => (place, step),
        None => return left_out(advice, name),
    };
    let would = if advice.applied { "" } else { "would try " };
    let earlier = if place == 0 { "first" } else { "earlier" };
    let mut said = format!("{would}{} {earlier}: ", name(step));
    let facts = advice.steps.iter().find(|one| one.step == *step);
    match (advice.why.strip_prefix(CURED_THIS), facts) {
        (Some(ago), _) => said += &format!("{CURED_THIS}{ago}"),
        (None, Some(facts)) => said += &reason(facts),
        (None, None) => said += &advice.why,
    }
    let others = advice.steps.iter().filter(|other| other.step != *step);
    for other in others.filter(|other| other.here[1] > 0).take(2) {
        said += &format!(", {} {}", name(&other.step), counts_in_words(other.here));
    }
    Some(said)
}

/// How what is said of a step begins that cured this very failure of late.
pub(super) const CURED_THIS: &str = "cured this very failure ";

/// Why a step moves ahead: what it cured, or else how soon it is over.
fn reason(facts: &StepFacts) -> String {
    let cured = |counts: [u64; 2], place: &str| {
        format!("cured {} such failures {place}", counts_in_words(counts))
    };
    if facts.here[0] > 0 {
        return cured(facts.here, "here");
    }
    if facts.here[1] == 0 && facts.others[0] > 0 {
        return cured(facts.others, "elsewhere");
    }
    format!("it takes {}", long(facts.seconds))
}

/// What is left out and why, where nothing moves.
fn left_out(advice: &Advice, name: &dyn Fn(&str) -> String) -> Option<String> {
    let would = if advice.applied {
        "leaves out"
    } else {
        "would leave out"
    };
    let all = left_out_in_words(&advice.left_out, name);
    let all: Vec<_> = all
        .iter()
        .map(|(what, why)| format!("{what}: {why}"))
        .collect();
    (!all.is_empty()).then(|| format!("{would} {}", all.join("; ")))
}

/// What is left out, and why: the tries of one strategy together, with the counts of the first.
pub fn left_out_in_words(
    left_out: &[LeftOut],
    name: &dyn Fn(&str) -> String,
) -> Vec<(String, String)> {
    let base = |one: &LeftOut| one.step.split('#').next().unwrap_or_default().to_owned();
    let strategies = left_out.chunk_by(|one, next| base(one) == base(next));
    let told = strategies.filter_map(|tries| {
        let first = tries.first()?;
        let what = match tries.len() {
            1 => name(&first.step),
            tries => format!("{} ({})", name(&base(first)), counted(tries as u64, "try")),
        };
        Some((what, first.why.clone()))
    });
    told.collect()
}

/// How likely it is that an order is faster: never that it is certain.
pub fn sure_in_words(sure: f64) -> String {
    match sure {
        sure if sure >= 0.995 => "over 99 % sure".to_owned(),
        sure => format!("{:.0} % sure", sure * 100.0),
    }
}

/// How long ago `then` was.
pub(super) fn ago(then: Moment, now: Moment) -> String {
    let minutes = (now.0 - then.0).max(0) / 60;
    match minutes {
        0 => "just now".to_owned(),
        minutes => format!(
            "{} ago",
            spelled(Duration::from_secs(minutes.unsigned_abs() * 60))
        ),
    }
}
