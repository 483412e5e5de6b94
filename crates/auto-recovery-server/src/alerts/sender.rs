//! Sends what the outbox has: a thread a destination, so that one that hangs holds up no other.
//!
//! A row is marked as being sent before it is sent, and as sent after: what a crash leaves between
//! the two is sent again, with the same id.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use auto_recovery::Result;
use auto_recovery::host::{Host, timestamp};
use rusqlite::{Connection, OptionalExtension as _, params};

use super::channel::{Means, Tried};
use super::config::{Alerting, Destination};
use super::message::{Incident, Message};
use super::observe::ms;
use super::queue::STORM_GROUP;
use super::tables::{from_json, json};
use crate::feed::{Database, count};
use crate::outbound::Outbound;

/// The waits before each further try, in seconds; the last one ends it.
const WAITS: [i64; 9] = [
    5,
    5 * 60,
    30 * 60,
    2 * 3600,
    5 * 3600,
    10 * 3600,
    14 * 3600,
    20 * 3600,
    24 * 3600,
];

/// A message that nobody took in this time is dead.
const DEAD_MS: i64 = 3 * 24 * 60 * 60 * 1000;

/// How often what fires is told to those who forget.
const ALIVE_MS: i64 = 60_000;

/// The least time between two messages to one destination: chat rooms take one a second.
const GAP: Duration = Duration::from_secs(1);

/// Messages that are looked at to find one that may go.
const LOOK: i64 = 50;

/// Sends to one destination.
pub(crate) struct Sender {
    pub(crate) alerting: Arc<Alerting>,
    pub(crate) destination: Destination,
    pub(crate) feed: Arc<Database>,
    pub(crate) host: Arc<dyn Host>,
    pub(crate) outbound: Arc<Outbound>,
    /// The directory for files that programs are given.
    pub(crate) dir: PathBuf,
}

/// A message that is due.
struct Due {
    number: i64,
    id: String,
    change: String,
    at: String,
    grouped: String,
    tries: i64,
    created_ms: i64,
    maybe: bool,
    body: Option<String>,
}

/// What became of a look for a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sending {
    /// None was due.
    Nothing,
    Taken,
    NotTaken,
}

impl Sender {
    /// Sends one message that is due, if there is one.
    ///
    /// # Errors
    /// If the database cannot be used.
    pub(crate) fn send_one(&self, now: i64) -> Result<Sending> {
        let Some(due) = self.feed.write(|connection| self.take(connection, now))? else {
            return Ok(Sending::Nothing);
        };
        let message: Option<Message> = due.body.as_deref().and_then(from_json);
        let message = message.unwrap_or_default();
        let incidents = self
            .feed
            .read(|connection| incidents(connection, due.number))?;
        let maybe = due.maybe && !self.destination.channel.knows_repeats();
        let tried = self
            .destination
            .channel
            .send(&message, &incidents, maybe, &self.means());
        self.feed
            .write(|connection| self.done(connection, &due, &tried, now))?;
        Ok(match tried {
            Tried::Sent => Sending::Taken,
            _ => Sending::NotTaken,
        })
    }

    /// Tells again what fires, where the destination forgets it.
    ///
    /// # Errors
    /// If the database cannot be used.
    pub(crate) fn keep_alive(&self) -> Result<()> {
        let firing = self.feed.read(|connection| {
            let mut select = connection.prepare_cached(
                "SELECT incident.body FROM alert_incident AS incident
                 JOIN alert_item AS item ON item.incident = incident.incident
                 WHERE incident.state = 'firing' AND item.change = 'firing'
                     AND item.state = 'sent' AND item.destination = ?",
            )?;
            let rows = select.query_map([&self.destination.name], |row| row.get(0))?;
            rows.collect::<rusqlite::Result<Vec<String>>>()
        })?;
        let firing: Vec<Incident> = firing.iter().filter_map(|body| from_json(body)).collect();
        let link = self.alerting.link.as_deref();
        // One that fails is told again in a minute.
        let _told = self
            .destination
            .channel
            .keep_alive(&firing, link, &self.means());
        Ok(())
    }

