//! Events on the wire: as server-sent events and as lines of JSON, the same object in both.

use serde_json::{Map, Value};

use crate::feed::{Database, Event};

/// The place of a client in a feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cursor {
    /// Behind the row with this number.
    After(i64),
    /// It is of another feed, or of rows that are forgotten: the client must look at all anew.
    Lost,
}

impl Cursor {
    /// The cursor that `text` says for `feed`, whose rows behind `forgotten` up to `newest` are
    /// there.
    pub(super) fn read(text: &str, feed: &Database, (forgotten, newest): (i64, i64)) -> Self {
        let number = text.split_once('.').filter(|(id, _)| *id == feed.id);
        let number = number.and_then(|(_, number)| number.parse::<i64>().ok());
        match number {
            Some(number) if (forgotten..=newest).contains(&number) => Self::After(number),
            _ => Self::Lost,
        }
    }
}

/// How a client wants its events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// `text/event-stream`.
    Events,
    /// `application/x-ndjson`.
    Lines,
}

impl Form {
    /// The type of its body.
    pub(super) fn content_type(self) -> &'static str {
        match self {
            Self::Events => "text/event-stream",
            Self::Lines => "application/x-ndjson",
        }
    }

    /// `event` of the feed `id`.
    pub(super) fn event(self, feed: &str, event: &Event) -> String {
        let line = json_line(feed, event);
        match self {
            Self::Lines => line + "\n",
            Self::Events => format!(
                "id: {feed}.{}\nevent: {}\ndata: {line}\n\n",
                event.seq,
                event.kind.as_str()
            ),
        }
    }

    /// An event that is no row, so that it has no id; `at` is the cursor behind which it stands.
    pub(super) fn control(self, name: &str, at: Option<String>) -> String {
        let mut data = Map::new();
        data.insert("event".to_owned(), name.into());
        data.extend(at.map(|at| ("at".to_owned(), Value::from(at))));
        let data = Value::Object(data);
        match self {
            Self::Lines => format!("{data}\n"),
            Self::Events => format!("event: {name}\ndata: {data}\n\n"),
        }
    }
}

/// `event` of the feed `feed` as one line of JSON, without a line's end.
fn json_line(feed: &str, event: &Event) -> String {
    let text = |text: &str| Value::from(text).to_string();
    let project = event.project.as_deref().map_or("null".to_owned(), text);
    let mut line = format!(
        "{{\"id\":\"{feed}.{}\",\"event\":\"{}\",\"session_id\":{},\"project\":{project}",
        event.seq,
        event.kind.as_str(),
        text(&event.session_id),
    );
    let name = match event.kind {
        crate::feed::Kind::Entry => Some("entry"),
        crate::feed::Kind::Journal => Some("record"),
        crate::feed::Kind::Removed => None,
    };
    if let Some(name) = name {
        let body = event.body.as_deref().unwrap_or("null");
        line += &format!(",\"{name}\":{body}");
    }
    line + "}"
}
