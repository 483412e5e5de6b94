//! Words that both kinds of sums have in common.

use std::collections::BTreeMap;
use std::time::SystemTime;

use crate::output::age;

/// A time and its age.
pub(super) fn when(time: &Option<String>, now: SystemTime) -> String {
    match time {
        Some(time) => match age(time, now) {
            age if time.starts_with(&age) => time.clone(),
            age => format!("{time} ({age})"),
        },
        None => "never".to_owned(),
    }
}

/// `counts`, the largest first.
pub(super) fn counts(counts: &BTreeMap<String, u64>) -> String {
    let mut sorted: Vec<_> = counts.iter().collect();
    sorted.sort_by_key(|(name, count)| (std::cmp::Reverse(**count), *name));
    let parts: Vec<_> = sorted
        .iter()
        .map(|(name, count)| format!("{name} × {count}"))
        .collect();
    if parts.is_empty() {
        "none".to_owned()
    } else {
        parts.join(", ")
    }
}
