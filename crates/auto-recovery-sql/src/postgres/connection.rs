//! One connection, and the statements that it was made ready for.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use auto_recovery::Result;
use auto_recovery::audit::Durability;
use auto_recovery::mutex;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Row, Statement};

use super::address::Address;
use super::failure::explain;

/// What a statement is given.
pub(super) type Params<'a> = &'a [&'a (dyn ToSql + Sync)];

/// What the server may use for one step of one question: the groups of some hundred thousand
/// sessions or files. What is more goes to its disk.
const WORK_MEM: &str = "64MB";

/// A connection to the server.
pub(super) struct Connection {
    client: Client,
    statements: Mutex<HashMap<&'static str, Statement>>,
}

impl Connection {
    /// Connects. What the connection does is driven by the runtime that this is called in.
    pub(super) async fn open(
        address: &Address,
        durability: Durability,
        statement_timeout: Duration,
    ) -> Result<Self> {
        let failed = |error| explain(address, "connect", error);
        let connected = address.config.connect(address.tls.clone());
        let (client, driver) = connected.await.map_err(failed)?;
        // It ends with the client. Whatever it meets is told to those who wait for answers.
        tokio::spawn(async move { drop(driver.await) });
        let commit = match durability {
            Durability::Sync => "on",
            Durability::Flush => "off",
        };
        // Compiling a question takes longer than answering most.
        let settings = format!(
            "SET synchronous_commit = {commit}; SET statement_timeout = {}; \
             SET idle_in_transaction_session_timeout = {}; SET jit = off; SET work_mem = '{WORK_MEM}'",
            statement_timeout.as_millis(),
            statement_timeout.as_millis(),
        );
        client.batch_execute(&settings).await.map_err(failed)?;
        Ok(Self {
            client,
            statements: Mutex::default(),
        })
    }

    /// Whether nothing can be asked of it any more.
    pub(super) fn is_closed(&self) -> bool {
        self.client.is_closed()
    }

    /// The connection as the driver knows it.
    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    /// Runs statements that are given nothing.
    pub(super) async fn batch(&self, sql: &str) -> Result<(), tokio_postgres::Error> {
        self.client.batch_execute(sql).await
    }

    /// `sql` made ready, the first time only.
    pub(super) async fn prepared(
        &self,
        sql: &'static str,
    ) -> Result<Statement, tokio_postgres::Error> {
        let statements = || mutex::lock(&self.statements);
        if let Some(statement) = statements().get(sql) {
            return Ok(statement.clone());
        }
        let statement = self.client.prepare(sql).await?;
        statements().insert(sql, statement.clone());
        Ok(statement)
    }

    /// The rows that `sql` gives.
    pub(super) async fn rows(
        &self,
        sql: &'static str,
        params: Params<'_>,
    ) -> Result<Vec<Row>, tokio_postgres::Error> {
        let statement = self.prepared(sql).await?;
        self.client.query(&statement, params).await
    }

    /// Runs `sql`, and returns how many rows it touched.
    pub(super) async fn execute(
        &self,
        sql: &'static str,
        params: Params<'_>,
    ) -> Result<u64, tokio_postgres::Error> {
        let statement = self.prepared(sql).await?;
        self.client.execute(&statement, params).await
    }
}
