//! The end of a server: within a second, whoever hangs.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use auto_recovery::audit::{JournalEvent, SessionFinished, SessionOutcome};
use auto_recovery::host::{Host as _, SystemHost};
use auto_recovery::jsonl::{FileIo, SystemIo};
use auto_recovery_server::{Alerting, Alerts, Channel, OtlpOptions, OutboundUrl};

use crate::alerts::alerting;
use crate::client::LONG;
use crate::machine::{Kind, Machine, Running, started};

/// A second, and what a machine with much else to do takes beside. What hangs does so for longer.
const SOON: Duration = Duration::from_secs(5);

/// Takes connections and never answers. Tells the path of each request.
fn deaf() -> (SocketAddr, Receiver<(String, TcpStream)>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (tell, asked) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let stream = stream.unwrap();
            let mut line = String::new();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            reader.read_line(&mut line).unwrap();
            let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
            if tell.send((path, stream)).is_err() {
                return;
            }
        }
    });
    (address, asked)
}

fn time_of_end(server: Running) -> Duration {
    let host = SystemHost::new();
    let begin = host.monotonic();
    server.end();
    host.monotonic().saturating_sub(begin)
}

fn escalates(machine: &Machine, session: &str) {
    let store = machine.store();
    store.record(Some(session), started("shop")).unwrap();
    let finished = SessionFinished {
        outcome: SessionOutcome::Escalated,
        ..SessionFinished::default()
    };
    let finished = JournalEvent::SessionFinished(finished);
    store.record(Some(session), finished).unwrap();
}

#[test]
fn no_receiver_that_hangs_holds_up_the_end_and_nothing_is_lost() {
    let (address, asked) = deaf();
    let url = |path: &str| OutboundUrl::parse(&format!("http://{address}{path}")).unwrap();
    let mut machine = Machine::new(Kind::Jsonl);
    machine.otlp = Some(OtlpOptions {
        endpoint: url(""),
        headers: Vec::new(),
        roots: None,
    });
    machine.alerting = Alerting {
        watchdog: Some(url("/alive")),
        gather: Some(Duration::ZERO),
        ..alerting(Channel::Webhook {
            url: url("/hook"),
            secrets: Vec::new(),
        })
    };
    let server = machine.start();
    escalates(&machine, "s");
    let mut hanging = Vec::new();
    for path in ["/hook", "/alive", "/v1/traces"] {
        while hanging.iter().all(|(one, _)| one != path) {
            hanging.push(asked.recv_timeout(LONG).unwrap());
        }
    }
    let took = time_of_end(server);
    assert!(took < SOON, "{took:?}");
    let url = machine.store().url();
    let kept = Alerts::beside(&machine.state(), &url).unwrap();
    let kept = kept.deliveries().unwrap();
    // The next server sends it again.
    assert_eq!((kept.len(), &*kept[0].state), (1, "sending"));
}

/// A disk whose files cannot be opened for a while, as one of the network that is away.
#[derive(Default)]
struct Away {
    state: Mutex<(bool, u32)>,
    changed: Condvar,
}

impl Away {
    fn go(&self) {
        self.state.lock().unwrap().0 = true;
    }

    fn come_back(&self) {
        self.state.lock().unwrap().0 = false;
        self.changed.notify_all();
    }

    /// Waits until somebody waits for it.
    fn until_missed(&self) {
        let state = self.state.lock().unwrap();
        let missed = self
            .changed
            .wait_timeout_while(state, LONG, |(_, waiting)| *waiting == 0);
        assert!(!missed.unwrap().1.timed_out());
    }
}

impl FileIo for Away {
    fn open_read(&self, path: &Path) -> io::Result<File> {
        let mut state = self.state.lock().unwrap();
        if state.0 {
            state.1 += 1;
            self.changed.notify_all();
            drop(
                self.changed
                    .wait_while(state, |(is_away, _)| *is_away)
                    .unwrap(),
            );
        }
        SystemIo.open_read(path)
    }
}

#[test]
fn no_store_that_hangs_holds_up_the_end() {
    let away = Arc::new(Away::default());
    let mut machine = Machine::new(Kind::Jsonl);
    machine.io = Some(Arc::<Away>::clone(&away));
    escalates(&machine, "s");
    let server = machine.start();
    away.go();
    std::thread::scope(|scope| {
        let (address, bearer) = (server.address, server.bearer());
        scope.spawn(move || {
            let mut stream = crate::client::connect(address);
            let head =
                format!("GET /api/v1/journal HTTP/1.1\r\nHost: localhost\r\n{bearer}\r\n\r\n");
            io::Write::write_all(&mut stream, head.as_bytes()).unwrap();
            // Cut off, or an answer that ends nowhere: either is an end.
            let _cut_off = io::Read::read_to_end(&mut stream, &mut Vec::new());
        });
        away.until_missed();
        let took = time_of_end(server);
        away.come_back();
        assert!(took < SOON, "{took:?}");
    });
}
