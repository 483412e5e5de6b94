//! The one sheet and the scripts.

use axum::extract::Path;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};

use auto_recovery::report::{PAGE_STYLE, chart};

use crate::http::Problem;

/// Rules of the pages beside those of reports and charts.
const STYLE: &str = include_str!("style.css");

/// The scripts, each by the name of its file.
const SCRIPTS: [(&str, &str); 3] = [
    ("page.js", include_str!("page.js")),
    ("stream.js", include_str!("stream.js")),
    ("live.js", include_str!("live.js")),
];

/// The sheet.
pub(crate) async fn style() -> Response {
    let text = format!("{PAGE_STYLE}{}{STYLE}", chart::STYLE);
    let kind = HeaderValue::from_static("text/css; charset=utf-8");
    ([(header::CONTENT_TYPE, kind)], text).into_response()
}

/// The script `name`.
pub(crate) async fn script(Path(name): Path<String>) -> Result<Response, Problem> {
    let found = SCRIPTS.into_iter().find(|(one, _)| *one == name);
    let (_, text) = found.ok_or_else(|| Problem::not_found("there is no such script"))?;
    let kind = HeaderValue::from_static("text/javascript; charset=utf-8");
    Ok(([(header::CONTENT_TYPE, kind)], text).into_response())
}
