//! Which of a rule's conditions hold now. Pure.

use std::collections::BTreeMap;
use std::time::Duration;

use auto_recovery::statistics::wilson;
use auto_recovery::wording::counted;
use serde::{Deserialize, Serialize};

use super::config::{Check, Label, Rule};
use super::facts::{Ended, Facts, Session};

/// The longest time for which an escalation that nobody answers keeps firing.
const ESCALATED_MS: i64 = 24 * 60 * 60 * 1000;

/// Sessions that a message names.
pub(crate) const SESSIONS_MAX: usize = 5;

/// What distinguishes one condition of a rule from the others, by name.
pub(crate) type Labels = BTreeMap<String, String>;

/// A condition that holds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Observed {
    /// What is wrong, in a line.
    pub(crate) summary: String,
    /// The message of the newest failure.
    pub(crate) message: String,
    pub(crate) command: String,
    pub(crate) tried: Vec<String>,
    /// How many sessions it is about.
    pub(crate) count: u64,
    /// The newest of them.
    pub(crate) sessions: Vec<String>,
    /// When the newest of them was heard of.
    pub(crate) newest_ms: i64,
}

/// The conditions of `rule` that hold at `now`; `None` if that cannot be known.
pub(crate) fn observe(rule: &Rule, facts: &Facts, now: i64) -> Option<BTreeMap<Labels, Observed>> {
    if rule.check.is_of_sessions() && !facts.ourselves.is_current {
        return None;
    }
    Some(match &rule.check {
        Check::Escalated => escalated(facts, now),
        Check::Repeated { times, within } => repeated(rule, facts, (*times, *within), now),
        Check::SuccessRate {
            below,
            at_least,
            within,
        } => of_groups(rule, facts, *within, now, &|ended| {
            success_rate(ended, *below, *at_least, *within)
        }),
        Check::Flaky {
            times,
            share,
            within,
        } => of_groups(rule, facts, *within, now, &|ended| {
            flaky(ended, *times, *share, *within)
        }),
        Check::Slow {
            longer_than,
            at_least,
            within,
        } => of_groups(rule, facts, *within, now, &|ended| {
            slow(ended, *longer_than, *at_least, *within)
        }),
        _ => of_ourselves(rule, facts, now),
    })
}

/// The conditions of a rule that sessions do not decide.
fn of_ourselves(rule: &Rule, facts: &Facts, now: i64) -> BTreeMap<Labels, Observed> {
    let ourselves = &facts.ourselves;
    let late = |since: i64, limit: &Duration| {
        let late = now - since;
        (late > ms(*limit)).then(|| words(late))
    };
    let nothing_more = BTreeMap::new;
    let found = match &rule.check {
        Check::Heartbeat { name, every, grace } => {
            let heard = facts.beats.get(name);
            let late = heard.and_then(|heard| late(*heard, &(*every + *grace)));
            let labels = labels_of(&[("heartbeat", name)]);
            late.map(|late| (labels, format!("{name} was not heard of for {late}")))
        }
        Check::StoreUnreachable => {
            let why = ourselves.store_away.as_ref();
            why.map(|why| (nothing_more(), format!("the store cannot be used: {why}")))
        }
        Check::FollowLag { longer_than } => {
            let late = late(ourselves.current_ms, longer_than);
            late.map(|late| {
                let what = format!("the store was not seen whole for {late}");
                (nothing_more(), what)
            })
        }
        Check::SpoolWaiting { longer_than } => {
            let since = ourselves.spool_since_ms;
            let late = since.and_then(|since| late(since, longer_than));
            late.map(|late| {
                let what = format!("entries wait for the store for {late}");
                (nothing_more(), what)
            })
        }
        Check::DeliveryFailing { longer_than } => {
            let failing = ourselves.failing.iter();
            let told = failing.filter_map(|(name, since)| {
                let late = late(*since, longer_than)?;
                let labels = labels_of(&[("destination", name)]);
                Some((
                    labels,
                    plain(format!("{name} takes nothing for {late}"), now),
                ))
            });
            return told.collect();
        }
        _ => None,
    };
    let found = found.into_iter();
    found
        .map(|(labels, what)| (labels, plain(what, now)))
        .collect()
}

