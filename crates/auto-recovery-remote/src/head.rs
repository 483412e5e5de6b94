//! How an answer begins: what is known of it before its text.

use ureq::http::{HeaderMap, header};

/// How an answer begins.
#[derive(Clone)]
pub(crate) struct Head {
    pub(crate) status: u16,
    /// Its media type, without parameters.
    pub(crate) kind: String,
    pub(crate) retry_after: Option<u64>,
    pub(crate) location: Option<String>,
}

impl Head {
    pub(crate) fn of(status: u16, headers: &HeaderMap) -> Self {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let kind = text(header::CONTENT_TYPE).unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default();
        Self {
            status,
            kind: kind.trim().to_ascii_lowercase(),
            retry_after: text(header::RETRY_AFTER).and_then(|value| value.parse().ok()),
            location: text(header::LOCATION).map(str::to_owned),
        }
    }
}
