//! Following the store of another machine: its live stream, read beside.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError, sync_channel};
use std::time::Duration;

use auto_recovery::audit::{Followed, Follower, NAMED_MAX};
use auto_recovery::host::Host;
use auto_recovery::{Error, ErrorKind, Result};

use crate::client::Client;
use crate::events::{EventKind, Events, Wanted};

/// News that wait to be taken; who reads the stream waits for room.
const NEWS_MAX: usize = 1024;

/// A wait looks this often whether it is over.
const LOOK: Duration = Duration::from_millis(250);

/// The longest wait for the other news of the same write, which come one by one.
const TOGETHER: Duration = Duration::from_millis(20);

enum News {
    Of(String),
    All,
    Failed(Error),
}

/// A follower of the store of another machine.
pub(crate) struct RemoteFollower {
    news: Receiver<News>,
    host: Arc<dyn Host>,
    has_begun: bool,
    is_over: Arc<AtomicBool>,
}

impl RemoteFollower {
    /// Begins to follow. The thread that reads the stream ends at the first event, or sign of life,
    /// after the follower did.
    pub(crate) fn new(client: Arc<Client>) -> Self {
        let (told, news) = sync_channel(NEWS_MAX);
        let is_over = Arc::new(AtomicBool::new(false));
        let host = Arc::clone(&client.host);
        let events = Events::of(client, Wanted::default());
        let thread_over = Arc::clone(&is_over);
        std::thread::spawn(move || read(events, &told, &thread_over));
        Self {
            news,
            host,
            has_begun: false,
            is_over,
        }
    }

    /// `first` and what else is there.
    fn gather(&mut self, first: News) -> Result<Followed> {
        let mut sessions: Vec<String> = Vec::new();
        let begin = self.host.monotonic();
        let mut next = Some(first);
        while let Some(news) = next {
            match news {
                News::Of(session) if sessions.contains(&session) => {}
                News::Of(session) => sessions.push(session),
                News::All => return Ok(Followed::Anything),
                News::Failed(error) => return Err(error),
            }
            let left = TOGETHER.saturating_sub(self.host.monotonic().saturating_sub(begin));
            next = match sessions.len() < NAMED_MAX {
                true => self.news.recv_timeout(left).ok(),
                false => None,
            };
        }
        Ok(Followed::of_sessions(sessions))
    }
}

impl Follower for RemoteFollower {
    fn wait(&mut self, timeout: Duration) -> Result<Followed> {
        // The first answer is that something may have been missed, once the stream has begun.
        let timeout = match std::mem::replace(&mut self.has_begun, true) {
            true => timeout,
            false => timeout.max(Duration::from_secs(10)),
        };
        let begin = self.host.monotonic();
        loop {
            let left = timeout.saturating_sub(self.host.monotonic().saturating_sub(begin));
            let news = match left.is_zero() {
                true => match self.news.try_recv() {
                    Ok(news) => Ok(news),
                    Err(TryRecvError::Empty) => Err(RecvTimeoutError::Timeout),
                    Err(TryRecvError::Disconnected) => Err(RecvTimeoutError::Disconnected),
                },
                false => self.news.recv_timeout(left.min(LOOK)),
            };
            match news {
                Ok(news) => return self.gather(news),
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(Error::new(ErrorKind::Interrupted, "the stream ended"));
                }
                Err(RecvTimeoutError::Timeout) if left.is_zero() || self.host.is_interrupted() => {
                    return Ok(Followed::Nothing);
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }
}

impl Drop for RemoteFollower {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
    }
}

fn read(mut events: Events, told: &SyncSender<News>, is_over: &AtomicBool) {
    while !is_over.load(Ordering::Relaxed) {
        let news = match events.next_event() {
            Ok(None) => return,
            Ok(Some(event)) => match (event.kind, event.session_id) {
                (EventKind::Hello | EventKind::Reset, _) => News::All,
                (EventKind::Ping, _) | (_, None) => continue,
                (_, Some(session)) => News::Of(session),
            },
            Err(error) => {
                let _nobody = told.send(News::Failed(error));
                return;
            }
        };
        if told.send(news).is_err() {
            return;
        }
    }
}