    fn means(&self) -> Means<'_> {
        Means {
            outbound: &self.outbound,
            host: &*self.host,
            dir: &self.dir,
            #[cfg(feature = "smtp")]
            roots: self.alerting.ca_file.as_deref(),
        }
    }

    /// Marks the first message that may go as being sent.
    fn take(&self, connection: &Connection, now: i64) -> rusqlite::Result<Option<Due>> {
        if self.is_disabled(connection)? {
            return Ok(None);
        }
        let mut select = connection.prepare_cached(
            "SELECT number, id, change, at, grouped, tries, created_ms,
                 state = 'sending' OR coalesce(why LIKE 'unanswered%', 0), body
             FROM alert_message
             WHERE state IN ('pending', 'sending') AND destination = ? AND due_ms <= ?
             ORDER BY change != 'firing', number LIMIT ?",
        )?;
        let due: Vec<Due> = select
            .query_map(params![self.destination.name, now, LOOK], |row| {
                Ok(Due {
                    number: row.get(0)?,
                    id: row.get(1)?,
                    change: row.get(2)?,
                    at: row.get(3)?,
                    grouped: row.get(4)?,
                    tries: row.get(5)?,
                    created_ms: row.get(6)?,
                    maybe: row.get(7)?,
                    body: row.get(8)?,
                })
            })?
            .collect::<rusqlite::Result<_>>()?;
        for mut due in due {
            if !may_go(connection, &due)? {
                continue;
            }
            let body = match due.body.take() {
                Some(body) => body,
                None => json(&self.message(connection, &due)?),
            };
            due.tries += 1;
            let mut update = connection.prepare_cached(
                "UPDATE alert_message SET state = 'sending', tries = ?2, body = ?3 WHERE number = ?1",
            )?;
            update.execute(params![due.number, due.tries, body])?;
            due.body = Some(body);
            self.note(connection, &due, "sending")?;
            return Ok(Some(due));
        }
        Ok(None)
    }

    fn message(&self, connection: &Connection, due: &Due) -> rusqlite::Result<Message> {
        let mut select = connection
            .prepare_cached("SELECT why FROM alert_item WHERE message = ? AND why IS NOT NULL")?;
        let late: Option<String> = select
            .query_row([due.number], |row| row.get(0))
            .optional()?;
        let incidents = incidents(connection, due.number)?;
        Ok(Message {
            is_storm: due.grouped == STORM_GROUP,
            late,
            link: self.alerting.link.clone(),
            ..Message::new(&due.id, &due.change, &due.at, incidents)
        })
    }

    /// Writes down what became of a try.
    fn done(
        &self,
        connection: &Connection,
        due: &Due,
        tried: &Tried,
        now: i64,
    ) -> rusqlite::Result<()> {
        let (word, why, wait) = match tried {
            Tried::Sent => ("sent", "taken".to_owned(), None),
            Tried::Refused(why, wait) => ("failed", format!("refused: {why}"), *wait),
            Tried::Unanswered(why) => ("failed", format!("unanswered: {why}"), None),
            Tried::Gone => (
                "failed",
                "gone: 410, the destination is disabled".to_owned(),
                None,
            ),
        };
        let is_over = usize::try_from(due.tries).unwrap_or(usize::MAX) > WAITS.len()
            || now - due.created_ms >= DEAD_MS
            || *tried == Tried::Gone;
        let state = match tried {
            Tried::Sent => "sent",
            _ if is_over => "dead",
            _ => "pending",
        };
        // The last try is when it would be dead.
        let due_ms = now + self.wait_ms(due.tries).max(wait.map_or(0, ms));
        let due_ms = due_ms.min(due.created_ms + DEAD_MS);
        let mut update = connection.prepare_cached(
            "UPDATE alert_message SET state = ?2, due_ms = ?3, why = ?4 WHERE number = ?1",
        )?;
        update.execute(params![due.number, state, due_ms, why])?;
        self.note(connection, due, &why)?;
        if state != "pending" {
            let mut update = connection.prepare_cached(
                "UPDATE alert_item SET state = ?2, at_ms = ?3 WHERE message = ?1",
            )?;
            update.execute(params![due.number, state, now])?;
        }
        let mut update = connection.prepare_cached(
            "INSERT INTO alert_destination VALUES (?1, ?2, ?3)
             ON CONFLICT DO UPDATE SET disabled = ?2,
                 failing_since_ms = CASE WHEN ?3 IS NULL THEN NULL
                     ELSE coalesce(failing_since_ms, ?3) END",
        )?;
        let gone = (*tried == Tried::Gone).then(|| self.destination.channel.fingerprint());
        if state != "pending" {
            let failing = (state == "dead").then_some(due.created_ms);
            update.execute(params![self.destination.name, gone, failing])?;
        }
        let labels = format!(
            "channel=\"{}\",result=\"{word}\"",
            self.destination.channel.as_str()
        );
        count(connection, "recover_notifications_total", &labels, 1.0)
    }

    fn note(&self, connection: &Connection, due: &Due, result: &str) -> rusqlite::Result<()> {
        let mut insert =
            connection.prepare_cached("INSERT OR REPLACE INTO alert_try VALUES (?, ?, ?, ?)")?;
        let at = timestamp(self.host.now());
        insert
            .execute(params![due.number, due.tries, at, result])
            .map(drop)
    }

    /// The wait after try `tries`, with a tenth of jitter.
    fn wait_ms(&self, tries: i64) -> i64 {
        let index = usize::try_from(tries - 1).unwrap_or_default();
        let wait = WAITS.get(index).copied().unwrap_or(WAITS[WAITS.len() - 1]) * 1000;
        let jitter = i64::try_from(self.host.random() % 1000).unwrap_or_default();
        wait + wait / 10 * jitter / 1000
    }

    fn is_disabled(&self, connection: &Connection) -> rusqlite::Result<bool> {
        let mut select = connection
            .prepare_cached("SELECT disabled FROM alert_destination WHERE destination = ?")?;
        let disabled: Option<Option<String>> = select
            .query_row([&self.destination.name], |row| row.get(0))
            .optional()?;
        let own = self.destination.channel.fingerprint();
        Ok(disabled.flatten().is_some_and(|disabled| disabled == own))
    }

    /// Sends until `is_over`; `now` tells the time of the clock that decisions are made by.
    pub(crate) fn run(&self, now: &dyn Fn() -> i64, is_over: &dyn Fn() -> bool) {
        const PAUSE: Duration = Duration::from_millis(250);
        let mut alive_ms = now();
        while !is_over() {
            // A database that cannot be used now is looked at again; nothing was lost in it.
            let sent = self.send_one(now()).unwrap_or(Sending::Nothing);
            if now() - alive_ms >= ALIVE_MS {
                alive_ms = now();
                let _told = self.keep_alive();
            }
            self.host.sleep(match sent {
                Sending::Nothing => PAUSE,
                Sending::Taken | Sending::NotTaken => self.gap(),
            });
        }
    }

    fn gap(&self) -> Duration {
        match self.destination.channel.knows_repeats() {
            true => Duration::ZERO,
            false => GAP,
        }
    }
}

