//! What there is to see of alerts, and what people may say about them: silences and
//! acknowledgements. Works beside a server, over a connection of its own.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::SystemTime;

use auto_recovery::audit::AuditStore;
use auto_recovery::{Error, ErrorKind, Result};
use rusqlite::Connection;
use serde::Serialize;
use serde_json::Value;

use super::clock::time;
use super::decide::{Series, State};
use super::said::{record, recorded, unrecorded};
use super::silences::{self, NewSilence, Silence};
use super::tables::{from_json, number};
use crate::feed::beside;

/// Rows of a list.
const ROWS_MAX: i64 = 200;

/// A condition that is pending or fires.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Alert {
    /// The rule.
    pub rule: String,
    /// `pending` or `firing`.
    pub state: &'static str,
    /// What distinguishes it.
    pub labels: BTreeMap<String, String>,
    /// Since when, RFC 3339.
    pub since: String,
    /// The incident, once it fires.
    pub incident: Option<String>,
    /// What is wrong.
    pub summary: String,
    /// How many sessions it is about.
    pub count: u64,
    /// The newest of them.
    pub sessions: Vec<String>,
    /// Since when the rule cannot be worked out.
    pub stale_since: Option<String>,
    /// Who is not told, and why.
    pub held: Option<String>,
}

/// A message of the outbox.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Delivery {
    /// Its id.
    pub id: String,
    /// The destination.
    pub destination: String,
    /// What it tells.
    pub change: String,
    /// `pending`, `sending`, `sent`, `dead` or `dropped`.
    pub state: String,
    /// When it was decided.
    pub at: String,
    /// Why it is in that state.
    pub why: Option<String>,
    /// The incidents that it tells of.
    pub incidents: u64,
    /// Every try.
    pub tries: Vec<Try>,
}

/// A try of a message.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Try {
    /// Its number.
    pub number: i64,
    /// When.
    pub at: String,
    /// What became of it.
    pub result: String,
}

/// A transition of an incident that a destination was told of, or not.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Told {
    /// The destination.
    pub destination: String,
    /// The transition.
    pub change: String,
    /// `held`, `queued`, `sent`, `dropped` or `dead`.
    pub state: String,
    /// Why.
    pub why: Option<String>,
    /// The message.
    pub message: Option<String>,
}

/// All that is known of an incident.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct IncidentStory {
    /// The incident as messages tell it.
    pub incident: Value,
    /// `firing` or `resolved`.
    pub state: String,
    /// Who was told.
    pub told: Vec<Told>,
}

/// The alerts of one store.
#[derive(Debug)]
pub struct Alerts {
    /// `None` where no server and no check ever was.
    connection: Option<Connection>,
}

impl Alerts {
    /// Those of the store at `url`.
    ///
    /// # Errors
    /// If the state cannot be used.
    pub fn beside(state_dir: &Path, url: &str) -> Result<Self> {
        Ok(Self {
            connection: beside(state_dir, url)?,
        })
    }

    /// What is pending or fires.
    ///
    /// # Errors
    /// If the state cannot be read.
    pub fn active(&self) -> Result<Vec<Alert>> {
        self.ask(active, Vec::new())
    }

    /// Since when each rule cannot be worked out, of those that cannot.
    ///
    /// # Errors
    /// If the state cannot be read.
    pub fn stale(&self) -> Result<BTreeMap<String, String>> {
        self.ask(stale, BTreeMap::new())
    }

    /// The newest messages, with every try.
    ///
    /// # Errors
    /// If the state cannot be read.
    pub fn deliveries(&self) -> Result<Vec<Delivery>> {
        self.ask(deliveries, Vec::new())
    }

    /// The incident whose id begins with `id`.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if there is none, or more than one.
    pub fn story(&self, id: &str) -> Result<IncidentStory> {
        let number = self.find(id)?;
        let story = self.ask(|connection| story(connection, number).map(Some), None)?;
        story.ok_or_else(|| silences::no_incident(id))
    }

