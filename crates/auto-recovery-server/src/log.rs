//! What the server tells whoever runs it: who changed what, who was refused, what went wrong.
//!
//! It never prints: a sink that it is given takes each line. What only looks is no line, and a
//! crowd of refused requests is no flood: of more lines than a few a second the rest is counted.

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use auto_recovery::host::{Host, timestamp};
use auto_recovery::mutex::lock;
use serde_json::{Map, Value, json};

/// Lines of one second.
const LINES_MAX: u32 = 50;

/// The longest value of a field, in characters.
const VALUE_CHARS_MAX: usize = 500;

/// How much a line matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogLevel {
    /// Something happened, as it should.
    Info,
    /// Somebody should look.
    Warning,
}

impl LogLevel {
    /// The name used in lines.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
        }
    }
}

/// A line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// When, RFC 3339.
    pub at: String,
    /// How much it matters.
    pub level: LogLevel,
    /// The name of the event, which stays the same.
    pub event: &'static str,
    /// Names and values.
    pub fields: Vec<(&'static str, Value)>,
}

impl LogLine {
    /// It as one line of JSON, without its end.
    pub fn to_json(&self) -> String {
        let mut object = Map::new();
        object.insert("at".to_owned(), json!(self.at));
        object.insert("level".to_owned(), json!(self.level.as_str()));
        object.insert("event".to_owned(), json!(self.event));
        for (name, value) in &self.fields {
            object.insert((*name).to_owned(), value.clone());
        }
        Value::Object(object).to_string()
    }

    /// It as one line of text, without its end: values of others are quoted.
    pub fn to_text(&self) -> String {
        let mut text = format!("{} {} {}", self.at, self.level.as_str(), self.event);
        for (name, value) in &self.fields {
            let value = match value {
                Value::String(value) if is_plain(value) => value.clone(),
                // As a programmer writes it: nothing in it acts on a terminal.
                Value::String(value) => format!("{value:?}"),
                value => value.to_string(),
            };
            text.push_str(&format!(" {name}={value}"));
        }
        text
    }
}

fn is_plain(value: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:{}".contains(c);
    !value.is_empty() && value.chars().all(is_plain)
}

/// What takes lines.
pub type LogSink = Arc<dyn Fn(&LogLine) + Send + Sync>;

/// The log; one without a sink keeps nothing.
#[derive(Clone, Default)]
pub struct Log(Option<Arc<Kept>>);

struct Kept {
    sink: LogSink,
    host: Arc<dyn Host>,
    /// The second under way, its lines, and how many were left out.
    counted: Mutex<(u64, u32, u64)>,
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kept = self.0.as_ref().map(|_| "a sink");
        f.debug_tuple("Log").field(&kept).finish()
    }
}

impl Log {
    /// A log whose lines `sink` takes.
    pub fn new(sink: LogSink, host: Arc<dyn Host>) -> Self {
        let counted = Mutex::default();
        Self(Some(Arc::new(Kept {
            sink,
            host,
            counted,
        })))
    }

    pub(crate) fn info(&self, event: &'static str, fields: Vec<(&'static str, Value)>) {
        self.line(LogLevel::Info, event, fields);
    }

    pub(crate) fn warn(&self, event: &'static str, fields: Vec<(&'static str, Value)>) {
        self.line(LogLevel::Warning, event, fields);
    }

    fn line(&self, level: LogLevel, event: &'static str, fields: Vec<(&'static str, Value)>) {
        let Some(kept) = &self.0 else { return };
        let line = |level, event, fields| LogLine {
            at: timestamp(kept.host.now()),
            level,
            event,
            fields,
        };
        let (may, left_out) = kept.may(kept.host.monotonic());
        if left_out > 0 {
            let fields = vec![("lines", json!(left_out))];
            (kept.sink)(&line(LogLevel::Warning, "lines_left_out", fields));
        }
        if may {
            let fields = fields.into_iter().map(|(name, value)| (name, cut(value)));
            (kept.sink)(&line(level, event, fields.collect()));
        }
    }
}

impl Kept {
    /// Whether a line may be told at `now`, and how many were left out that are to be told of.
    fn may(&self, now: Duration) -> (bool, u64) {
        let mut counted = lock(&self.counted);
        let (second, lines, left_out) = &mut *counted;
        let mut before = 0;
        if *second != now.as_secs() {
            before = std::mem::take(left_out);
            (*second, *lines) = (now.as_secs(), 0);
        }
        let may = *lines < LINES_MAX;
        *lines += u32::from(may);
        *left_out += u64::from(!may);
        (may, before)
    }
}

fn cut(value: Value) -> Value {
    match value {
        Value::String(text) if text.chars().count() > VALUE_CHARS_MAX => {
            json!(text.chars().take(VALUE_CHARS_MAX).collect::<String>() + "…")
        }
        value => value,
    }
}

#[cfg(test)]
mod tests {
    use auto_recovery::host::SystemHost;

    use super::*;

    fn line(path: &str) -> LogLine {
        LogLine {
            at: "2026-01-31T00:00:00.000Z".to_owned(),
            level: LogLevel::Warning,
            event: "request",
            fields: vec![("path", json!(path)), ("status", json!(401))],
        }
    }

    #[test]
    fn a_line_is_text_or_json_whatever_is_in_it() {
        let text = "2026-01-31T00:00:00.000Z warning request path=/api/v1/x status=401";
        assert_eq!(line("/api/v1/x").to_text(), text);
        let hostile = line("a\n\u{1b}[31m\u{202e}\"");
        let text = hostile.to_text();
        assert!(!text.contains(['\n', '\u{1b}', '\u{202e}']), "{text}");
        let json: Value = serde_json::from_str(&hostile.to_json()).unwrap();
        assert_eq!(json["path"], "a\n\u{1b}[31m\u{202e}\"");
        assert_eq!(json["level"], "warning");
        assert!(!hostile.to_json().contains('\n'));
    }

    #[test]
    fn a_crowd_is_no_flood() {
        let seen: Arc<Mutex<Vec<LogLine>>> = Arc::default();
        let kept = Arc::clone(&seen);
        let sink: LogSink = Arc::new(move |line| lock(&kept).push(line.clone()));
        let log = Log::new(sink, Arc::new(SystemHost::new()));
        let of = log.0.as_ref().unwrap();
        let second = Duration::from_secs(7);
        let told = (0..200).filter(|_| of.may(second).0).count();
        assert_eq!(told as u32, LINES_MAX);
        assert_eq!(of.may(second * 2), (true, 150));
        assert_eq!(of.may(second * 2), (true, 0));
        log.warn("a", vec![("why", json!("x".repeat(9_000)))]);
        let lines = lock(&seen);
        let why = lines[0].fields[0].1.as_str().unwrap();
        assert_eq!(why.chars().count(), VALUE_CHARS_MAX + 1);
    }
}