/// Whether `due` may go: its `firing` went before, for each incident. Those whose `firing` will
/// never go are left out of it.
fn may_go(connection: &Connection, due: &Due) -> rusqlite::Result<bool> {
    if due.change == "firing" {
        return Ok(true);
    }
    let mut update = connection.prepare_cached(
        "UPDATE alert_item SET state = 'dropped', why = 'its beginning was not told'
         WHERE message = ?1 AND EXISTS (SELECT 1 FROM alert_item AS begun
             WHERE begun.incident = alert_item.incident AND begun.change = 'firing'
                 AND begun.destination = alert_item.destination
                 AND begun.state IN ('dead', 'dropped'))",
    )?;
    update.execute([due.number])?;
    let mut select = connection.prepare_cached(
        "SELECT count(*), coalesce(sum(begun.state = 'sent'), 0) FROM alert_item AS item
         JOIN alert_item AS begun ON begun.incident = item.incident AND begun.change = 'firing'
             AND begun.destination = item.destination
         WHERE item.message = ? AND item.state = 'queued'",
    )?;
    let (all, told): (i64, i64) =
        select.query_row([due.number], |row| Ok((row.get(0)?, row.get(1)?)))?;
    if all == 0 {
        let mut update = connection.prepare_cached(
            "UPDATE alert_message SET state = 'dropped', why = 'its beginning was not told'
             WHERE number = ?",
        )?;
        update.execute([due.number])?;
    }
    Ok(all > 0 && all == told)
}

/// The incidents of a message.
fn incidents(connection: &Connection, message: i64) -> rusqlite::Result<Vec<Incident>> {
    let mut select = connection.prepare_cached(
        "SELECT incident.body FROM alert_item AS item
         JOIN alert_incident AS incident ON incident.incident = item.incident
         WHERE item.message = ? AND item.state != 'dropped' ORDER BY item.incident",
    )?;
    let rows = select.query_map([message], |row| row.get::<_, String>(0))?;
    let bodies = rows.collect::<rusqlite::Result<Vec<_>>>()?;
    Ok(bodies.iter().filter_map(|body| from_json(body)).collect())
}
