//! The thread that sends what the feed has to a receiver of OTLP, and moves its cursor once that
//! has been taken.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use auto_recovery::redaction::Redactor;
use auto_recovery::{Error, ErrorKind, Result};
use serde_json::Value;

use super::message::{logs, traces};
use super::session::Session;
use crate::feed::{Event, Following, Kind, Wanted};
use crate::outbound::{Answer, Outbound, OutboundUrl, check_header};

/// Rows of the feed that become one request.
const PAGE: usize = 64;

/// The longest wait for news, and the pause between looks for sessions that died.
const WAIT: Duration = Duration::from_millis(250);
const LOOK: Duration = Duration::from_secs(60);

/// The first pause after a receiver did not answer; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_secs(60);

/// Where traces and logs go.
#[derive(Clone, Debug)]
pub struct OtlpOptions {
    /// The receiver; `/v1/traces` and `/v1/logs` are added.
    pub endpoint: OutboundUrl,
    /// Headers of each request, such as one with a token.
    pub headers: Vec<(String, String)>,
    /// The certificates that are trusted, as a PEM file, instead of those that browsers trust.
    pub roots: Option<PathBuf>,
}

/// How sending goes, for those who ask.
#[derive(Debug, Default)]
pub(crate) struct Sent {
    /// Requests that were taken.
    pub(crate) taken: AtomicU64,
    /// Requests that were refused for good: what they carried is not sent again.
    pub(crate) refused: AtomicU64,
    /// The number of the last row that was sent, or had nothing to send.
    pub(crate) seq: AtomicU64,
    /// Whether the last request was answered.
    pub(crate) is_up: AtomicBool,
}

/// Sends what the feed has.
pub(crate) struct Exporter {
    following: Arc<Following>,
    outbound: Outbound,
    traces: OutboundUrl,
    logs: OutboundUrl,
    headers: Vec<(String, String)>,
    /// Where browsers reach the server.
    public_url: Option<String>,
    redactor: Redactor,
    sent: Arc<Sent>,
}

/// The fate of a request.
enum Fate {
    Taken,
    /// It will never be taken.
    Refused,
    /// It may be taken later.
    Later(Option<Duration>),
}

impl Exporter {
    /// An exporter of the feed in `following`.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] if `options` cannot be used.
    pub(crate) fn new(
        following: Arc<Following>,
        options: &OtlpOptions,
        public_url: Option<&str>,
    ) -> Result<Self> {
        let signal = |path: &str| {
            let base = options.endpoint.whole().trim_end_matches('/');
            let url = OutboundUrl::parse(&format!("{base}{path}"));
            url.map_err(|why| Error::new(ErrorKind::InvalidInput, format!("the endpoint {why}")))
        };
        for (name, value) in &options.headers {
            let wrong = |why| Error::new(ErrorKind::InvalidInput, format!("the header {why}"));
            check_header(name, value).map_err(wrong)?;
        }
        let key = u128::from(following.host.random()).to_be_bytes();
        Ok(Self {
            outbound: Outbound::new(options.roots.as_deref())?,
            traces: signal("/v1/traces")?,
            logs: signal("/v1/logs")?,
            headers: options.headers.clone(),
            public_url: public_url.map(|url| url.trim_end_matches('/').to_owned()),
            redactor: Redactor::new(key),
            following,
            sent: Arc::default(),
        })
    }

    /// How sending goes.
    pub(crate) fn sent(&self) -> Arc<Sent> {
        Arc::clone(&self.sent)
    }

