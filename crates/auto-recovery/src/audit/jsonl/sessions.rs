//! The list of sessions: those that have a trail and those that only the journal knows.

use std::collections::HashMap;
use std::fs;
use std::io;

use rustix::process::{Pid, test_kill_process};

use super::events::SessionEvents;
use super::parts::{map_all, walk_parts};
use super::records::{Verdict, take_entry, walk_to_end};
use super::root::{Root, TRAIL_SUFFIX};
use super::trail::Trail;
use crate::audit::{SessionOutcome, SessionStarted, SessionSummary, session_id};
use crate::error::{Error, Result};
use crate::statistics::{Tally, instant};

/// Every session, newest first.
pub(super) fn list(root: &Root) -> Result<Vec<SessionSummary>> {
    let host = this_host();
    let mut summaries = HashMap::new();
    let events = root.all_events()?;
    let found = map_all(&trail_ids(root)?, |id| {
        let own = events.get(id).cloned().unwrap_or_default();
        let Some(trail) = Trail::open_as(root, id, own)? else {
            return Ok(None);
        };
        let tally = tally(&trail)?;
        // A trail whose every entry was cleared is one that could not be removed.
        let is_there = trail.from.offset == 0 || tally.total > 0;
        Ok(is_there.then(|| summary(id.clone(), &trail.events, tally, &host)))
    })?;
    for summary in found.into_iter().flatten() {
        summaries.insert(summary.session_id.clone(), summary);
    }
    for (id, events) in &events {
        if events.first_at.is_some() && !summaries.contains_key(id) {
            let summary = summary(id.clone(), events, Tally::default(), &host);
            summaries.insert(id.clone(), summary);
        }
    }
    let mut list: Vec<SessionSummary> = summaries.into_values().collect();
    list.sort_by_cached_key(|summary| {
        let start = summary.session_start.as_deref().and_then(instant);
        std::cmp::Reverse((start, summary.session_id.clone()))
    });
    Ok(list)
}

/// The sessions that have a trail. A file whose name is not one that we give is not ours.
pub(super) fn trail_ids(root: &Root) -> Result<Vec<String>> {
    let unreadable = |error| Error::io("list", &root.dir, error);
    let names = match fs::read_dir(&root.dir) {
        Ok(names) => names,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(unreadable(error)),
    };
    let mut ids = Vec::new();
    for name in names {
        let name = name.map_err(unreadable)?.file_name();
        let stem = name
            .to_str()
            .and_then(|name| name.strip_suffix(TRAIL_SUFFIX));
        ids.extend(stem.and_then(session_id::decode));
    }
    Ok(ids)
}

fn tally(trail: &Trail) -> Result<Tally> {
    let place = trail.place();
    let length = trail.metadata.len();
    let (parts, walked) = walk_parts(
        &trail.file,
        trail.from,
        length,
        &place,
        Tally::default(),
        tallied,
    )?;
    let mut tally = parts.into_iter().fold(Tally::default(), |mut sum, part| {
        sum.merge(part);
        sum
    });
    if !walked.tail.is_empty() {
        let mut take = |raw: &[u8], _| Ok(tallied(&mut tally, raw));
        walk_to_end(&trail.file, walked.end, &place, &mut take)?;
    }
    Ok(tally)
}

/// Adds the entry that `raw` is to `tally`.
pub(super) fn tallied(tally: &mut Tally, raw: &[u8]) -> Verdict {
    take_entry(raw, |stored| stored.tally(tally))
}

fn summary(
    session_id: String,
    events: &SessionEvents,
    tally: Tally,
    this_host: &str,
) -> SessionSummary {
    let started = events.started.clone().unwrap_or_default();
    SessionSummary {
        session_id,
        session_start: events.session_start(tally.first_timestamp.as_deref()),
        last_attempt_timestamp: tally.last_timestamp,
        total_attempts: tally.total,
        successful_attempts: tally.successful,
        outcome: outcome(events, this_host),
        command: started.command,
        cwd: started.cwd,
        project: started.project,
        host: started.host,
        user: started.user,
    }
}

/// How a session ended, as far as anybody can say.
fn outcome(events: &SessionEvents, this_host: &str) -> SessionOutcome {
    if let Some(outcome) = events.outcome {
        return outcome;
    }
    let Some(started) = &events.started else {
        return SessionOutcome::Unknown;
    };
    let elsewhere = started
        .host
        .as_deref()
        .is_some_and(|host| host != this_host);
    if elsewhere || started.pid == 0 {
        SessionOutcome::Unknown
    } else if is_alive(started.pid) {
        SessionOutcome::Running
    } else if is_run(started, events) {
        SessionOutcome::Interrupted
    } else {
        // Who only logs attempts need not say that it was the last.
        SessionOutcome::Unknown
    }
}

/// Whether the recorder is one that says how its sessions end.
fn is_run(started: &SessionStarted, events: &SessionEvents) -> bool {
    started.command.is_some() || events.has_intents
}

/// Whether there is such a process. Another may have its number by now; nothing tells.
fn is_alive(pid: u32) -> bool {
    let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) else {
        return false;
    };
    // Refused because it is somebody else's: it exists.
    !matches!(test_kill_process(pid), Err(rustix::io::Errno::SRCH))
}

/// The name of this machine, as sessions record it.
pub(crate) fn this_host() -> String {
    rustix::system::uname()
        .nodename()
        .to_string_lossy()
        .into_owned()
}
