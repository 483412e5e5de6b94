//! `/metrics`, in Prometheus' text format 0.0.4.
//!
//! Counters come from the feed and only grow, whatever is removed from the store.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};

use crate::app::App;
use crate::feed::Standing;
use crate::http::Problem;
use crate::otlp::Sent;
use crate::seals::Counted;

/// The counters of the feed, each with its help.
const COUNTERS: [(&str, &str); 6] = [
    (
        "recover_attempts_total",
        "Attempts that were recorded since this feed began.",
    ),
    (
        "recover_attempt_seconds_total",
        "Time that those attempts took.",
    ),
    (
        "recover_sessions_total",
        "Sessions that ended since this feed began.",
    ),
    (
        "recover_notifications_total",
        "Tries to tell somebody of an alert.",
    ),
    (
        "recover_flaky_total",
        "Sessions that passed by a plain retry.",
    ),
    (
        "recover_undone_total",
        "Attempts whose changes were undone.",
    ),
];

/// Counters, each with its labels, that are told before there is anything to count: an increase is
/// seen only from a value that was seen before.
const BEGIN_AT_ZERO: [(&str, &str); 5] = [
    ("recover_sessions_total", "outcome=\"recovered\""),
    ("recover_sessions_total", "outcome=\"escalated\""),
    ("recover_sessions_total", "outcome=\"interrupted\""),
    ("recover_flaky_total", ""),
    ("recover_undone_total", ""),
];

/// All metrics.
pub(crate) async fn metrics(State(app): State<Arc<App>>) -> Result<Response, Problem> {
    let counters = app.run(|app| {
        let alerts = app.feed().read(crate::alerts::active)?;
        Ok((app.feed().counters()?, app.feed().bounds()?, alerts))
    });
    let (counters, (_, newest), alerts) = counters.await?;
    let mut text = String::new();
    for (name, help) in COUNTERS {
        head(&mut text, name, help, "counter");
        let of_name = counters.iter().filter(|counter| counter.name == name);
        let mut values: BTreeMap<&str, f64> = BEGIN_AT_ZERO
            .iter()
            .filter(|(of, _)| *of == name)
            .map(|(_, labels)| (*labels, 0.0))
            .collect();
        values.extend(of_name.map(|counter| (&*counter.labels, counter.value)));
        for (labels, value) in values {
            let labels = match labels.is_empty() {
                true => String::new(),
                false => format!("{{{labels}}}"),
            };
            line(&mut text, &format!("{name}{labels}"), value);
        }
    }
    let is_current = f64::from(u8::from(app.standing() == Standing::Current));
    let clients = app.streams_max - app.streams.available_permits();
    let version = env!("CARGO_PKG_VERSION");
    let gauges = [
        (
            "recover_store_up",
            "Whether the store can be read.",
            is_current,
        ),
        (
            "recover_feed_seq",
            "The number of the newest event.",
            as_f64(newest),
        ),
        (
            "recover_stream_clients",
            "Streams that are open.",
            as_f64(i64::try_from(clients).unwrap_or(i64::MAX)),
        ),
    ];
    for (name, help, value) in gauges {
        head(&mut text, name, help, "gauge");
        line(&mut text, name, value);
    }
    if let Some(counted) = app.seals.counted() {
        sealing(&mut text, counted);
    }
    if let Some(sent) = &app.sent {
        sending(&mut text, sent, newest);
    }
    head(
        &mut text,
        "recover_build_info",
        "The release that answers.",
        "gauge",
    );
    line(
        &mut text,
        &format!("recover_build_info{{version=\"{version}\"}}"),
        1.0,
    );
    alerts_of(&mut text, &app.rules, &alerts);
    let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    Ok(([(header::CONTENT_TYPE, kind)], text).into_response())
}

/// How sealing goes.
fn sealing(text: &mut String, counted: &Counted) {
    let name = "recover_seals_total";
    let help = "Seals of this server, since the start.";
    head(text, name, help, "counter");
    for (result, count) in [("made", &counted.made), ("failed", &counted.failed)] {
        let count = i64::try_from(count.load(Ordering::Relaxed)).unwrap_or(i64::MAX);
        let name = format!("{name}{{result=\"{result}\"}}");
        line(text, &name, as_f64(count));
    }
    let name = "recover_seal_up";
    let help = "Whether all that was to be sealed last could be.";
    head(text, name, help, "gauge");
    let is_up = !counted.is_down.load(Ordering::Relaxed);
    line(text, name, f64::from(u8::from(is_up)));
}

/// How the sending of traces goes.
fn sending(text: &mut String, sent: &Sent, newest: i64) {
    let number = |of: &AtomicU64| i64::try_from(of.load(Ordering::Relaxed)).unwrap_or(i64::MAX);
    let is_up = i64::from(sent.is_up.load(Ordering::Relaxed));
    let name = "recover_otlp_requests_total";
    head(
        text,
        name,
        "Requests to the receiver of traces, since the start.",
        "counter",
    );
    for (result, count) in [("taken", &sent.taken), ("refused", &sent.refused)] {
        line(
            text,
            &format!("{name}{{result=\"{result}\"}}"),
            as_f64(number(count)),
        );
    }
    let gauges = [
        (
            "recover_otlp_up",
            "Whether the receiver of traces answered last.",
            is_up,
        ),
        (
            "recover_otlp_waiting",
            "Events that were not sent yet.",
            (newest - number(&sent.seq)).max(0),
        ),
    ];
    for (name, help, value) in gauges {
        head(text, name, help, "gauge");
        line(text, name, as_f64(value));
    }
}

/// How many conditions of each rule are pending or fire.
fn alerts_of(text: &mut String, rules: &[(String, &str)], alerts: &[crate::alerts::Alert]) {
    if rules.is_empty() {
        return;
    }
    let help = "Conditions that are pending or fire.";
    head(text, "recover_alerts", help, "gauge");
    for (rule, _) in rules {
        for state in ["pending", "firing"] {
            let of = alerts
                .iter()
                .filter(|one| one.rule == *rule && one.state == state);
            let count = i64::try_from(of.count()).unwrap_or(i64::MAX);
            let name = rule.replace(['\\', '"', '\n'], "_");
            let labels = format!("rule=\"{name}\",state=\"{state}\"");
            line(text, &format!("recover_alerts{{{labels}}}"), as_f64(count));
        }
    }
}

fn head(text: &mut String, name: &str, help: &str, kind: &str) {
    let _infallible = write!(text, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
}

fn line(text: &mut String, name: &str, value: f64) {
    let _infallible = writeln!(text, "{name} {value}");
}

/// Exact up to 2⁵³, which no count of ours reaches.
fn as_f64(number: i64) -> f64 {
    let low = u32::try_from(number & 0xffff_ffff).unwrap_or(u32::MAX);
    let high = i32::try_from(number >> 32).unwrap_or(i32::MAX);
    f64::from(high) * 4_294_967_296.0 + f64::from(low)
}
