//! The way to the server: a runtime on a thread of its own, and the connections that are open.
//!
//! Callers block; what they wait for is driven by the runtime's thread. A thread that is inside a
//! runtime already waits on another.

use std::future::{Future, poll_fn};
use std::ops::Deref;
use std::pin::pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::thread;
use std::time::Duration;

use auto_recovery::audit::Durability;
use auto_recovery::host::Host;
use auto_recovery::mutex;
use auto_recovery::patience::Waiting;
use auto_recovery::{Error, ErrorKind, Result};
use tokio::runtime::{Builder, Handle, Runtime};

use super::address::Address;
use super::connection::Connection;
use super::failure::unreachable;

/// How many times `write_timeout` or `connect_timeout` a caller waits for another to give back a
/// connection.
const TURNS_WAITED: u32 = 4;

/// How many of the hosts that a URL names may each take `connect_timeout`, handshake included.
const HOSTS_WAITED: usize = 4;

/// The way to a server.
pub(super) struct Link {
    /// Taken out only when it is dropped.
    runtime: Option<Runtime>,
    pub address: Arc<Address>,
    durability: Durability,
    statement_timeout: Duration,
    connect_timeout: Duration,
    connections_max: usize,
    host: Arc<dyn Host>,
    pool: Mutex<Pool>,
    given_back: Condvar,
    /// The process it works in: a fork takes no threads along.
    pub pid: u32,
}

#[derive(Default)]
struct Pool {
    idle: Vec<Connection>,
    open: usize,
}

impl Link {
    pub(super) fn new(
        address: Arc<Address>,
        durability: Durability,
        statement_timeout: Duration,
        connect_timeout: Duration,
        connections_max: usize,
        host: Arc<dyn Host>,
    ) -> Result<Self> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("postgres")
            .enable_all()
            .build()
            .map_err(|error| Error::os("start the thread that talks to PostgreSQL", error))?;
        Ok(Self {
            runtime: Some(runtime),
            address,
            durability,
            statement_timeout,
            connect_timeout,
            connections_max: connections_max.max(1),
            host,
            pool: Mutex::default(),
            given_back: Condvar::new(),
            pid: std::process::id(),
        })
    }

    /// Waits for `future`, at most for `limit`, and no longer than the user does. What takes longer
    /// counts as a server that cannot be reached.
    pub(super) fn run<T: Send>(
        &self,
        doing: &str,
        limit: Duration,
        future: impl Future<Output = Result<T>> + Send,
    ) -> Result<T> {
        let handle = self.handle();
        let wait = || {
            let limited = async {
                let mut answer = pin!(tokio::time::timeout(limit, future));
                let mut patience = pin!(self.patience_ends());
                poll_fn(|context| match answer.as_mut().poll(context) {
                    Poll::Pending => patience.as_mut().poll(context).map(|why| Ok(Err(why))),
                    answered => answered,
                })
                .await
            };
            handle.block_on(limited).unwrap_or_else(|_| {
                let silent = format!("it did not answer within {} s", limit.as_secs_f64());
                let cause = Error::new(ErrorKind::TimedOut, silent);
                Err(unreachable(&self.address, doing).with_source(cause))
            })
        };
        if Handle::try_current().is_err() {
            return wait();
        }
        thread::scope(|scope| {
            let waiting = scope.spawn(wait);
            waiting
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    /// Ends once nobody waits any more, with the reason; tells a person who waits for long.
    async fn patience_ends(&self) -> Error {
        let what = || format!("the database at {}", self.address.server);
        let mut waiting = Waiting::default();
        loop {
            match waiting.next(&*self.host, &what) {
                Ok(pause) => tokio::time::sleep(pause).await,
                Err(why) => return why,
            }
        }
    }

    /// The runtime.
    pub(super) fn handle(&self) -> &Handle {
        let runtime = self.runtime.as_ref();
        runtime
            .expect("it is there until the link is dropped")
            .handle()
    }

    /// A connection for the caller alone.
    pub(super) fn connection(self: &Arc<Self>) -> Result<Lease> {
        let mut pool = self.pool();
        let limit = self
            .statement_timeout
            .min(self.connect_timeout * TURNS_WAITED);
        loop {
            while let Some(connection) = pool.idle.pop() {
                if !connection.is_closed() {
                    return Ok(Lease::new(self, connection));
                }
                pool.open -= 1;
            }
            if pool.open < self.connections_max {
                break;
            }
            let waited = self.given_back.wait_timeout(pool, limit);
            let (again, waited) = waited.unwrap_or_else(PoisonError::into_inner);
            pool = again;
            if waited.timed_out() && pool.idle.is_empty() {
                return Err(Error::new(
                    ErrorKind::Busy,
                    format!(
                        "all {} connections to {} are in use: try again, or allow more",
                        self.connections_max, self.address.server
                    ),
                ));
            }
        }
        pool.open += 1;
        drop(pool);
        // Several hosts may have to be tried.
        let hosts = self.address.config.get_hosts().len();
        let limit = self.connect_timeout * hosts.clamp(1, HOSTS_WAITED) as u32;
        let opening = Connection::open(&self.address, self.durability, self.statement_timeout);
        match self.run("connect", limit, opening) {
            Ok(connection) => Ok(Lease::new(self, connection)),
            Err(error) => {
                self.closed();
                Err(error)
            }
        }
    }

    fn pool(&self) -> MutexGuard<'_, Pool> {
        mutex::lock(&self.pool)
    }

    fn closed(&self) {
        self.pool().open -= 1;
        self.given_back.notify_one();
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // Whoever drops it may be inside a runtime, where waiting is not allowed.
            runtime.shutdown_background();
        }
    }
}

/// A connection that is lent to one caller. Unless it is given back it is closed: what it was in
/// the middle of is nobody's business any more.
pub(super) struct Lease {
    link: Arc<Link>,
    connection: Option<Connection>,
}

impl Lease {
    fn new(link: &Arc<Link>, connection: Connection) -> Self {
        Self {
            link: Arc::clone(link),
            connection: Some(connection),
        }
    }

    /// Gives it back, for others to use.
    pub(super) fn give_back(mut self) {
        if let Some(connection) = self.connection.take() {
            self.link.pool().idle.push(connection);
            self.link.given_back.notify_one();
        }
    }

    /// The way it goes.
    pub(super) fn link(&self) -> &Link {
        &self.link
    }
}

impl Deref for Lease {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        let connection = self.connection.as_ref();
        connection.expect("it is there until it is given back")
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if self.connection.take().is_some() {
            self.link.closed();
        }
    }
}