    /// Sends until the server ends. What is under way then is sent again by the next one.
    pub(crate) fn run(&self) {
        let mut pause = FIRST_PAUSE;
        let mut next_look = Duration::ZERO;
        while !self.is_over() {
            let now = self.following.host.monotonic();
            let is_look = now >= next_look;
            if is_look {
                next_look = now + LOOK;
            }
            match self.step(is_look) {
                Ok(Step::More) => pause = FIRST_PAUSE,
                Ok(Step::Nothing) => {
                    pause = FIRST_PAUSE;
                    self.following.host.sleep(WAIT);
                }
                Ok(Step::Later(asked)) => {
                    self.rest(asked.unwrap_or(pause));
                    pause = (pause * 2).min(PAUSE_MAX);
                }
                // The feed cannot be used; the thread that writes it says so.
                Err(_) => self.rest(pause),
            }
        }
    }

    fn is_over(&self) -> bool {
        self.following.is_over.load(Ordering::SeqCst) || self.following.host.is_interrupted()
    }

    fn rest(&self, pause: Duration) {
        let host = &self.following.host;
        let begin = host.monotonic();
        while !self.is_over() && host.monotonic().saturating_sub(begin) < pause {
            host.sleep(WAIT);
        }
    }

    /// Sends one page of rows, and where `is_look` the roots of sessions that died.
    fn step(&self, is_look: bool) -> Result<Step> {
        let feed = &self.following.feed;
        let at = match feed.otlp_cursor()? {
            Some(at) => at,
            // What was there before is history, which nobody asked for.
            None => {
                let (_, newest) = feed.bounds()?;
                feed.move_otlp_cursor(newest, &[], &[])?;
                newest
            }
        };
        if is_look && let Some(asked) = self.send_dead(at)? {
            return Ok(Step::Later(asked));
        }
        let page = feed.page(&Wanted::default(), at, PAGE)?;
        let seq = u64::try_from(page.next).unwrap_or_default();
        if page.next == at {
            self.sent.seq.store(seq, Ordering::Relaxed);
            return Ok(Step::Nothing);
        }
        let (spans, records, opened, closed) = self.messages(&page.events)?;
        if let Some(asked) = self.send(spans, records) {
            return Ok(Step::Later(asked));
        }
        feed.move_otlp_cursor(page.next, &opened, &closed)?;
        self.sent.seq.store(seq, Ordering::Relaxed);
        Ok(Step::More)
    }

    /// The messages of `events`, and the sessions that begin and that end with them.
    fn messages(&self, events: &[Event]) -> Result<Messages> {
        let mut sessions: HashMap<&str, Session> = HashMap::new();
        let (mut spans, mut records) = (Vec::new(), Vec::new());
        let (mut opened, mut closed) = (Vec::new(), Vec::new());
        let last = events.last().map_or(0, |last| last.seq);
        for event in events {
            if event.kind == Kind::Removed {
                closed.push(event.session_id.clone());
            }
            let (Kind::Journal, Some(body)) = (event.kind, &event.body) else {
                continue;
            };
            let Ok(record) = serde_json::from_str(body) else {
                continue;
            };
            let id = &*event.session_id;
            if !sessions.contains_key(id) {
                sessions.insert(id, self.session(id, last)?);
            }
            let Some(session) = sessions.get(id) else {
                continue;
            };
            opened.extend(Session::begins(&record).then(|| id.to_owned()));
            closed.extend(Session::ends(&record).then(|| id.to_owned()));
            let of_record = session.spans(&record);
            if !of_record.is_empty() {
                spans.push(traces(session.resource(), of_record));
            }
            let log = session.log(&record);
            records.extend(log.map(|log| logs(session.resource(), vec![log])));
        }
        Ok((spans, records, opened, closed))
    }

    /// Sends the roots of sessions that began, and whose process died. Returns the wait, if they
    /// could not be sent.
    fn send_dead(&self, at: i64) -> Result<Option<Option<Duration>>> {
        let feed = &self.following.feed;
        for id in feed.otlp_dead()? {
            let session = self.session(&id, at)?;
            let spans = vec![traces(session.resource(), session.dead())];
            if let Some(asked) = self.send(spans, Vec::new()) {
                return Ok(Some(asked));
            }
            feed.move_otlp_cursor(at, &[], &[id])?;
        }
        Ok(None)
    }

