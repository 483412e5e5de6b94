//! Trails written out whole, while they are read.

use std::io::Write as _;
use std::sync::Arc;

use auto_recovery::export::{ExportFormat, ExportOptions, export_all, export_session};
use auto_recovery::{Error, ErrorKind};
use axum::extract::{RawQuery, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;

use crate::app::App;
use crate::http::{Problem, Query, chunks};

/// All sessions, or one, in the format that is asked for.
pub(crate) async fn export(
    State(app): State<Arc<App>>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let mut query = Query::read(query.as_deref())?;
    let session = query.take("session");
    let (format, kind, ending) = match query.take("format").as_deref() {
        None | Some("json") => (ExportFormat::Json, "application/json", "json"),
        Some("jsonl") => (ExportFormat::Jsonl, "application/x-ndjson", "jsonl"),
        Some("csv") => (ExportFormat::Csv, "text/csv; charset=utf-8", "csv"),
        Some(other) => {
            let text = format!("there is no format {other:?} here: json, jsonl, csv");
            return Err(Problem::invalid(text));
        }
    };
    query.end()?;
    let Ok(place) = Arc::clone(&app.exports).try_acquire_owned() else {
        let text = "there are as many exports as this server makes at once: try again";
        let problem = Problem::new(StatusCode::TOO_MANY_REQUESTS, "too_many_exports", text);
        return Err(problem.with(header::RETRY_AFTER, HeaderValue::from_static("5")));
    };
    let asked = session.clone();
    app.of_store(move |store| match asked {
        Some(id) if store.highest_attempt_number(&id)? == 0 => {
            let text = format!("there is no session {id:?} with entries");
            Err(Error::new(ErrorKind::NotFound, text))
        }
        _ => Ok(()),
    })
    .await?;
    let (mut out, body) = chunks();
    let now = app.host.now();
    tokio::task::spawn_blocking(move || {
        let options = ExportOptions {
            format,
            ..ExportOptions::default()
        };
        let written = match &session {
            Some(id) => export_session(app.store(), id, &options, now, &mut out),
            None => export_all(app.store(), &options, now, &mut out),
        };
        if written.is_err() || out.flush().is_err() {
            out.break_off();
        }
        drop(place);
    });
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    if let Ok(name) = HeaderValue::from_str(&format!("attachment; filename=\"recover.{ending}\"")) {
        headers.insert(header::CONTENT_DISPOSITION, name);
    }
    Ok(response)
}
