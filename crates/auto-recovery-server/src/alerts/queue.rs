//! The outbox, as decisions fill it: which transition is told to which destination, and together
//! with which others.
//!
//! All of it happens in the transaction of the decision. A transition waits a while for others of
//! its group; many in a short time are one message. What is silenced, or comes in quiet hours, is
//! held. A `resolved` goes where its `firing` went, and nowhere else.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension as _, params};

use super::config::{Alerting, Check, Rule, Severity};
use super::decide::{Change, Series, State, Transition};
use super::message::Incident;
use super::observe::{Labels, ms};
use super::tables::{from_json, json};
use crate::digest::digest;

/// This many incidents in this time are a storm, unless somebody says otherwise: one message.
const STORM: u32 = 20;
const STORM_MS: i64 = 5 * 60 * 1000;

/// Items that are held and looked at in one step.
const HELD_MAX: i64 = 500;

/// The group of a storm.
pub(crate) const STORM_GROUP: &str = "storm";

/// What nobody is to be told of.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Silence {
    pub(crate) matchers: Labels,
    pub(crate) incident: Option<u64>,
    pub(crate) until_ms: Option<i64>,
    pub(crate) at_ms: i64,
}

/// The silences that there are; those that are over too.
pub(crate) fn silences(connection: &Connection) -> rusqlite::Result<Vec<Silence>> {
    let mut select =
        connection.prepare_cached("SELECT matchers, incident, until_ms, at FROM alert_silence")?;
    let rows = select.query_map([], |row| {
        let incident: Option<i64> = row.get(1)?;
        Ok(Silence {
            matchers: from_json(&row.get::<_, String>(0)?).unwrap_or_default(),
            incident: incident.map(i64::unsigned_abs),
            until_ms: row.get(2)?,
            at_ms: super::clock::parse(&row.get::<_, String>(3)?).unwrap_or_default(),
        })
    })?;
    rows.collect()
}

/// Notes which of the conditions in `all` somebody has acknowledged by `wall_ms`; those that were
/// over for somebody who does not want to know of them any more begin anew.
pub(crate) fn mark_known(silences: &[Silence], all: &mut BTreeMap<Labels, Series>, wall_ms: i64) {
    let of = |incident: u64| {
        silences
            .iter()
            .filter(move |one| one.incident == Some(incident))
    };
    let holds = |one: &Silence| one.until_ms.is_none_or(|until| until > wall_ms);
    all.retain(|_, series| match series.state {
        State::Known { incident, .. } => {
            let mut said = of(incident).peekable();
            said.peek().is_none() || said.any(holds)
        }
        State::Pending { .. } | State::Firing { .. } => true,
    });
    for series in all.values_mut() {
        if let State::Firing {
            incident, known_ms, ..
        } = &mut series.state
        {
            match of(*incident).any(holds) {
                true => {
                    known_ms.get_or_insert(series.observed.newest_ms);
                }
                false => *known_ms = None,
            }
        }
    }
}

/// Destinations that take nothing, and since when.
pub(crate) fn failing(connection: &Connection) -> rusqlite::Result<BTreeMap<String, i64>> {
    let mut select = connection.prepare_cached(
        "SELECT destination, min(since) FROM (
            SELECT destination, created_ms AS since FROM alert_message
            WHERE state IN ('pending', 'sending') AND tries > 0
            UNION ALL
            SELECT destination, failing_since_ms FROM alert_destination
            WHERE failing_since_ms IS NOT NULL
         ) GROUP BY destination",
    )?;
    let rows = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    rows.collect()
}

/// The destination of a `firing`, its state, and the number, the state and the tries of its
/// message.
type Begun = (String, String, Option<i64>, Option<String>, Option<i64>);

/// Fills the outbox in one transaction.
pub(crate) struct Queue<'a> {
    pub(crate) connection: &'a Connection,
    pub(crate) alerting: &'a Alerting,
    pub(crate) feed_id: &'a str,
    /// The time on the clock, and on the wall.
    pub(crate) now: i64,
    pub(crate) at: String,
    /// The same, in milliseconds since the epoch.
    pub(crate) wall_ms: i64,
    pub(crate) gather_ms: i64,
    pub(crate) silences: &'a [Silence],
}

