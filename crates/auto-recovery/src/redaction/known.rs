//! Values that are known to be secret, and finding them in every form.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use aho_corasick::{AhoCorasick, AhoCorasickKind, Input, MatchKind};

use super::encodings::forms;
use super::squeezed::Squeezed;
use super::unlikely::{is_path, is_placeholder};

/// The shortest value: a shorter one stands in texts by chance.
const VALUE_BYTES_MIN: usize = 8;
/// The longest value: a private key has a quarter of it.
const VALUE_BYTES_MAX: usize = 16 * 1024;
/// Values that are known at once: several times the secrets of a large environment.
const VALUES_MAX: usize = 1024;

/// Bytes of all forms of a value, for each of its own.
const FORMS_FACTOR: usize = 24;
/// Bytes of all forms of all values: what it takes to look for them is built anew with each.
const FORMS_BYTES_MAX: usize = 512 * 1024;
/// Of those that were found, and not registered: a text may be full of them.
const FOUND_BYTES_MAX: usize = 128 * 1024;
/// Bytes at the end of a value in which another one may begin.
const SHARED_BYTES_MAX: usize = 256;

/// The mark of a cut, and how many of one text count.
const ELLIPSIS: &[u8] = "…".as_bytes();
const CUTS_MAX: usize = 64;
/// A text of fewer bytes was not cut, unless it says so.
const CUT_BYTES_MIN: usize = 1024;

/// Who says that a value is secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// Somebody registered it.
    Registered,
    /// It was found in a text.
    Found,
}

/// Why a value is not looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NotLearned {
    /// It would stand in texts by chance.
    TooShort,
    /// It is longer than any secret.
    TooLong,
    /// It is a common word, or a placeholder.
    Common,
    /// It is the path of a file, which is no secret.
    Path,
    /// It is a URL, without a password or a secret parameter in it.
    PlainUrl,
    /// As many are known as can be looked for.
    TooMany,
}

impl fmt::Display for NotLearned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooShort => write!(f, "it has fewer than {VALUE_BYTES_MIN} bytes"),
            Self::TooLong => write!(f, "it has more than {VALUE_BYTES_MAX} bytes"),
            Self::Common => f.write_str("it is a common word"),
            Self::Path => f.write_str("it is the path of a file"),
            Self::PlainUrl => f.write_str("it is a URL without a password"),
            Self::TooMany => f.write_str("as many are known as can be looked for"),
        }
    }
}

/// A value and what masks call it.
#[derive(Clone)]
pub(super) struct Secret {
    pub(super) label: Arc<str>,
    pub(super) value: Arc<[u8]>,
}

/// All values that are known.
#[derive(Clone, Default)]
pub(super) struct Known {
    secrets: Vec<Secret>,
    by_value: HashMap<Arc<[u8]>, usize>,
    /// Every form of every value, without the ends of lines, and whose it is.
    forms: Vec<(Vec<u8>, usize)>,
    /// The forms by their first byte.
    by_first: HashMap<u8, Vec<usize>>,
    bytes: usize,
    longest: usize,
    search: OnceLock<Option<AhoCorasick>>,
}

impl Known {
    pub(super) fn get(&self, value: &[u8]) -> Option<&Secret> {
        self.by_value
            .get(value)
            .map(|number| &self.secrets[*number])
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.secrets.len()
    }

    /// Bytes of the longest form.
    pub(super) fn longest(&self) -> usize {
        self.longest
    }

    /// Looks for `value` from now on, and for each line of it that is long enough.
    pub(super) fn learn(
        &mut self,
        label: &Arc<str>,
        value: &[u8],
        said: Said,
    ) -> Result<(), NotLearned> {
        check(value)?;
        if self.by_value.contains_key(value) {
            return Ok(());
        }
        let bytes_max = match said {
            Said::Registered => FORMS_BYTES_MAX,
            Said::Found => FOUND_BYTES_MAX,
        };
        let takes_at_most = value.len().saturating_mul(FORMS_FACTOR);
        if self.secrets.len() >= VALUES_MAX || self.bytes + takes_at_most > bytes_max {
            return Err(NotLearned::TooMany);
        }
        let number = self.secrets.len();
        let value: Arc<[u8]> = value.into();
        self.secrets.push(Secret {
            label: label.clone(),
            value: value.clone(),
        });
        let mut all: HashSet<Vec<u8>> = HashSet::new();
        for form in forms(&value) {
            all.insert(Squeezed::joined(&form).text.into_owned());
        }
        if value.contains(&b'\n') {
            let lines = value.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
            let is_own = |line: &&[u8]| check(line).is_ok() && !line.starts_with(b"-----");
            all.extend(lines.filter(is_own).map(<[u8]>::to_vec));
        }
        for form in all.into_iter().filter(|form| form.len() >= VALUE_BYTES_MIN) {
            self.longest = self.longest.max(form.len());
            self.bytes += form.len();
            let of_first = self.by_first.entry(form[0]).or_default();
            of_first.push(self.forms.len());
            self.forms.push((form, number));
        }
        self.by_value.insert(value, number);
        self.search = OnceLock::new();
        Ok(())
    }

