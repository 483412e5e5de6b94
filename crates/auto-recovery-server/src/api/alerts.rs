//! Alerts for programs, what they say about them, and heartbeats from them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use auto_recovery::mutex::lock;
use axum::body::Body;
use axum::extract::{Extension, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;

use serde::Deserialize;
use serde_json::json as object;

use super::actions::{answer, check_reason, read_json};
use super::answer::{json, list};
use super::sessions::text;
use crate::alerts::silences as said;
use crate::alerts::{
    NewSilence, Silence, active, beat_in, deliveries, record, recorded, send_again, stale,
    unrecorded,
};
use crate::app::App;
use crate::http::{Caller, Named, Problem};

/// What is pending or fires, and the rules that cannot be worked out.
pub(crate) async fn alerts(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let asked = app.run(|app| {
        let feed = app.feed();
        Ok((
            feed.read(active)?,
            feed.read(stale)?,
            feed.read(said::acknowledged)?,
        ))
    });
    let (alerts, stale, known) = asked.await?;
    let items: Vec<String> = alerts.iter().map(text).collect();
    let more = format!(
        "\"stale\":{},\"acknowledged\":{}",
        text(&stale),
        text(&known)
    );
    Ok(json(&headers, list(&items, &more)))
}

/// The newest messages, with every try.
pub(crate) async fn told(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let messages = app.run(|app| app.feed().read(deliveries)).await?;
    let items: Vec<String> = messages.iter().map(text).collect();
    Ok(json(&headers, list(&items, "\"next\":null")))
}

/// A name was heard of.
pub(crate) async fn heartbeat(
    State(app): State<Arc<App>>,
    Named(name): Named,
) -> Result<StatusCode, Problem> {
    let beaten = app.run(move |app| beat_in(&app.feed().beside("beats"), &name, &*app.host));
    beaten.await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The silences that hold.
pub(crate) async fn silences(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let asked = app.run(|app| app.feed().read(|feed| said::list(feed, app.host.now())));
    let items: Vec<String> = asked.await?.iter().map(text).collect();
    Ok(json(&headers, list(&items, "\"next\":null")))
}

/// The body of a request for a silence.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    matchers: BTreeMap<String, String>,
    seconds: u64,
    reason: Option<String>,
}

/// Tells nobody about incidents that match, for a time.
pub(crate) async fn silence(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    body: Body,
) -> Result<Response, Problem> {
    let Some(wanted) = read_json::<Wanted>(body).await? else {
        return Err(Problem::invalid(
            "the body is to say `matchers` and `seconds`",
        ));
    };
    let made = make_silence(
        &app,
        NewSilence {
            matchers: wanted.matchers,
            length: Duration::from_secs(wanted.seconds),
            reason: wanted.reason.unwrap_or_default(),
            by: caller.name.clone(),
        },
    );
    Ok(answer(&object!(made.await?)))
}

/// Makes the silence `new`.
///
/// # Errors
/// If it could match nothing, or cannot be written.
pub(crate) async fn make_silence(app: &Arc<App>, new: NewSilence) -> Result<Silence, Problem> {
    let made = app.run(move |app| {
        new.check()?;
        let now = app.host.now();
        app.feed().write(|feed| said::add(feed, &new, now))
    });
    let made = made.await?;
    record_soon(app).await;
    Ok(made)
}

/// `POST /api/v1/silences/{id}/end`.
pub(crate) async fn end_silence(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Named(id): Named,
) -> Result<Response, Problem> {
    let id = end_silence_of(&app, &caller, id).await?;
    Ok(answer(&object!({"id": id})))
}

/// Ends the silence `id`.
///
/// # Errors
/// If it does not hold, or that cannot be written.
pub(crate) async fn end_silence_of(
    app: &Arc<App>,
    caller: &Caller,
    id: String,
) -> Result<i64, Problem> {
    let who = caller.name.clone();
    let ended = app.run(move |app| {
        let unknown = || said::no_silence(&format!("{id:?}"));
        let number: i64 = id.parse().map_err(|_| unknown())?;
        let now = app.host.now();
        match app
            .feed()
            .write(|feed| said::end(feed, number, &who, now))?
        {
            true => Ok(number),
            false => Err(unknown()),
        }
    });
    let ended = ended.await?;
    record_soon(app).await;
    Ok(ended)
}

/// `POST /api/v1/deliveries/{id}/again`.
pub(crate) async fn again(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Named(id): Named,
) -> Result<Response, Problem> {
    send_message_again(&app, &caller, id.clone()).await?;
    Ok(answer(&object!({"id": id})))
}

/// Has the message `id` sent again.
///
/// # Errors
/// If there is none, it is not one to be sent again, or that cannot be written.
pub(crate) async fn send_message_again(
    app: &Arc<App>,
    caller: &Caller,
    id: String,
) -> Result<(), Problem> {
    let who = caller.name.clone();
    let sent = app.run(move |app| {
        let (feed, now) = (app.feed(), app.host.now());
        feed.write(|connection| send_again(connection, (&feed.id, &id), &who, now))?
    });
    sent.await?;
    record_soon(app).await;
    Ok(())
}

/// Records in the store what was said. What cannot be recorded now is recorded later, and keeps
/// nobody from saying it.
async fn record_soon(app: &Arc<App>) {
    let recorded = app.of_store_and_feed(|app, _| record_said(app)).await;
    drop(recorded);
}

/// Records in the store what was said about alerts and is not in its journal yet.
///
/// # Errors
/// If the store or the feed cannot be used.
pub(crate) fn record_said(app: &App) -> auto_recovery::Result<()> {
    let _turn = lock(&app.recording);
    for (number, said) in app.feed().read(unrecorded)? {
        record(app.store(), said, app.host_name.as_deref())?;
        app.feed().write(|feed| recorded(feed, number))?;
    }
    Ok(())
}

/// The body of a request to acknowledge.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Known {
    reason: Option<String>,
}

