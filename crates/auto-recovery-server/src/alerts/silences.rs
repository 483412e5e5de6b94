//! Words of people about alerts: silences, which keep matching incidents from being told for a
//! time, and acknowledgements, which end the telling of one incident.
//!
//! A silence that could match nothing is refused: whoever made it believes that it is quiet.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use auto_recovery::host::timestamp;
use auto_recovery::{Error, ErrorKind, Result};
use rusqlite::{Connection, OptionalExtension as _, params};
use serde::Serialize;

use super::clock::{millis, time};
use super::config::{Label, Severity};
use super::said::{Did, note};
use super::tables::{from_json, json};

/// The longest silence. What is to be silent for longer is no rule.
pub const SILENCE_MAX: Duration = Duration::from_secs(366 * 24 * 60 * 60);

/// The longest reason and the longest value, in characters.
const CHARS_MAX: usize = 1000;

/// Rows of a list.
const ROWS_MAX: i64 = 200;

/// Names that incidents have besides the labels of sessions.
const OTHER_NAMES: [&str; 4] = ["rule", "severity", "heartbeat", "destination"];

/// A silence that holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Silence {
    /// Its id.
    pub id: i64,
    /// What an incident must have, all of it.
    pub matchers: BTreeMap<String, String>,
    /// Until when, RFC 3339.
    pub until: String,
    /// Why.
    pub reason: String,
    /// Who made it.
    pub by: String,
    /// When, RFC 3339.
    pub at: String,
}

/// A silence that somebody wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewSilence {
    /// What an incident must have, all of it, by name: `rule`, `severity`, or a label.
    pub matchers: BTreeMap<String, String>,
    /// How long.
    pub length: Duration,
    /// Why.
    pub reason: String,
    /// Who wants it.
    pub by: String,
}

impl NewSilence {
    /// Makes sure that it can match something, and ends.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] with the mistake and the right way.
    pub(crate) fn check(&self) -> Result<()> {
        let wrong = |text: String| Err(Error::new(ErrorKind::InvalidInput, text));
        if self.matchers.is_empty() {
            return wrong("it matches everything: say what, like project=shop".to_owned());
        }
        let labels = Label::ALL.iter().map(|label| label.as_str());
        let names: Vec<&str> = OTHER_NAMES.into_iter().chain(labels).collect();
        for (name, value) in &self.matchers {
            if !names.contains(&&**name) {
                let names = names.join(", ");
                return wrong(format!("no incident has {name:?}: there are {names}"));
            }
            let severities = [Severity::Warning, Severity::Critical].map(Severity::as_str);
            if name == "severity" && !severities.contains(&&**value) {
                let both = severities.join(" and ");
                return wrong(format!("there is no severity {value:?}: there are {both}"));
            }
            if value.chars().count() > CHARS_MAX {
                return wrong(format!("{name} has more than {CHARS_MAX} characters"));
            }
        }
        if self.length.is_zero() || self.length > SILENCE_MAX {
            let text = "it is to be longer than nothing and at most 366 days: take the rule out of \
                        your config.toml if nobody is ever to be told";
            return wrong(text.to_owned());
        }
        if self.reason.chars().count() > CHARS_MAX {
            return wrong(format!("a reason has at most {CHARS_MAX} characters"));
        }
        Ok(())
    }
}

/// The silences that hold at `now`, the newest first.
pub(crate) fn list(connection: &Connection, now: SystemTime) -> rusqlite::Result<Vec<Silence>> {
    let mut select = connection.prepare_cached(
        "SELECT number, matchers, until_ms, reason, made_by, at FROM alert_silence
         WHERE incident IS NULL AND until_ms > ? ORDER BY number DESC LIMIT ?",
    )?;
    let rows = select.query_map(params![millis(now), ROWS_MAX], |row| {
        Ok(Silence {
            id: row.get(0)?,
            matchers: from_json(&row.get::<_, String>(1)?).unwrap_or_default(),
            until: time(row.get(2)?),
            reason: row.get(3)?,
            by: row.get(4)?,
            at: row.get(5)?,
        })
    })?;
    rows.collect()
}

