//! What an admin can do to a session: forms on its page, which work without a script, and what
//! becomes of them. Another site cannot send them: the guard looks where a change comes from.

use std::sync::Arc;

use auto_recovery::audit::SessionHeld;
use auto_recovery::escape::escape_text;
use axum::body::Body;
use axum::extract::{Extension, State};
use axum::response::Redirect;
use maud::{Markup, html};

use super::frame::Wrong;
use super::pieces;
use crate::api::{REASON_CHARS_MAX, clear_session, hold_session, read_small, release_session};
use crate::app::App;
use crate::http::{Caller, Named, Scope};

/// The forms for the session `id`; nothing for those who may not.
pub(super) fn forms(caller: &Caller, id: &str, held: Option<&SessionHeld>) -> Markup {
    if !caller.may(Scope::Admin) {
        return html! {};
    }
    let path = pieces::path(id);
    html! {
        section aria-label="Keep or remove" {
            h2 { "Keep or remove" }
            @if let Some(held) = held {
                p {
                    "Held"
                    @if let Some(user) = &held.user { " by " (pieces::name(user)) }
                    @if let Some(reason) = &held.reason { ": " (escape_text(reason)) }
                    ". Nothing removes it until it is released."
                }
                form class="filters" method="post" action={ (path) "/release" } {
                    button type="submit" { "Release" }
                }
            } @else {
                form class="filters" method="post" action={ (path) "/hold" } {
                    label {
                        "Reason"
                        input name="reason" maxlength=(REASON_CHARS_MAX) autocomplete="off";
                    }
                    button type="submit" { "Hold: keep it from being removed" }
                }
                form class="filters" method="post" action={ (path) "/clear" } {
                    label {
                        "Type its whole id to remove it for good"
                        input name="session_id" required autocomplete="off" spellcheck="false";
                    }
                    button type="submit" { "Remove" }
                }
                p { "Its id: " code { (pieces::typed(id)) } }
            }
        }
    }
}

/// Holds the session, and shows it again.
pub(crate) async fn hold(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Named(id): Named,
    body: Body,
) -> Result<Redirect, Wrong> {
    let reason = field(body, "reason").await?;
    hold_session(&app, &caller, id.clone(), reason).await?;
    Ok(Redirect::to(&pieces::path(&id)))
}

/// Releases the session, and shows it again.
pub(crate) async fn release(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Named(id): Named,
) -> Result<Redirect, Wrong> {
    release_session(&app, &caller, id.clone()).await?;
    Ok(Redirect::to(&pieces::path(&id)))
}

/// Removes the session, and shows those that are left.
pub(crate) async fn clear(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Named(id): Named,
    body: Body,
) -> Result<Redirect, Wrong> {
    let typed = field(body, "session_id").await?.unwrap_or_default();
    clear_session(&app, &caller, id, typed.trim()).await?;
    Ok(Redirect::to("/sessions"))
}

/// The value of the field `name` of a form.
async fn field(body: Body, name: &str) -> Result<Option<String>, Wrong> {
    let mut all = fields(body).await?.into_iter();
    Ok(all.find(|(one, _)| one == name).map(|(_, value)| value))
}

/// All fields of a form.
pub(super) async fn fields(body: Body) -> Result<Vec<(String, String)>, Wrong> {
    let form = read_small(body).await?;
    Ok(form_urlencoded::parse(&form).into_owned().collect())
}
