//! Alerts: each rule with its state, what fires, silences, every message with every try, and what
//! people said.

use std::collections::BTreeMap;
use std::sync::Arc;

use auto_recovery::escape::escape_text;
use axum::extract::{Extension, State};
use maud::{Markup, html};

use super::frame::{Page, Wrong, framed};
use super::{alert_forms, alert_strip, pieces};
use crate::alerts::{
    Acknowledged, Alert, Delivery, Said, Silence, Span, active, deliveries, said, silences, stale,
    strips,
};
use crate::app::App;
use crate::http::{Caller, Scope};

/// What a page of alerts shows.
struct Shown {
    alerts: Vec<Alert>,
    stale: BTreeMap<String, String>,
    known: Vec<Acknowledged>,
    silences: Vec<Silence>,
    deliveries: Vec<Delivery>,
    said: Vec<Said>,
    strips: BTreeMap<String, Vec<Span>>,
}

/// What fires, what waits, and who was told.
pub(crate) async fn alerts(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
) -> Result<Page, Wrong> {
    let now = app.host.now();
    let asked = app.run(move |app| {
        let feed = app.feed();
        Ok(Shown {
            alerts: feed.read(active)?,
            stale: feed.read(stale)?,
            known: feed.read(silences::acknowledged)?,
            silences: feed.read(|feed| silences::list(feed, now))?,
            deliveries: feed.read(deliveries)?,
            said: feed.read(said)?,
            strips: feed.read(|feed| strips(feed, now))?,
        })
    });
    let shown = asked.await?;
    let may_change = caller.may(Scope::Admin);
    let content = html! {
        (rules(&app.rules, &shown.alerts, &shown.stale))
        (firing(&shown.alerts, may_change))
        (known(&shown.known, may_change))
        (alert_strip::strips_of(&app.rules, &shown.strips, now))
        (silent(&shown.silences, may_change))
        @if may_change && !app.rules.is_empty() { (alert_forms::silence_form(&app.rules)) }
        (told(&shown.deliveries, may_change))
        (words_of(&shown.said))
        p {
            code { "recover alerts ack INCIDENT" } " acknowledges one, "
            code { "recover alerts silence NAME=VALUE --for 2h" } " tells nobody for a time."
        }
    };
    Ok(framed(&app, "Alerts", "/alerts", content))
}

/// What would be told if nobody knew of it.
fn known(all: &[Acknowledged], may_change: bool) -> Markup {
    html! {
        @if !all.is_empty() {
            (pieces::wide("wide apart", "Acknowledged", &html! {
                thead { tr {
                    th scope="col" { "Incident" }
                    th scope="col" { "What" }
                    th scope="col" { "By" }
                    th scope="col" { "When" }
                    th scope="col" { "Why" }
                    @if may_change { th scope="col" { "End" } }
                } }
                tbody {
                    @for one in all {
                        tr {
                            th scope="row" { (one.incident) }
                            td { (escape_text(&one.summary)) }
                            td { (pieces::name(&one.by)) }
                            td { (pieces::time(&one.at)) }
                            td { (pieces::name(&one.reason)) }
                            @if may_change { td { (alert_forms::end_acknowledgement_form(&one.incident)) } }
                        }
                    }
                }
            }))
        }
    }
}

/// Who said what, the newest first.
fn words_of(said: &[Said]) -> Markup {
    html! {
        @if !said.is_empty() {
            (pieces::wide("wide apart", "What people said, the newest first", &html! {
                thead { tr {
                    th scope="col" { "When" }
                    th scope="col" { "Who" }
                    th scope="col" { "Did" }
                    th scope="col" { "About" }
                    th scope="col" { "Why" }
                } }
                tbody {
                    @for one in said {
                        tr {
                            td { (pieces::time(&one.at)) }
                            th scope="row" { (pieces::name(&one.by)) }
                            td { (one.did.replace('_', " ")) }
                            td { (escape_text(&one.about)) }
                            td { (pieces::name(&one.reason)) }
                        }
                    }
                }
            }))
        }
    }
}

