//! Alerts: each rule with its state, what fires, silences, and every message with every try.

use std::collections::BTreeMap;
use std::sync::Arc;

use auto_recovery::escape::escape_text;
use axum::extract::{Extension, State};
use axum::response::Redirect;
use maud::{Markup, html};
use rusqlite::Connection;

use super::frame::{Page, Wrong, framed};
use super::pieces;
use crate::alerts::{Alert, Delivery, Silence, active, deliveries, silences, stale};
use crate::api::{acknowledge_incident, end_silence_of};
use crate::app::App;
use crate::http::{Caller, Named, Scope};

/// What fires, what waits, and who was told.
pub(crate) async fn alerts(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
) -> Result<Page, Wrong> {
    let asked = app.run(|app| {
        let feed = app.feed();
        let silences = |feed: &Connection| silences::list(feed, app.host.now());
        Ok((
            (feed.read(active)?, feed.read(stale)?),
            (feed.read(silences)?, feed.read(deliveries)?),
        ))
    });
    let ((alerts, stale), (silences, deliveries)) = asked.await?;
    let may_change = caller.may(Scope::Admin);
    let content = html! {
        (rules(&app.rules, &alerts, &stale))
        (firing(&alerts, may_change))
        (silent(&silences, may_change))
        (told(&deliveries))
        p {
            code { "recover alerts ack INCIDENT" } " acknowledges one, "
            code { "recover alerts silence NAME=VALUE --for 2h" } " tells nobody for a time."
        }
    };
    Ok(framed(&app, "Alerts", "/alerts", content))
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
            div class="wide" {
                table {
                    caption { "Rules" }
                    thead { tr {
                        th scope="col" { "Rule" }
                        th scope="col" { "Looks for" }
                        th scope="col" { "State" }
                        th scope="col" { "Since" }
                    } }
                    tbody {
                        @for (name, check) in rules { (rule(name, check, alerts, stale.get(name))) }
                    }
                }
            }
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
            div class="wide" {
                table {
                    caption { "Pending and firing" }
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
                                @if may_change { td { (acknowledging(alert)) } }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// The form that acknowledges what fires.
fn acknowledging(alert: &Alert) -> Markup {
    html! {
        @if let Some(incident) = &alert.incident {
            form method="post" action={ "/alerts/" (pieces::encoded(incident)) "/acknowledge" } {
                button type="submit" aria-label={ "Acknowledge " (incident) } { "Acknowledge" }
            }
        }
    }
}

fn silent(silences: &[Silence], may_change: bool) -> Markup {
    html! {
        @if !silences.is_empty() {
            div class="wide" {
                table {
                    caption { "Silences" }
                    thead { tr {
                        th scope="col" { "Silence" }
                        th scope="col" { "Matches" }
                        th scope="col" { "Until" }
                        th scope="col" { "By" }
                        th scope="col" { "Why" }
                        @if may_change { th scope="col" { "End" } }
                    } }
                    tbody { @for one in silences { (silence(one, may_change)) } }
                }
            }
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
                td {
                    form method="post" action={ "/silences/" (of.id) "/end" } {
                        button type="submit" aria-label={ "End silence " (of.id) } { "End" }
                    }
                }
            }
        }
    }
}

/// Ends a silence, and shows those that are left.
pub(crate) async fn end_silence(
    State(app): State<Arc<App>>,
    Named(id): Named,
) -> Result<Redirect, Wrong> {
    end_silence_of(&app, id).await?;
    Ok(Redirect::to("/alerts"))
}

/// Acknowledges an incident, and shows what is left.
pub(crate) async fn acknowledge(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Named(id): Named,
) -> Result<Redirect, Wrong> {
    acknowledge_incident(&app, &caller, id, String::new()).await?;
    Ok(Redirect::to("/alerts"))
}

fn told(deliveries: &[Delivery]) -> Markup {
    html! {
        @if !deliveries.is_empty() {
            div class="wide" {
                table {
                    caption { "Messages, the newest first" }
                    thead { tr {
                        th scope="col" { "Decided" }
                        th scope="col" { "To" }
                        th scope="col" { "Tells" }
                        th scope="col" class="number" { "Incidents" }
                        th scope="col" { "State" }
                        th scope="col" { "Tries" }
                    } }
                    tbody { @for one in deliveries { (delivery(one)) } }
                }
            }
        }
    }
}

fn delivery(of: &Delivery) -> Markup {
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
        }
    }
}
