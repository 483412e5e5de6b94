//! The JSONL store keeps the contract of stores, at both durabilities and with few files open.

use std::sync::Arc;

use auto_recovery::audit::{AuditStore, Durability, Recorder};
use auto_recovery::jsonl::{JsonlOptions, JsonlStore};
use auto_recovery::testing::ScriptedHost;
use auto_recovery::testing::store_contract::{Place, run};
use auto_recovery::testing::store_model;
use tempfile::TempDir;

struct Dir {
    dir: TempDir,
    options: JsonlOptions,
}

impl Place for Dir {
    fn open(&self) -> Arc<dyn AuditStore> {
        let dir = self.dir.path().join("deep/audit");
        let host = Arc::new(ScriptedHost::new());
        Arc::new(JsonlStore::open(&dir, self.options.clone(), Recorder::new(host)).unwrap())
    }
}

fn check(options: JsonlOptions) {
    run(|| Dir {
        dir: tempfile::tempdir().unwrap(),
        options: options.clone(),
    });
}

#[test]
fn durable() {
    check(JsonlOptions::default());
}

#[test]
fn flushed() {
    check(JsonlOptions {
        durability: Durability::Flush,
        ..JsonlOptions::default()
    });
}

#[test]
fn with_one_trail_open_at_a_time() {
    check(JsonlOptions {
        durability: Durability::Flush,
        open_trails_max: 1,
        ..JsonlOptions::default()
    });
}

#[test]
fn with_sums_left_by_whoever_asks() {
    check(JsonlOptions {
        durability: Durability::Flush,
        rollup_bytes_min: 1,
        ..JsonlOptions::default()
    });
}

#[test]
fn lives_like_the_model() {
    for seed in 0..24 {
        let dir = Dir {
            dir: tempfile::tempdir().unwrap(),
            options: JsonlOptions {
                durability: Durability::Flush,
                ..JsonlOptions::default()
            },
        };
        store_model::live(&dir, seed);
    }
}