fn rules(
    rules: &[(String, &'static str)],
    alerts: &[Alert],
    stale: &BTreeMap<String, String>,
) -> Markup {
    html! {
        @if rules.is_empty() {
            p {
                "Nothing is watched for. Rules stand in your own config.toml, as "
                code { "[alert.NAME]" } " and " code { "[notify.NAME]" } "."
            }
        } @else {
            (pieces::wide("wide apart", "Rules", &html! {
                thead { tr {
                    th scope="col" { "Rule" }
                    th scope="col" { "Looks for" }
                    th scope="col" { "State" }
                    th scope="col" { "Since" }
                } }
                tbody {
                    @for (name, check) in rules { (rule(name, check, alerts, stale.get(name))) }
                }
            }))
        }
    }
}

fn rule(name: &str, check: &str, alerts: &[Alert], stale: Option<&String>) -> Markup {
    let of_rule = alerts.iter().filter(|alert| alert.rule == name);
    let worst = of_rule.min_by_key(|alert| (alert.state != "firing", alert.since.clone()));
    let state = match worst {
        Some(alert) if alert.state == "firing" => "▲ firing",
        Some(_) => "△ pending",
        None => "○ inactive",
    };
    html! {
        tr {
            th scope="row" { (escape_text(name)) }
            td { (check) }
            td {
                (state)
                @if let Some(since) = stale { ", stale since " (pieces::time(since)) }
            }
            td { @if let Some(alert) = worst { (pieces::time(&alert.since)) } }
        }
    }
}

fn firing(alerts: &[Alert], may_change: bool) -> Markup {
    html! {
        @if !alerts.is_empty() {
            (pieces::wide("wide apart", "Pending and firing", &html! {
                thead { tr {
                    th scope="col" { "Incident" }
                    th scope="col" { "State" }
                    th scope="col" { "Since" }
                    th scope="col" { "What" }
                    th scope="col" { "Sessions" }
                    @if may_change { th scope="col" { "Acknowledge" } }
                } }
                tbody {
                    @for alert in alerts {
                        tr {
                            th scope="row" { (alert.incident.as_deref().unwrap_or("—")) }
                            td {
                                (alert.state)
                                @if let Some(why) = &alert.held { ", " (escape_text(why)) }
                            }
                            td { (pieces::time(&alert.since)) }
                            td { (escape_text(&alert.summary)) }
                            td {
                                @for session in &alert.sessions {
                                    a href=(pieces::path(session)) { (escape_text(session)) } " "
                                }
                            }
                            @if may_change { td { (alert_forms::acknowledge_form(alert)) } }
                        }
                    }
                }
            }))
        }
    }
}

fn silent(silences: &[Silence], may_change: bool) -> Markup {
    html! {
        @if !silences.is_empty() {
            (pieces::wide("wide apart", "Silences", &html! {
                thead { tr {
                    th scope="col" { "Silence" }
                    th scope="col" { "Matches" }
                    th scope="col" { "Until" }
                    th scope="col" { "By" }
                    th scope="col" { "Why" }
                    @if may_change { th scope="col" { "End" } }
                } }
                tbody { @for one in silences { (silence(one, may_change)) } }
            }))
        }
    }
}

fn silence(of: &Silence, may_change: bool) -> Markup {
    html! {
        tr {
            th scope="row" { (of.id) }
            td {
                @for (name, value) in &of.matchers {
                    (escape_text(name)) "=" (pieces::name(value)) " "
                }
            }
            td { (pieces::time(&of.until)) }
            td { (pieces::name(&of.by)) }
            td { (pieces::name(&of.reason)) }
            @if may_change {
                td { (alert_forms::end_silence_form(of.id)) }
            }
        }
    }
}

fn told(deliveries: &[Delivery], may_change: bool) -> Markup {
    html! {
        @if !deliveries.is_empty() {
            (pieces::wide("wide apart", "Messages, the newest first", &html! {
                thead { tr {
                    th scope="col" { "Decided" }
                    th scope="col" { "To" }
                    th scope="col" { "Tells" }
                    th scope="col" class="number" { "Incidents" }
                    th scope="col" { "State" }
                    th scope="col" { "Tries" }
                    @if may_change { th scope="col" { "Again" } }
                } }
                tbody { @for one in deliveries { (delivery(one, may_change)) } }
            }))
        }
    }
}

fn delivery(of: &Delivery, may_change: bool) -> Markup {
    html! {
        tr id=(of.id) {
            td { (pieces::time(&of.at)) }
            th scope="row" { (escape_text(&of.destination)) }
            td { (of.change) }
            td class="number" { (of.incidents) }
            td {
                (of.state)
                @if let Some(why) = &of.why { ": " (escape_text(why)) }
            }
            td {
                @if !of.tries.is_empty() {
                    details {
                        summary { (of.tries.len()) }
                        ol {
                            @for one in &of.tries {
                                li { (pieces::time(&one.at)) " " (escape_text(&one.result)) }
                            }
                        }
                    }
                }
            }
            @if may_change { td { (alert_forms::again_form(of)) } }
        }
    }
}
