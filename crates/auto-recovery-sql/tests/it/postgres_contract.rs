//! The PostgreSQL store keeps the contract of stores, and lives like the model.

use std::sync::Arc;

use auto_recovery::audit::{AuditStore, Durability};
use auto_recovery::testing::store_contract::{Place, run};
use auto_recovery::testing::store_model;
use auto_recovery_sql::PostgresOptions;

use crate::postgres_server::{Database, shared};

struct InDatabase {
    database: Database,
    options: PostgresOptions,
}

impl InDatabase {
    fn new(durability: Durability) -> Self {
        Self {
            database: shared().database(),
            options: PostgresOptions {
                durability,
                ..PostgresOptions::default()
            },
        }
    }
}

impl Place for InDatabase {
    fn open(&self) -> Arc<dyn AuditStore> {
        Arc::new(self.database.open(self.options.clone()))
    }
}

#[test]
fn durable() {
    run(|| InDatabase::new(Durability::Sync));
}

#[test]
fn flushed() {
    run(|| InDatabase::new(Durability::Flush));
}

#[test]
fn lives_like_the_model() {
    for seed in 0..24 {
        store_model::live(&InDatabase::new(Durability::Flush), seed);
    }
}
