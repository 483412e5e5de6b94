//! The one sheet and the scripts.

use axum::extract::RawQuery;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};

use auto_recovery::report::{PAGE_STYLE, chart};

use crate::http::{Named, Problem};

/// Rules of the pages beside those of reports and charts.
const STYLE: &str = include_str!("style.css");

/// The scripts, each by the name of its file.
const SCRIPTS: [(&str, &str); 4] = [
    ("page.js", include_str!("page.js")),
    ("stream.js", include_str!("stream.js")),
    ("live.js", include_str!("live.js")),
    ("sessions.js", include_str!("sessions.js")),
];

/// The sheet: for the browser's choice of light or dark, or for one of the two.
pub(crate) async fn style(RawQuery(query): RawQuery) -> Response {
    let text = format!("{PAGE_STYLE}{}{STYLE}", chart::STYLE);
    let (asks, answer) = ("(prefers-color-scheme: dark)", "color-scheme: light dark");
    let text = match query.as_deref() {
        Some("theme=dark") => text
            .replace(asks, "all")
            .replace(answer, "color-scheme: dark"),
        Some("theme=light") => text
            .replace(asks, "not all")
            .replace(answer, "color-scheme: light"),
        _ => text,
    };
    let kind = HeaderValue::from_static("text/css; charset=utf-8");
    ([(header::CONTENT_TYPE, kind)], text).into_response()
}

/// The script `name`.
pub(crate) async fn script(Named(name): Named) -> Result<Response, Problem> {
    let found = SCRIPTS.into_iter().find(|(one, _)| *one == name);
    let (_, text) = found.ok_or_else(|| Problem::not_found("there is no such script"))?;
    let kind = HeaderValue::from_static("text/javascript; charset=utf-8");
    Ok(([(header::CONTENT_TYPE, kind)], text).into_response())
}