    /// Where values stand in `joined`, a text without codes and ends of lines.
    pub(super) fn find(&self, joined: &[u8]) -> Vec<(Range<usize>, &Secret)> {
        let mut found = Vec::new();
        let Some(search) = self.search() else {
            return found;
        };
        let mut from = 0;
        // From the next byte on: a value may begin inside another.
        while let Some(one) = search.find(Input::new(joined).span(from..joined.len())) {
            let (_, number) = &self.forms[one.pattern().as_usize()];
            found.push((one.range(), &self.secrets[*number]));
            from = (one.start() + 1).max(one.end().saturating_sub(SHARED_BYTES_MAX));
        }
        found
    }

    /// Where at the end of `joined` a value begins that more text could complete.
    pub(super) fn open(&self, joined: &[u8]) -> usize {
        let first = joined.len().saturating_sub(self.longest);
        let begins = |at: &usize| {
            let rest = &joined[*at..];
            let of_first = self.by_first.get(&rest[0]).into_iter().flatten();
            let mut forms = of_first.map(|number| &self.forms[*number].0);
            forms.any(|form| form.len() > rest.len() && form.starts_with(rest))
        };
        (first..joined.len()).find(begins).unwrap_or(joined.len())
    }

    /// Pieces of values where `text` was cut: at its ends, if it is long, and at each ellipsis.
    pub(super) fn pieces_at_cuts(&self, text: &str) -> Vec<(Range<usize>, &Secret)> {
        if self.forms.is_empty() {
            return Vec::new();
        }
        let is_long = text.len() >= CUT_BYTES_MIN;
        let mut ends = Vec::from_iter(is_long.then_some(text.len()));
        let mut starts = Vec::from_iter(is_long.then_some(0));
        for at in memchr::memmem::find_iter(text.as_bytes(), ELLIPSIS).take(CUTS_MAX) {
            let before = text[..at].trim_end_matches(' ').len();
            ends.push(before);
            starts.push(at + ELLIPSIS.len());
        }
        let bytes = text.as_bytes();
        let before = ends.into_iter().filter_map(|end| {
            let first = end.saturating_sub(self.longest);
            let places = first..(end + 1).saturating_sub(VALUE_BYTES_MIN);
            places.into_iter().find_map(|at| {
                let rest = &bytes[at..end];
                let of_first = self.by_first.get(&rest[0])?.iter();
                let mut forms = of_first.map(|number| &self.forms[*number]);
                let (_, number) = forms.find(|(form, _)| form.starts_with(rest))?;
                Some((at..end, &self.secrets[*number]))
            })
        });
        let after = starts.into_iter().filter_map(|start| {
            let rest = &bytes[start..];
            let length = |form: &[u8]| {
                let lengths = (VALUE_BYTES_MIN..=form.len().min(rest.len())).rev();
                let mut lengths = lengths.filter(|length| rest[..*length].last() == form.last());
                lengths.find(|length| form.ends_with(&rest[..*length]))
            };
            let pieces = self.forms.iter();
            let pieces = pieces.filter_map(|(form, number)| Some((length(form)?, number)));
            let (length, number) = pieces.max_by_key(|(length, _)| *length)?;
            Some((start..start + length, &self.secrets[*number]))
        });
        before.chain(after).collect()
    }

    fn search(&self) -> Option<&AhoCorasick> {
        let build = || {
            let forms = self.forms.iter().map(|(form, _)| form);
            let mut builder = AhoCorasick::builder();
            builder
                .match_kind(MatchKind::LeftmostLongest)
                // Quick to build: it is built anew after each value that is found.
                .kind(Some(AhoCorasickKind::ContiguousNFA));
            (!self.forms.is_empty())
                .then(|| builder.build(forms).ok())
                .flatten()
        };
        self.search.get_or_init(build).as_ref()
    }
}

/// Whether `value` may be looked for.
fn check(value: &[u8]) -> Result<(), NotLearned> {
    if value.len() < VALUE_BYTES_MIN {
        return Err(NotLearned::TooShort);
    }
    if value.len() > VALUE_BYTES_MAX {
        return Err(NotLearned::TooLong);
    }
    if is_placeholder(value) {
        return Err(NotLearned::Common);
    }
    if is_path(value) {
        return Err(NotLearned::Path);
    }
    Ok(())
}
