//! Reads the feed on from its cursor, decides, and queues what is to be told: all of that in one
//! transaction, so that a server that is killed has decided once and lost nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use auto_recovery::audit::AuditStore;
use auto_recovery::host::{Host, timestamp};
use auto_recovery::{Error, ErrorKind, Result};
use rusqlite::{Connection, params};

use super::beats;
use super::clock::{self, Clock, millis};
use super::config::{Alerting, Check, Rule, WINDOW_MAX};
use super::decide::{Series, Transition, decide};
use super::facts::Facts;
use super::history::sessions_since;
use super::observe::{Labels, observe};
use super::queue::{self, Queue, Silence};
use super::tables::{from_json, json, number, set_number};
use crate::feed::{Database, Event, Kind, Standing, Wanted};

/// Rows that are taken up in one transaction.
const ROWS: usize = 500;

/// How sessions of others are forgotten: some time after the longest window.
const KEPT_MS: i64 = 8 * 24 * 60 * 60 * 1000;

/// The longest time between two writes: while nothing is pending or fires, and while something is,
/// which may have to be told again.
const IDLE_MS: i64 = 60_000;
const AGAIN_MS: i64 = 5_000;

/// How the store and the feed stand, as others see it.
pub(crate) struct Seen<'a> {
    pub(crate) standing: &'a Standing,
    /// How long ago all of the store was seen, in milliseconds.
    pub(crate) lag_ms: i64,
}

/// What was decided of one rule.
struct Decided {
    before: BTreeMap<Labels, Series>,
    transitions: Vec<Transition>,
    is_stale: bool,
}

/// Decides.
pub(crate) struct Engine {
    alerting: Arc<Alerting>,
    host: Arc<dyn Host>,
    feed: Arc<Database>,
    clock: Clock,
    cursor: i64,
    facts: Facts,
    series: BTreeMap<String, BTreeMap<Labels, Series>>,
    stale: BTreeSet<String>,
    next_incident: u64,
    /// The instants at which rules were worked out and written down last, on the clock.
    decided_ms: i64,
    written_ms: Option<i64>,
    beats: beats::Beats,
}

impl Engine {
    /// Goes on where the database says.
    ///
    /// # Errors
    /// If the database cannot be used, or, at the first time, `store` cannot be read.
    pub(crate) fn open(
        alerting: Arc<Alerting>,
        feed: Arc<Database>,
        store: &dyn AuditStore,
        host: Arc<dyn Host>,
        beats_dir: &Path,
    ) -> Result<Self> {
        let kept = feed.read(|connection| {
            let clock = number(connection, "alert_clock_ms")?;
            let wall = number(connection, "alert_wall_ms")?;
            let cursor = number(connection, "alert_cursor")?;
            let next = number(connection, "alert_next_incident")?;
            Ok((clock.zip(wall), cursor, next.unwrap_or(1)))
        })?;
        let (clock, cursor, next) = kept;
        let (forgotten, newest) = feed.bounds()?;
        let mut engine = Self {
            clock: Clock::new(clock, &*host),
            cursor: cursor.unwrap_or(newest),
            facts: Facts::default(),
            series: BTreeMap::new(),
            stale: BTreeSet::new(),
            next_incident: u64::try_from(next).unwrap_or(1),
            decided_ms: 0,
            written_ms: None,
            beats: beats::Beats::of(beats_dir),
            alerting,
            host,
            feed,
        };
        engine.load()?;
        if cursor.is_none_or(|cursor| cursor < forgotten) {
            // What was there before is looked at once: what is wrong already is wrong.
            engine.take_in_store(store)?;
        }
        Ok(engine)
    }

