//! The threads of alerts in a server: one decides, one for each destination sends, and one says to
//! somebody else that all of that goes on.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use auto_recovery::Result;
use auto_recovery::mutex::lock;

use super::clock::Clock;
use super::config::Alerting;
use super::engine::{Engine, Seen};
use super::sender::Sender;
use super::tables::number;
use crate::feed::Following;
use crate::outbound::Outbound;
use crate::threads::Threads;

/// The pause between two looks at the feed.
const PAUSE: Duration = Duration::from_millis(200);

/// The pause after the database could not be used.
const FAILED: Duration = Duration::from_secs(1);

/// How long a transition waits for others of its group.
const GATHER: Duration = Duration::from_secs(10);

/// How often the watchdog is told, and how old a decision may be then.
const WATCHDOG: Duration = Duration::from_secs(60);
const ALIVE: Duration = Duration::from_secs(30);

/// What the threads share.
pub(crate) struct Watch {
    pub(crate) alerting: Arc<Alerting>,
    pub(crate) following: Arc<Following>,
    pub(crate) outbound: Arc<Outbound>,
    /// The directories of heartbeats, and of files for programs.
    pub(crate) beats_dir: PathBuf,
    pub(crate) files_dir: PathBuf,
    /// When rules were last worked out, on the monotonic clock; `None` before they were.
    decided: Mutex<Option<Duration>>,
}

impl Watch {
    /// Over what `following` follows.
    ///
    /// # Errors
    /// If the certificates that are to be trusted cannot be used.
    pub(crate) fn new(
        alerting: Alerting,
        following: Arc<Following>,
        (beats_dir, files_dir): (PathBuf, PathBuf),
    ) -> Result<Self> {
        let outbound = Outbound::new(alerting.ca_file.as_deref())?;
        Ok(Self {
            alerting: Arc::new(alerting),
            following,
            outbound: Arc::new(outbound),
            beats_dir,
            files_dir,
            decided: Mutex::default(),
        })
    }

    /// Starts what decides and what sends, until it is over. One that waits for an answer then is
    /// left behind: that message is sent again next time.
    pub(crate) fn start(self: &Arc<Self>, threads: &Threads) {
        for destination in &self.alerting.destinations {
            let (watch, destination) = (Arc::clone(self), destination.clone());
            threads.start(move || watch.send(destination));
        }
        if self.alerting.watchdog.is_some() {
            let watch = Arc::clone(self);
            threads.start(move || watch.tell_watchdog());
        }
        let watch = Arc::clone(self);
        threads.start(move || {
            while !watch.following.is_over() {
                if watch.decide().is_err() {
                    watch.rest(FAILED);
                }
            }
        });
    }

    /// Decides until it is over, or the database cannot be used.
    fn decide(&self) -> Result<()> {
        let following = &*self.following;
        let mut engine = Engine::open(
            Arc::clone(&self.alerting),
            Arc::clone(&following.feed),
            &*following.store,
            Arc::clone(&following.host),
            &self.beats_dir,
        )?;
        let gather_ms = millis(self.alerting.gather.unwrap_or(GATHER));
        while !following.is_over() {
            let standing = lock(&following.standing).clone();
            let seen_at = *lock(&following.seen_at);
            let now = following.host.monotonic();
            let seen = Seen {
                standing: &standing,
                lag_ms: millis(now.saturating_sub(seen_at)),
            };
            let has_more = engine.step(&seen, gather_ms)?;
            *lock(&self.decided) = Some(now);
            if !has_more {
                self.rest(PAUSE);
            }
        }
        Ok(())
    }

    fn send(&self, destination: super::config::Destination) {
        let following = &*self.following;
        let kept = following.feed.read(|connection| {
            let clock = number(connection, "alert_clock_ms")?;
            Ok(clock.zip(number(connection, "alert_wall_ms")?))
        });
        let clock = Mutex::new(Clock::new(kept.unwrap_or_default(), &*following.host));
        let sender = Sender {
            alerting: Arc::clone(&self.alerting),
            destination,
            feed: Arc::clone(&following.feed),
            host: Arc::clone(&following.host),
            outbound: Arc::clone(&self.outbound),
            dir: self.files_dir.clone(),
        };
        sender.run(&|| lock(&clock).now(&*following.host), &|| {
            following.is_over()
        });
    }

    fn tell_watchdog(&self) {
        let host = &self.following.host;
        let mut told: Option<Duration> = None;
        while !self.following.is_over() {
            let now = host.monotonic();
            let decided = *lock(&self.decided);
            let is_alive = decided.is_some_and(|at| now.saturating_sub(at) < ALIVE);
            let is_due = told.is_none_or(|told| now.saturating_sub(told) >= WATCHDOG);
            if let (true, true, Some(url)) = (is_alive, is_due, &self.alerting.watchdog) {
                told = Some(now);
                // Whoever waits for it says that it did not come.
                let _answer = self.outbound.get(url, host.now());
            }
            host.sleep(PAUSE);
        }
    }

    fn rest(&self, pause: Duration) {
        self.following.host.sleep(pause);
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
