//! One look, for cron and CI: follow, decide, send once. Beside a server nothing is done: it does
//! all of that, and its state is read.

use std::path::Path;
use std::sync::Arc;

use auto_recovery::audit::AuditStore;
use auto_recovery::host::Host;
use auto_recovery::mutex::lock;
use auto_recovery::{ErrorKind, Result};

use super::config::{Alerting, Check};
use super::engine::{Engine, Seen, not_decided};
use super::look::{Alert, Alerts};
use super::sender::Sender;
use crate::feed::{Database, Following, Standing, dir_of};
use crate::outbound::Outbound;

/// Messages that are sent to one destination at once.
const MESSAGES_MAX: usize = 100;

/// What a look found.
#[derive(Debug)]
pub struct Checked {
    /// What is pending or fires.
    pub alerts: Vec<Alert>,
    /// Whether a server decides, and tells.
    pub by_server: bool,
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
    let id = format!("{:08x}", host.random() >> 32);
    let feed = match Database::open(state_dir, &url, &id) {
        Err(error) if error.kind() == ErrorKind::Busy => {
            let alerts = Alerts::beside(state_dir, &url)?;
            return Ok(Checked {
                alerts: alerts.active()?,
                by_server: true,
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
    send(&senders.collect::<Vec<_>>(), now)?;
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
    })
}

/// Sends what is due at `now`, each destination by itself.
fn send(senders: &[Sender], now: i64) -> Result<()> {
    std::thread::scope(|scope| {
        let threads = senders.iter().map(|sender| {
            scope.spawn(move || {
                for _ in 0..MESSAGES_MAX {
                    if !sender.send_one(now)? {
                        break;
                    }
                }
                sender.keep_alive()
            })
        });
        let threads: Vec<_> = threads.collect();
        let sent = threads
            .into_iter()
            .map(|thread| thread.join().unwrap_or(Ok(())));
        sent.collect()
    })
}
