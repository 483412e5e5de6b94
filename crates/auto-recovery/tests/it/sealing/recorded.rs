//! What a program records without a run: sealed by whoever appends and by whoever closes.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use auto_recovery::audit::sealing::{RecordSeals, SealWhen};
use auto_recovery::audit::{AuditStore as _, Recorder};
use auto_recovery::failure::{Context, Failure};
use auto_recovery::host::{Host, Wait};
use auto_recovery::integrity::Verdict;
use auto_recovery::jsonl::{JsonlOptions, JsonlStore};
use auto_recovery::logger::{AttemptRecord, RecoveryAuditLogger};
use auto_recovery::manager::{AutoRecoveryManager, ManagerSettings};
use auto_recovery::testing::{Effect, Fault, FaultyIo, Operation, ScriptedHost};

use super::world::World;
use crate::audit_support::{attempt, entry, given};

/// The error of a disk.
const EIO: i32 = 5;

/// Entries after which a logger seals by itself.
const ENTRIES: u64 = 4096;

/// A logger in `world` whose disk fails as `io` is told, and its clock.
fn logger(
    world: &World,
    io: Arc<FaultyIo>,
    when: SealWhen,
) -> (RecoveryAuditLogger, Arc<ScriptedHost>) {
    let host = Arc::new(ScriptedHost::new());
    let recorder = Recorder::new(host.clone());
    let store =
        JsonlStore::open_with_io(&world.dir(), JsonlOptions::default(), recorder, io).unwrap();
    let logger = RecoveryAuditLogger::new(Arc::new(store), host.clone(), None);
    (logger.sealing(&world.state(), when), host)
}

/// How many seals there are.
fn seals(world: &World) -> usize {
    let text = std::fs::read_to_string(world.dir().join("seals.jsonl")).unwrap_or_default();
    text.lines().count()
}

fn log(logger: &RecoveryAuditLogger, session: &str, number: u64) {
    let record = AttemptRecord::default();
    logger
        .log_recovery_attempt(&attempt(number, "fix", true), session, record)
        .unwrap();
}

#[test]
fn whoever_appends_seals_after_a_minute_or_after_many_entries() {
    for (when, expected) in [
        (SealWhen::Attempts, [0, 1, 1, 2, 2, 3]),
        (SealWhen::Sessions, [0, 0, 0, 0, 0, 1]),
        (SealWhen::Off, [0, 0, 0, 0, 0, 0]),
    ] {
        let world = World::new();
        let (logger, host) = logger(&world, Arc::new(FaultyIo::new()), when);
        let many = |from: u64, count: u64| {
            let entries = (from..from + count).map(|number| given(entry("a", number)));
            logger.log_entries(entries.collect()).unwrap();
        };
        let mut seen = Vec::new();
        log(&logger, "b", 1);
        host.advance(Duration::from_secs(59));
        log(&logger, "b", 2);
        seen.push(seals(&world));
        host.advance(Duration::from_secs(1));
        log(&logger, "a", 1);
        seen.push(seals(&world));
        many(2, ENTRIES - 1);
        seen.push(seals(&world));
        log(&logger, "b", 3);
        seen.push(seals(&world));
        log(&logger, "b", 4);
        seen.push(seals(&world));
        let closed = logger.close().unwrap();
        seen.push(seals(&world));
        assert_eq!(seen, expected, "{when:?}");
        assert_eq!(closed.is_some(), when != SealWhen::Off);
        assert_eq!(logger.close().unwrap(), None, "{when:?}");
        let found = world.verify();
        match when {
            SealWhen::Off => assert_eq!(found.verdict, Verdict::Unproved, "{found:?}"),
            _ => assert_eq!(
                (found.verdict, found.entries_since, found.records_since),
                (Verdict::Proved, 0, 0),
                "{found:?}"
            ),
        }
    }
}

/// A machine on which a seal takes its time: it draws the next key, and each number takes a
/// millisecond.
struct Slow(ScriptedHost);

impl Host for Slow {
    fn now(&self) -> SystemTime {
        self.0.now()
    }

    fn monotonic(&self) -> Duration {
        self.0.monotonic()
    }

    fn sleep(&self, duration: Duration) -> Wait {
        self.0.sleep(duration)
    }

    fn is_interrupted(&self) -> bool {
        self.0.is_interrupted()
    }

    fn random(&self) -> u64 {
        self.0.advance(Duration::from_millis(1));
        self.0.random()
    }
}

#[test]
fn sealing_takes_at_most_a_fiftieth_of_the_time() {
    let world = World::new();
    let store = world.store();
    let host = Arc::new(Slow(ScriptedHost::new()));
    let sealed = (&*world.state(), SealWhen::Attempts);
    let recorded = RecordSeals::new(store.clone(), sealed, host.clone());
    world.entries("a", 1, 1);
    let many = || recorded.appended((0..ENTRIES).map(|_| "a")).unwrap();
    many();
    assert_eq!(seals(&world), 1);
    let took = host.monotonic();
    for (number, after, expected) in [(2, 0, 1), (3, 40, 1), (4, 8, 1), (5, 1, 2)] {
        host.0.advance(took * after);
        world.entries("a", number, 1);
        many();
        assert_eq!(seals(&world), expected, "{number}");
    }
    // However long a seal takes, none is older than a minute.
    host.0.advance(Duration::from_secs(60));
    world.entries("a", 6, 1);
    recorded.appended(["a"]).unwrap();
    host.0.advance(Duration::from_secs(60));
    recorded.appended(["a"]).unwrap();
    assert_eq!(world.verify().entries_since, 0);
}