    /// What the feed has of the session `id` up to the row `seq`.
    fn session(&self, id: &str, seq: i64) -> Result<Session> {
        let mut session = Session {
            id: id.to_owned(),
            page: self.public_url.as_ref().map(|url| {
                let id: String = form_urlencoded::byte_serialize(id.as_bytes()).collect();
                format!("{url}/sessions/{id}")
            }),
            ..Session::default()
        };
        for event in self.following.feed.ends_of_session(id, seq)? {
            let Some(body) = event.body else {
                continue;
            };
            match event.kind {
                Kind::Entry => session.entries.extend(serde_json::from_str(&body).ok()),
                Kind::Journal => session.records.extend(serde_json::from_str(&body).ok()),
                Kind::Removed => {}
            }
        }
        Ok(session)
    }

    /// Sends all, traces first. Returns the wait, if it was not taken and may be later.
    fn send(&self, spans: Vec<Value>, records: Vec<Value>) -> Option<Option<Duration>> {
        let both = [
            (&self.traces, "resourceSpans", spans),
            (&self.logs, "resourceLogs", records),
        ];
        for (url, name, messages) in both {
            if messages.is_empty() {
                continue;
            }
            match self.post(url, &joined(name, messages)) {
                Fate::Taken => self.sent.taken.fetch_add(1, Ordering::Relaxed),
                Fate::Refused => self.sent.refused.fetch_add(1, Ordering::Relaxed),
                Fate::Later(asked) => {
                    self.sent.is_up.store(false, Ordering::Relaxed);
                    return Some(asked);
                }
            };
            self.sent.is_up.store(true, Ordering::Relaxed);
        }
        None
    }

    fn post(&self, url: &OutboundUrl, message: &Value) -> Fate {
        let mut message = message.clone();
        mask(&self.redactor, &mut message);
        let own = self.headers.iter();
        let own = own.map(|(name, value)| (&**name, &**value));
        let kind = ("content-type", "application/json");
        let headers: Vec<_> = std::iter::once(kind).chain(own).collect();
        let now = self.following.host.now();
        let answer = self
            .outbound
            .post(url, &headers, message.to_string().as_bytes(), now);
        answer.map_or(Fate::Later(None), |answer| fate(&answer))
    }
}

/// Messages with spans, messages with log records, and the sessions that begin and that end.
type Messages = (Vec<Value>, Vec<Value>, Vec<String>, Vec<String>);

/// What a step came to.
enum Step {
    More,
    Nothing,
    /// It was not taken; the receiver may have said how long to wait.
    Later(Option<Duration>),
}

fn fate(answer: &Answer) -> Fate {
    match answer.status {
        _ if answer.is_taken() => Fate::Taken,
        // Who may send, and where, is for a person to mend.
        401 | 403 | 404 | 405 | 407 | 429 | 502..=504 => Fate::Later(answer.retry_after),
        400..500 => Fate::Refused,
        _ => Fate::Later(answer.retry_after),
    }
}

/// One message with all that `messages` have in their list `name`.
fn joined(name: &str, messages: Vec<Value>) -> Value {
    let lists = messages.into_iter().filter_map(|mut message| {
        let list = message.get_mut(name).map(Value::take);
        list.and_then(|list| match list {
            Value::Array(items) => Some(items),
            _ => None,
        })
    });
    let all: Vec<Value> = lists.flatten().collect();
    serde_json::json!({ name: all })
}

/// Masks the secrets in texts: what others recorded may have some.
fn mask(redactor: &Redactor, value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| mask(redactor, item)),
        Value::Object(fields) => {
            for (name, value) in fields {
                match value {
                    Value::String(text)
                        if matches!(&**name, "stringValue" | "message" | "name") =>
                    {
                        *text = redactor.redact_text(text).into_owned();
                    }
                    value => mask(redactor, value),
                }
            }
        }
        _ => {}
    }
}
