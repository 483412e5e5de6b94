//! What is advised, in words.

use crate::learn::day::Moment;
use crate::plan::{Advice, AdviceStatus, StepFacts};
use crate::wording::spelled;

/// `14 of 16`, or a dash where nothing was tried.
pub fn counts_in_words([cured, tried]: [u64; 2]) -> String {
    match tried {
        0 => "–".to_owned(),
        _ => format!("{cured} of {tried}"),
    }
}

/// What is advised, in a line for the screen of a run: which step first and by which counts. `name`
/// says what a step does. `None` where there is nothing to say.
pub fn sentence(advice: &Advice, name: &dyn Fn(&str) -> String) -> Option<String> {
    if advice.status != AdviceStatus::Changed {
        return None;
    }
    let counts = |step: &StepFacts| match step.here[1] {
        0 => format!("{} elsewhere", counts_in_words(step.others)),
        _ => counts_in_words(step.here),
    };
    let facts = |wanted: &str| advice.steps.iter().find(|step| step.step == wanted);
    let Some(first) = advice.order.first().and_then(|step| facts(step)) else {
        return Some(advice.why.clone());
    };
    let mut said = format!("{} first: ", name(&first.step));
    match advice.why.strip_prefix("cured this very failure ") {
        Some(ago) => said += &format!("cured this very failure {ago}"),
        None => said += &format!("cured {} such failures here", counts(first)),
    }
    let others = advice.steps.iter().filter(|step| step.step != first.step);
    for step in others.filter(|step| step.here[1] > 0).take(2) {
        said += &format!(", {} {}", name(&step.step), counts(step));
    }
    Some(said)
}

/// How long ago `then` was.
pub(super) fn ago(then: Moment, now: Moment) -> String {
    let minutes = (now.0 - then.0).max(0) / 60;
    match minutes {
        0 => "just now".to_owned(),
        minutes => format!(
            "{} ago",
            spelled(std::time::Duration::from_secs(minutes.unsigned_abs() * 60))
        ),
    }
}
