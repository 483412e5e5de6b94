//! Waiting for what others commit.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use auto_recovery::Result;
use auto_recovery::audit::{Followed, Follower, NAMED_MAX};
use auto_recovery::host::Wait;
use futures_util::StreamExt;
use futures_util::stream::poll_fn;
use tokio_postgres::{AsyncMessage, Client};

use super::failure::{explain, unreachable};
use super::server::Server;
use super::write::CHANNEL;

/// Length of the first pause before connecting again; each further one is twice as long, up to the
/// last.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// Waits for commits to a store, by any process.
pub(super) struct PostgresFollower {
    server: Arc<Server>,
    listening: Option<Listening>,
}

struct Listening {
    /// Kept, because the connection ends with it.
    _client: Client,
    told: Receiver<String>,
}

impl PostgresFollower {
    pub(super) fn new(server: Arc<Server>) -> Self {
        Self {
            server,
            listening: None,
        }
    }

    fn listen(&self) -> Result<Listening> {
        let server = &self.server;
        // This creates the tables too, so that a notified caller can read.
        server.connection()?.give_back();
        let link = server.link()?;
        let (tell, told) = channel();
        let opening = async {
            let failed = |error| explain(&server.address, "listen", error);
            let connected = server.address.config.connect(server.address.tls.clone());
            let (client, mut driver) = connected.await.map_err(failed)?;
            let mut messages = poll_fn(move |context| driver.poll_message(context));
            tokio::spawn(async move {
                while let Some(Ok(message)) = messages.next().await {
                    if let AsyncMessage::Notification(notification) = message
                        && tell.send(notification.payload().to_owned()).is_err()
                    {
                        return;
                    }
                }
            });
            let listening = client.batch_execute(&format!("LISTEN {CHANNEL}")).await;
            listening.map_err(failed)?;
            Ok(client)
        };
        let limit = server.options.connect_timeout * 2;
        let client = link.run("listen", limit, opening)?;
        if client.is_closed() {
            return Err(unreachable(&server.address, "listen"));
        }
        Ok(Listening {
            _client: client,
            told,
        })
    }
}

/// A server that cannot be reached is tried again and again. One that does not let us in is an
/// error, and so are tables of a newer release.
impl Follower for PostgresFollower {
    fn wait(&mut self, timeout: Duration) -> Result<Followed> {
        let host = Arc::clone(&self.server.host);
        let begin = host.monotonic();
        let left = || timeout.saturating_sub(host.monotonic() - begin);
        let mut pause = FIRST_PAUSE;
        loop {
            let Some(listening) = &self.listening else {
                match self.listen() {
                    Ok(listening) => {
                        self.listening = Some(listening);
                        return Ok(Followed::Anything);
                    }
                    Err(error) if error.is_retryable() => {}
                    Err(error) => return Err(error),
                }
                let wait = pause.min(left());
                if wait.is_zero() || host.sleep(wait) == Wait::Interrupted {
                    return Ok(Followed::Nothing);
                }
                pause = (pause * 2).min(PAUSE_MAX);
                continue;
            };
            match listening.told.recv_timeout(left()) {
                Ok(first) => return Ok(Followed::Sessions(listening.all(first))),
                Err(RecvTimeoutError::Timeout) => return Ok(Followed::Nothing),
                Err(RecvTimeoutError::Disconnected) => self.listening = None,
            }
        }
    }
}

impl Listening {
    /// The session of the notice, and those of notices since, each once.
    fn all(&self, first: String) -> Vec<String> {
        let mut sessions = vec![first];
        while sessions.len() < NAMED_MAX
            && let Ok(next) = self.told.try_recv()
        {
            if !sessions.contains(&next) {
                sessions.push(next);
            }
        }
        sessions
    }
}