    /// Reads what was kept.
    fn load(&mut self) -> Result<()> {
        let rules: BTreeSet<&str> = self.alerting.rules.iter().map(|rule| &*rule.name).collect();
        let (facts, series, stale) = (&mut self.facts, &mut self.series, &mut self.stale);
        let mut said = BTreeMap::new();
        let destinations = self.alerting.destinations.iter();
        let known: Vec<&str> = destinations.map(|one| &*one.name).collect();
        let now = timestamp(self.host.now());
        self.feed
            .write(|connection| leave_out(connection, &rules, &known, &now))?;
        self.feed.read(|connection| {
            let mut select = connection.prepare("SELECT session_id, body FROM alert_session")?;
            let mut rows = select.query([])?;
            while let Some(row) = rows.next()? {
                if let Some(session) = from_json(&row.get::<_, String>(1)?) {
                    facts.sessions.insert(row.get(0)?, session);
                }
            }
            let mut select = connection.prepare("SELECT name, heard_ms, said FROM alert_beat")?;
            let mut rows = select.query([])?;
            while let Some(row) = rows.next()? {
                facts.beats.insert(row.get(0)?, row.get(1)?);
                said.insert(row.get(0)?, row.get(2)?);
            }
            let mut select = connection.prepare("SELECT rule, labels, body FROM alert_series")?;
            let mut rows = select.query([])?;
            while let Some(row) = rows.next()? {
                let rule: String = row.get(0)?;
                let labels = from_json(&row.get::<_, String>(1)?);
                let one = from_json(&row.get::<_, String>(2)?);
                if let (Some(labels), Some(one)) = (labels, one) {
                    series.entry(rule).or_default().insert(labels, one);
                }
            }
            let mut select =
                connection.prepare("SELECT rule FROM alert_rule WHERE stale_since IS NOT NULL")?;
            let mut rows = select.query([])?;
            while let Some(row) = rows.next()? {
                stale.insert(row.get(0)?);
            }
            Ok(())
        })?;
        self.beats.know(said);
        Ok(())
    }

    /// Takes in what the store has of the longest window.
    fn take_in_store(&mut self, store: &dyn AuditStore) -> Result<()> {
        let now = self.clock.now(&*self.host);
        let since = self.host.now().checked_sub(WINDOW_MAX);
        let since = since.map(timestamp).unwrap_or_default();
        for session in sessions_since(store, &since)? {
            let id = &session.session_id;
            let clock = &self.clock;
            let facts = &mut self.facts;
            let time = |text: &str| clock.at(clock::parse(text).unwrap_or(0), now);
            store.read_records_raw(Some(id), &mut |raw| {
                facts.record(id, &String::from_utf8_lossy(raw), &time);
                Ok(())
            })?;
            store.read_trail(id, &mut |entry| {
                facts.entry(id, &entry.json());
                Ok(())
            })?;
        }
        Ok(())
    }

    /// Takes up what is new, works out the rules if that is due, and queues what is to be told.
    /// Returns whether there are more rows.
    ///
    /// # Errors
    /// If the database cannot be written: nothing is changed then, but for what is in memory, so
    /// the engine is to be opened anew.
    pub(crate) fn step(&mut self, seen: &Seen<'_>, gather_ms: i64) -> Result<bool> {
        /// The time between two looks at rules that nothing new came for.
        const EVERY_MS: i64 = 1_000;

        let page = self.feed.page(&Wanted::default(), self.cursor, ROWS)?;
        let now = self.clock.now(&*self.host);
        for event in &page.events {
            self.take_in(event, now);
        }
        let is_due = now - self.decided_ms >= EVERY_MS || self.decided_ms == 0;
        if page.events.is_empty() && !is_due {
            return Ok(false);
        }
        self.decided_ms = now;
        self.look_at_ourselves(seen, now)?;
        let beats = self.beats.heard(&mut self.facts.beats, now);
        for rule in &self.alerting.rules {
            if let Check::Heartbeat { name, .. } = &rule.check {
                // A name that was never heard of has its time from now on.
                self.facts.beats.entry(name.clone()).or_insert(now);
            }
        }
        let silences = self.feed.read(queue::silences)?;
        let decided = self.work_out(&silences, now);
        let old = self.facts.forget(now - KEPT_MS);
        let is_news = page.next != self.cursor || !old.is_empty() || !beats.is_empty();
        let rules = self.alerting.rules.iter().zip(&decided);
        let has_changed = rules.into_iter().any(|(rule, one)| {
            one.before != self.series[&rule.name] || one.is_stale != self.stale.contains(&rule.name)
        });
        // What did not change is written now and then: nobody's disk is kept awake for it.
        let rest = if self.series.values().all(BTreeMap::is_empty) {
            IDLE_MS
        } else {
            AGAIN_MS
        };
        let is_old = self.written_ms.is_none_or(|written| now - written >= rest);
        if !is_news && !has_changed && !is_old {
            return Ok(page.has_more);
        }
        self.written_ms = Some(now);
        self.write(page.next, &decided, (&silences, &old, &beats), gather_ms)?;
        self.cursor = page.next;
        self.facts.changed.clear();
        self.facts.removed.clear();
        Ok(page.has_more)
    }

