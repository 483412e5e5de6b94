//! One session: the report of it, as the command writes it.

use std::sync::Arc;

use auto_recovery::audit::{RedactedStore, session_id};
use auto_recovery::escape::escape_text;
use auto_recovery::report::{HtmlReport, Source, html_report};
use auto_recovery::wording::shell_word;
use axum::extract::{Extension, State};
use maud::{Markup, PreEscaped, html};

use super::frame::{Page, Wrong, within};
use super::{actions, failures, pieces};
use crate::api::find_session;
use crate::app::App;
use crate::feed::Neighbours;
use crate::http::{Caller, Named};

/// The session `id`.
pub(crate) async fn session(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Named(id): Named,
) -> Result<Page, Wrong> {
    let redactor = Arc::clone(&app.redactor);
    let (leftovers, now) = (Arc::clone(&app.leftovers), app.host.now());
    let asked = id.clone();
    let (report, held) = app
        .of_store(move |store| {
            let held = find_session(store, &asked)?.held;
            // What others brought, and earlier releases recorded, was not masked when it was kept.
            let store = &RedactedStore::new(store, redactor);
            let mut report: Option<HtmlReport> = None;
            leftovers.of(&asked, &mut |kept| {
                let source = Source {
                    store,
                    session_id: &asked,
                    kept,
                    now,
                };
                report = Some(html_report(&source)?.0);
                Ok(())
            })?;
            Ok((report, held))
        })
        .await?;
    let of = id.clone();
    let neighbours = app.run(move |app| app.feed().neighbours(&of)).await?;
    let body = report.map(|report| report.body).unwrap_or_default();
    let encoded = pieces::encoded(&id);
    let main = html! {
        div id="content" { (PreEscaped(body)) }
        (ways_on(&id, neighbours.as_ref()))
        nav aria-label="As data" {
            "As data: "
            a href={ "/api/v1/sessions/" (encoded) "/entries" } { "entries" } ", "
            a href={ "/api/v1/sessions/" (encoded) "/journal" } { "journal" } ", "
            a href={ "/api/v1/sessions/" (encoded) "/statistics" } { "statistics" } ", "
            a href={ "/live?session=" (encoded) } { "live" }
        }
        (actions::forms(&caller, &id, held.as_ref()))
    };
    let title = format!("Session {}", pieces::name(session_id::short(&id)));
    Ok(within(&app, &title, "/sessions", main))
}

/// The same failure elsewhere, and the command that shows the same.
fn ways_on(id: &str, neighbours: Option<&Neighbours>) -> Markup {
    let command = format!("recover show {}", shell_word(id));
    html! {
        nav class="neighbours" aria-label="From here" {
            @if let Some(Neighbours { kind, older, newer }) = neighbours {
                a href=(failures::path(kind)) { "This failure elsewhere" }
                @if let Some(older) = older { a rel="prev" href=(pieces::path(older)) { "Older with it" } }
                @if let Some(newer) = newer { a rel="next" href=(pieces::path(newer)) { "Newer with it" } }
            }
            span {
                "In a terminal: " code { (escape_text(&command)) } " "
                button type="button" data-copy=(pieces::typed(&command)) hidden { "Copy" }
            }
        }
    }
}