impl Queue<'_> {
    /// Takes in a decision about `rule`.
    pub(crate) fn take(&mut self, rule: &Rule, transition: &Transition) -> rusqlite::Result<()> {
        let Some(incident) = transition.incident else {
            return Ok(());
        };
        match transition.change {
            Change::Firing => self.fires(rule, incident, transition),
            Change::Resolved => self.resolves(rule, incident, transition),
            Change::Pending | Change::Inactive => Ok(()),
        }
    }

    fn fires(&mut self, rule: &Rule, incident: u64, of: &Transition) -> rusqlite::Result<()> {
        let id = format!("inc_{}", digest(&[self.feed_id, &incident.to_string()], 8));
        let body = Incident {
            id: id.clone(),
            rule: rule.name.clone(),
            severity: rule.severity.as_str().to_owned(),
            labels: of.labels.clone(),
            summary: of.observed.summary.clone(),
            message: of.observed.message.clone(),
            command: of.observed.command.clone(),
            tried: of.observed.tried.clone(),
            count: of.observed.count,
            sessions: of.observed.sessions.clone(),
            started: self.at.clone(),
            ended: None,
        };
        let mut insert = self.connection.prepare_cached(
            "INSERT INTO alert_incident VALUES (?, ?, ?, ?, ?, 'firing', ?, NULL, ?)",
        )?;
        let severity = rule.severity.as_str();
        let labels = json(&of.labels);
        insert.execute(params![
            signed(incident),
            id,
            rule.name,
            labels,
            severity,
            self.at,
            json(&body)
        ])?;
        for destination in self.destinations(rule, &of.labels) {
            let held = self.held(rule, incident, &of.labels);
            let (state, why) = match (&held, self.is_disabled(&destination)?) {
                (_, true) => ("dropped", Some("the destination is disabled".to_owned())),
                (Some(why), _) => ("held", Some((*why).to_owned())),
                (None, _) => ("queued", None),
            };
            self.item((incident, "firing", &destination), (state, why.as_deref()))?;
            if state == "queued" {
                self.join(rule, (incident, "firing", &destination), &of.labels)?;
            }
        }
        Ok(())
    }

    fn resolves(&mut self, rule: &Rule, incident: u64, of: &Transition) -> rusqlite::Result<()> {
        let mut update = self.connection.prepare_cached(
            "UPDATE alert_incident SET state = 'resolved', ended = ?2,
                 body = json_set(body, '$.ended', ?2) WHERE incident = ?1",
        )?;
        update.execute(params![signed(incident), self.at])?;
        let mut update = self.connection.prepare_cached(
            "UPDATE alert_item SET state = 'dropped', why = 'over before it was told again'
             WHERE incident = ? AND change LIKE 'again%' AND state = 'queued'",
        )?;
        update.execute([signed(incident)])?;
        let mut select = self.connection.prepare_cached(
            "SELECT item.destination, item.state, message.number, message.state, message.tries
             FROM alert_item AS item LEFT JOIN alert_message AS message ON message.number = item.message
             WHERE item.incident = ? AND item.change = 'firing'",
        )?;
        let told: Vec<Begun> = select
            .query_map([signed(incident)], |row| {
                Ok((
                    row.get(0)?,
                    row.get(1)?,
                    row.get(2)?,
                    row.get(3)?,
                    row.get(4)?,
                ))
            })?
            .collect::<rusqlite::Result<_>>()?;
        for (destination, state, message, of_message, tries) in told {
            let gathers = of_message.as_deref() == Some("pending") && tries == Some(0);
            if state == "held" || (state == "queued" && gathers) {
                // Nobody was told that it fires, so nobody is told that it does not.
                let why = "over before it was told";
                self.item((incident, "firing", &destination), ("dropped", Some(why)))?;
                self.item((incident, "resolved", &destination), ("dropped", Some(why)))?;
                self.drop_if_empty(message)?;
            } else if matches!(&*state, "dropped" | "dead") {
                let why = "its beginning was not told";
                self.item((incident, "resolved", &destination), ("dropped", Some(why)))?;
            } else {
                self.item((incident, "resolved", &destination), ("queued", None))?;
                self.join(rule, (incident, "resolved", &destination), &of.labels)?;
            }
        }
        Ok(())
    }

    /// Queues what was held and is to be told now, and tells again what still fires.
    pub(crate) fn again(
        &mut self,
        rule: &Rule,
        all: &BTreeMap<Labels, Series>,
    ) -> rusqlite::Result<()> {
        let firing: BTreeMap<u64, (&Labels, &Series)> = all
            .iter()
            .filter_map(|(labels, series)| Some((series.state.incident()?, (labels, series))))
            .collect();
        if firing.is_empty() {
            return Ok(());
        }
        let mut select = self.connection.prepare_cached(
            "SELECT item.incident, item.destination, item.why FROM alert_item AS item
             JOIN alert_incident AS incident ON incident.incident = item.incident
             WHERE item.state = 'held' AND incident.rule = ? LIMIT ?",
        )?;
        let held: Vec<(i64, String, Option<String>)> = select
            .query_map(params![rule.name, HELD_MAX], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            })?
            .collect::<rusqlite::Result<_>>()?;
        for (incident, destination, why) in held {
            let incident = incident.unsigned_abs();
            let Some((labels, _)) = firing.get(&incident) else {
                continue;
            };
            if self.held(rule, incident, labels).is_none() {
                let why = why.map(|why| format!("{why} until now"));
                self.item(
                    (incident, "firing", &destination),
                    ("queued", why.as_deref()),
                )?;
                self.join(rule, (incident, "firing", &destination), labels)?;
            }
        }
        match rule.repeat {
            Some(repeat) => self.repeats(rule, &firing, ms(repeat)),
            None => Ok(()),
        }
    }

    fn repeats(
        &mut self,
        rule: &Rule,
        firing: &BTreeMap<u64, (&Labels, &Series)>,
        repeat_ms: i64,
    ) -> rusqlite::Result<()> {
        let mut select = self.connection.prepare_cached(
            "SELECT item.incident, item.destination, count(*) FROM alert_item AS item
             JOIN alert_incident AS incident ON incident.incident = item.incident
             WHERE incident.rule = ?1 AND incident.state = 'firing'
             GROUP BY item.incident, item.destination
             HAVING max(item.at_ms) <= ?2 AND min(item.state = 'sent') = 1",
        )?;
        let due: Vec<(i64, String, i64)> = select
            .query_map(params![rule.name, self.now - repeat_ms], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            })?
            .collect::<rusqlite::Result<_>>()?;
        for (incident, destination, told) in due {
            let incident = incident.unsigned_abs();
            let Some((labels, _)) = firing.get(&incident) else {
                continue;
            };
            if self.held(rule, incident, labels).is_none() {
                let change = format!("again {told}");
                self.item((incident, &change, &destination), ("queued", None))?;
                self.join(rule, (incident, &change, &destination), labels)?;
            }
        }
        Ok(())
    }

    /// The destinations of `rule`: for one that does not take what it is sent, all others.
    fn destinations(&self, rule: &Rule, labels: &Labels) -> Vec<String> {
        let failing = match &rule.check {
            Check::DeliveryFailing { .. } => labels.get("destination"),
            _ => None,
        };
        let known = |name: &&String| {
            self.alerting
                .destinations
                .iter()
                .any(|one| one.name == **name)
        };
        let to = rule
            .to
            .iter()
            .filter(known)
            .filter(|name| failing != Some(name));
        to.cloned().collect()
    }

    fn is_disabled(&self, destination: &str) -> rusqlite::Result<bool> {
        let known = self
            .alerting
            .destinations
            .iter()
            .find(|one| one.name == destination);
        let Some(known) = known else { return Ok(true) };
        let mut select = self
            .connection
            .prepare_cached("SELECT disabled FROM alert_destination WHERE destination = ?")?;
        let disabled: Option<Option<String>> = select
            .query_row([destination], |row| row.get(0))
            .optional()?;
        Ok(disabled.flatten().as_deref() == Some(&*known.channel.fingerprint()))
    }

    /// Why nobody is told of an incident now, if so.
    fn held(&self, rule: &Rule, incident: u64, labels: &Labels) -> Option<&'static str> {
        let is_silenced = self.silences.iter().any(|silence| {
            let is_on = silence
                .until_ms
                .is_none_or(|until| super::clock::parse(&self.at) < Some(until));
            let is_of = match silence.incident {
                Some(known) => known == incident,
                None => silence.matchers.iter().all(|(name, value)| match &**name {
                    "rule" => rule.name == *value,
                    "severity" => rule.severity.as_str() == value,
                    name => labels.get(name) == Some(value),
                }),
            };
            is_on && is_of
        });
        if is_silenced {
            return Some("silenced");
        }
        let is_quiet = self
            .alerting
            .quiet
            .as_ref()
            .is_some_and(|quiet| quiet.hold(self.wall_ms));
        (is_quiet && rule.severity < Severity::Critical).then_some("quiet hours")
    }

    fn item(
        &self,
        (incident, change, destination): (u64, &str, &str),
        (state, why): (&str, Option<&str>),
    ) -> rusqlite::Result<()> {
        let mut insert = self.connection.prepare_cached(
            "INSERT INTO alert_item VALUES (?1, ?2, ?3, ?4, NULL, ?5, ?6)
             ON CONFLICT DO UPDATE SET state = ?4, at_ms = ?5, why = ?6",
        )?;
        let values = params![signed(incident), change, destination, state, self.now, why];
        insert.execute(values).map(drop)
    }

    /// Puts a transition into the message of its group that still waits, or into a new one.
    fn join(
        &mut self,
        rule: &Rule,
        (incident, change, destination): (u64, &str, &str),
        labels: &Labels,
    ) -> rusqlite::Result<()> {
        let of_kind = change.split(' ').next().unwrap_or(change);
        let mut select = self.connection.prepare_cached(
            "SELECT count(*) FROM alert_item WHERE destination = ?1 AND change = ?2
             AND state IN ('queued', 'sent') AND at_ms > ?3",
        )?;
        let lately: i64 = select
            .query_row(params![destination, change, self.now - STORM_MS], |row| {
                row.get(0)
            })?;
        let is_storm = lately >= i64::from(self.alerting.storm.unwrap_or(STORM));
        let grouped = match is_storm {
            true => STORM_GROUP.to_owned(),
            false => {
                let by = rule.group_by.iter().map(|label| labels.get(label.as_str()));
                json(&(&rule.name, by.collect::<Vec<_>>()))
            }
        };
        let mut select = self.connection.prepare_cached(
            "SELECT number FROM alert_message WHERE state = 'pending' AND destination = ?1
             AND grouped = ?2 AND change = ?3 AND tries = 0
                 AND (due_ms > ?4 OR created_ms = ?4)",
        )?;
        let waiting = select
            .query_row(params![destination, grouped, of_kind, self.now], |row| {
                row.get(0)
            })
            .optional()?;
        let number: i64 = match waiting {
            Some(number) => number,
            None => self.message((incident, change, destination), of_kind, &grouped)?,
        };
        let mut update = self.connection.prepare_cached(
            "UPDATE alert_item SET message = ?1
             WHERE incident = ?2 AND change = ?3 AND destination = ?4",
        )?;
        update.execute(params![number, signed(incident), change, destination])?;
        if is_storm {
            self.merge(number, of_kind, destination)?;
        }
        Ok(())
    }

    fn message(
        &self,
        (incident, change, destination): (u64, &str, &str),
        of_kind: &str,
        grouped: &str,
    ) -> rusqlite::Result<i64> {
        let mut due_ms = self.now + self.gather_ms;
        if grouped == STORM_GROUP {
            let mut select = self.connection.prepare_cached(
                "SELECT max(created_ms) FROM alert_message
                 WHERE destination = ? AND grouped = ? AND change = ?",
            )?;
            let last: Option<i64> =
                select.query_row(params![destination, grouped, of_kind], |row| row.get(0))?;
            due_ms = due_ms.max(last.map_or(0, |last| last + STORM_MS));
        }
        let parts = [self.feed_id, &incident.to_string(), change, destination];
        let id = format!("msg_{}", digest(&parts, 16));
        let mut insert = self.connection.prepare_cached(
            "INSERT INTO alert_message
                 (id, destination, grouped, change, state, tries, created_ms, due_ms, at)
             VALUES (?, ?, ?, ?, 'pending', 0, ?, ?, ?)",
        )?;
        insert.insert(params![
            id,
            destination,
            grouped,
            of_kind,
            self.now,
            due_ms,
            self.at
        ])
    }

    /// Takes what still waits for others into the storm.
    fn merge(&self, storm: i64, change: &str, destination: &str) -> rusqlite::Result<()> {
        let waiting = "SELECT number FROM alert_message WHERE state = 'pending' AND tries = 0
             AND destination = ?2 AND change = ?3 AND number != ?1
             AND (due_ms > ?4 OR created_ms = ?4)";
        let values = params![storm, destination, change, self.now];
        let items = format!("UPDATE alert_item SET message = ?1 WHERE message IN ({waiting})");
        self.connection.prepare_cached(&items)?.execute(values)?;
        let messages = format!(
            "UPDATE alert_message SET state = 'dropped', why = 'part of a storm'
             WHERE number IN ({waiting})"
        );
        self.connection
            .prepare_cached(&messages)?
            .execute(values)
            .map(drop)
    }

    fn drop_if_empty(&self, message: Option<i64>) -> rusqlite::Result<()> {
        let mut update = self.connection.prepare_cached(
            "UPDATE alert_message SET state = 'dropped', why = 'over before it was told'
             WHERE number = ?1 AND tries = 0 AND NOT EXISTS
                 (SELECT 1 FROM alert_item WHERE message = ?1 AND state = 'queued')",
        )?;
        update.execute([message]).map(drop)
    }
}

pub(crate) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
