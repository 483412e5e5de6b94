//! `/metrics`, in Prometheus' text format 0.0.4.
//!
//! Counters come from the feed and only grow, whatever is removed from the store.

use std::fmt::Write as _;
use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};

use crate::app::App;
use crate::feed::Standing;
use crate::http::Problem;

/// The counters of the feed, each with its help.
const COUNTERS: [(&str, &str); 5] = [
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
        "recover_flaky_total",
        "Sessions that passed by a plain retry.",
    ),
    (
        "recover_undone_total",
        "Attempts whose changes were undone.",
    ),
];

/// All metrics.
pub(crate) async fn metrics(State(app): State<Arc<App>>) -> Result<Response, Problem> {
    let counters = app.run(|app| Ok((app.feed().counters()?, app.feed().bounds()?)));
    let (counters, (_, newest)) = counters.await?;
    let mut text = String::new();
    for (name, help) in COUNTERS {
        head(&mut text, name, help, "counter");
        for counter in counters.iter().filter(|counter| counter.name == name) {
            let labels = match counter.labels.is_empty() {
                true => String::new(),
                false => format!("{{{}}}", counter.labels),
            };
            line(&mut text, &format!("{name}{labels}"), counter.value);
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
    let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    Ok(([(header::CONTENT_TYPE, kind)], text).into_response())
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
