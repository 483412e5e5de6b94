//! The SQLite store keeps the contract of stores, at both durabilities.

use std::sync::Arc;

use auto_recovery::audit::{AuditStore, Durability, Recorder};
use auto_recovery::testing::ScriptedHost;
use auto_recovery::testing::store_contract::{Place, run};
use auto_recovery::testing::store_model;
use auto_recovery_sql::{SqliteOptions, SqliteStore};
use tempfile::TempDir;

struct Dir {
    dir: TempDir,
    options: SqliteOptions,
}

impl Place for Dir {
    fn open(&self) -> Arc<dyn AuditStore> {
        let file = self.dir.path().join("deep/trails.db");
        let host = Arc::new(ScriptedHost::new());
        Arc::new(SqliteStore::open(&file, self.options.clone(), Recorder::new(host)).unwrap())
    }
}

fn check(durability: Durability) {
    run(|| Dir {
        dir: tempfile::tempdir().unwrap(),
        options: SqliteOptions { durability },
    });
}

#[test]
fn durable() {
    check(Durability::Sync);
}

#[test]
fn flushed() {
    check(Durability::Flush);
}

#[test]
fn lives_like_the_model() {
    for seed in 0..48 {
        let dir = Dir {
            dir: tempfile::tempdir().unwrap(),
            options: SqliteOptions {
                durability: Durability::Flush,
            },
        };
        store_model::live(&dir, seed);
    }
}
