//! Answers in JSON, and those to requests for what there is not.

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::digest::digest_of;
use crate::http::Problem;

/// Bytes of the hash that distinguish one answer from another.
const TAG_BYTES: usize = 16;

/// The answer `text`, or that it is what the client has already.
pub(crate) fn json(headers: &HeaderMap, text: String) -> Response {
    let tag = format!("\"{}\"", digest_of(&text, TAG_BYTES));
    let known = headers
        .get(header::IF_NONE_MATCH)
        .and_then(|tags| tags.to_str().ok());
    let is_known = known.is_some_and(|tags| {
        let mut tags = tags
            .split(',')
            .map(|tag| tag.trim().trim_start_matches("W/"));
        tags.any(|one| one == tag || one == "*")
    });
    let mut response = match is_known {
        true => StatusCode::NOT_MODIFIED.into_response(),
        false => {
            let json = HeaderValue::from_static("application/json");
            ([(header::CONTENT_TYPE, json)], text).into_response()
        }
    };
    let headers = response.headers_mut();
    headers.insert(
        header::CACHE_CONTROL,
        HeaderValue::from_static("private, no-cache"),
    );
    // A weak one: the same answer may be compressed or not.
    if let Ok(tag) = HeaderValue::from_str(&format!("W/{tag}")) {
        headers.insert(header::ETAG, tag);
    }
    response
}

/// The JSON list of `items`, which are JSON, with `more` behind it, an object without its braces.
pub(crate) fn list(items: &[String], more: &str) -> String {
    format!("{{\"items\":[{}],{more}}}\n", items.join(","))
}

/// There is no such path.
pub(crate) async fn nothing(request: Request) -> Problem {
    Problem::not_found(format!("there is nothing at {:?}", request.uri().path()))
}

/// There is one, for other methods.
pub(crate) async fn no_such_method(request: Request) -> Problem {
    let text = format!("{} is not for this path", request.method());
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "no_such_method", text)
}
