//! A failure as it is known again: its class, its kind, its file, and the version of the tool.

use crate::failure::{Category, Failure};
use crate::learn::class::{Class, Key, Salt};

/// A failure, as it is known again.
#[derive(Clone, Debug, PartialEq)]
pub struct FailureKey {
    /// Its class.
    pub class: Class,
    /// Its kind: see [`crate::failure_kind`].
    pub kind: String,
    /// The file that the tool pointed at.
    pub file: String,
    /// The version of the tool, where it says that.
    pub version: Option<String>,
}

impl FailureKey {
    /// The key of `failure`, whose texts are as records have them.
    pub fn of(category: Category, failure: &Failure) -> Self {
        Self {
            class: Class::of(category, failure),
            kind: failure.kind(),
            file: failure.file_path.clone().unwrap_or_default(),
            version: version_of(failure),
        }
    }

    /// The key of `failure`, whose message `mask` makes what records have.
    pub fn masked(category: Category, failure: &Failure, mask: &dyn Fn(&str) -> String) -> Self {
        let mut failure = failure.clone();
        failure.message = mask(&failure.message);
        Self::of(category, &failure)
    }

    pub(super) fn key(&self, salt: Salt) -> Key {
        salt.key(&["failure", &self.kind, &self.file])
    }
}

/// The version of its own that the tool of `failure` says: the first word that begins with a digit
/// and has a dot, right after the tool's name.
fn version_of(failure: &Failure) -> Option<String> {
    /// Bytes that are looked through: versions stand in the first lines.
    const BYTES_MAX: usize = 4096;

    let tool = failure
        .source
        .rsplit('/')
        .next()
        .filter(|tool| !tool.is_empty())?;
    let texts = [Some(&failure.message), failure.stack_trace.as_ref()];
    texts.into_iter().flatten().find_map(|text| {
        let text = text.get(..BYTES_MAX).unwrap_or(text);
        let mut words = text.split(|c: char| c.is_whitespace() || "/@()".contains(c));
        while let Some(word) = words.next() {
            if word != tool {
                continue;
            }
            let version = words
                .clone()
                .next()
                .unwrap_or_default()
                .trim_start_matches('v');
            let version = version.trim_end_matches([',', ':', ';', '.']);
            if version.starts_with(|c: char| c.is_ascii_digit()) && version.contains('.') {
                return Some(version.to_owned());
            }
        }
        None
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_that_of_the_tool() {
        let cases = [
            (
                "rustc",
                "internal error: rustc 1.95.0 (abc) running on x",
                Some("1.95.0"),
            ),
            ("npm", "using npm@10.2.3, node@v20", Some("10.2.3")),
            ("tools/mypy", "mypy v1.2: x", Some("1.2")),
            ("cargo", "cargo failed with 101 in 1.2 s", None),
            ("cargo", "rustc 1.95", None),
            ("", "1.2", None),
        ];
        for (tool, message, expected) in cases {
            let failure = Failure::new("E", message, tool);
            assert_eq!(version_of(&failure).as_deref(), expected, "{message}");
        }
    }
}