/// `POST /api/v1/alerts/{id}/acknowledge`.
pub(crate) async fn acknowledge(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Named(id): Named,
    body: Body,
) -> Result<Response, Problem> {
    let Known { reason } = read_json(body).await?.unwrap_or_default();
    let reason = reason.unwrap_or_default();
    let incident = acknowledge_incident(&app, &caller, id, reason).await?;
    Ok(answer(&object!({"incident": incident})))
}

/// Says that `caller` knows of the incident `id`. Returns its whole id.
///
/// # Errors
/// If there is no one such incident, or that cannot be written.
pub(crate) async fn acknowledge_incident(
    app: &Arc<App>,
    caller: &Caller,
    id: String,
    reason: String,
) -> Result<String, Problem> {
    check_reason(&reason)?;
    let who = caller.name.clone();
    let known = app.run(move |app| {
        let now = app.host.now();
        let known = app.feed().write(|feed| {
            let found = said::find(feed, &id)?;
            let known = found.map(|number| said::acknowledge(feed, number, (&reason, &who), now));
            known.transpose()
        })?;
        known.ok_or_else(|| said::no_incident(&format!("{id:?}")))
    });
    let known = known.await?;
    record_soon(app).await;
    Ok(known)
}

/// `POST /api/v1/alerts/{id}/acknowledge/end`.
pub(crate) async fn end_acknowledgement(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Named(id): Named,
) -> Result<Response, Problem> {
    let incident = end_acknowledgement_of(&app, &caller, id).await?;
    Ok(answer(&object!({"incident": incident})))
}

/// Ends the acknowledgement of the incident `id`. Returns its whole id.
///
/// # Errors
/// If there is no one such incident, nobody acknowledged it, or that cannot be written.
pub(crate) async fn end_acknowledgement_of(
    app: &Arc<App>,
    caller: &Caller,
    id: String,
) -> Result<String, Problem> {
    let who = caller.name.clone();
    let ended = app.run(move |app| {
        let now = app.host.now();
        let ended = app.feed().write(|feed| {
            let found = said::find(feed, &id)?;
            let ended = found.map(|number| said::end_acknowledgement(feed, number, &who, now));
            ended.transpose()
        })?;
        let name = format!("{id:?}");
        let found = ended.ok_or_else(|| said::no_incident(&name))?;
        found.ok_or_else(|| said::not_acknowledged(&name))
    });
    let ended = ended.await?;
    record_soon(app).await;
    Ok(ended)
}
