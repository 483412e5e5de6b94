//! Kinds of failure: the same sums as on the page.

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::http::HeaderMap;
use axum::response::Response;

use super::answer::{json, list};
use super::sessions::text;
use crate::app::App;
use crate::feed::{FailureKind, KindQuery};
use crate::http::{Problem, Query};

/// Kinds on a page.
const LIMIT: u64 = 100;
const LIMIT_MAX: u64 = 1000;

/// Some kinds, and the name of the place behind which the next page begins.
#[derive(Debug, Default)]
pub(crate) struct KindPage {
    pub(crate) kinds: Vec<FailureKind>,
    pub(crate) next: Option<String>,
}

/// The kinds that `query` asks for.
///
/// # Errors
/// If a parameter is not as it is to be.
pub(crate) fn read_kind_query(query: &mut Query) -> Result<KindQuery, Problem> {
    let limit = query.number("limit", LIMIT, LIMIT_MAX)?;
    let sort = query.take("sort").map(|name| name.parse()).transpose()?;
    let sort = sort.unwrap_or_default();
    let after = query.take("after").map(|place| read_place(&place));
    if after == Some(None) {
        return Err(Problem::invalid(
            "parameter `after` is no place in this list",
        ));
    }
    Ok(KindQuery {
        kind: query.take("kind"),
        project: query.take("project"),
        text: query.take("text"),
        sort,
        after: after.flatten(),
        limit: u32::try_from(limit).unwrap_or(u32::MAX),
    })
}

/// The page of kinds that `query` asks for.
///
/// # Errors
/// If the feed cannot be read.
pub(crate) fn kind_page(app: &App, query: &KindQuery) -> auto_recovery::Result<KindPage> {
    let limit = usize::try_from(query.limit).unwrap_or(usize::MAX);
    let mut found = app.feed().kinds(&KindQuery {
        limit: query.limit.saturating_add(1),
        ..query.clone()
    })?;
    let has_more = found.len() > limit;
    found.truncate(limit);
    let last = found.last().filter(|_| has_more);
    let next = last.map(|(value, kind)| format!("{}_{}", value.to_bits(), kind.kind));
    let kinds = found.into_iter().map(|(_, kind)| kind).collect();
    Ok(KindPage { kinds, next })
}

/// The number and the kind in the name of a place.
fn read_place(place: &str) -> Option<(f64, String)> {
    let (bits, kind) = place.split_once('_')?;
    let value = f64::from_bits(bits.parse().ok()?);
    (value.is_finite() && !kind.is_empty()).then(|| (value, kind.to_owned()))
}

/// Kinds of failure.
pub(crate) async fn failures(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let mut query = Query::read(query.as_deref())?;
    let asked = read_kind_query(&mut query)?;
    query.end()?;
    let page = app.run(move |app| kind_page(app, &asked)).await?;
    let items: Vec<String> = page.kinds.iter().map(text).collect();
    let more = format!("\"next\":{}", text(&page.next));
    Ok(json(&headers, list(&items, &more)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_number_and_a_kind() {
        let place = format!("{}_1-ab", 2.5f64.to_bits());
        assert_eq!(read_place(&place), Some((2.5, "1-ab".to_owned())));
        let infinite = format!("{}_1-ab", f64::NAN.to_bits());
        for text in ["", "_", "1", "x_1-ab", "1_", &infinite] {
            assert_eq!(read_place(text), None, "{text}");
        }
    }
}
