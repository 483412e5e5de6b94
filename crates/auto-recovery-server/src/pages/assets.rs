//! The one sheet and the one script.

use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};

use auto_recovery::report::{PAGE_STYLE, chart};

/// Rules of the pages beside those of reports and charts.
const STYLE: &str = include_str!("style.css");

const SCRIPT: &str = include_str!("live.js");

/// The sheet.
pub(crate) async fn style() -> Response {
    let text = format!("{PAGE_STYLE}{}{STYLE}", chart::STYLE);
    let kind = HeaderValue::from_static("text/css; charset=utf-8");
    ([(header::CONTENT_TYPE, kind)], text).into_response()
}

/// The script.
pub(crate) async fn script() -> Response {
    let kind = HeaderValue::from_static("text/javascript; charset=utf-8");
    ([(header::CONTENT_TYPE, kind)], SCRIPT).into_response()
}
