//! What people may say about alerts, as forms that work without a script, and what becomes of them.
//! Another site cannot send them: the guard looks where a change comes from.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Extension, State};
use axum::response::Redirect;
use maud::{Markup, html};

use super::actions::fields;
use super::frame::Wrong;
use super::pieces;
use crate::alerts::{Alert, Delivery, NewSilence};
use crate::api::{
    REASON_CHARS_MAX, acknowledge_incident, end_acknowledgement_of, end_silence_of, make_silence,
    send_message_again,
};
use crate::app::App;
use crate::http::{Caller, Named, Problem, length};

/// What a silence can match, beside the rule and the severity, and the words of its label.
const MATCHERS: [(&str, &str); 6] = [
    ("project", "Project"),
    ("host", "Host"),
    ("error_type", "Type"),
    ("failure_kind", "Kind of failure"),
    ("heartbeat", "Heartbeat"),
    ("destination", "Destination"),
];

/// The form that acknowledges what fires.
pub(super) fn acknowledge_form(alert: &Alert) -> Markup {
    html! {
        @if let Some(incident) = &alert.incident {
            form method="post" action={ "/alerts/" (pieces::encoded(incident)) "/acknowledge" } {
                button type="submit" aria-label={ "Acknowledge " (incident) } { "Acknowledge" }
            }
        }
    }
}

/// The form that ends that.
pub(super) fn end_acknowledgement_form(incident: &str) -> Markup {
    html! {
        form method="post" action={ "/alerts/" (pieces::encoded(incident)) "/acknowledge/end" } {
            button type="submit" aria-label={ "End the acknowledgement of " (incident) } { "End" }
        }
    }
}

/// The form that ends a silence.
pub(super) fn end_silence_form(id: i64) -> Markup {
    html! {
        form method="post" action={ "/silences/" (id) "/end" } {
            button type="submit" aria-label={ "End silence " (id) } { "End" }
        }
    }
}

/// The form that has a message sent again, if it can be.
pub(super) fn again_form(of: &Delivery) -> Markup {
    let may = of.state == "dead" || (of.state == "pending" && !of.tries.is_empty());
    html! {
        @if may {
            form method="post" action={ "/deliveries/" (pieces::encoded(&of.id)) "/again" } {
                button type="submit" aria-label={ "Send again: " (of.id) } { "Send again" }
            }
        }
    }
}

/// The form that makes a silence.
pub(super) fn silence_form(rules: &[(String, &'static str)]) -> Markup {
    html! {
        details class="apart" {
            summary { "Silence: tell nobody for a time" }
            form class="filters" method="post" action="/silences" {
                label {
                    "Rule"
                    select name="rule" {
                        option value="" { "any" }
                        @for (name, _) in rules { option value=(pieces::typed(name)) { (pieces::name(name)) } }
                    }
                }
                label {
                    "Severity"
                    select name="severity" {
                        @for (value, words) in [("", "any"), ("warning", "warning"), ("critical", "critical")] {
                            option value=(value) { (words) }
                        }
                    }
                }
                @for (name, words) in MATCHERS {
                    label { (words) input name=(name) autocomplete="off" spellcheck="false"; }
                }
                label { "For (30m, 2h, 7d)" input name="for" value="2h" required autocomplete="off"; }
                label { "Reason" input name="reason" maxlength=(REASON_CHARS_MAX) autocomplete="off"; }
                button type="submit" { "Silence" }
            }
            p { "An incident must have all that is filled in." }
        }
    }
}

/// Makes a silence, and shows all.
pub(crate) async fn silence(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    body: Body,
) -> Result<Redirect, Wrong> {
    let mut matchers = BTreeMap::new();
    let (mut time, mut reason) = (String::new(), String::new());
    for (name, value) in fields(body).await? {
        match &*name {
            "for" => time = value,
            "reason" => reason = value,
            _ if value.is_empty() => {}
            _ => drop(matchers.insert(name, value)),
        }
    }
    let length = length(time.trim()).ok_or_else(|| {
        Problem::invalid(format!("{time:?} is no time: write it like 30m, 2h or 7d"))
    })?;
    let new = NewSilence {
        matchers,
        length,
        reason,
        by: caller.name.clone(),
    };
    make_silence(&app, new).await?;
    Ok(Redirect::to("/alerts"))
}

/// Ends a silence, and shows those that are left.
pub(crate) async fn end_silence(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Named(id): Named,
) -> Result<Redirect, Wrong> {
    end_silence_of(&app, &caller, id).await?;
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

/// Ends the acknowledgement of an incident, and shows all.
pub(crate) async fn end_acknowledgement(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Named(id): Named,
) -> Result<Redirect, Wrong> {
    end_acknowledgement_of(&app, &caller, id).await?;
    Ok(Redirect::to("/alerts"))
}

/// Has a message sent again, and shows all.
pub(crate) async fn again(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Named(id): Named,
) -> Result<Redirect, Wrong> {
    send_message_again(&app, &caller, id).await?;
    Ok(Redirect::to("/alerts"))
}
