//! One look, for cron and CI: follow, decide, send once. Beside a server nothing is done: it does
//! all of that, and its state is read.

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use auto_recovery::audit::AuditStore;
use auto_recovery::host::Host;
use auto_recovery::mutex::lock;
use auto_recovery::{ErrorKind, Result};

use super::config::{Alerting, Check};
use super::engine::{Engine, Seen, not_decided};
use super::look::{Alert, Alerts};
use super::queue;
use super::sender::{Sender, Sending};
use crate::feed::{Database, Following, Standing, dir_of};
use crate::outbound::Outbound;

/// Messages that are sent to one destination at once.
const MESSAGES_MAX: usize = 100;

/// The time that all of it takes at most, and how often it is looked whether that has passed.
const SENDING_MAX: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(100);

/// What a look found.
#[derive(Debug)]
pub struct Checked {
    /// What is pending or fires.
    pub alerts: Vec<Alert>,
    /// Whether a server decides, and tells.
    pub by_server: bool,
    /// Destinations that have not taken what they were sent: they are tried again by the next look.
    pub failing: Vec<String>,
}

/// Follows `store`, decides and sends, once.
///
/// # Errors
/// If the store cannot be read although a rule asks for its sessions, or the state cannot be used.
pub fn check(
    store: Arc<dyn AuditStore>,
    host: Arc<dyn Host>,
    state_dir: &Path,
    alerting: Alerting,
) -> Result<Checked> {
    let url = store.url();
    let feed = match Database::open_for_look(state_dir, &url, &*host) {
        Err(error) if error.kind() == ErrorKind::Busy => {
            let alerts = Alerts::beside(state_dir, &url)?;
            return Ok(Checked {
                alerts: alerts.active()?,
                by_server: true,
                failing: Vec::new(),
            });
        }
        opened => Arc::new(opened?),
    };
    let outbound = Arc::new(Outbound::new(alerting.ca_file.as_deref())?);
    let alerting = Arc::new(alerting);
    // Another machine that serves the store decides, and only it knows what: that is an error.
    let following = Following::new(store, Arc::clone(&feed), Arc::clone(&host))?;
    following.once();
    let standing = lock(&following.standing).clone();
    let beats = dir_of(state_dir, &url, "beats");
    let mut engine = Engine::open(
        Arc::clone(&alerting),
        Arc::clone(&feed),
        &*following.store,
        Arc::clone(&host),
        &beats,
    )?;
    let seen = Seen {
        standing: &standing,
        lag_ms: 0,
    };
    while engine.step(&seen, 0)? {}
    let now = engine.decided_ms();
    let senders = alerting.destinations.iter().map(|destination| Sender {
        alerting: Arc::clone(&alerting),
        destination: destination.clone(),
        feed: Arc::clone(&feed),
        host: Arc::clone(&host),
        outbound: Arc::clone(&outbound),
        dir: dir_of(state_dir, &url, "files"),
    });
    send(senders.collect(), &*host, (now, SENDING_MAX))?;
    let failing = feed.read(queue::failing)?;
    let is_of_sessions = alerting
        .rules
        .iter()
        .any(|rule| rule.check.is_of_sessions());
    let tells = |rule: &super::config::Rule| rule.check == Check::StoreUnreachable;
    let is_told = alerting.rules.iter().any(tells);
    if standing != Standing::Current && is_of_sessions && !is_told {
        return Err(not_decided(&standing));
    }
    drop(feed);
    let alerts = Alerts::beside(state_dir, &url)?;
    Ok(Checked {
        alerts: alerts.active()?,
        by_server: false,
        failing: failing.into_keys().collect(),
    })
}

/// Sends all that is due at `now`, to every destination at once. One that does not take a message
/// gets no further one; one that hangs is left behind after `limit`. The next look sends it again.
pub(super) fn send(
    senders: Vec<Sender>,
    host: &dyn Host,
    (now, limit): (i64, Duration),
) -> Result<()> {
    let (tell, told) = channel();
    for sender in senders {
        let tell = tell.clone();
        std::thread::spawn(move || {
            // Nobody hears it any more who left it behind.
            let _late = tell.send(send_to(&sender, now));
        });
    }
    drop(tell);
    let mut waited = Duration::ZERO;
    loop {
        match told.recv_timeout(PAUSE) {
            Ok(sent) => sent?,
            Err(RecvTimeoutError::Disconnected) => return Ok(()),
            Err(RecvTimeoutError::Timeout) => {
                waited += PAUSE;
                if host.is_interrupted() || waited >= limit {
                    return Ok(());
                }
            }
        }
    }
}

fn send_to(sender: &Sender, now: i64) -> Result<()> {
    for _ in 0..MESSAGES_MAX {
        match sender.send_one(now)? {
            Sending::Taken => {}
            Sending::NotTaken => return Ok(()),
            Sending::Nothing => break,
        }
    }
    sender.keep_alive()
}
