//! The description of the API.

use axum::http::HeaderMap;
use axum::response::Response;

use super::answer::json;

/// OpenAPI 3.1.
pub(crate) const DOCUMENT: &str = include_str!("openapi.json");

/// The description.
pub(crate) async fn document(headers: HeaderMap) -> Response {
    json(&headers, DOCUMENT.to_owned())
}
