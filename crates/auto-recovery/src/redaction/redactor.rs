//! The redactor of a session: what it is given it looks through, masks, and learns from.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, PoisonError, RwLock};

use memchr::memchr_iter;

use super::known::{Known, NotLearned, Said};
use super::mask::{label, mask, masks_in};
use super::scanner::{Seen, scan};
use super::squeezed::{Squeezed, hidden_bodies};
use super::unlikely::is_weak;

/// Finds secrets and masks them. One lives as long as a session.
///
/// ```
/// use auto_recovery::redaction::Redactor;
///
/// let redactor = Redactor::new([7; 16]);
/// redactor.learn("DEPLOY_PASSWORD", b"tr0ub4dor&3")?;
/// let redacted = redactor.redact(b"login with tr0ub4dor&3 failed");
/// let text = String::from_utf8_lossy(&redacted.text);
/// assert!(text.starts_with("login with [redacted DEPLOY_PASSWORD "));
/// assert!(text.ends_with("] failed"));
/// # Ok::<(), auto_recovery::redaction::NotLearned>(())
/// ```
pub struct Redactor {
    key: [u8; 16],
    known: RwLock<Arc<Known>>,
}

/// A text without its secrets.
#[derive(Debug)]
pub struct Redacted<'t> {
    /// The text, borrowed where it had none.
    pub text: Cow<'t, [u8]>,
    /// What was masked, in its order.
    pub found: Vec<Finding>,
}

/// A secret that was found; its value is not told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The name of its kind, or the one it was registered by.
    pub kind: Arc<str>,
    /// Where it stands, in bytes.
    pub range: Range<usize>,
    /// The line that it begins in, from 1.
    pub line: usize,
    /// Whether a checksum inside it is right. Where it is not, nothing is proved.
    pub is_proved: bool,
}

/// How surely a name fits what was found: the surest names a secret that several things tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Sureness {
    Known,
    Shape,
    Context,
}

/// A secret in a text.
pub(super) struct Span {
    pub(super) range: Range<usize>,
    pub(super) is_proved: bool,
    pub(super) kind: Arc<str>,
    value: Vec<u8>,
    sureness: Sureness,
}

/// What is secret in a text, in order and apart from each other, and from where on more text could
/// change that.
pub(super) struct Found {
    pub(super) spans: Vec<Span>,
    pub(super) open: usize,
}

impl Redactor {
    /// A redactor that knows no value yet. `key` is random, and as long as the session lives in
    /// memory only: masks are made with it. Patterns are compiled when a text first asks for them.
    pub fn new(key: [u8; 16]) -> Self {
        Self {
            key,
            known: RwLock::default(),
        }
    }

    /// Masks `value` from now on as `name`, in all its encodings; of a URL the password and secret
    /// parameters.
    ///
    /// # Errors
    /// [`NotLearned`] if that would mask what is no secret.
    pub fn learn(&self, name: &str, value: &[u8]) -> Result<(), NotLearned> {
        let value = value.trim_ascii();
        if memchr::memmem::find(value, b"://").is_none() {
            return self.keep(&label(name).into(), value, Said::Registered);
        }
        let parts = scan(value).seen;
        let parts: Vec<_> = parts.iter().filter(|one| one.kind.is_context()).collect();
        if parts.is_empty() {
            return Err(NotLearned::PlainUrl);
        }
        let label: Arc<str> = label(name).into();
        let learned = parts
            .iter()
            .map(|one| self.keep(&label, &value[one.range.clone()], Said::Registered));
        learned.fold(Ok(()), Result::and)
    }

