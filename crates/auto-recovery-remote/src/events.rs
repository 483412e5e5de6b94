//! The live stream of a server: every event once, however often the connection is lost.

use std::sync::Arc;
use std::time::Duration;

use auto_recovery::host::{Host, Wait};
use auto_recovery::{ErrorKind, Result};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::address::Address;
use crate::client::Client;
use crate::exchange::Answer;
use crate::options::RemoteOptions;

/// The pause after the connection was lost, at first and at most.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const PAUSE_MAX: Duration = Duration::from_secs(15);

/// What an event is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// The stream begins here.
    Hello,
    /// An attempt was recorded.
    Entry,
    /// Something is in the journal.
    Journal,
    /// A trail was removed.
    Removed,
    /// Those from before end here.
    Live,
    /// What came between is not known: look at everything anew.
    Reset,
    /// A sign of life.
    Ping,
    /// Something that this release does not know.
    #[serde(other)]
    Other,
}

/// An event of the stream.
#[derive(Debug, Deserialize)]
pub struct Event {
    /// What it is about.
    #[serde(rename = "event")]
    pub kind: EventKind,
    /// Its place, if it is one of the store.
    pub id: Option<String>,
    at: Option<String>,
    /// Its session.
    pub session_id: Option<String>,
    /// The project of that.
    pub project: Option<String>,
    /// The entry, as JSON; none once its trail was removed.
    pub entry: Option<Box<RawValue>>,
}

/// The events that a reader wants; the default is all from now on.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Only those of this session.
    pub session_id: Option<String>,
    /// Only those of sessions of this project.
    pub project: Option<String>,
    /// Events from before the reader came, at most 1000.
    pub last: u64,
}

/// A stream of events.
pub struct Events {
    client: Arc<Client>,
    wanted: Wanted,
    /// The place behind which it goes on.
    cursor: Option<String>,
    answer: Option<Answer>,
    pause: Duration,
}

impl Events {
    /// The events of the server at `address`.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] if there is no token, or certificates cannot be read.
    pub fn open(
        address: Address,
        options: &RemoteOptions,
        host: Arc<dyn Host>,
        wanted: Wanted,
    ) -> Result<Self> {
        let client = Client::new(address, options, host)?;
        Ok(Self::of(Arc::new(client), wanted))
    }

    pub(crate) fn of(client: Arc<Client>, wanted: Wanted) -> Self {
        Self {
            client,
            wanted,
            cursor: None,
            answer: None,
            pause: FIRST_PAUSE,
        }
    }

    /// The next event, also a sign of life; `None` if the host was interrupted. Where the
    /// connection is lost it is made again, for as long as that takes, and goes on where it was.
    ///
    /// # Errors
    /// If the server refuses, or cannot be reached at first.
    pub fn next_event(&mut self) -> Result<Option<Event>> {
        loop {
            let has_begun = self.cursor.is_some();
            match self.read() {
                Ok(event) => return Ok(Some(event)),
                Err(error) if has_begun && error.kind() == ErrorKind::Unreachable => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => return Ok(None),
                Err(error) => return Err(error),
            }
            self.answer = None;
            if self.client.host.sleep(self.pause) == Wait::Interrupted {
                return Ok(None);
            }
            self.pause = (self.pause * 2).min(PAUSE_MAX);
        }
    }

    fn read(&mut self) -> Result<Event> {
        let answer = match &mut self.answer {
            Some(answer) => answer,
            none => {
                let path = path(&self.wanted, self.cursor.as_deref());
                none.insert(self.client.stream(&path)?)
            }
        };
        let mut line = Vec::new();
        let read = answer.next_line(&mut line);
        read.map_err(|why| why.of(&self.client.address))?;
        if !line.ends_with(b"\n") {
            return Err(self.client.garbled("the stream was cut off"));
        }
        let event: Event = serde_json::from_slice(&line)
            .map_err(|error| self.client.garbled("an event").with_source(error))?;
        self.pause = FIRST_PAUSE;
        // Rows from before a reader came have no say in where it goes on: the place comes first.
        let place = event.id.as_ref().or(event.at.as_ref());
        if let Some(place) = place.filter(|place| is_behind(self.cursor.as_deref(), place)) {
            self.cursor = Some(place.clone());
        }
        Ok(event)
    }
}

/// Whether `place` is behind `cursor`, or of another feed.
fn is_behind(cursor: Option<&str>, place: &str) -> bool {
    let parts = |text: &str| -> Option<(String, u64)> {
        let (feed, number) = text.split_once('.')?;
        Some((feed.to_owned(), number.parse().ok()?))
    };
    match (cursor.and_then(parts), parts(place)) {
        (Some((feed, at)), Some((of, number))) if feed == of => number > at,
        _ => true,
    }
}

fn path(wanted: &Wanted, cursor: Option<&str>) -> String {
    let Wanted {
        session_id,
        project,
        last,
    } = wanted;
    let mut asked = form_urlencoded::Serializer::new(String::new());
    let pairs = [
        ("session", session_id.as_deref()),
        ("project", project.as_deref()),
        ("after", cursor),
    ];
    for (name, value) in pairs {
        if let Some(value) = value {
            asked.append_pair(name, value);
        }
    }
    if cursor.is_none() && *last > 0 {
        asked.append_pair("last", &last.to_string());
    }
    format!("/api/v1/events?{}", asked.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_only_goes_forward_within_a_feed() {
        for (cursor, place, expected) in [
            (None, "a.1", true),
            (Some("a.5"), "a.6", true),
            (Some("a.5"), "a.5", false),
            (Some("a.5"), "a.4", false),
            (Some("a.5"), "b.1", true),
        ] {
            assert_eq!(is_behind(cursor, place), expected, "{cursor:?} {place}");
        }
    }
}