#[test]
fn a_session_that_is_cleared_is_under_a_seal_before_and_after() {
    let world = World::new();
    let (logger, _) = logger(&world, Arc::new(FaultyIo::new()), SealWhen::Sessions);
    log(&logger, "a", 1);
    // Where nothing was ever sealed, removing seals nothing.
    assert_eq!(logger.clear_session("a").unwrap(), Some(1));
    assert_eq!(seals(&world), 0);
    log(&logger, "a", 1);
    logger.close().unwrap();
    log(&logger, "a", 2);
    assert_eq!(logger.clear_session("a").unwrap(), Some(2));
    assert_eq!(seals(&world), 3);
    let found = world.verify();
    assert_eq!(
        (found.verdict, found.records_since, found.removed),
        (Verdict::Proved, 0, 2),
        "{found:?}"
    );
}

#[test]
fn more_sessions_than_are_remembered_are_all_sealed() {
    const SESSIONS: u64 = 20_100;
    let world = World::new();
    let store = world.store();
    let host = Arc::new(ScriptedHost::new());
    let when = (&*world.state(), SealWhen::Sessions);
    let seals = RecordSeals::new(store.clone(), when, host);
    for session in ["a", "b"] {
        world.entries(session, 1, 1);
        seals.recorded(session);
    }
    let names: Vec<_> = (0..SESSIONS).map(|number| number.to_string()).collect();
    seals.appended(names.iter().map(String::as_str)).unwrap();
    seals.close().unwrap();
    let found = world.verify();
    assert_eq!((found.verdict, found.entries_since), (Verdict::Proved, 0));
}

#[test]
fn a_disk_that_fails_while_something_is_recorded_and_sealed_is_no_finding() {
    for operation in Operation::ALL {
        for nth in [0, 1, 2, 4, 7, 11] {
            for (and_all_after, effect) in [(false, Effect::Half), (true, Effect::None)] {
                let world = World::new();
                world.entries("a", 1, 2);
                let io = Arc::new(FaultyIo::new());
                let (logger, host) = logger(&world, io.clone(), SealWhen::Attempts);
                logger.start_session(Some("b")).unwrap();
                io.fail(Fault {
                    operation,
                    nth,
                    and_all_after,
                    errno: EIO,
                    effect,
                });
                for number in 3..6 {
                    host.advance(Duration::from_secs(61));
                    let record = AttemptRecord::default();
                    let attempt = attempt(number, "fix", true);
                    drop(logger.log_recovery_attempt(&attempt, "a", record));
                }
                let closed = logger.close().map(|seal| seal.is_some());
                let what = format!("{operation:?} {nth} {and_all_after} {effect:?} {closed:?}");
                drop(logger);
                world.goes_on(7, &what);
            }
        }
    }
}

#[test]
fn what_could_not_be_sealed_is_sealed_by_the_next_call() {
    let world = World::new();
    let io = Arc::new(FaultyIo::new());
    let (logger, host) = logger(&world, io.clone(), SealWhen::Attempts);
    log(&logger, "a", 1);
    std::fs::write(world.state(), "no directory").unwrap();
    host.advance(Duration::from_secs(61));
    log(&logger, "a", 2);
    logger.close().unwrap_err();
    assert_eq!(logger.get_recovery_history("a").unwrap().len(), 2);
    std::fs::remove_file(world.state()).unwrap();
    assert!(logger.close().unwrap().is_some());
    assert_eq!(world.verify().entries_since, 0);
}

#[test]
fn a_manager_seals_before_each_attempt_and_when_it_is_done() {
    let world = World::new();
    let (logger, host) = logger(&world, Arc::new(FaultyIo::new()), SealWhen::Attempts);
    let logger = Arc::new(logger);
    let settings = ManagerSettings::default();
    let mut manager = AutoRecoveryManager::with_logger(settings, Some(logger.clone()), host);
    let (dir, store) = (world.dir(), world.store());
    manager.fix_generator = Some(Box::new(move |_, _| {
        let sealed = std::fs::read_to_string(dir.join("seals.jsonl")).unwrap();
        let mut records = 0;
        store
            .read_records_raw(None, &mut |_| {
                records += 1;
                Ok(())
            })
            .unwrap();
        // The intent is on record, and under the newest seal.
        let newest = format!("\\n{records}\\n");
        assert!(sealed.lines().last().unwrap().contains(&newest), "{sealed}");
        Ok("- mended".to_owned())
    }));
    let failure = Failure::new("SyntaxError", "it broke", "linter");
    let recovered = manager.attempt_recovery(&failure, &Context::new()).unwrap();
    assert!(recovered.success, "{recovered:?}");
    let found = world.verify();
    assert_eq!((found.verdict, found.records_since), (Verdict::Proved, 0));
    assert_eq!(seals(&world), 2);
    assert_eq!(logger.close().unwrap(), None);
}
