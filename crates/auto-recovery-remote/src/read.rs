//! Answers of a server as the values of a store.

use std::borrow::Cow;

use auto_recovery::audit::{
    Damage, SessionHeld, SessionKey, SessionOutcome, SessionPage, SessionQuery, SessionSummary,
};
use auto_recovery::statistics::{
    AggregateGroup, AggregateQuery, AggregateStatistics, Aggregates, rfc3339_us,
};
use auto_recovery::{Result, audit};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::client::{Client, Found, Limit, Line};

/// The sessions of a page, at most as many as a server gives at once.
pub(crate) const PAGE_MAX: usize = 1000;

/// A session as a server tells it whole.
#[derive(Deserialize)]
struct Whole {
    session_id: String,
    session_start: Option<String>,
    last_attempt_timestamp: Option<String>,
    total_attempts: u64,
    successful_attempts: u64,
    outcome: SessionOutcome,
    command: Option<Vec<String>>,
    cwd: Option<String>,
    project: Option<String>,
    host: Option<String>,
    user: Option<String>,
    workspace: Option<String>,
    bytes: u64,
    held: Option<SessionHeld>,
}

impl Whole {
    fn summary(self) -> SessionSummary {
        SessionSummary {
            session_id: self.session_id,
            session_start: self.session_start,
            last_attempt_timestamp: self.last_attempt_timestamp,
            total_attempts: self.total_attempts,
            successful_attempts: self.successful_attempts,
            outcome: self.outcome,
            command: self.command,
            cwd: self.cwd,
            project: self.project,
            host: self.host,
            user: self.user,
            workspace: self.workspace,
            bytes: self.bytes,
            held: self.held,
        }
    }
}

#[derive(Deserialize)]
struct Page {
    items: Vec<Whole>,
    next: Option<String>,
    damage: Vec<Damage>,
}

/// The page of sessions that `query` asks for behind `after`.
pub(crate) fn sessions(
    client: &Client,
    query: &SessionQuery,
    after: Option<&SessionKey>,
    limit: usize,
) -> Result<SessionPage> {
    let SessionQuery {
        since_us,
        until_us,
        project,
        host,
        id_piece,
        outcome,
    } = query;
    let mut asked = form_urlencoded::Serializer::new("whole=1".to_owned());
    asked.append_pair("limit", &limit.clamp(1, PAGE_MAX).to_string());
    let moment = |moment: &Option<i64>| moment.map(rfc3339_us);
    for (name, value) in [
        ("since", moment(since_us)),
        ("until", moment(until_us)),
        ("project", project.clone()),
        ("host", host.clone()),
        ("id", id_piece.clone()),
        ("outcome", outcome.map(|one| one.as_str().to_owned())),
        ("after", after.map(ToString::to_string)),
    ] {
        if let Some(value) = value {
            asked.append_pair(name, &value);
        }
    }
    let found = client.get::<Page>(&format!("/api/v1/sessions?{}", asked.finish()), Limit::Read)?;
    let Found::This(Page {
        items,
        next,
        damage,
    }) = found
    else {
        return Err(client.garbled("it has no list of sessions"));
    };
    let next = next.map(|next| next.parse());
    Ok(SessionPage {
        sessions: items.into_iter().map(Whole::summary).collect(),
        next: next
            .transpose()
            .map_err(|()| client.garbled("a place in a list"))?,
        damage,
    })
}

/// A line of a trail or of the journal.
#[derive(Deserialize)]
struct OneOf<'l> {
    #[serde(borrow)]
    entry: Option<&'l RawValue>,
    #[serde(borrow)]
    record: Option<&'l RawValue>,
    /// An entry or a record that stands on several lines.
    text: Option<String>,
    damage: Option<Damage>,
    #[serde(default)]
    end: bool,
}

/// Calls `visit` with the text of each entry or record at `path`, and returns the damage.
pub(crate) fn lines(
    client: &Client,
    path: &str,
    limit: Limit,
    visit: &mut dyn FnMut(&[u8]) -> Result<()>,
) -> Result<Vec<Damage>> {
    let mut damage = Vec::new();
    client.lines(path, limit, &mut |line| {
        let line: OneOf<'_> = serde_json::from_slice(line)
            .map_err(|error| client.garbled("a line of it").with_source(error))?;
        if let Some(text) = line.entry.or(line.record) {
            visit(text.get().as_bytes())?;
        }
        if let Some(text) = line.text {
            visit(text.as_bytes())?;
        }
        damage.extend(line.damage);
        Ok(match line.end {
            true => Line::Last,
            false => Line::More,
        })
    })?;
    Ok(damage)
}

/// Sums as a server tells them whole.
#[derive(Deserialize)]
struct Sums {
    total: AggregateStatistics,
    groups: Vec<Group>,
}

#[derive(Deserialize)]
struct Group {
    key: Vec<Option<String>>,
    statistics: AggregateStatistics,
}

/// The sums that `query` asks for.
pub(crate) fn aggregates(client: &Client, query: &AggregateQuery) -> Result<Aggregates> {
    let AggregateQuery {
        since_us,
        until_us,
        project,
        host,
        by,
    } = query;
    let names: Vec<&str> = by.iter().map(|by| by.as_str()).collect();
    let mut asked = form_urlencoded::Serializer::new("whole=1".to_owned());
    for (name, value) in [
        ("since", since_us.map(rfc3339_us).map(Cow::from)),
        ("until", until_us.map(rfc3339_us).map(Cow::from)),
        ("project", project.as_deref().map(Cow::from)),
        ("host", host.as_deref().map(Cow::from)),
        ("by", (!names.is_empty()).then(|| names.join(",").into())),
    ] {
        if let Some(value) = value {
            asked.append_pair(name, &value);
        }
    }
    let path = format!("/api/v1/stats?{}", asked.finish());
    let Found::This(sums) = client.get::<Sums>(&path, Limit::Read)? else {
        return Err(client.garbled("it has no sums"));
    };
    let groups = sums.groups.into_iter().map(|group| AggregateGroup {
        key: group.key,
        statistics: group.statistics,
    });
    Ok(Aggregates::new(sums.total, groups.collect()))
}

/// Refuses what only those can do who have the store itself.
pub(crate) fn refused(client: &Client, what: &str) -> auto_recovery::Error {
    let text = format!(
        "{} lets nobody {what}: do it on the machine of the server, with its own store",
        client.address
    );
    auto_recovery::Error::new(auto_recovery::ErrorKind::Refused, text)
}

/// The path of something that the session `id` has.
pub(crate) fn path_of(id: &str, what: &str) -> Result<String> {
    audit::session_id::encode(id)?;
    Ok(format!(
        "/api/v1/sessions/{}{what}",
        crate::client::encoded(id)
    ))
}
