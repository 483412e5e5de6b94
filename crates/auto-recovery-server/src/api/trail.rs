//! What one session has: its entries, its journal, its sums.

use std::sync::Arc;

use auto_recovery::audit::{AuditStore, Damage};
use auto_recovery::{Error, ErrorKind, Result};
use axum::extract::{RawQuery, State};
use axum::http::HeaderMap;
use axum::response::Response;
use serde_json::value::RawValue;

use super::answer::{json, list};
use super::find::find_session;
use super::sessions::text;
use crate::app::App;
use crate::http::{Named, Problem, Query};

/// Entries or records on a page.
const LIMIT: u64 = 100;
const LIMIT_MAX: u64 = 1000;

/// Some items of a list, in order.
struct Items {
    /// Items that are passed over.
    skip: u64,
    limit: usize,
    items: Vec<String>,
    has_more: bool,
}

impl Items {
    fn take(&mut self, item: impl FnOnce() -> Option<String>) -> Result<()> {
        if self.skip > 0 {
            self.skip -= 1;
            return Ok(());
        }
        if self.items.len() == self.limit {
            self.has_more = true;
            return Err(Error::new(
                ErrorKind::Interrupted,
                "there is no need for more",
            ));
        }
        self.items.extend(item());
        Ok(())
    }

    /// What was read, unless an error came that is none of ours.
    fn end(&self, read: Result<Vec<Damage>>) -> Result<Vec<Damage>> {
        match read {
            Err(_) if self.has_more => Ok(Vec::new()),
            read => read,
        }
    }
}

/// Entries, in the order in which they were stored.
pub(crate) async fn entries_of(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    Named(id): Named,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    page(app, headers, id, query, |store, id, items| {
        let read = store.read_trail(id, &mut |entry| {
            items.take(|| Some(entry.json().into_owned()))
        });
        items.end(read)
    })
    .await
}

/// Records of the journal, in the order in which they were stored.
pub(crate) async fn journal_of(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    Named(id): Named,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    page(app, headers, id, query, |store, id, items| {
        let read = store.read_records_raw(Some(id), &mut |raw| {
            items.take(|| {
                let record: &RawValue = serde_json::from_slice(raw).ok()?;
                Some(record.get().to_owned())
            })
        });
        items.end(read)
    })
    .await
}

async fn page(
    app: Arc<App>,
    headers: HeaderMap,
    id: String,
    query: Option<String>,
    read: impl FnOnce(&dyn AuditStore, &str, &mut Items) -> Result<Vec<Damage>> + Send + 'static,
) -> Result<Response, Problem> {
    let mut query = Query::read(query.as_deref())?;
    let skip = query.number("after", 0, u64::MAX >> 1)?;
    let limit = query.number("limit", LIMIT, LIMIT_MAX)?;
    query.end()?;
    let (items, damage) = app
        .of_store(move |store| {
            if !store.is_known(&id)? {
                let text = format!("there is no session {id:?}");
                return Err(Error::new(ErrorKind::NotFound, text));
            }
            let mut items = Items {
                skip,
                limit: usize::try_from(limit).unwrap_or(usize::MAX),
                items: Vec::new(),
                has_more: false,
            };
            let damage = read(store, &id, &mut items)?;
            Ok((items, damage))
        })
        .await?;
    let next = items.has_more.then(|| (skip + limit).to_string());
    let damage: Vec<String> = damage.iter().map(ToString::to_string).collect();
    let more = format!("\"next\":{},\"damage\":{}", text(&next), text(&damage));
    Ok(json(&headers, list(&items.items, &more)))
}

/// The sums of a session: what the command prints of it as JSON.
pub(crate) async fn statistics_of(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    Named(id): Named,
) -> Result<Response, Problem> {
    let sums = app
        .of_store(move |store| {
            find_session(store, &id)?;
            store.statistics(&id)
        })
        .await?;
    let text = serde_json::to_string_pretty(&sums).unwrap_or_default();
    Ok(json(&headers, text + "\n"))
}
