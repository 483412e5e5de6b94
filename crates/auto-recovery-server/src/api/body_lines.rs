//! Bodies of lines that are recorded: read whole, and looked at by a thread that may block, one
//! body at a time.
//!
//! What a body may be is bounded by bytes, by lines and by time, so that no client takes the
//! memory or the threads of others.

use std::sync::Arc;
use std::time::Duration;

use auto_recovery::Result;
use auto_recovery::audit::AuditStore;
use axum::body::{Body, Bytes, to_bytes};
use axum::http::{HeaderMap, StatusCode};

use crate::app::App;
use crate::http::{Problem, decoded, too_large};

/// The largest body, and the time that it may take.
const BYTES_MAX: usize = 16 * 1024 * 1024;
const PATIENCE: Duration = Duration::from_secs(60);

/// The most lines of a body. What a short line becomes has some hundred bytes: 50 MB in all, beside
/// the texts, which are in the body.
const LINES_MAX: usize = 50_000;

/// A line of a body, and its number, from 1.
pub(super) type Numbered<'b> = (usize, &'b [u8]);

/// The answer of `record` to the lines of `body` that are not empty. No other body is recorded
/// meanwhile: what is there already is looked for before it is added.
///
/// # Errors
/// If it is too large, or comes too slowly; otherwise those of `record`.
pub(super) async fn record_lines<T: Send + 'static>(
    app: &Arc<App>,
    (headers, body): (&HeaderMap, Body),
    record: impl FnOnce(&dyn AuditStore, &[Numbered<'_>]) -> Result<Result<T, Problem>> + Send + 'static,
) -> Result<T, Problem> {
    let bytes = read(headers, body).await?;
    let turn = Arc::clone(&app.ingests).lock_owned().await;
    let recorded = app.of_store(move |store| {
        let recorded = match lines_of(&bytes) {
            Ok(lines) => record(store, &lines),
            Err(problem) => Ok(Err(problem)),
        };
        drop(turn);
        recorded
    });
    recorded.await?
}

/// The body, whole and unpacked.
async fn read(headers: &HeaderMap, body: Body) -> Result<Bytes, Problem> {
    let Ok(read) = tokio::time::timeout(PATIENCE, to_bytes(body, BYTES_MAX)).await else {
        let text = "the lines came too slowly: send fewer at once";
        return Err(Problem::new(StatusCode::REQUEST_TIMEOUT, "too_slow", text));
    };
    let bytes = read.map_err(|_| too_large(&format!("{BYTES_MAX} bytes, or not whole")))?;
    let headers = headers.clone();
    let decoding = tokio::task::spawn_blocking(move || decoded(&headers, bytes, BYTES_MAX));
    let decoded = decoding.await;
    decoded.unwrap_or_else(|_| Err(Problem::invalid("the body cannot be decoded")))
}

fn lines_of(bytes: &[u8]) -> Result<Vec<Numbered<'_>>, Problem> {
    let lines = bytes.split(|byte| *byte == b'\n').enumerate();
    let lines = lines.filter(|(_, line)| !line.trim_ascii().is_empty());
    let lines = lines.map(|(index, line)| (index + 1, line));
    let lines: Vec<_> = lines.take(LINES_MAX + 1).collect();
    match lines.len() > LINES_MAX {
        true => Err(too_large(&format!("{LINES_MAX} lines"))),
        false => Ok(lines),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_keep_their_numbers_and_are_not_without_end() {
        let lines = lines_of(b"a\n\n \r\nb").unwrap();
        assert_eq!(lines, [(1, &b"a"[..]), (4, &b"b"[..])]);
        let most = b"{}\n".repeat(LINES_MAX);
        assert_eq!(lines_of(&most).unwrap().len(), LINES_MAX);
        let more = [&most[..], b"{}"].concat();
        let problem = lines_of(&more).unwrap_err();
        assert_eq!(problem.status(), StatusCode::PAYLOAD_TOO_LARGE);
        assert!(problem.detail().contains("50000 lines"));
    }
}