    /// Says that `who` knows of the incident `id`: it is not told again while it fires.
    ///
    /// # Errors
    /// As [`Alerts::story`], or if the state cannot be written.
    pub fn acknowledge(
        &self,
        id: &str,
        reason: &str,
        who: &str,
        now: SystemTime,
    ) -> Result<String> {
        let number = self.find(id)?;
        let said = (reason, who);
        self.ask(
            |connection| silences::acknowledge(connection, number, said, now),
            String::new(),
        )
    }

    /// Nobody is told about incidents that match `new`, from `now` on.
    ///
    /// # Errors
    /// If it could match nothing, there is no state yet, or that cannot be written.
    pub fn silence(&self, new: &NewSilence, now: SystemTime) -> Result<Silence> {
        new.check()?;
        let made = self.ask(
            |connection| silences::add(connection, new, now).map(Some),
            None,
        )?;
        made.ok_or_else(|| {
            let text = "nothing was ever decided over this store: run `recover alerts check` or \
                        `recover serve` first";
            Error::new(ErrorKind::NotFound, text)
        })
    }

    /// The silences that hold at `now`, the newest first.
    ///
    /// # Errors
    /// If the state cannot be read.
    pub fn silences(&self, now: SystemTime) -> Result<Vec<Silence>> {
        self.ask(|connection| silences::list(connection, now), Vec::new())
    }

    /// Ends the silence `id`, as `who` wants it: what still fires is told.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if it does not hold; or if the state cannot be written.
    pub fn end_silence(&self, id: i64, who: &str, now: SystemTime) -> Result<()> {
        match self.ask(|connection| silences::end(connection, id, who, now), false)? {
            true => Ok(()),
            false => Err(silences::no_silence(&id.to_string())),
        }
    }

    /// Ends the acknowledgement of the incident `id`, as `who` wants it: it is told again while it
    /// fires, and an escalation that was over with it fires anew. Returns its whole id.
    ///
    /// # Errors
    /// As [`Alerts::story`]; [`ErrorKind::NotFound`] too if nobody acknowledged it.
    pub fn end_acknowledgement(&self, id: &str, who: &str, now: SystemTime) -> Result<String> {
        let number = self.find(id)?;
        let ended = self.ask(
            |connection| silences::end_acknowledgement(connection, number, who, now),
            None,
        )?;
        ended.ok_or_else(|| silences::not_acknowledged(id))
    }

    /// Records in the journal of `store` what was said and is not there yet; `host` is this
    /// machine.
    ///
    /// # Errors
    /// If the state cannot be used, or it cannot be recorded: then that is done later.
    pub fn record_said(&self, store: &dyn AuditStore, host: Option<&str>) -> Result<()> {
        for (number, said) in self.ask(unrecorded, Vec::new())? {
            record(store, said, host)?;
            self.ask(|connection| recorded(connection, number), ())?;
        }
        Ok(())
    }

    fn find(&self, id: &str) -> Result<i64> {
        let found = self.ask(|connection| silences::find(connection, id), None)?;
        found.ok_or_else(|| silences::no_incident(id))
    }

    fn ask<T>(
        &self,
        ask: impl FnOnce(&Connection) -> rusqlite::Result<T>,
        nothing: T,
    ) -> Result<T> {
        let Some(connection) = &self.connection else {
            return Ok(nothing);
        };
        ask(connection).map_err(|error| {
            Error::new(ErrorKind::Io, "cannot use the state of alerts").with_source(error)
        })
    }
}

