//! Power cuts: a disk that keeps or loses whatever was not synced, in any order and in pieces.
//!
//! A store lives a random life on a [`SimulatedDisk`], is stopped between or inside of operations,
//! and a state that the disk may then have is opened with the real operations on files. Sometimes
//! only the process dies at first, and the power fails under the next one; and the state after one
//! power cut is the beginning of the next life, so repairs are cut as well. Lives of one caller are
//! the same for the same seed; where several call at once, the threads' order is the system's.

mod check;
mod ledger;
mod life;

use std::sync::Arc;

use auto_recovery::audit::Durability;
use auto_recovery::testing::{Moment, Operation, Random, SimulatedDisk};

use auto_recovery::testing::{Campaign, Found, Rounds, Wrong, quick_dir};
use check::{check, check_going_on};
use ledger::Ledger;
use life::Life;

/// After-states that are examined for each moment.
const STATES: u64 = 4;

/// Lives after one another on one disk.
const GENERATIONS: u64 = 3;

/// The use of a disk.
#[derive(Clone, Copy)]
struct Plan {
    several: bool,
    durability: Durability,
    left_out: Option<Operation>,
}

const ONE_CALLER: Plan = Plan {
    several: false,
    durability: Durability::Sync,
    left_out: None,
};

const SEVERAL_CALLERS: Plan = Plan {
    several: true,
    ..ONE_CALLER
};

/// The lives that `seed` gives on one disk; each after-state is a round.
fn disk(seed: u64, plan: Plan, found: &mut Found) {
    let dir = quick_dir();
    let disk = Arc::new(SimulatedDisk::new(dir.path()).unwrap());
    if let Some(operation) = plan.left_out {
        disk.leave_out(operation);
    }
    let mut random = Random::new(seed);
    let mut ledger = Ledger::default();
    let mut made = 0;
    for _ in 0..GENERATIONS {
        // The process may die some times before the power fails.
        let processes = 1 + random.below(100) / 70;
        for _ in 0..processes {
            disk.start_next_process();
            let within = random.one_of(&[12, 40, 120]);
            disk.stop_at(Moment {
                operation: random.below(within),
                inside: random.chance(50),
            });
            let (durability, seed) = (plan.durability, random.bits());
            let mut life = Life::new(&disk, Random::new(seed), durability, &mut made, ledger);
            life.live(plan.several);
            ledger = life.ledger;
        }
        disk.stop();
        for _ in 0..STATES {
            disk.power_cut(random.bits()).unwrap();
            found.round = format!("disk {seed}, state {}", found.rounds);
            let shown = check(disk.root(), &ledger, found);
            check_going_on(disk.root(), &ledger, &shown, found);
            found.rounds += 1;
        }
        disk.power_cut(random.bits()).unwrap();
        let shown = check(disk.root(), &ledger, found);
        ledger.settle(&shown);
        disk.settle().unwrap();
    }
}

/// Disks from seed 0 on until `rounds` after-states were looked at.
fn disks(rounds: u64, plan: Plan) -> Found {
    let mut found = Found::default();
    let mut seed = 0;
    while found.rounds < rounds {
        disk(seed, plan, &mut found);
        seed += 1;
    }
    found
}

#[test]
fn nothing_acknowledged_is_lost_with_one_caller() {
    let campaign = Campaign::begin("10-power-one", "power cuts, one caller");
    let rounds = Rounds {
        ordinary: 1200,
        long: 60_000,
    };
    campaign.end(&disks(rounds.count(), ONE_CALLER));
}

#[test]
fn nothing_acknowledged_is_lost_with_several_callers() {
    let campaign = Campaign::begin("11-power-several", "power cuts, several callers at once");
    let rounds = Rounds {
        ordinary: 800,
        long: 40_000,
    };
    campaign.end(&disks(rounds.count(), SEVERAL_CALLERS));
}

/// Stops processes on one disk, each after one more operation, until one gets through: then the
/// power fails.
fn stop_each_process(disk: &Arc<SimulatedDisk>, ledger: &mut Ledger) {
    let mut made = 0;
    for operation in 0.. {
        disk.start_next_process();
        disk.stop_at(Moment {
            operation,
            inside: true,
        });
        let sync = Durability::Sync;
        let mut life = Life::new(disk, Random::new(0), sync, &mut made, ledger.clone());
        let done = life.append_once();
        assert!(operation < 200, "no process gets through");
        *ledger = life.ledger;
        if done {
            break;
        }
    }
    disk.stop();
}

#[test]
fn what_processes_that_died_left_unsynced_is_synced_before_anything_is_acknowledged() {
    let mut found = Found::default();
    let torn_ends = ["", "{\"entry_id\":\"torn"];
    for torn in torn_ends {
        let dir = quick_dir();
        let disk = Arc::new(SimulatedDisk::new(dir.path()).unwrap());
        if !torn.is_empty() {
            let audit = disk.root().join("state/audit");
            std::fs::create_dir_all(&audit).unwrap();
            std::fs::write(audit.join("a_audit.jsonl"), torn).unwrap();
            disk.settle().unwrap();
        }
        let mut ledger = Ledger::default();
        stop_each_process(&disk, &mut ledger);
        for seed in 0..100 {
            found.round = format!("seed {seed} with {torn:?}");
            disk.power_cut(seed).unwrap();
            let shown = check(disk.root(), &ledger, &mut found);
            check_going_on(disk.root(), &ledger, &shown, &mut found);
            let copies = std::fs::read_dir(disk.root().join("state/audit")).unwrap();
            let copies = copies.map(|entry| std::fs::read(entry.unwrap().path()).unwrap());
            if !torn.is_empty() && !copies.into_iter().any(|copy| copy == torn.as_bytes()) {
                found.wrong(Wrong::Lost, || "the torn end".to_owned());
            }
        }
    }
    found.assert_nothing();
}

/// Most power cuts that a broken store may survive before it is found out.
const CAUGHT_WITHIN: u64 = 1000;

/// The power cuts until something acknowledged was lost.
fn caught_after(plan: Plan) -> u64 {
    let mut found = Found::default();
    for seed in 0.. {
        disk(seed, plan, &mut found);
        if found.lost > 0 || found.rounds > CAUGHT_WITHIN {
            break;
        }
    }
    assert!(found.lost > 0, "not caught in {} power cuts", found.rounds);
    found.rounds
}

#[test]
fn a_store_that_leaves_out_a_sync_is_caught() {
    for left_out in [Operation::Sync, Operation::SyncDir] {
        for plan in [ONE_CALLER, SEVERAL_CALLERS] {
            caught_after(Plan {
                left_out: Some(left_out),
                ..plan
            });
        }
    }
}

#[test]
fn a_store_that_does_not_wait_for_the_disk_is_caught() {
    caught_after(Plan {
        durability: Durability::Flush,
        ..ONE_CALLER
    });
}
