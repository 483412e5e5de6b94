//! A text that nobody is shown: a token.

use std::fmt;

/// A token, which nobody is shown.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct SecretText(String);

impl SecretText {
    /// `text`, not to be shown.
    pub(crate) fn new(text: String) -> Self {
        Self(text)
    }

    /// The text, for who is told it.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}
