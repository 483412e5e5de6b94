//! Sending a message again because somebody wants that: one that is dead, or waits for its next
//! try. It keeps its id, so that who took it after all can tell.
//!
//! What was taken is not sent again, nor what was never to be sent.

use std::time::SystemTime;

use auto_recovery::{Error, ErrorKind, Result};
use rusqlite::{Connection, OptionalExtension as _, params};

use super::said::{Did, note};
use super::tables::number;
use crate::digest::digest;

/// Why the end of something was not told: see the outbox.
const UNTOLD: &str = "its beginning was not told";

/// Has the message `id` sent again at once. `feed_id` is that of the feed.
pub(crate) fn send_again(
    connection: &Connection,
    (feed_id, id): (&str, &str),
    who: &str,
    now: SystemTime,
) -> rusqlite::Result<Result<()>> {
    let mut select = connection.prepare_cached(
        "SELECT number, destination, change, state, tries, why FROM alert_message WHERE id = ?",
    )?;
    let found = select.query_row([id], |row| {
        Ok(Found {
            number: row.get(0)?,
            destination: row.get(1)?,
            change: row.get(2)?,
            state: row.get(3)?,
            tries: row.get(4)?,
            why: row.get::<_, Option<String>>(5)?.unwrap_or_default(),
        })
    });
    let Some(found) = found.optional()? else {
        let text = format!("there is no message {id:?}");
        return Ok(Err(Error::new(ErrorKind::NotFound, text)));
    };
    if let Err(why) = found.may_go_again() {
        let text = format!("message {id} is not sent again: {why}");
        return Ok(Err(Error::new(ErrorKind::Refused, text)));
    }
    let clock_ms = number(connection, "alert_clock_ms")?.unwrap_or_default();
    // Its three days begin anew, and it tells what is so by now.
    let mut update = connection.prepare_cached(
        "UPDATE alert_message SET state = 'pending', created_ms = ?2, due_ms = ?2, body = NULL
         WHERE number = ?1",
    )?;
    update.execute(params![found.number, clock_ms])?;
    let mut update = connection.prepare_cached(
        "UPDATE alert_item SET state = 'queued' WHERE message = ? AND state = 'dead'",
    )?;
    update.execute([found.number])?;
    // Who wants it sent says that the destination takes messages again.
    let mut update = connection
        .prepare_cached("UPDATE alert_destination SET disabled = NULL WHERE destination = ?")?;
    update.execute([&found.destination])?;
    if found.change == "firing" {
        found.tell_its_end(connection, feed_id, (clock_ms, now))?;
    }
    note(connection, (Did::SentAgain, id), ("", who), now)?;
    Ok(Ok(()))
}

/// A message that somebody names.
struct Found {
    number: i64,
    destination: String,
    change: String,
    state: String,
    tries: i64,
    why: String,
}

impl Found {
    fn may_go_again(&self) -> std::result::Result<(), String> {
        match &*self.state {
            "dead" => Ok(()),
            "pending" if self.tries > 0 => Ok(()),
            "pending" => Err("it was not sent yet, and will be".to_owned()),
            "sending" => Err("it is being sent".to_owned()),
            "sent" => Err("it was taken".to_owned()),
            _ => Err(format!("it was never to be sent: {}", self.why)),
        }
    }

    /// Queues the ends that were not told because this message, their beginning, was not.
    fn tell_its_end(
        &self,
        connection: &Connection,
        feed_id: &str,
        (clock_ms, now): (i64, SystemTime),
    ) -> rusqlite::Result<()> {
        let mut select = connection.prepare_cached(
            "SELECT ended.incident FROM alert_item AS ended
             JOIN alert_item AS begun ON begun.incident = ended.incident
                 AND begun.destination = ended.destination AND begun.change = 'firing'
             WHERE begun.message = ?1 AND ended.change = 'resolved'
                 AND ended.state = 'dropped' AND ended.why = ?2
             ORDER BY ended.incident",
        )?;
        let incidents: Vec<i64> = select
            .query_map(params![self.number, UNTOLD], |row| row.get(0))?
            .collect::<rusqlite::Result<_>>()?;
        let Some(first) = incidents.first() else {
            return Ok(());
        };
        let parts = [feed_id, &first.to_string(), "resolved", &self.destination];
        let id = format!("msg_{}", digest(&parts, 16));
        let mut insert = connection.prepare_cached(
            "INSERT INTO alert_message
                 (id, destination, grouped, change, state, tries, created_ms, due_ms, at)
             SELECT ?1, destination, grouped, 'resolved', 'pending', 0, ?2, ?2, ?3
                 FROM alert_message WHERE number = ?4
             ON CONFLICT (id) DO UPDATE SET state = 'pending', created_ms = ?2, due_ms = ?2,
                 body = NULL, why = NULL
             RETURNING number",
        )?;
        let at = auto_recovery::host::timestamp(now);
        let number: i64 =
            insert.query_row(params![id, clock_ms, at, self.number], |row| row.get(0))?;
        let mut update = connection.prepare_cached(
            "UPDATE alert_item SET state = 'queued', why = NULL, message = ?1
             WHERE incident = ?2 AND destination = ?3 AND change = 'resolved'",
        )?;
        for incident in incidents {
            update.execute(params![number, incident, self.destination])?;
        }
        Ok(())
    }
}
