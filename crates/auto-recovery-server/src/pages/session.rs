//! One session: the report of it, as the command writes it.

use std::sync::Arc;

use auto_recovery::audit::session_id;
use auto_recovery::report::{HtmlReport, Source, html_report};
use axum::extract::{Path, State};
use maud::{PreEscaped, html};

use super::frame::{Page, Wrong, within};
use super::pieces;
use crate::api::find_session;
use crate::app::App;

/// The session `id`.
pub(crate) async fn session(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
) -> Result<Page, Wrong> {
    let (leftovers, now) = (Arc::clone(&app.leftovers), app.host.now());
    let asked = id.clone();
    let report = app
        .of_store(move |store| {
            find_session(store, &asked)?;
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
            Ok(report)
        })
        .await?;
    let body = report.map(|report| report.body).unwrap_or_default();
    let encoded = pieces::encoded(&id);
    let main = html! {
        div id="content" { (PreEscaped(body)) }
        nav aria-label="As data" {
            "As data: "
            a href={ "/api/v1/sessions/" (encoded) "/entries" } { "entries" } ", "
            a href={ "/api/v1/sessions/" (encoded) "/journal" } { "journal" } ", "
            a href={ "/api/v1/sessions/" (encoded) "/statistics" } { "statistics" } ", "
            a href={ "/live?session=" (encoded) } { "live" }
        }
    };
    let title = format!("Session {}", pieces::name(session_id::short(&id)));
    Ok(within(&app, &title, "/sessions", main))
}