/// Keeps `new`, which was checked, from `now` on.
pub(crate) fn add(
    connection: &Connection,
    new: &NewSilence,
    now: SystemTime,
) -> rusqlite::Result<Silence> {
    let until_ms = millis(now).saturating_add(millis(SystemTime::UNIX_EPOCH + new.length));
    let mut insert = connection.prepare_cached(
        "INSERT INTO alert_silence (matchers, incident, until_ms, reason, made_by, at)
         VALUES (?, NULL, ?, ?, ?, ?)",
    )?;
    let at = timestamp(now);
    let values = params![json(&new.matchers), until_ms, new.reason, new.by, at];
    let id = insert.insert(values)?;
    let pairs = new.matchers.iter();
    let pairs: Vec<String> = pairs
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let about = format!("{id}: {} until {}", pairs.join(" "), time(until_ms));
    let said = (&*new.reason, &*new.by);
    note(connection, (Did::Silenced, &about), said, now)?;
    Ok(Silence {
        id,
        matchers: new.matchers.clone(),
        until: time(until_ms),
        reason: new.reason.clone(),
        by: new.by.clone(),
        at,
    })
}

/// Ends the silence `id`, as `who` wants it. Returns whether it held.
pub(crate) fn end(
    connection: &Connection,
    id: i64,
    who: &str,
    now: SystemTime,
) -> rusqlite::Result<bool> {
    let mut update = connection.prepare_cached(
        "UPDATE alert_silence SET until_ms = ?2
         WHERE number = ?1 AND incident IS NULL AND until_ms > ?2",
    )?;
    let held = update.execute(params![id, millis(now)])? > 0;
    if held {
        let of = (Did::SilenceEnded, &*id.to_string());
        note(connection, of, ("", who), now)?;
    }
    Ok(held)
}

/// Says that `who` knows of the incident of that number. Returns its id.
pub(crate) fn acknowledge(
    connection: &Connection,
    incident: i64,
    (reason, who): (&str, &str),
    now: SystemTime,
) -> rusqlite::Result<String> {
    let mut insert = connection.prepare_cached(
        "INSERT INTO alert_silence (matchers, incident, until_ms, reason, made_by, at)
         VALUES ('{}', ?, NULL, ?, ?, ?)",
    )?;
    insert.execute(params![incident, reason, who, timestamp(now)])?;
    let id = id_of(connection, incident)?;
    note(connection, (Did::Acknowledged, &id), (reason, who), now)?;
    Ok(id)
}

/// Ends what was said of the incident of that number, as `who` wants it: it is told again while it
/// fires, and what was over for being known fires anew. Returns its id; `None` if nobody had
/// acknowledged it.
pub(crate) fn end_acknowledgement(
    connection: &Connection,
    incident: i64,
    who: &str,
    now: SystemTime,
) -> rusqlite::Result<Option<String>> {
    let mut update = connection.prepare_cached(
        "UPDATE alert_silence SET until_ms = ?2
         WHERE incident = ?1 AND (until_ms IS NULL OR until_ms > ?2)",
    )?;
    if update.execute(params![incident, millis(now)])? == 0 {
        return Ok(None);
    }
    let id = id_of(connection, incident)?;
    note(connection, (Did::AcknowledgementEnded, &id), ("", who), now)?;
    Ok(Some(id))
}

/// An acknowledged incident that would be told otherwise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Acknowledged {
    /// The incident.
    pub incident: String,
    /// The rule.
    pub rule: String,
    /// What is wrong.
    pub summary: String,
    /// Why.
    pub reason: String,
    /// Who.
    pub by: String,
    /// When, RFC 3339.
    pub at: String,
}

/// What is acknowledged and would be told otherwise, the newest first.
pub(crate) fn acknowledged(connection: &Connection) -> rusqlite::Result<Vec<Acknowledged>> {
    // Whether it fires, or is over for who knows of it, is in the bodies of conditions.
    let mut select = connection.prepare_cached(
        "SELECT incident.id, incident.rule, json_extract(series.body, '$.observed.summary'),
             said.reason, said.made_by, max(said.at)
         FROM alert_series AS series
         JOIN alert_incident AS incident
             ON incident.incident = json_extract(series.body, '$.incident')
         JOIN alert_silence AS said ON said.incident = incident.incident
         WHERE said.until_ms IS NULL GROUP BY incident.incident
         ORDER BY incident.incident DESC LIMIT ?",
    )?;
    let rows = select.query_map([ROWS_MAX], |row| {
        Ok(Acknowledged {
            incident: row.get(0)?,
            rule: row.get(1)?,
            summary: row.get::<_, Option<String>>(2)?.unwrap_or_default(),
            reason: row.get(3)?,
            by: row.get(4)?,
            at: row.get(5)?,
        })
    })?;
    rows.collect()
}