    /// Works out every rule.
    fn work_out(&mut self, silences: &[Silence], now: i64) -> Vec<Decided> {
        let mut decided = Vec::new();
        let wall_ms = millis(self.clock.wall(now));
        for rule in &self.alerting.rules {
            let all = self.series.entry(rule.name.clone()).or_default();
            let before = all.clone();
            queue::mark_known(silences, all, wall_ms);
            let holding = observe(rule, &self.facts, now);
            let is_stale = holding.is_none();
            let transitions = match holding {
                Some(holding) => decide(rule, all, holding, now, &mut self.next_incident),
                None => Vec::new(),
            };
            decided.push(Decided {
                before,
                transitions,
                is_stale,
            });
        }
        decided
    }

    /// Writes down all of it, up to the row `cursor`, and what is to be told.
    fn write(
        &mut self,
        cursor: i64,
        decided: &[Decided],
        (silences, old, beats): (&[Silence], &[String], &BTreeMap<String, String>),
        gather_ms: i64,
    ) -> Result<()> {
        let now = self.decided_ms;
        let wall = self.clock.wall(now);
        let next = i64::try_from(self.next_incident).unwrap_or(i64::MAX);
        let (facts, series, alerting) = (&self.facts, &self.series, &*self.alerting);
        let (stale, feed_id) = (&mut self.stale, &self.feed.id);
        self.feed.write(|connection| {
            save_facts(connection, facts, old, beats)?;
            set_number(connection, "alert_cursor", cursor)?;
            set_number(connection, "alert_clock_ms", now)?;
            set_number(connection, "alert_wall_ms", millis(wall))?;
            set_number(connection, "alert_next_incident", next)?;
            let mut queue = Queue {
                connection,
                alerting,
                feed_id,
                now,
                at: timestamp(wall),
                wall_ms: millis(wall),
                gather_ms,
                silences,
            };
            for (rule, one) in alerting.rules.iter().zip(decided) {
                save_series(connection, &rule.name, &one.before, &series[&rule.name])?;
                save_stale(connection, rule, one.is_stale, stale, &queue.at)?;
                for transition in &one.transitions {
                    save_transition(connection, rule, transition, (cursor, now, &queue.at))?;
                    queue.take(rule, transition)?;
                }
                queue.again(rule, &series[&rule.name])?;
            }
            Ok(())
        })
    }

    /// The time at which rules were worked out last.
    pub(crate) fn decided_ms(&self) -> i64 {
        self.decided_ms
    }

    fn take_in(&mut self, event: &Event, now: i64) {
        let Some(body) = &event.body else { return };
        let clock = &self.clock;
        let time = |text: &str| clock.at(clock::parse(text).unwrap_or(0), now);
        match event.kind {
            Kind::Journal => self.facts.record(&event.session_id, body, &time),
            Kind::Entry => self.facts.entry(&event.session_id, body),
            Kind::Removed => {}
        }
    }

    fn look_at_ourselves(&mut self, seen: &Seen<'_>, now: i64) -> Result<()> {
        let ourselves = &mut self.facts.ourselves;
        ourselves.is_current = *seen.standing == Standing::Current;
        ourselves.store_away = match seen.standing {
            Standing::Away { why, .. } => Some(why.clone()),
            Standing::Beginning | Standing::Current => None,
        };
        ourselves.current_ms = now - seen.lag_ms;
        ourselves.failing = self.feed.read(queue::failing)?;
        ourselves.spool_since_ms = match &self.alerting.spool {
            Some(spool) => beats::oldest_age_ms(spool, self.host.now()).map(|age| now - age),
            None => None,
        };
        Ok(())
    }
}

/// That rules cannot be decided, for a store that is away.
pub(crate) fn not_decided(standing: &Standing) -> Error {
    let text = match standing {
        Standing::Away { why, .. } => format!("the store cannot be read: {why}"),
        Standing::Beginning | Standing::Current => "the store was not read to its end".to_owned(),
    };
    Error::new(ErrorKind::Unreachable, text)
}

/// Ends what was of rules and destinations that are none any more.
fn leave_out(
    connection: &Connection,
    rules: &BTreeSet<&str>,
    destinations: &[&str],
    now: &str,
) -> rusqlite::Result<()> {
    let (rules, destinations) = (json(rules), json(&destinations));
    connection.execute(
        "DELETE FROM alert_series WHERE rule NOT IN (SELECT value FROM json_each(?))",
        [&rules],
    )?;
    connection.execute(
        "UPDATE alert_incident SET state = 'resolved', ended = ?2
         WHERE state = 'firing' AND rule NOT IN (SELECT value FROM json_each(?1))",
        [&rules, now],
    )?;
    connection.execute(
        "DELETE FROM alert_destination
         WHERE destination NOT IN (SELECT value FROM json_each(?))",
        [&destinations],
    )?;
    connection.execute(
        "UPDATE alert_message SET state = 'dropped', why = 'there is no such destination any more'
         WHERE state IN ('pending', 'sending')
             AND destination NOT IN (SELECT value FROM json_each(?))",
        [&destinations],
    )?;
    Ok(())
}

