//! Compression on the wire: answers of the API where a client takes it, and bodies that come so.
//!
//! Pages stay as they are: their forms carry what proves where they came from, and the length of a
//! compressed page would tell of it. So do streams: an event is to arrive at once.

use std::io::Read as _;

use axum::http::{Extensions, HeaderMap, StatusCode, Version, header};
use flate2::read::MultiGzDecoder;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{And, Predicate, SizeAbove};

use super::problem::Problem;

/// Answers from this size on are compressed.
const ANSWER_BYTES_MIN: u64 = 1024;

/// Media types of the API.
const TYPES: [&str; 3] = ["application/json", "application/x-ndjson", "text/csv"];

type Wanted = fn(StatusCode, Version, &HeaderMap, &Extensions) -> bool;

/// What compresses answers of the API.
pub(crate) fn compression() -> CompressionLayer<And<SizeAbove, Wanted>> {
    let wanted: Wanted = |status, _, headers, _| is_wanted(status, headers);
    CompressionLayer::new().compress_when(SizeAbove::new(ANSWER_BYTES_MIN).and(wanted))
}

fn is_wanted(status: StatusCode, headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let is_of_api = TYPES.iter().any(|one| kind.starts_with(one));
    // Events say that nobody is to gather them.
    status == StatusCode::OK && is_of_api && !headers.contains_key("x-accel-buffering")
}

/// The body `bytes` as its sender meant it, at most `bytes_max`.
///
/// # Errors
/// If it is coded as nobody here knows, is no gzip, or is larger.
pub(crate) fn decoded(
    headers: &HeaderMap,
    bytes: axum::body::Bytes,
    bytes_max: usize,
) -> Result<axum::body::Bytes, Problem> {
    let mut codings = headers.get_all(header::CONTENT_ENCODING).iter();
    let coding = codings
        .next()
        .map_or("identity", |coding| coding.to_str().unwrap_or_default());
    match (coding.to_ascii_lowercase().as_str(), codings.next()) {
        ("identity", None) => return Ok(bytes),
        ("gzip", None) => {}
        _ => {
            let text = "the body is coded as this server does not know: send it as it is, or as \
                        gzip";
            let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
            return Err(Problem::new(status, "unknown_coding", text));
        }
    }
    let mut whole = Vec::new();
    // What is much larger than it came is not unpacked to its end.
    let mut decoder = MultiGzDecoder::new(&*bytes).take(bytes_max as u64 + 1);
    let read = decoder.read_to_end(&mut whole);
    read.map_err(|error| Problem::invalid(format!("the body is no gzip: {error}")))?;
    match whole.len() > bytes_max {
        true => Err(too_large(&format!("{bytes_max} bytes"))),
        false => Ok(whole.into()),
    }
}

/// That a body has more than `most`.
pub(crate) fn too_large(most: &str) -> Problem {
    let text = format!("more than {most}: send fewer lines at once");
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", text)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn answers_of_the_api_are_compressed_and_nothing_else_is() {
        for (kind, is_stream, expected) in [
            ("application/json", false, true),
            ("application/x-ndjson", false, true),
            ("text/csv; charset=utf-8", false, true),
            ("application/x-ndjson", true, false),
            ("text/event-stream", false, false),
            ("text/html; charset=utf-8", false, false),
            ("application/problem+json", false, false),
            ("", false, false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
            if is_stream {
                headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
            }
            assert_eq!(is_wanted(StatusCode::OK, &headers), expected, "{kind}");
        }
    }
}