fn id_of(connection: &Connection, incident: i64) -> rusqlite::Result<String> {
    let mut select =
        connection.prepare_cached("SELECT id FROM alert_incident WHERE incident = ?")?;
    select.query_row([incident], |row| row.get(0))
}

/// The number of the one incident whose id begins with `id`.
pub(crate) fn find(connection: &Connection, id: &str) -> rusqlite::Result<Option<i64>> {
    if id.is_empty() {
        return Ok(None);
    }
    let mut select = connection.prepare_cached(
        "SELECT max(incident), count(*) FROM (SELECT incident FROM alert_incident
         WHERE substr(id, 1, length(?1)) = ?1 OR substr(id, 5, length(?1)) = ?1 LIMIT 2)",
    )?;
    let found = select
        .query_row([id], |row| {
            Ok((row.get::<_, Option<i64>>(0)?, row.get::<_, i64>(1)?))
        })
        .optional()?;
    Ok(found.and_then(|(number, count)| number.filter(|_| count == 1)))
}

/// That there is no silence `id` that holds.
pub(crate) fn no_silence(id: &str) -> Error {
    let text = format!("no silence {id} holds; `recover alerts silence list` lists those that do");
    Error::new(ErrorKind::NotFound, text)
}

/// That nobody has acknowledged the incident `id`.
pub(crate) fn not_acknowledged(id: &str) -> Error {
    Error::new(ErrorKind::NotFound, format!("nobody has acknowledged {id}"))
}

/// That there is not one incident whose id begins with `id`.
pub(crate) fn no_incident(id: &str) -> Error {
    let text = format!("no one incident {id}; `recover alerts list` lists those that fire");
    Error::new(ErrorKind::NotFound, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn silence(matchers: &[(&str, &str)], seconds: u64) -> NewSilence {
        let matchers = matchers.iter();
        NewSilence {
            matchers: matchers
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
            length: Duration::from_secs(seconds),
            reason: String::new(),
            by: "ada".to_owned(),
        }
    }

    #[test]
    fn what_could_match_nothing_is_refused_with_what_there_is() {
        for (new, says) in [
            (
                silence(&[("projct", "shop")], 60),
                "rule, severity, heartbeat, destination, project",
            ),
            (silence(&[("severity", "high")], 60), "warning and critical"),
            (silence(&[], 60), "project=shop"),
            (silence(&[("project", "shop")], 0), "at most 366 days"),
            (
                silence(&[("project", "shop")], u64::MAX / 1000),
                "at most 366 days",
            ),
            (
                silence(&[("project", &"x".repeat(1001))], 60),
                "1000 characters",
            ),
        ] {
            let refused = new.check().unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::InvalidInput);
            assert!(refused.to_string().contains(says), "{refused}");
        }
        silence(&[("project", ""), ("severity", "warning")], 60)
            .check()
            .unwrap();
    }

    #[test]
    fn a_silence_is_listed_until_it_ends() {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(super::super::TABLES).unwrap();
        let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let first = add(&connection, &silence(&[("project", "shop")], 60), at(100)).unwrap();
        let second = add(&connection, &silence(&[("host", "h")], 600), at(100)).unwrap();
        assert_eq!(second.until, "1970-01-01T00:11:40.000Z");
        assert_eq!(
            list(&connection, at(101)).unwrap(),
            [second.clone(), first.clone()]
        );
        assert_eq!(
            list(&connection, at(160)).unwrap(),
            std::slice::from_ref(&second)
        );
        assert!(
            !end(&connection, first.id, "ada", at(160)).unwrap(),
            "it was over"
        );
        assert!(end(&connection, second.id, "ada", at(161)).unwrap());
        assert!(!end(&connection, second.id, "ada", at(161)).unwrap());
        assert_eq!(list(&connection, at(161)).unwrap(), []);
    }
}
