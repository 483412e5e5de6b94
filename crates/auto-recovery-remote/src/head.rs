//! How an answer begins: what is known of it before its text.

use ureq::http::{HeaderMap, header};

/// The longest name of a host.
const NAME_BYTES_MAX: usize = 253;

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

/// Whether `text`, which anybody may have written, is a name that can be shown.
pub(crate) fn is_plain(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:/+[]*".contains(&byte);
    !text.is_empty() && text.len() <= NAME_BYTES_MAX && text.bytes().all(is_plain)
}
