//! `GET /api/v1/events`.
//!
//! Each client reads the feed by its own cursor when it has taken what came before, so that one
//! that takes nothing costs nothing.

use std::sync::Arc;
use std::time::Duration;

use auto_recovery::Result;
use axum::extract::{Extension, RawQuery, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use tokio::sync::{OwnedSemaphorePermit, watch};

use super::wire::{Cursor, Form};
use crate::app::App;
use crate::feed::Wanted;
use crate::http::{Caller, Chunks, Problem, Query, chunks, ended};

/// Rows that are read together.
const PAGE: usize = 256;

/// Rows from before a client came, at most.
pub(crate) const LAST_MAX: u64 = 1000;

/// A client that hears nothing for longer than this is sent a sign of life.
const PING: Duration = Duration::from_secs(15);

/// How long a client waits at most for a feed that begins, and how often that is looked at.
const BEGIN: Duration = Duration::from_secs(30);
const LOOK: Duration = Duration::from_millis(50);

/// A stream and its client.
struct Stream {
    app: Arc<App>,
    form: Form,
    wanted: Wanted,
    body: Chunks,
    /// The number of the last row that was read.
    at: i64,
    newest: watch::Receiver<i64>,
    caller: Caller,
    /// When it was looked last whether the caller may still listen.
    looked: Duration,
    _place: OwnedSemaphorePermit,
}

/// Events from the client's cursor on, else from now on, as they come.
pub(crate) async fn events(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let mut query = Query::read(query.as_deref())?;
    let wanted = Wanted {
        session_id: query.take("session"),
        project: query.take("project"),
    };
    let last = query.number("last", 0, LAST_MAX)?;
    let header = headers
        .get("last-event-id")
        .and_then(|id| id.to_str().ok())
        .map(str::to_owned);
    let cursor = header.or(query.take("after"));
    query.end()?;
    let Ok(place) = Arc::clone(&app.streams).try_acquire_owned() else {
        let text = "there are as many streams as this server has: end another";
        let problem = Problem::new(StatusCode::TOO_MANY_REQUESTS, "too_many_streams", text);
        return Err(problem.with(header::RETRY_AFTER, HeaderValue::from_static("5")));
    };
    until_begun(&app).await?;
    // From here on nothing is missed: what comes after this moment wakes the stream.
    let newest = app.following.newest.subscribe();
    let form = form_of(&headers);
    let of_client = wanted.clone();
    let (first, at) = app
        .run(move |app| begin(app, form, &of_client, cursor, last))
        .await?;
    let (chunks, body) = chunks();
    let stream = Stream {
        looked: app.host.monotonic(),
        caller,
        app,
        form,
        wanted,
        body: chunks,
        at,
        newest,
        _place: place,
    };
    tokio::spawn(stream.run(first));
    let mut response = Response::new(body);
    let fixed = [
        (header::CONTENT_TYPE, form.content_type()),
        (header::CACHE_CONTROL, "no-store"),
    ];
    for (name, value) in fixed {
        response
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    }
    // A proxy that gathers an answer before it passes it on would make the stream useless.
    response
        .headers_mut()
        .insert("x-accel-buffering", HeaderValue::from_static("no"));
    Ok(response)
}

/// Waits until the feed has seen all that was in the store before it: what comes until then becomes
/// no row, and a client that was told to listen would miss it.
async fn until_begun(app: &Arc<App>) -> Result<(), Problem> {
    let begin = app.host.monotonic();
    while !app.run(|app| app.feed().has_begun()).await? {
        if app.host.monotonic().saturating_sub(begin) >= BEGIN {
            let text = "the store is being read for the first time: try again";
            let problem = Problem::new(StatusCode::SERVICE_UNAVAILABLE, "not_ready", text);
            return Err(problem.with(header::RETRY_AFTER, HeaderValue::from_static("5")));
        }
        tokio::time::sleep(LOOK).await;
    }
    Ok(())
}

fn form_of(headers: &HeaderMap) -> Form {
    let accept = headers
        .get(header::ACCEPT)
        .and_then(|accept| accept.to_str().ok());
    match accept {
        Some(accept) if accept.contains("application/x-ndjson") => Form::Lines,
        _ => Form::Events,
    }
}

/// What a client is sent first, and the number of the row behind which its stream goes on.
fn begin(
    app: &App,
    form: Form,
    wanted: &Wanted,
    cursor: Option<String>,
    last: u64,
) -> Result<(String, i64)> {
    let feed = app.feed();
    let bounds = feed.bounds()?;
    let name = |number: i64| Some(format!("{}.{number}", feed.id));
    let cursor = cursor.map(|text| Cursor::read(&text, feed, bounds));
    match cursor {
        Some(Cursor::After(number)) => Ok((form.control("hello", name(number)), number)),
        Some(Cursor::Lost) => Ok((form.control("reset", name(bounds.1)), bounds.1)),
        None => {
            let events = match last {
                0 => Vec::new(),
                last => feed.last(
                    wanted,
                    bounds.1,
                    usize::try_from(last).unwrap_or(usize::MAX),
                )?,
            };
            let events = events.iter().map(|event| form.event(&feed.id, event));
            let mut first = form.control("hello", name(bounds.1)) + &events.collect::<String>();
            if last > 0 {
                // What was before ends here.
                first += &form.control("live", None);
            }
            Ok((first, bounds.1))
        }
    }
}

impl Stream {
    /// Sends what comes until the client or the server ends.
    async fn run(mut self, first: String) {
        let shutdown = self.app.shutdown.clone();
        tokio::select! {
            () = ended(shutdown) => {}
            () = self.send(first) => {}
        }
    }

    async fn send(&mut self, first: String) {
        if !self.body.send(first).await {
            return;
        }
        loop {
            // Rows that come from now on are seen by the wait below.
            self.newest.borrow_and_update();
            if !self.is_welcome().await || !self.send_rows().await {
                return;
            }
            tokio::select! {
                () = self.body.unwanted() => return,
                changed = self.newest.changed() => if changed.is_err() { return },
                () = tokio::time::sleep(PING) => {
                    if !self.body.send(self.form.control("ping", None)).await {
                        return;
                    }
                }
            }
        }
    }

    /// Whether the caller may still listen, which is looked at as often as a sign of life is sent.
    async fn is_welcome(&mut self) -> bool {
        let now = self.app.host.monotonic();
        if now.saturating_sub(self.looked) < PING {
            return true;
        }
        self.looked = now;
        let caller = self.caller.clone();
        let asked = self.app.run(move |app| app.access.is_welcome(&caller));
        asked.await.unwrap_or(false)
    }

    /// Sends the rows that are there. Returns whether the client still wants more.
    async fn send_rows(&mut self) -> bool {
        loop {
            let (wanted, at) = (self.wanted.clone(), self.at);
            let read = self.app.run(move |app| {
                let bounds = app.feed().bounds()?;
                let page = app.feed().page(&wanted, at, PAGE)?;
                Ok((bounds, page))
            });
            let Ok(((forgotten, newest), page)) = read.await else {
                // It comes back, and says where it was.
                return false;
            };
            if self.at < forgotten {
                // It was so slow that what it has not read is gone.
                self.at = newest;
                let at = format!("{}.{newest}", self.app.feed().id);
                return self.body.send(self.form.control("reset", Some(at))).await;
            }
            self.at = page.next;
            if !page.events.is_empty() {
                let feed = &self.app.feed().id;
                let events = page.events.iter().map(|event| self.form.event(feed, event));
                let text: String = events.collect();
                if !self.body.send(text).await {
                    return false;
                }
            }
            if !page.has_more {
                return true;
            }
        }
    }
}
