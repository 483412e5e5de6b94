//! Masks in what is said on stderr: whatever a message quotes, no secret stands in it.

use std::borrow::Cow;
use std::sync::{Arc, OnceLock};

use auto_recovery::redaction::{RedactionStream, Redactor};

/// What masks all that is said from the moment at which settings are known.
static REDACTOR: OnceLock<Arc<Redactor>> = OnceLock::new();

/// Masks all that is said from now on with `redactor`.
pub(crate) fn mask_with(redactor: Arc<Redactor>) {
    // Nobody sets it twice but tests, whose first is as good.
    let _set_before = REDACTOR.set(redactor);
}

/// What masks a text that comes piece by piece.
pub(crate) fn masking_stream() -> RedactionStream {
    let redactor = REDACTOR.get().cloned();
    RedactionStream::new(redactor.unwrap_or_else(|| Arc::new(Redactor::off())))
}

/// `text` without its secrets.
pub(crate) fn masked(text: &str) -> Cow<'_, str> {
    match REDACTOR.get() {
        Some(redactor) => redactor.redact_text(text),
        None => Cow::Borrowed(text),
    }
}