pub(crate) fn active(connection: &Connection) -> rusqlite::Result<Vec<Alert>> {
    let clock = number(connection, "alert_clock_ms")?.unwrap_or_default();
    let wall = number(connection, "alert_wall_ms")?.unwrap_or_default();
    let stale = stale(connection)?;
    let mut select = connection.prepare_cached("SELECT rule, labels, body FROM alert_series")?;
    let rows = select.query_map([], |row| {
        Ok((
            row.get::<_, String>(0)?,
            row.get::<_, String>(1)?,
            row.get::<_, String>(2)?,
        ))
    })?;
    let mut alerts = Vec::new();
    for row in rows {
        let (rule, labels, body) = row?;
        let Some(series) = from_json::<Series>(&body) else {
            continue;
        };
        if matches!(series.state, State::Known { .. }) {
            continue;
        }
        let since = wall - clock + series.state.since_ms();
        let incident = series.state.incident().map(super::queue::signed);
        let id = incident
            .map(|incident| id_of(connection, incident))
            .transpose()?;
        let held = incident
            .map(|incident| held(connection, incident))
            .transpose()?;
        alerts.push(Alert {
            stale_since: stale.get(&rule).cloned(),
            rule,
            state: match series.state {
                State::Pending { .. } => "pending",
                State::Firing { .. } => "firing",
                State::Known { .. } => continue,
            },
            labels: from_json(&labels).unwrap_or_default(),
            since: time(since),
            incident: id.flatten(),
            summary: series.observed.summary,
            count: series.observed.count,
            sessions: series.observed.sessions,
            held: held.flatten(),
        });
    }
    Ok(alerts)
}

fn id_of(connection: &Connection, incident: i64) -> rusqlite::Result<Option<String>> {
    use rusqlite::OptionalExtension as _;
    let mut select =
        connection.prepare_cached("SELECT id FROM alert_incident WHERE incident = ?")?;
    select.query_row([incident], |row| row.get(0)).optional()
}

fn held(connection: &Connection, incident: i64) -> rusqlite::Result<Option<String>> {
    let mut select = connection.prepare_cached(
        "SELECT group_concat(DISTINCT why) FROM alert_item WHERE incident = ? AND state = 'held'",
    )?;
    select.query_row([incident], |row| row.get(0))
}

pub(crate) fn stale(connection: &Connection) -> rusqlite::Result<BTreeMap<String, String>> {
    let mut select = connection
        .prepare_cached("SELECT rule, stale_since FROM alert_rule WHERE stale_since IS NOT NULL")?;
    let rows = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    rows.collect()
}

pub(crate) fn deliveries(connection: &Connection) -> rusqlite::Result<Vec<Delivery>> {
    let mut select = connection.prepare_cached(
        "SELECT number, id, destination, change, state, at, why,
             (SELECT count(*) FROM alert_item WHERE message = number)
         FROM alert_message ORDER BY number DESC LIMIT ?",
    )?;
    let rows = select.query_map([ROWS_MAX], |row| {
        let number: i64 = row.get(0)?;
        let incidents: i64 = row.get(7)?;
        Ok((
            number,
            Delivery {
                id: row.get(1)?,
                destination: row.get(2)?,
                change: row.get(3)?,
                state: row.get(4)?,
                at: row.get(5)?,
                why: row.get(6)?,
                incidents: incidents.unsigned_abs(),
                tries: Vec::new(),
            },
        ))
    })?;
    let mut all = Vec::new();
    for row in rows {
        let (number, mut delivery) = row?;
        let mut select = connection.prepare_cached(
            "SELECT try, at, result FROM alert_try WHERE message = ? ORDER BY try",
        )?;
        let tries = select.query_map([number], |row| {
            Ok(Try {
                number: row.get(0)?,
                at: row.get(1)?,
                result: row.get(2)?,
            })
        })?;
        delivery.tries = tries.collect::<rusqlite::Result<_>>()?;
        all.push(delivery);
    }
    Ok(all)
}

fn story(connection: &Connection, incident: i64) -> rusqlite::Result<IncidentStory> {
    let mut select =
        connection.prepare_cached("SELECT state, body FROM alert_incident WHERE incident = ?")?;
    let (state, body): (String, String) =
        select.query_row([incident], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let mut select = connection.prepare_cached(
        "SELECT item.destination, item.change, item.state, item.why, message.id
         FROM alert_item AS item LEFT JOIN alert_message AS message ON message.number = item.message
         WHERE item.incident = ? ORDER BY item.at_ms, item.destination",
    )?;
    let told = select.query_map([incident], |row| {
        Ok(Told {
            destination: row.get(0)?,
            change: row.get(1)?,
            state: row.get(2)?,
            why: row.get(3)?,
            message: row.get(4)?,
        })
    })?;
    Ok(IncidentStory {
        incident: from_json(&body).unwrap_or_default(),
        state,
        told: told.collect::<rusqlite::Result<_>>()?,
    })
}
