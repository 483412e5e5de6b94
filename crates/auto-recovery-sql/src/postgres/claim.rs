//! Being the only server over a database, on whichever machine: an advisory lock, held by a
//! connection of its own for as long as that lives.

use std::sync::Arc;

use auto_recovery::audit::Claim;
use auto_recovery::{Error, ErrorKind, Result};

use super::cell::get;
use super::connection::Connection;
use super::failure::{explain, unreachable};
use super::server::Server;

/// The number of the lock, `recover` and a 1 in ASCII. It is of one database.
const KEY: i64 = 0x7265_636f_7665_7231;

const TAKE: &str = "SELECT pg_try_advisory_lock($1)";

/// The process that has the lock, as its server sees it.
const HOLDER: &str = "SELECT coalesce(host(client_addr), 'the machine of the database') \
     FROM pg_locks JOIN pg_stat_activity USING (pid) \
     WHERE locktype = 'advisory' AND granted AND objsubid = 1 AND \
     database = (SELECT oid FROM pg_database WHERE datname = current_database()) AND \
     (classid::bigint << 32 | objid::bigint) = $1";

/// The lock, and the connection that has it.
pub(super) struct PostgresClaim {
    server: Arc<Server>,
    connection: Connection,
}

impl PostgresClaim {
    /// Takes the lock.
    ///
    /// # Errors
    /// [`ErrorKind::Busy`] if another has it; otherwise if the server cannot be reached.
    pub(super) fn take(server: &Arc<Server>) -> Result<Self> {
        let link = server.link()?;
        let taking = async {
            let options = &server.options;
            let opened =
                Connection::open(&server.address, options.durability, options.read_timeout);
            let connection = opened.await?;
            let failed = |error| explain(&server.address, "look for another server", error);
            let rows = connection.rows(TAKE, &[&KEY]).await.map_err(failed)?;
            let is_taken: bool = rows.first().map_or(Ok(false), |row| get(row, 0))?;
            if is_taken {
                return Ok(Ok(connection));
            }
            let rows = connection.rows(HOLDER, &[&KEY]).await.map_err(failed)?;
            Ok(Err(match rows.first() {
                Some(row) => format!(" from {}", get::<String>(row, 0)?),
                None => String::new(),
            }))
        };
        let limit = server.options.connect_timeout * 2;
        match link.run("look for another server", limit, taking)? {
            Ok(connection) => Ok(Self {
                server: Arc::clone(server),
                connection,
            }),
            Err(whence) => Err(Error::new(
                ErrorKind::Busy,
                format!(
                    "{} is served already{whence}: one server a store, whichever machine it is on",
                    server.address.shown
                ),
            )),
        }
    }
}

impl Claim for PostgresClaim {
    fn check(&mut self) -> Result<()> {
        let (server, connection) = (&self.server, &self.connection);
        if connection.is_closed() {
            return Err(unreachable(&server.address, "stay the only server"));
        }
        let asked = async {
            let answer = connection.batch("SELECT 1").await;
            answer.map_err(|error| explain(&server.address, "stay the only server", error))
        };
        let limit = server.options.connect_timeout;
        server.link()?.run("stay the only server", limit, asked)
    }
}
