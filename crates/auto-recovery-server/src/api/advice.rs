//! What history would try first: the objects of `recover advise --json`, of everything on record.

use std::sync::Arc;

use auto_recovery::host::timestamp;
use auto_recovery::learn::document;
use axum::extract::{RawQuery, State};
use axum::http::HeaderMap;
use axum::response::Response;
use serde_json::{Value, json as object};

use super::answer::{json, list};
use super::sessions::text;
use crate::advice::{Asked, Board, Told, count, time_of};
use crate::app::App;
use crate::http::{Problem, Query};

/// Classes on a page.
const LIMIT: u64 = 100;
const LIMIT_MAX: u64 = 1000;

/// Which classes are wanted.
#[derive(Debug, Default)]
pub(crate) struct AdviceQuery {
    workspace: Option<String>,
    project: Option<String>,
    host: Option<String>,
    text: Option<String>,
    status: Option<String>,
    /// The class behind which it begins.
    after: Option<String>,
    limit: usize,
}

/// Some of a board, and the name of the place behind which the next page begins.
pub(crate) struct Advised<'b> {
    pub(crate) items: Vec<&'b Told>,
    pub(crate) next: Option<&'b str>,
}

/// The classes that `query` asks for; `limit` of them, if it does not say.
///
/// # Errors
/// If a parameter is not as it is to be.
pub(crate) fn read_advice_query(query: &mut Query, limit: u64) -> Result<AdviceQuery, Problem> {
    let limit = query.number("limit", limit, LIMIT_MAX)?;
    let status = query.take("status");
    let known = ["changed", "abstained", "off", "none"];
    if let Some(status) = status.as_deref()
        && !known.contains(&status)
    {
        let known = known.join(", ");
        return Err(Problem::invalid(format!(
            "parameter `status` is one of {known}"
        )));
    }
    Ok(AdviceQuery {
        workspace: query.take("workspace"),
        project: query.take("project"),
        host: query.take("host"),
        text: query.take("text").map(|text| text.to_lowercase()),
        status,
        after: query.take("after"),
        limit: usize::try_from(limit).unwrap_or(usize::MAX),
    })
}

impl AdviceQuery {
    fn wants(&self, one: &Told) -> bool {
        let is = |wanted: &Option<String>, value: &str| {
            wanted.as_deref().is_none_or(|wanted| wanted == value)
        };
        let class = || one.topic.class.in_words().to_lowercase();
        is(&self.workspace, &one.topic.workspace)
            && is(&self.project, one.project.as_deref().unwrap_or_default())
            && is(&self.host, &one.topic.host)
            && is(&self.status, status_of(one))
            && self.text.as_ref().is_none_or(|text| class().contains(text))
    }
}

/// What became of the question about `one`; `none` where there is no plan to order.
pub(crate) fn status_of(one: &Told) -> &'static str {
    let advice = one.advice.as_ref();
    advice.map_or("none", |advice| advice.status.as_str())
}

/// The classes of `board` that `query` asks for.
///
/// # Errors
/// If the place behind which they are to begin is not in the list any more.
pub(crate) fn advised<'b>(board: &'b Board, query: &AdviceQuery) -> Result<Advised<'b>, Problem> {
    let mut rest = &board.items[..];
    if let Some(after) = &query.after {
        let place = rest.iter().position(|one| one.id == *after);
        let place = place.ok_or_else(|| {
            Problem::invalid("parameter `after` is no place in this list, or no more")
        })?;
        rest = &rest[place + 1..];
    }
    let mut wanted = rest.iter().filter(|one| query.wants(one));
    let items: Vec<&Told> = wanted.by_ref().take(query.limit).collect();
    let has_more = wanted.next().is_some();
    let next = items.last().filter(|_| has_more).map(|one| &*one.id);
    Ok(Advised { items, next })
}

/// The board of now; that of a moment ago, where counting takes long.
///
/// # Errors
/// If the store or the feed cannot be read.
pub(crate) async fn advice_board(app: &Arc<App>) -> Result<Arc<Board>, Problem> {
    let of = app.run(state_of).await?;
    if let Some(board) = app.boards.find(of) {
        return Ok(board);
    }
    let _turn = app.boards.making.lock().await;
    let of = app.run(state_of).await?;
    if let Some(board) = app.boards.find(of) {
        return Ok(board);
    }
    app.of_store_and_feed(|app, _| make_board(app)).await
}

/// Makes the board anew if somebody asked for it and something came since.
///
/// # Errors
/// If the store or the feed cannot be read.
pub(crate) fn make_board_if_due(app: &App) -> auto_recovery::Result<()> {
    match app.boards.is_due(state_of(app)?) {
        true => make_board(app).map(drop),
        false => Ok(()),
    }
}

/// Makes the board, and keeps it.
///
/// # Errors
/// If the store or the feed cannot be read.
pub(crate) fn make_board(app: &App) -> auto_recovery::Result<Arc<Board>> {
    let of = state_of(app)?;
    let begin = app.host.monotonic();
    let board = count(&Asked {
        store: app.store(),
        settings: &app.learn,
        at: app.host.now(),
        mask: &|text| app.masked(text).into_owned(),
    });
    let board = Arc::new(board?);
    let took = app.host.monotonic().saturating_sub(begin);
    app.boards.keep(&board, of, took);
    Ok(board)
}

/// What a board is of: a place in the feed, and a day.
fn state_of(app: &App) -> auto_recovery::Result<(i64, i64)> {
    let (_, place) = app.feed().bounds()?;
    Ok((place, app.now_us().div_euclid(86_400_000_000)))
}

/// What history would try first.
pub(crate) async fn advice(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    RawQuery(raw): RawQuery,
) -> Result<Response, Problem> {
    let mut query = Query::read(raw.as_deref())?;
    let asked = read_advice_query(&mut query, LIMIT)?;
    query.end()?;
    let board = advice_board(&app).await?;
    let page = advised(&board, &asked)?;
    let items: Vec<String> = page
        .items
        .iter()
        .map(|one| in_json(one).to_string())
        .collect();
    let more = format!(
        "\"next\":{},\"mode\":{},\"as_of\":{},\"left_off\":{},\"report\":{}",
        text(&page.next),
        text(&board.mode.as_str()),
        text(&timestamp(board.at)),
        board.more,
        board.report.document(),
    );
    Ok(json(&headers, list(&items, &more)))
}

fn in_json(one: &Told) -> Value {
    object!({
        "id": one.id,
        "workspace": one.topic.workspace,
        "project": one.project,
        "host": one.topic.host,
        "class": [
            one.topic.class.category.as_str(),
            one.topic.class.tool,
            one.topic.class.error_type,
        ],
        "failures": one.topic.failures,
        "first_timestamp": time_of(one.topic.first),
        "last_timestamp": time_of(one.topic.last),
        "session_id": one.topic.session_id,
        "names": one.names,
        "advice": one.advice.as_ref().map(|advice| document(advice, &one.back)),
    })
}
