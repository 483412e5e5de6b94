//! The last 24 hours of each rule: when it was pending and when it fired, drawn and as a table.

use std::collections::BTreeMap;
use std::time::SystemTime;

use auto_recovery::escape::escape_text;
use auto_recovery::report::chart::{Chart, Span as Drawn, Tone, time_line};
use auto_recovery::wording::{counted, spelled};
use maud::{Markup, PreEscaped, html};

use super::pieces;
use crate::alerts::{GAP, STRIP, Span};

/// The strips of all `rules` at `now`; nothing where nothing is watched for.
pub(super) fn strips_of(
    rules: &[(String, &'static str)],
    strips: &BTreeMap<String, Vec<Span>>,
    now: SystemTime,
) -> Markup {
    html! {
        @if !rules.is_empty() {
            section {
                h2 { "The last 24 hours" }
                @for (number, (name, _)) in rules.iter().enumerate() {
                    @match strips.get(name).filter(|spans| !spans.is_empty()) {
                        Some(spans) => { (strip(number, name, spans, now)) }
                        None => { p { code { (escape_text(name)) } ": ○ inactive all the time." } }
                    }
                }
            }
        }
    }
}

fn strip(number: usize, name: &str, spans: &[Span], now: SystemTime) -> Markup {
    let name = pieces::name(name);
    let since = now.checked_sub(STRIP).unwrap_or(SystemTime::UNIX_EPOCH);
    let since = since
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    let from_ms = i64::try_from(since.as_millis()).unwrap_or(i64::MAX);
    let seconds = |ms: i64| ms as f64 / 1000.0;
    let drawn: Vec<Drawn> = spans
        .iter()
        .map(|span| Drawn {
            start_seconds: seconds(span.from_ms - from_ms),
            seconds: seconds(span.to_ms - span.from_ms),
            tone: if span.is_firing {
                Tone::Bad
            } else {
                Tone::Doubtful
            },
            label: String::new(),
            title: format!("{} {} to {}", state(span), span.ends()[0], span.ends()[1]),
        })
        .collect();
    let fires = spans.iter().filter(|span| span.is_firing).count() as u64;
    let title = format!("{name}: the last 24 hours");
    let words = format!("It fired {} in 24 hours.", counted(fires, "time"));
    let chart = Chart {
        id: &format!("strip-{number}"),
        title: &title,
        words: &words,
    };
    html! {
        figure class="plot" {
            figcaption { (title) ", from 24 hours ago on; what is less than " (spelled(GAP)) " apart is one" }
            (PreEscaped(time_line(&chart, &drawn, STRIP.as_secs_f64())))
            details {
                summary { "As a table" }
                (pieces::wide("wide", &title, &html! {
                    thead { tr {
                        th scope="col" { "State" }
                        th scope="col" { "From" }
                        th scope="col" { "To" }
                    } }
                    tbody {
                        @for span in spans {
                            tr {
                                th scope="row" { (state(span)) }
                                @for end in span.ends() { td { (pieces::time(&end)) } }
                            }
                        }
                    }
                }))
            }
        }
    }
}

fn state(span: &Span) -> &'static str {
    match span.is_firing {
        true => "▲ firing",
        false => "△ pending",
    }
}