fn save_facts(
    connection: &Connection,
    facts: &Facts,
    old: &[String],
    beats: &BTreeMap<String, String>,
) -> rusqlite::Result<()> {
    for id in old {
        connection
            .prepare_cached("DELETE FROM alert_session WHERE session_id = ?")?
            .execute([id])?;
    }
    for id in &facts.changed {
        let session = &facts.sessions[id];
        let mut insert =
            connection.prepare_cached("INSERT OR REPLACE INTO alert_session VALUES (?, ?, ?)")?;
        insert.execute(params![id, session.at_ms, json(session)])?;
    }
    for id in &facts.removed {
        remove_texts(connection, id)?;
    }
    for (name, heard) in &facts.beats {
        let mut insert = connection.prepare_cached(
            "INSERT INTO alert_beat VALUES (?1, ?2, coalesce(?3, ''))
             ON CONFLICT DO UPDATE SET heard_ms = ?2, said = coalesce(?3, said)
             WHERE heard_ms != ?2",
        )?;
        insert.execute(params![name, heard, beats.get(name)])?;
    }
    Ok(())
}

/// Removes what incidents and messages say in the words of `session_id`. A message that still waits
/// is written anew, without them.
fn remove_texts(connection: &Connection, session_id: &str) -> rusqlite::Result<()> {
    const OF_SESSION: &str = "SELECT incident FROM alert_incident, json_each(body, '$.sessions')
         WHERE json_each.value = ?";
    let messages = format!(
        "UPDATE alert_message SET body = NULL WHERE number IN
             (SELECT message FROM alert_item WHERE incident IN ({OF_SESSION}))"
    );
    connection
        .prepare_cached(&messages)?
        .execute([session_id])?;
    let incidents = format!(
        "UPDATE alert_incident
         SET body = json_set(body, '$.message', '', '$.command', '', '$.tried', json('[]'))
         WHERE incident IN ({OF_SESSION})"
    );
    connection
        .prepare_cached(&incidents)?
        .execute([session_id])
        .map(drop)
}

fn save_series(
    connection: &Connection,
    rule: &str,
    before: &BTreeMap<Labels, Series>,
    now: &BTreeMap<Labels, Series>,
) -> rusqlite::Result<()> {
    for labels in before.keys().filter(|labels| !now.contains_key(*labels)) {
        let mut delete =
            connection.prepare_cached("DELETE FROM alert_series WHERE rule = ? AND labels = ?")?;
        delete.execute(params![rule, json(labels)])?;
    }
    for (labels, series) in now {
        if before.get(labels) != Some(series) {
            let mut insert = connection
                .prepare_cached("INSERT OR REPLACE INTO alert_series VALUES (?, ?, ?)")?;
            insert.execute(params![rule, json(labels), json(series)])?;
        }
    }
    Ok(())
}

/// Notes since when `rule` cannot be worked out, or that it can.
fn save_stale(
    connection: &Connection,
    rule: &Rule,
    is_stale: bool,
    stale: &mut BTreeSet<String>,
    at: &str,
) -> rusqlite::Result<()> {
    let is_news = match is_stale {
        true => stale.insert(rule.name.clone()),
        false => stale.remove(&rule.name),
    };
    if is_news {
        let mut insert =
            connection.prepare_cached("INSERT OR REPLACE INTO alert_rule VALUES (?, ?)")?;
        insert.execute(params![rule.name, is_stale.then_some(at)])?;
    }
    Ok(())
}

fn save_transition(
    connection: &Connection,
    rule: &Rule,
    transition: &Transition,
    (seq, now, at): (i64, i64, &str),
) -> rusqlite::Result<()> {
    let mut insert = connection.prepare_cached(
        "INSERT INTO alert_transition (at, at_ms, rule, labels, change, incident, seq, summary)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
    )?;
    let incident = transition
        .incident
        .map(|one| i64::try_from(one).unwrap_or(i64::MAX));
    let Transition {
        labels,
        change,
        observed,
        ..
    } = transition;
    let of = (json(labels), change.as_str(), &observed.summary);
    insert
        .execute(params![at, now, rule.name, of.0, of.1, incident, seq, of.2])
        .map(drop)
}
