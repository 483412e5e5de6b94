//! The JSON of OTLP: spans, log records, and the messages that carry them.
//!
//! Its traps are here: ids are hex, 64-bit numbers are strings, enumerations are numbers, names are
//! in lower camel case.

use serde_json::{Map, Value, json};

/// The conventions that names of attributes come from.
const SCHEMA: &str = "https://opentelemetry.io/schemas/1.44.0";

/// Kinds of spans, as OTLP numbers them.
pub(super) const INTERNAL: u8 = 1;
pub(super) const SERVER: u8 = 2;

/// How grave a failure is: ERROR.
const SEVERITY: u8 = 17;

/// The status of a span that failed.
const FAILED: u8 = 2;

/// Attributes, by name.
#[derive(Clone, Debug, Default)]
pub(super) struct Attributes(Vec<Value>);

impl Attributes {
    /// Adds `value`; nothing if it is empty.
    pub(super) fn text(&mut self, name: &str, value: &str) -> &mut Self {
        if !value.is_empty() {
            self.add(name, json!({ "stringValue": value }));
        }
        self
    }

    pub(super) fn number(&mut self, name: &str, value: i64) -> &mut Self {
        // A number of 64 bits is a string there.
        self.add(name, json!({ "intValue": value.to_string() }));
        self
    }

    pub(super) fn flag(&mut self, name: &str, value: bool) -> &mut Self {
        self.add(name, json!({ "boolValue": value }));
        self
    }

    fn add(&mut self, name: &str, value: Value) {
        self.0.push(json!({ "key": name, "value": value }));
    }
}

/// A span. Times are nanoseconds since 1970.
#[derive(Clone, Debug)]
pub(super) struct Span {
    pub(super) trace_id: String,
    pub(super) span_id: String,
    pub(super) parent_id: Option<String>,
    pub(super) name: String,
    pub(super) kind: u8,
    pub(super) begin: i128,
    pub(super) end: i128,
    pub(super) attributes: Attributes,
    /// Why it failed, if it did.
    pub(super) failed: Option<String>,
}

impl Span {
    fn into_json(self) -> Value {
        let mut span = Map::new();
        span.insert("traceId".to_owned(), self.trace_id.into());
        span.insert("spanId".to_owned(), self.span_id.into());
        if let Some(parent) = self.parent_id {
            span.insert("parentSpanId".to_owned(), parent.into());
        }
        span.insert("name".to_owned(), self.name.into());
        span.insert("kind".to_owned(), self.kind.into());
        span.insert("startTimeUnixNano".to_owned(), nanoseconds(self.begin));
        // No span ends before it begins, whatever a clock did.
        let end = self.end.max(self.begin);
        span.insert("endTimeUnixNano".to_owned(), nanoseconds(end));
        span.insert("attributes".to_owned(), self.attributes.0.into());
        if let Some(why) = self.failed {
            let status = json!({ "code": FAILED, "message": why });
            span.insert("status".to_owned(), status);
        }
        span.into()
    }
}

/// A log record.
#[derive(Clone, Debug)]
pub(super) struct Log {
    pub(super) trace_id: String,
    pub(super) span_id: String,
    pub(super) at: i128,
    pub(super) text: String,
    pub(super) attributes: Attributes,
}

impl Log {
    fn into_json(self) -> Value {
        json!({
            "timeUnixNano": nanoseconds(self.at),
            "severityNumber": SEVERITY,
            "severityText": "ERROR",
            "body": { "stringValue": self.text },
            "attributes": self.attributes.0,
            "traceId": self.trace_id,
            "spanId": self.span_id,
        })
    }
}

/// The message that carries `spans` of the resource that has `attributes`.
pub(super) fn traces(attributes: Attributes, spans: Vec<Span>) -> Value {
    let spans: Vec<_> = spans.into_iter().map(Span::into_json).collect();
    json!({ "resourceSpans": [{
        "resource": { "attributes": attributes.0 },
        "scopeSpans": [{ "scope": scope(), "spans": spans, "schemaUrl": SCHEMA }],
        "schemaUrl": SCHEMA,
    }]})
}

/// The message that carries `logs` of the resource that has `attributes`.
pub(super) fn logs(attributes: Attributes, logs: Vec<Log>) -> Value {
    let logs: Vec<_> = logs.into_iter().map(Log::into_json).collect();
    json!({ "resourceLogs": [{
        "resource": { "attributes": attributes.0 },
        "scopeLogs": [{ "scope": scope(), "logRecords": logs, "schemaUrl": SCHEMA }],
        "schemaUrl": SCHEMA,
    }]})
}

fn scope() -> Value {
    json!({ "name": "recover", "version": env!("CARGO_PKG_VERSION") })
}

/// A time before 1970 is none that a receiver takes.
fn nanoseconds(time: i128) -> Value {
    time.max(0).to_string().into()
}