    /// `text` with every secret in it masked, and its values known from now on.
    pub fn redact<'t>(&self, text: &'t [u8]) -> Redacted<'t> {
        let spans = self.spans(text).spans;
        if spans.is_empty() {
            return Redacted {
                text: Cow::Borrowed(text),
                found: Vec::new(),
            };
        }
        let mut out = Vec::with_capacity(text.len());
        self.write(text, &spans, &mut out);
        Redacted {
            text: Cow::Owned(out),
            found: findings(text, 1, &spans),
        }
    }

    /// `text` with every secret in it masked, as [`Redactor::redact`] does.
    pub fn redact_text<'t>(&self, text: &'t str) -> Cow<'t, str> {
        match self.redact(text.as_bytes()).text {
            Cow::Borrowed(_) => Cow::Borrowed(text),
            Cow::Owned(bytes) => match String::from_utf8(bytes) {
                Ok(text) => Cow::Owned(text),
                Err(error) => Cow::Owned(String::from_utf8_lossy(error.as_bytes()).into_owned()),
            },
        }
    }

    /// What is secret in `text`, without its value.
    pub fn find(&self, text: &[u8]) -> Vec<Finding> {
        findings(text, 1, &self.spans(text).spans)
    }

    /// Bytes that a value may take, in any form.
    pub(super) fn longest_form(&self) -> usize {
        self.known().longest()
    }

    /// Appends `text` to `out` with masks in the place of `spans`.
    pub(super) fn write(&self, text: &[u8], spans: &[Span], out: &mut Vec<u8>) {
        let mut from = 0;
        for span in spans {
            out.extend_from_slice(&text[from..span.range.start]);
            out.extend_from_slice(mask(&self.key, &span.kind, &span.value).as_bytes());
            from = span.range.end;
        }
        out.extend_from_slice(&text[from..]);
    }

    /// What is secret in `text`. What its shape or its context tells is known from then on.
    pub(super) fn spans(&self, text: &[u8]) -> Found {
        let visible = Squeezed::visible(text);
        let scanned = scan(&visible.text);
        let mut spans = self.told(&scanned.seen, &visible);
        let hidden = match visible.has_bodies {
            true => hidden_bodies(text),
            false => Vec::new(),
        };
        for body in &hidden {
            let inner = Squeezed::visible(&text[body.clone()]);
            let told = self.told(&scan(&inner.text).seen, &inner);
            spans.extend(told.into_iter().map(|span| moved(span, body.start)));
        }
        let mut open = visible.start(scanned.open);
        let known = self.known();
        if known.longest() > 0 {
            open = open.min(by_value(&known, &visible, &mut spans));
            for body in &hidden {
                let mut inner = Vec::new();
                by_value(&known, &Squeezed::visible(&text[body.clone()]), &mut inner);
                spans.extend(inner.into_iter().map(|span| moved(span, body.start)));
            }
        }
        if !spans.is_empty() {
            let masks = masks_in(text);
            spans.retain(|span| !cuts_any(&masks, &span.range));
        }
        Found {
            spans: merged(spans),
            open,
        }
    }

    /// The spans of `seen`, whose values are known from here on.
    fn told(&self, seen: &[Seen], visible: &Squeezed<'_>) -> Vec<Span> {
        let mut spans = Vec::new();
        for one in seen {
            let secret = &visible.text[one.range.clone()];
            let value = match one.kind.has_lines() {
                true => secret.to_vec(),
                false => Squeezed::joined(secret).text.into_owned(),
            };
            if !one.kind.is_context() || !is_weak(&value) {
                // What cannot be looked for elsewhere is masked where it was found.
                self.keep(&one.kind.id.as_str().into(), &value, Said::Found)
                    .ok();
            }
            let known = self.known();
            let known = known.get(&value);
            spans.push(Span {
                range: visible.range(one.range.clone()),
                is_proved: one.is_proved,
                kind: known
                    .map_or_else(|| one.kind.id.as_str().into(), |known| known.label.clone()),
                value,
                sureness: match (known, one.kind.is_context()) {
                    (Some(_), false) => Sureness::Known,
                    (_, false) => Sureness::Shape,
                    (_, true) => Sureness::Context,
                },
            });
        }
        spans
    }

    fn keep(&self, label: &Arc<str>, value: &[u8], said: Said) -> Result<(), NotLearned> {
        if self.known().get(value).is_some() {
            return Ok(());
        }
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        Arc::make_mut(&mut known).learn(label, value, said)
    }

    fn known(&self) -> Arc<Known> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&known)
    }
}

impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redactor").finish_non_exhaustive()
    }
}

/// Adds the places of known values to `spans`, and returns from where on more text could change
/// what is found.
fn by_value(known: &Known, visible: &Squeezed<'_>, spans: &mut Vec<Span>) -> usize {
    let joined = Squeezed::joined(&visible.text);
    for (range, secret) in known.find(&joined.text) {
        spans.push(Span {
            range: visible.range(joined.range(range)),
            is_proved: false,
            kind: secret.label.clone(),
            value: secret.value.to_vec(),
            sureness: Sureness::Known,
        });
    }
    // The end of a line may come in two pieces.
    let whole = joined.text.strip_suffix(b"\r").unwrap_or(&joined.text);
    visible.start(joined.start(known.open(whole)))
}

fn moved(span: Span, by: usize) -> Span {
    Span {
        range: span.range.start + by..span.range.end + by,
        ..span
    }
}

/// Whether `range` begins or ends inside one of `masks`, which stay as they are.
fn cuts_any(masks: &[Range<usize>], range: &Range<usize>) -> bool {
    let cuts = |mask: &Range<usize>| {
        (mask.start <= range.start && range.start < mask.end)
            || (mask.start < range.end && range.end <= mask.end)
    };
    masks.iter().any(cuts)
}

/// `spans` in order, those that overlap as one, named by the surest of them.
fn merged(mut spans: Vec<Span>) -> Vec<Span> {
    spans.sort_by_key(|span| (span.range.start, span.sureness));
    let mut merged: Vec<Span> = Vec::with_capacity(spans.len());
    for span in spans {
        match merged.last_mut() {
            Some(last) if span.range.start < last.range.end => {
                let range = last.range.start..last.range.end.max(span.range.end);
                let is_proved = last.is_proved || span.is_proved;
                if span.sureness < last.sureness {
                    *last = span;
                }
                last.range = range;
                last.is_proved = is_proved;
            }
            _ => merged.push(span),
        }
    }
    merged
}

/// What `spans` of `text` are to a caller. The first line of `text` has the number `line`.
pub(super) fn findings(text: &[u8], mut line: usize, spans: &[Span]) -> Vec<Finding> {
    let mut from = 0;
    let found = spans.iter().map(|span| {
        line += memchr_iter(b'\n', &text[from..span.range.start]).count();
        from = span.range.start;
        Finding {
            kind: span.kind.clone(),
            range: span.range.clone(),
            line,
            is_proved: span.is_proved,
        }
    });
    found.collect()
}
