//! A rule of alerts: the table `[alert.NAME]` of the user's own file. A rule that can never fire,
//! or tells nobody, is refused here, with its line.

use std::collections::BTreeSet;
use std::time::Duration;

use auto_recovery::Result;
use auto_recovery_server::{Check, Label, Rule, Severity, WINDOW_MAX, check_beat_name};

use crate::settings::section::Section;

/// How often what is critical is told again, unless the rule says otherwise.
const REPEAT_CRITICAL: Duration = Duration::from_secs(4 * 60 * 60);

/// The longest time between two heartbeats, or two tellings of one incident.
const YEAR: Duration = Duration::from_secs(366 * 24 * 60 * 60);

/// The most sessions that a rule may wait for: nobody has more of them in the longest window.
const COUNT_MAX: u32 = 100_000;

/// The rule that the table `section` is; `known` are the destinations that there are.
pub(super) fn rule(
    name: String,
    mut section: Section<'_>,
    known: &BTreeSet<String>,
) -> Result<Rule> {
    let check = check(&mut section)?;
    let hold = section
        .duration_up_to("for", WINDOW_MAX)?
        .map(|hold| hold.value);
    let keep_firing = section.duration_up_to("keep_firing_for", WINDOW_MAX)?;
    let severity = section.parsed("severity", |text| match text {
        "warning" => Ok(Severity::Warning),
        "critical" => Ok(Severity::Critical),
        _ => Err("must be warning or critical"),
    })?;
    let severity = severity.map(|severity| severity.value).unwrap_or_default();
    let group_by = section.parsed_texts("group_by", |text| {
        let mut labels = Label::ALL.into_iter();
        labels
            .find(|label| label.as_str() == text)
            .ok_or("one of project, host, error_type, failure_kind")
    })?;
    let group_by = group_by.map(|labels| labels.value).unwrap_or_default();
    if !group_by.is_empty() && !check.is_of_sessions() {
        let why = "is about no session, which `group_by` could tell apart: leave that out";
        return Err(section.refuse(why));
    }
    let to = section.texts("to")?.map(|to| to.value);
    check_list("group_by", &group_by, |label| label.as_str(), &section)?;
    check_list(
        "to",
        to.as_deref().unwrap_or_default(),
        String::as_str,
        &section,
    )?;
    if to.as_ref().is_some_and(Vec::is_empty) {
        let why = "tells nobody, for `to` is empty: leave it out to tell every [notify.NAME], or take \
                   the rule out";
        return Err(section.refuse(why));
    }
    if let Some(unknown) = to.iter().flatten().find(|name| !known.contains(*name)) {
        return Err(section.refuse(&format!(
            "tells `{unknown}`: there is no [notify.{unknown}]"
        )));
    }
    let repeat = section
        .duration_up_to("repeat", YEAR)?
        .map(|repeat| repeat.value);
    if repeat.is_some_and(|repeat| repeat < Duration::from_secs(60)) {
        return Err(section.refuse("repeats more often than once a minute"));
    }
    section.finish()?;
    let is_critical = severity == Severity::Critical;
    Ok(Rule {
        name,
        check,
        hold: hold.unwrap_or_default(),
        keep_firing: keep_firing.map(|keep| keep.value).unwrap_or_default(),
        group_by,
        severity,
        to: to.unwrap_or_else(|| known.iter().cloned().collect()),
        repeat: repeat.or(is_critical.then_some(REPEAT_CRITICAL)),
    })
}