/// A condition that is about no session.
fn plain(summary: String, now: i64) -> Observed {
    Observed {
        summary,
        newest_ms: now,
        ..Observed::default()
    }
}

/// Each kind of failure in each project for which a person is needed, and that was not cured since.
fn escalated(facts: &Facts, now: i64) -> BTreeMap<Labels, Observed> {
    let key = |session: &Session| {
        let kind = if session.kind.is_empty() {
            &session.error_type
        } else {
            &session.kind
        };
        labels_of(&[("failure_kind", kind), ("project", &session.project)])
    };
    let mut cured: BTreeMap<Labels, i64> = BTreeMap::new();
    let mut found: BTreeMap<Labels, Vec<(&String, &Session)>> = BTreeMap::new();
    for (id, session) in &facts.sessions {
        let Some(ended) = &session.ended else {
            continue;
        };
        if ended.is_recovered {
            let last = cured.entry(key(session)).or_default();
            *last = (*last).max(ended.at_ms);
        } else if ended.is_escalated && now - ended.at_ms < ESCALATED_MS {
            found.entry(key(session)).or_default().push((id, session));
        }
    }
    let told = found.into_iter().filter_map(|(labels, mut sessions)| {
        let since = cured.get(&labels).copied().unwrap_or(i64::MIN);
        sessions.retain(|(_, session)| end_of(session) > since);
        let newest = sessions
            .iter()
            .max_by_key(|(_, session)| end_of(session))?
            .1;
        let summary = format!("{} needs a person", named(newest));
        Some((labels, observed(&sessions, summary)))
    });
    told.collect()
}

fn end_of(session: &Session) -> i64 {
    session.ended.as_ref().map_or(i64::MIN, |ended| ended.at_ms)
}

/// Each kind of failure that `times` sessions had.
fn repeated(
    rule: &Rule,
    facts: &Facts,
    (times, within): (u32, Duration),
    now: i64,
) -> BTreeMap<Labels, Observed> {
    let mut found: BTreeMap<Labels, Vec<(&String, &Session)>> = BTreeMap::new();
    for (id, session) in &facts.sessions {
        let is_in = session.failed_ms.is_some_and(|at| now - at < ms(within));
        if is_in && !session.kind.is_empty() {
            let mut labels = group_of(rule, session);
            labels.insert("failure_kind".to_owned(), session.kind.clone());
            found.entry(labels).or_default().push((id, session));
        }
    }
    found.retain(|_, sessions| sessions.len() >= usize::try_from(times).unwrap_or(usize::MAX));
    let told = found.into_iter().map(|(labels, sessions)| {
        let hosts: std::collections::BTreeSet<&str> =
            sessions.iter().map(|(_, session)| &*session.host).collect();
        let summary = format!(
            "{} in {} on {} within {}",
            named(sessions[0].1),
            counted(sessions.len() as u64, "session"),
            counted(hosts.len() as u64, "host"),
            words(ms(within)),
        );
        (labels, observed(&sessions, summary))
    });
    told.collect()
}

/// What `look` says of the sessions that ended in the window, group by group.
fn of_groups(
    rule: &Rule,
    facts: &Facts,
    within: Duration,
    now: i64,
    look: &dyn Fn(&[&Ended]) -> Option<String>,
) -> BTreeMap<Labels, Observed> {
    let mut groups: BTreeMap<Labels, Vec<(&String, &Session)>> = BTreeMap::new();
    for (id, session) in &facts.sessions {
        let Some(ended) = &session.ended else {
            continue;
        };
        if now - ended.at_ms < ms(within) && (ended.is_recovered || ended.is_escalated) {
            groups
                .entry(group_of(rule, session))
                .or_default()
                .push((id, session));
        }
    }
    let told = groups.into_iter().filter_map(|(labels, sessions)| {
        let ended = sessions
            .iter()
            .filter_map(|(_, session)| session.ended.as_ref());
        let summary = look(&ended.collect::<Vec<_>>())?;
        Some((labels, observed(&sessions, summary)))
    });
    told.collect()
}

