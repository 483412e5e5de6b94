//! The redactor of a session: what it is given it looks through, masks, and learns from.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use memchr::memchr_iter;

use super::decoded::Decoded;
use super::kind::kinds;
use super::known::{Known, NotLearned, Said, Secret};
use super::mask::{label, mask, masks_in};
use super::rule::RedactionRule;
use super::scanner::{Seen, scan};
use super::squeezed::{Squeezed, hidden_bodies};
use super::unlikely::{is_placeholder, is_weak};

/// The kind of a value that stands in the word behind an option.
const SECRET_OPTION: &str = "flag-secret-beside";

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
    /// `None` masks nothing.
    key: Option<[u8; 16]>,
    rules: Vec<RedactionRule>,
    /// Kinds that are not looked for.
    without: Vec<String>,
    /// Values to learn when a text is first looked through.
    waiting: Mutex<Vec<(String, Vec<u8>)>>,
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
#[derive(Clone)]
pub(super) struct Span {
    pub(super) range: Range<usize>,
    pub(super) is_proved: bool,
    pub(super) kind: Arc<str>,
    value: Vec<u8>,
    sureness: Sureness,
}

impl Span {
    /// A value that is known, in `range`.
    fn of_known(secret: &Secret, range: Range<usize>) -> Self {
        Self {
            range,
            is_proved: false,
            kind: secret.label.clone(),
            value: secret.value.to_vec(),
            sureness: Sureness::Known,
        }
    }
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
            key: Some(key),
            ..Self::off()
        }
    }

    /// A redactor that masks nothing, for those who say that they want that.
    pub fn off() -> Self {
        Self {
            key: None,
            rules: Vec::new(),
            without: Vec::new(),
            waiting: Mutex::default(),
            known: RwLock::default(),
        }
    }

    /// The same, which masks what `rules` match too.
    #[must_use]
    pub fn with_rules(self, rules: Vec<RedactionRule>) -> Self {
        Self { rules, ..self }
    }

    /// The same, which does not look for `kinds`.
    #[must_use]
    pub fn without_kinds(self, kinds: Vec<String>) -> Self {
        Self {
            without: kinds,
            ..self
        }
    }

    /// Learns `values`, each with its name, when a text is first looked through: until then that
    /// costs nothing. Those that would mask what is no secret are left out.
    pub fn learn_when_needed(&self, values: Vec<(String, Vec<u8>)>) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.extend(values);
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
        self.masked(text, self.spans(text).spans)
    }

    /// `text` with masks in the place of `spans`.
    fn masked<'t>(&self, text: &'t [u8], spans: Vec<Span>) -> Redacted<'t> {
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

    /// `text`, which may have been cut, with every secret in it masked, as [`Redactor::redact`]
    /// does. Where it was cut, at its ends or at an ellipsis, a piece of a known secret counts.
    pub fn redact_text<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let mut spans = self.spans(text.as_bytes()).spans;
        let known = self.known();
        let pieces = known.pieces_at_cuts(text);
        if !pieces.is_empty() {
            spans.extend(pieces.into_iter().map(|(range, secret)| Span {
                range,
                is_proved: false,
                kind: secret.label.clone(),
                value: secret.value.to_vec(),
                sureness: Sureness::Known,
            }));
            spans = merged(spans);
        }
        match self.masked(text.as_bytes(), spans).text {
            Cow::Borrowed(_) => Cow::Borrowed(text),
            Cow::Owned(bytes) => match String::from_utf8(bytes) {
                Ok(text) => Cow::Owned(text),
                Err(error) => Cow::Owned(String::from_utf8_lossy(error.as_bytes()).into_owned()),
            },
        }
    }

    /// The words of a command with every secret in them masked, also where an option in one word
    /// says that the next is secret.
    pub fn redact_words(&self, words: &[String]) -> Vec<String> {
        if self.key.is_none() {
            return words.to_vec();
        }
        let line = words.join(" ");
        let mut spans = self.spans(line.as_bytes()).spans;
        let places = places_of(words);
        for pair in places.windows(2) {
            let (option, value) = (pair[0].clone(), pair[1].clone());
            if let Some(kind) = kind_of_option(&line[option], &line[value.clone()]) {
                spans.push(Span {
                    value: line.as_bytes()[value.clone()].to_vec(),
                    range: value,
                    is_proved: false,
                    kind: kind.into(),
                    sureness: Sureness::Context,
                });
            }
        }
        let spans = merged(spans);
        let masked = places.into_iter().map(|place| {
            let inside = spans.iter().filter_map(|span| {
                let start = span.range.start.max(place.start);
                let end = span.range.end.min(place.end);
                (start < end).then(|| Span {
                    range: start - place.start..end - place.start,
                    ..span.clone()
                })
            });
            let word = &line.as_bytes()[place.clone()];
            let redacted = self.masked(word, inside.collect());
            String::from_utf8_lossy(&redacted.text).into_owned()
        });
        masked.collect()
    }

    /// How many values are known.
    pub fn count(&self) -> usize {
        self.known().count()
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
        // Without a key there are no spans.
        let key = self.key.unwrap_or_default();
        for span in spans {
            out.extend_from_slice(&text[from..span.range.start]);
            out.extend_from_slice(mask(&key, &span.kind, &span.value).as_bytes());
            from = span.range.end;
        }
        out.extend_from_slice(&text[from..]);
    }

    /// What is secret in `text`. What its shape or its context tells is known from then on.
    pub(super) fn spans(&self, text: &[u8]) -> Found {
        if self.key.is_none() {
            return Found {
                spans: Vec::new(),
                open: text.len(),
            };
        }
        self.learn_waiting();
        let visible = Squeezed::visible(text);
        let scanned = scan(&visible.text);
        let shown = |range: Range<usize>| visible.range(range);
        let mut spans = self.told(&scanned.seen, &visible.text, shown);
        if let Some(decoded) = Decoded::of(&visible.text) {
            let place = |range: Range<usize>| visible.range(decoded.range(&range));
            let seen = scan(&decoded.text).seen;
            spans.extend(self.told(&seen, &decoded.text, place));
            for (range, secret) in self.known().find(&decoded.text) {
                spans.push(Span::of_known(secret, place(range)));
            }
        }
        for rule in &self.rules {
            spans.extend(rule.matches(&visible.text).map(|range| {
                let value = &visible.text[range.clone()];
                // One that cannot be looked for elsewhere is masked where it was found.
                self.keep(rule.label(), value, Said::Found).ok();
                Span {
                    value: value.to_vec(),
                    range: visible.range(range),
                    is_proved: false,
                    kind: rule.label().clone(),
                    sureness: Sureness::Known,
                }
            }));
        }
        let hidden = match visible.has_bodies {
            true => hidden_bodies(text),
            false => Vec::new(),
        };
        for body in &hidden {
            let inner = Squeezed::visible(&text[body.clone()]);
            let seen = scan(&inner.text).seen;
            let told = self.told(&seen, &inner.text, |range| inner.range(range));
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

    /// The spans of all that was `seen` in `text`; its values are known from here on. `place` says
    /// where a range of `text` is in the whole.
    fn told(
        &self,
        seen: &[Seen],
        text: &[u8],
        place: impl Fn(Range<usize>) -> Range<usize>,
    ) -> Vec<Span> {
        let mut spans = Vec::new();
        let wanted = seen
            .iter()
            .filter(|one| !self.without.contains(&one.kind.id));
        let mut wanted: Vec<_> = wanted.collect();
        // A value keeps the name that was learned first: its shape says more than its place.
        wanted.sort_by_key(|one| one.kind.is_context());
        for one in wanted {
            let secret = &text[one.range.clone()];
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
                range: place(one.range.clone()),
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

    fn learn_waiting(&self) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        // Others wait here until all are known.
        for (name, value) in waiting.drain(..) {
            let _no_secret = self.learn(&name, &value);
        }
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
        spans.push(Span::of_known(secret, visible.range(joined.range(range))));
    }
    // The end of a line may come in two pieces.
    let whole = joined.text.strip_suffix(b"\r").unwrap_or(&joined.text);
    visible.start(joined.start(known.open(whole)))
}

/// Where each of `words` stands in them joined by blanks.
fn places_of(words: &[String]) -> Vec<Range<usize>> {
    let mut start = 0;
    let places = words.iter().map(|word| {
        let place = start..start + word.len();
        start = place.end + 1;
        place
    });
    places.collect()
}

/// The kind of secret that `value` is as the word behind `option`.
fn kind_of_option(option: &str, value: &str) -> Option<&'static str> {
    let kind = kinds().iter().find(|kind| kind.id == SECRET_OPTION)?;
    let says_so = kind.literals.iter().any(|literal| literal == option);
    let is_value = !value.is_empty() && !value.starts_with('-') && !value.starts_with('$');
    (says_so && is_value && !is_placeholder(value.as_bytes())).then_some(&*kind.id)
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