fn check(section: &mut Section<'_>) -> Result<Check> {
    let Some(kind) = section.text("rule")? else {
        return Err(section.refuse("needs a `rule`, like \"escalated\""));
    };
    Ok(match &*kind.value {
        "escalated" => Check::Escalated,
        "repeated" => Check::Repeated {
            times: number(section, "times", 2, None)?,
            within: window(section)?,
        },
        "success_rate" => Check::SuccessRate {
            below: f64::from(percent(section, "below")?.unwrap_or(80)),
            at_least: number(section, "at_least", 1, Some(10))?,
            within: window(section)?,
        },
        "flaky" => Check::Flaky {
            times: number(section, "times", 1, None)?,
            share: percent(section, "share")?.map(f64::from),
            within: window(section)?,
        },
        "slow" => Check::Slow {
            longer_than: time(section, "longer_than", (None, WINDOW_MAX))?,
            at_least: number(section, "at_least", 1, Some(5))?,
            within: window(section)?,
        },
        "heartbeat" => Check::Heartbeat {
            name: match section.parsed("name", |name| {
                check_beat_name(name).map(|()| name.to_owned())
            })? {
                Some(name) => name.value,
                None => return Err(section.refuse("needs a `name`")),
            },
            every: time(section, "every", (None, YEAR))?,
            grace: section
                .duration_up_to("grace", YEAR)?
                .map(|grace| grace.value)
                .unwrap_or_default(),
        },
        "store_unreachable" => Check::StoreUnreachable,
        "follow_lag" => Check::FollowLag {
            longer_than: time(section, "longer_than", (Some(60), WINDOW_MAX))?,
        },
        "spool_waiting" => Check::SpoolWaiting {
            longer_than: time(section, "longer_than", (Some(600), WINDOW_MAX))?,
        },
        "delivery_failing" => Check::DeliveryFailing {
            longer_than: time(section, "longer_than", (Some(3600), WINDOW_MAX))?,
        },
        _ => {
            let why = "has no such `rule`: escalated, repeated, success_rate, flaky, slow, \
                       heartbeat, store_unreachable, follow_lag, spool_waiting or delivery_failing";
            return Err(section.refuse(why));
        }
    })
}

fn number(
    section: &mut Section<'_>,
    key: &'static str,
    min: u32,
    default: Option<u32>,
) -> Result<u32> {
    let found = section.number(key, min)?.map(|found| found.value);
    if found.is_some_and(|found| found > COUNT_MAX) {
        let why = format!("has a `{key}` over {COUNT_MAX}: the rule would never fire");
        return Err(section.refuse(&why));
    }
    found
        .or(default)
        .ok_or_else(|| section.refuse(&format!("needs `{key}`")))
}

/// Makes sure that the list at `key` has nothing twice.
fn check_list<T>(
    key: &str,
    items: &[T],
    name: impl Fn(&T) -> &str,
    section: &Section<'_>,
) -> Result<()> {
    let mut seen = BTreeSet::new();
    match items.iter().map(name).find(|name| !seen.insert(*name)) {
        Some(twice) => Err(section.refuse(&format!("has `{twice}` twice in `{key}`"))),
        None => Ok(()),
    }
}

fn percent(section: &mut Section<'_>, key: &'static str) -> Result<Option<u32>> {
    match section.number(key, 1)? {
        Some(percent) if percent.value > 100 => {
            Err(section.refuse(&format!("has a `{key}` over 100 percent")))
        }
        percent => Ok(percent.map(|percent| percent.value)),
    }
}

fn time(
    section: &mut Section<'_>,
    key: &'static str,
    (default_s, max): (Option<u64>, Duration),
) -> Result<Duration> {
    let found = section.duration_up_to(key, max)?.map(|found| found.value);
    match found.or(default_s.map(Duration::from_secs)) {
        Some(time) if !time.is_zero() => Ok(time),
        Some(_) => Err(section.refuse(&format!("has a `{key}` of nothing"))),
        None => Err(section.refuse(&format!("needs `{key}`, like \"10m\""))),
    }
}

/// The window of a rule: no longer than what is kept to decide by.
fn window(section: &mut Section<'_>) -> Result<Duration> {
    let window = time(section, "within", (None, Duration::MAX))?;
    match window > WINDOW_MAX {
        true => Err(section.refuse("looks back further than 7 days, which is what is kept")),
        false => Ok(window),
    }
}
