//! The connection is lost at the worst moment: while a commit is on its way, or its answer is.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::thread;

use auto_recovery::audit::{AuditStore, JournalEvent, NewEntry, Recorder, SessionStarted};
use auto_recovery::host::SystemHost;
use auto_recovery::testing::store_contract::{assert_exact, entry, read};
use auto_recovery_sql::{PostgresOptions, PostgresStore};

use crate::postgres_server::shared;

/// The fate of the next commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Fate {
    /// It passes.
    Passes,
    /// The connection is cut before the server has it.
    Cut,
    /// The server has it, and the connection is cut before its answer.
    Unanswered,
    /// The same, and no connection gets through any more.
    Isolated,
    /// No connection gets through.
    Closed,
}

const FATES: [Fate; 5] = [
    Fate::Passes,
    Fate::Cut,
    Fate::Unanswered,
    Fate::Isolated,
    Fate::Closed,
];

/// The bytes of a commit on its way.
const COMMIT: &[u8] = b"COMMIT\0";

/// A way to the server that can be cut.
struct Way {
    port: u16,
    fate: Arc<AtomicU8>,
}

impl Way {
    fn to(server: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let fate = Arc::new(AtomicU8::new(Fate::Passes as u8));
        let shared = Arc::clone(&fate);
        thread::spawn(move || {
            for client in listener.incoming() {
                let (client, fate) = (client.unwrap(), Arc::clone(&shared));
                if FATES[fate.load(Ordering::SeqCst) as usize] == Fate::Closed {
                    continue;
                }
                let server = TcpStream::connect(("127.0.0.1", server)).unwrap();
                let (answers, back) = (server.try_clone().unwrap(), client.try_clone().unwrap());
                thread::spawn(move || pass_answers(answers, back));
                thread::spawn(move || pass_requests(client, server, &fate));
            }
        });
        Self { port, fate }
    }

    fn set(&self, fate: Fate) {
        self.fate.store(fate as u8, Ordering::SeqCst);
    }
}

/// Passes what the client says, up to a commit that has a fate.
fn pass_requests(mut client: TcpStream, mut server: TcpStream, fate: &AtomicU8) {
    let mut buffer = [0; 1 << 16];
    while let Ok(count @ 1..) = client.read(&mut buffer) {
        let bytes = &buffer[..count];
        let is_commit = bytes.windows(COMMIT.len()).any(|part| part == COMMIT);
        let now = FATES[fate.load(Ordering::SeqCst) as usize];
        if !is_commit || now == Fate::Passes {
            if server.write_all(bytes).is_err() {
                break;
            }
            continue;
        }
        let next = if now == Fate::Isolated {
            Fate::Closed
        } else {
            Fate::Passes
        };
        if now == Fate::Cut {
            drop(server.shutdown(Shutdown::Both));
        } else {
            // From now on no answer arrives.
            drop(client.shutdown(Shutdown::Write));
            drop(server.write_all(bytes));
            drop(server.shutdown(Shutdown::Write));
        }
        fate.store(next as u8, Ordering::SeqCst);
        drop(client.shutdown(Shutdown::Both));
        return;
    }
    drop(server.shutdown(Shutdown::Both));
}

fn pass_answers(mut server: TcpStream, mut client: TcpStream) {
    let mut buffer = [0; 1 << 16];
    while let Ok(count @ 1..) = server.read(&mut buffer) {
        if client.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    drop(client.shutdown(Shutdown::Both));
}

fn numbered(number: u64) -> NewEntry {
    NewEntry {
        number_by_store: true,
        ..entry("s", number)
    }
}

fn started() -> JournalEvent {
    JournalEvent::SessionStarted(SessionStarted::default())
}

/// A store that goes `way`.
fn store(url: &str, spool: &Path) -> PostgresStore {
    let options = PostgresOptions {
        spool: Some(spool.to_owned()),
        ..PostgresOptions::default()
    };
    PostgresStore::open(url, options, Recorder::new(Arc::new(SystemHost::new()))).unwrap()
}

#[test]
fn a_write_takes_effect_once_whatever_is_lost() {
    let database = shared().database();
    let (_, after) = database.url.rsplit_once(':').unwrap();
    let (port, _) = after.split_once('/').unwrap();
    let way = Way::to(port.parse().unwrap());
    let url = database
        .url
        .replace(&format!(":{port}/"), &format!(":{}/", way.port));
    let spool = tempfile::tempdir().unwrap();
    let mut written = 0;
    let mut recorded = 0;
    for fate in [Fate::Passes, Fate::Cut, Fate::Unanswered, Fate::Isolated] {
        // One entry, one record, and enough that they are copied.
        for what in 0..3 {
            let store = store(&url, spool.path());
            store.append(vec![numbered(written)]).unwrap();
            written += 1;
            way.set(fate);
            match what {
                0 => {
                    let appended = store.append(vec![numbered(written)]).unwrap();
                    written += 1;
                    assert_eq!(appended[0].attempt_number, written);
                }
                1 => {
                    store.record(Some("s"), started()).unwrap();
                    recorded += 1;
                }
                _ => {
                    let many = (written..written + 100).map(numbered).collect();
                    let appended = store.append(many).unwrap();
                    written += 100;
                    assert_eq!(appended[99].attempt_number, written);
                }
            }
            way.set(Fate::Passes);
            store.deliver().unwrap();
            let numbers: Vec<u64> = read(&store, "s")
                .iter()
                .map(|one| one.attempt_number)
                .collect();
            assert_eq!(
                numbers,
                (1..=written).collect::<Vec<_>>(),
                "{fate:?} {what}"
            );
            let records = database.ask("SELECT count(*) FROM auto_recovery.journal");
            assert_eq!(records, recorded.to_string(), "{fate:?} {what}");
            assert_exact(&store, "s");
            assert_eq!(store.waiting(), 0);
        }
    }
}
