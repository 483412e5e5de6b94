//! A server that takes connections and does not answer: it keeps a caller waiting once, and no
//! longer than the caller wants to wait.

use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use auto_recovery::ErrorKind;
use auto_recovery::audit::{AuditStore, NewEntry, Recorder};
use auto_recovery::host::{Host, SystemHost};
use auto_recovery::interrupt::Interrupt;
use auto_recovery::testing::store_contract::entry;
use auto_recovery_sql::postgres::Notice;
use auto_recovery_sql::{PostgresOptions, PostgresStore};

use crate::encrypted::recorder;

/// A wait that a person notices, a little more than a second.
const NOTICED: Duration = Duration::from_millis(1100);

/// Far longer than anybody waits here.
const LONG: Duration = Duration::from_secs(60);
/// At once, on a machine with much else to do.
const SOON: Duration = Duration::from_secs(5);

const SIGTERM: i32 = 15;

/// A server that never says anything, and the connections to it.
fn silent() -> (String, Receiver<TcpStream>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("postgres://u:secret@{}/d", listener.local_addr().unwrap());
    let (told, connections) = channel();
    thread::spawn(move || {
        for client in listener.incoming() {
            if told.send(client.unwrap()).is_err() {
                return;
            }
        }
    });
    (url, connections)
}

fn store(
    url: &str,
    spool: &Path,
    limit: Duration,
    recorder: Arc<Recorder>,
) -> (PostgresStore, Told) {
    let told = Told::default();
    let shared = Arc::clone(&told);
    let options = PostgresOptions {
        spool: Some(spool.to_owned()),
        connect_timeout: limit,
        on_notice: Some(Arc::new(move |notice: &Notice| {
            shared.lock().unwrap().push(notice.to_string());
        })),
        ..PostgresOptions::default()
    };
    (PostgresStore::open(url, options, recorder).unwrap(), told)
}

type Told = Arc<Mutex<Vec<String>>>;

fn numbered(number: u64) -> NewEntry {
    NewEntry {
        number_by_store: true,
        ..entry("s", number)
    }
}

#[test]
fn a_server_that_does_not_answer_keeps_one_call_waiting() {
    assert_waits_once(Recorder::new(Arc::new(SystemHost::new())));
}

#[test]
fn whoever_encrypts_waits_for_it_no_more_often() {
    assert_waits_once(recorder());
}

fn assert_waits_once(recorder: Arc<Recorder>) {
    let (url, connections) = silent();
    let spool = tempfile::tempdir().unwrap();
    let (store, told) = store(&url, spool.path(), NOTICED, recorder);
    for number in 1..=20 {
        let appended = store.append(vec![numbered(number)]).unwrap();
        assert_eq!(appended[0].attempt_number, number);
    }
    let away = store.sessions().unwrap_err();
    assert_eq!(away.kind(), ErrorKind::Unreachable);
    let words = away.chain();
    assert!(
        words.contains("20 entries wait") && words.contains("within 1.1 s"),
        "{words}"
    );
    assert_eq!(store.highest_attempt_number("s").unwrap(), 20);
    assert_eq!(connections.try_iter().count(), 1, "it was asked once");
    let told = told.lock().unwrap();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(
        told[0].contains("127.0.0.1:") && told[0].contains("it did not answer within 1.1 s"),
        "{told:?}"
    );
}

#[test]
fn a_signal_ends_the_wait_for_it() {
    let (url, connections) = silent();
    let spool = tempfile::tempdir().unwrap();
    let interrupt = Arc::new(Interrupt::new().unwrap());
    let host = SystemHost::with_interrupt(Arc::clone(&interrupt));
    let recorder = Recorder::new(Arc::new(host));
    let (store, _) = store(&url, spool.path(), LONG, recorder);
    let raised = thread::spawn(move || {
        let connection = connections.recv().unwrap();
        // A signal of the first milliseconds counts as one from before: it leaves a last moment.
        SystemHost::new().sleep(Duration::from_millis(50));
        let raised = SystemHost::new();
        interrupt.raise(SIGTERM);
        (raised, connection, connections)
    });
    store.append(vec![numbered(1)]).unwrap();
    let (raised, _connection, _listening) = raised.join().unwrap();
    let took = raised.monotonic();
    assert!(took < SOON, "{took:?}");
    assert_eq!(store.waiting(), 1);
}
