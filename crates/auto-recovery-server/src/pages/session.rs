//! One session: the report of it, as the command writes it.

use std::sync::Arc;

use auto_recovery::audit::session_id;
use auto_recovery::report::{HtmlReport, Source, html_report};
use axum::extract::{Extension, Path, State};
use maud::{PreEscaped, html};

use super::frame::{Page, Wrong, within};
use super::{actions, pieces};
use crate::api::find_session;
use crate::app::App;
use crate::http::Caller;

/// The session `id`.
pub(crate) async fn session(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Page, Wrong> {
    let (leftovers, now) = (Arc::clone(&app.leftovers), app.host.now());
    let asked = id.clone();
    let (report, held) = app
        .of_store(move |store| {
            let held = find_session(store, &asked)?.held;
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
    let body = report.map(|report| report.body).unwrap_or_default();
    let encoded = pieces::encoded(&id);
    let main = html! {
        div id="content" { (PreEscaped(body)) }
        p {
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