/// Even the best rate that these numbers allow is too low.
fn success_rate(ended: &[&Ended], below: f64, at_least: u32, within: Duration) -> Option<String> {
    let total = ended.len() as u64;
    let cured = ended.iter().filter(|one| one.is_recovered).count() as u64;
    let (_, best) = wilson(cured, total);
    let is_low = total >= u64::from(at_least.max(1)) && best < below;
    is_low.then(|| {
        let sessions = counted(total, "session");
        let window = words(ms(within));
        format!("{cured} of {sessions} cured within {window}: at best {best} %, below {below} %")
    })
}

fn flaky(ended: &[&Ended], times: u32, share: Option<f64>, within: Duration) -> Option<String> {
    let cured = ended.iter().filter(|one| one.is_recovered).count();
    let flaky = ended.iter().filter(|one| one.is_flaky).count();
    let percent = 100.0 * count(flaky) / count(cured.max(1));
    let is_many = flaky >= usize::try_from(times.max(1)).unwrap_or(usize::MAX);
    let is_large = share.is_none_or(|share| percent >= share);
    (is_many && is_large).then(|| {
        let window = words(ms(within));
        format!("{flaky} of {cured} recoveries within {window} were a plain retry")
    })
}

fn slow(ended: &[&Ended], limit: Duration, at_least: u32, within: Duration) -> Option<String> {
    let recovered = ended.iter().filter(|one| one.is_recovered);
    let mut times: Vec<i64> = recovered.map(|one| one.duration_ms).collect();
    times.sort_unstable();
    if times.len() < usize::try_from(at_least.max(1)).unwrap_or(usize::MAX) {
        return None;
    }
    // The nearest rank.
    let p95 = times[(times.len() * 95).div_ceil(100) - 1];
    (p95 > ms(limit)).then(|| {
        let of = counted(times.len() as u64, "recovery");
        format!(
            "95 of 100 of {of} within {} took up to {}",
            words(ms(within)),
            words(p95)
        )
    })
}

fn observed(sessions: &[(&String, &Session)], summary: String) -> Observed {
    let mut newest: Vec<_> = sessions.to_vec();
    newest.sort_by_key(|(id, session)| (std::cmp::Reverse(session.at_ms), (*id).clone()));
    let first = newest.first().map(|(_, session)| *session);
    Observed {
        summary,
        message: first.map(|one| one.message.clone()).unwrap_or_default(),
        command: first.map(|one| one.command.clone()).unwrap_or_default(),
        tried: first.map(|one| one.tried.clone()).unwrap_or_default(),
        count: sessions.len() as u64,
        newest_ms: first.map(|one| one.at_ms).unwrap_or_default(),
        sessions: newest
            .iter()
            .take(SESSIONS_MAX)
            .map(|(id, _)| (*id).clone())
            .collect(),
    }
}

fn named(session: &Session) -> String {
    let what = if session.error_type.is_empty() {
        "a failure"
    } else {
        &session.error_type
    };
    match session.project.is_empty() {
        true => what.to_owned(),
        false => format!("{what} in {}", session.project),
    }
}

fn group_of(rule: &Rule, session: &Session) -> Labels {
    let labels = rule.group_by.iter();
    labels
        .map(|label: &Label| (label.as_str().to_owned(), session.label(*label).to_owned()))
        .collect()
}

fn labels_of(labels: &[(&str, &str)]) -> Labels {
    let labels = labels.iter();
    labels
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

fn count(number: usize) -> f64 {
    f64::from(u32::try_from(number).unwrap_or(u32::MAX))
}

pub(crate) fn ms(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// `ms` milliseconds as people say it, in one or two units.
pub(crate) fn words(ms: i64) -> String {
    let seconds = ms.max(0) / 1000;
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    let two = |large: i64, unit: &str, small: i64, of: &str| match small {
        0 => format!("{large} {unit}"),
        small => format!("{large} {unit} {small} {of}"),
    };
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, minutes) => two(minutes, "min", seconds % 60, "s"),
        (0, hours, minutes) => two(hours, "h", minutes, "min"),
        (days, hours, _) => two(days, "d", hours, "h"),
    }
}
