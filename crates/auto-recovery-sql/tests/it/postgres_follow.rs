//! A follower reports the commits of others, also after the server was gone.

use std::sync::Arc;
use std::time::Duration;

use auto_recovery::audit::{AuditStore, Followed, ReadAfter, Recorder, Removal, Seen};
use auto_recovery::host::SystemHost;
use auto_recovery::testing::store_contract::entry;
use auto_recovery_sql::{PostgresOptions, PostgresStore};

use crate::postgres_server::{Server, shared};

const LONG: Duration = Duration::from_secs(60);

fn open(url: &str) -> PostgresStore {
    PostgresStore::open(
        url,
        PostgresOptions::default(),
        Recorder::new(Arc::new(SystemHost::new())),
    )
    .unwrap()
}

fn sessions(ids: &[&str]) -> Followed {
    Followed::Sessions(ids.iter().map(|id| (*id).to_owned()).collect())
}

#[test]
fn a_follower_is_told_of_what_is_committed() {
    let database = shared().database();
    let store = open(&database.url);
    let mut follower = store.follower().unwrap();
    assert_eq!(follower.wait(LONG).unwrap(), Followed::Anything);
    assert_eq!(follower.wait(Duration::ZERO).unwrap(), Followed::Nothing);
    let other = open(&database.url);
    other.append(vec![entry("ä b", 1)]).unwrap();
    assert_eq!(follower.wait(LONG).unwrap(), sessions(&["ä b"]));
    assert_eq!(
        follower.wait(Duration::from_millis(20)).unwrap(),
        Followed::Nothing
    );
    std::thread::scope(|scope| {
        scope.spawn(|| other.remove("ä b", &Removal::Cleared).unwrap());
        assert_eq!(follower.wait(LONG).unwrap(), sessions(&["ä b"]));
    });
}

#[test]
fn a_follower_comes_back_with_the_server() {
    let server = Server::start(true, &[]);
    let database = server.own_database();
    let store = open(&database.url);
    let mut follower = store.follower().unwrap();
    assert_eq!(follower.wait(LONG).unwrap(), Followed::Anything);
    server.kill();
    assert_eq!(
        follower.wait(Duration::from_millis(300)).unwrap(),
        Followed::Nothing
    );
    server.run();
    assert_eq!(follower.wait(LONG).unwrap(), Followed::Anything);
    store.append(vec![entry("s", 1)]).unwrap();
    assert_eq!(follower.wait(LONG).unwrap(), sessions(&["s"]));
}

#[test]
fn what_waited_in_a_spool_is_followed_too() {
    let server = Server::start(true, &[]);
    let database = server.own_database();
    let dir = tempfile::tempdir().unwrap();
    let options = PostgresOptions {
        spool: Some(dir.path().join("spool")),
        ..PostgresOptions::default()
    };
    let host = Arc::new(SystemHost::new());
    let writer = PostgresStore::open(&database.url, options, Recorder::new(host)).unwrap();
    let reader = open(&database.url);
    let mut follower = reader.follower().unwrap();
    let (mut seen, mut numbers) = (Seen::default(), Vec::new());
    let mut read_on = || {
        let read = reader.read_after("s", &mut seen, &mut |stored| {
            numbers.push(stored.attempt_number());
            Ok(())
        });
        assert_eq!(read.unwrap(), ReadAfter::Read(Vec::new()));
        numbers.clone()
    };
    assert_eq!(follower.wait(LONG).unwrap(), Followed::Anything);
    writer.append(vec![entry("s", 5)]).unwrap();
    assert_eq!(follower.wait(LONG).unwrap(), sessions(&["s"]));
    assert_eq!(read_on(), [5]);
    server.kill();
    writer.append(vec![entry("s", 1), entry("s", 2)]).unwrap();
    server.run();
    assert_eq!(follower.wait(LONG).unwrap(), Followed::Anything);
    assert_eq!(read_on(), [5]);
    writer.deliver().unwrap();
    assert_eq!(follower.wait(LONG).unwrap(), sessions(&["s"]));
    assert_eq!(read_on(), [5, 1, 2]);
}
