//! Alerts: each rule with its state, what fires, and every message with every try.

use std::collections::BTreeMap;
use std::sync::Arc;

use auto_recovery::escape::escape_text;
use axum::extract::State;
use maud::{Markup, html};

use super::frame::{Page, Wrong, framed};
use super::pieces;
use crate::alerts::{Alert, Delivery, active, deliveries, stale};
use crate::app::App;

/// What fires, what waits, and who was told.
pub(crate) async fn alerts(State(app): State<Arc<App>>) -> Result<Page, Wrong> {
    let asked = app.run(|app| {
        let feed = app.feed();
        Ok((
            feed.read(active)?,
            feed.read(stale)?,
            feed.read(deliveries)?,
        ))
    });
    let (alerts, stale, deliveries) = asked.await?;
    let content = html! {
        (rules(&app.rules, &alerts, &stale))
        (firing(&alerts))
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

fn firing(alerts: &[Alert]) -> Markup {
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
                            }
                        }
                    }
                }
            }
        }
    }
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
