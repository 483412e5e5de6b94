//! `recover serve`, as a process: what it says, how it ends, and what a kill leaves.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::Child;
use std::time::{Duration, Instant};

use auto_recovery::audit::{AuditStore as _, NewEntry, Recorder};
use auto_recovery::entry::RecoveryAuditEntry;
use auto_recovery::host::{Host as _, SystemHost};
use auto_recovery::jsonl::{JsonlOptions, JsonlStore};
use auto_recovery::testing::{Campaign, Found, Random, Rounds, Wrong};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::harness::Machine;

/// Longer than any answer takes.
const LONG: Duration = Duration::from_secs(30);

/// A server that runs.
pub(crate) struct Serving {
    pub(crate) child: Child,
    pub(crate) address: String,
    pub(crate) token: String,
}

impl Serving {
    pub(crate) fn start(machine: &Machine) -> Self {
        Self::start_at(machine, "127.0.0.1:0")
    }

    /// The same at `address`.
    pub(crate) fn start_at(machine: &Machine, address: &str) -> Self {
        let file = machine.home().join("token");
        let file = file.to_str().expect("UTF-8");
        let args = ["serve", "--listen", address, "--token-file", file];
        let mut child = machine.command(&args).spawn().expect("start recover");
        let mut said = BufReader::new(child.stderr.take().expect("what it says")).lines();
        let line = said.next().expect("a line").expect("text");
        let address = line
            .strip_prefix("listening on http://")
            .expect("where it listens");
        let serving = Self {
            address: address.to_owned(),
            token: std::fs::read_to_string(file)
                .expect("the token")
                .trim()
                .to_owned(),
            child,
        };
        while !serving.get("/readyz").ends_with("ready\n") {
            std::thread::yield_now();
        }
        serving
    }

    /// The answer to a request for `path` that goes on until somebody ends it.
    fn open(&self, path: &str) -> BufReader<TcpStream> {
        let mut stream = TcpStream::connect(&self.address).expect("a connection");
        stream.set_read_timeout(Some(LONG)).expect("a limit");
        let request = format!(
            "GET {path} HTTP/1.0\r\nHost: {}\r\nAuthorization: Bearer {}\r\n\
             Accept: application/x-ndjson\r\n\r\n",
            self.address, self.token
        );
        stream.write_all(request.as_bytes()).expect("sent");
        BufReader::new(stream)
    }

    pub(crate) fn get(&self, path: &str) -> String {
        let mut answer = String::new();
        self.open(path)
            .read_to_string(&mut answer)
            .expect("an answer");
        answer
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        kill_process(pid.expect("a process"), signal).expect("sent");
    }
}

/// The lines of a stream as JSON, without the head.
fn lines(stream: BufReader<TcpStream>) -> impl Iterator<Item = Value> {
    let lines = stream.lines().map(|line| line.expect("a line"));
    let body = lines.skip_while(|line| !line.is_empty()).skip(1);
    body.map(|line| serde_json::from_str(&line).expect("JSON"))
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the limit is one of real time")]
fn a_run_is_seen_as_it_happens_and_the_server_ends_when_told() {
    let machine = Machine::new();
    let mut serving = Serving::start(&machine);
    let mut events = lines(serving.open("/api/v1/events"));
    assert_eq!(events.next().expect("an event")["event"], "hello");
    machine.recover(&["run", "--retry", "1", "--base-delay", "0s", "--", "false"]);
    let told: Vec<Value> = events.by_ref().take(4).collect();
    assert_eq!(told[0]["record"]["event"], "session_started");
    assert!(
        told.iter().all(|event| event["project"] == "project"),
        "{told:?}"
    );
    let sessions = machine.recover(&["sessions", "--json"]).json();
    let id = sessions[0]["session_id"].as_str().expect("an id");
    let page = serving.get(&format!("/sessions/{id}"));
    assert!(page.contains("Not recovered"), "{page}");
    let stats = serving.get("/api/v1/stats");
    let (_, body) = stats.split_once("\r\n\r\n").expect("a body");
    assert_eq!(body, machine.recover(&["stats", "--all", "--json"]).stdout);
    let second = machine.recover(&["serve", "--listen", "127.0.0.1:0"]);
    assert_eq!(second.code, 125);
    assert!(
        second.stderr.contains("is served already, by pid "),
        "{}",
        second.stderr
    );
    let begin = Instant::now();
    serving.signal(Signal::TERM);
    assert_eq!(serving.child.wait().expect("its end").code(), Some(0));
    assert!(
        begin.elapsed() < Duration::from_secs(5),
        "{:?}",
        begin.elapsed()
    );
}

#[test]
fn it_listens_for_others_only_where_that_was_said() {
    let machine = Machine::new();
    for (flag, value, says) in [
        ("--listen", "0.0.0.0:0", "--behind-proxy"),
        ("--tls-cert", "cert.pem", "--tls-key"),
        ("--tls-key", "key.pem", "--tls-cert"),
        ("--listen", "nowhere", "--listen"),
        ("--public-url", "nowhere", "no address of a server"),
    ] {
        let refused = machine.recover(&["serve", flag, value]);
        assert_eq!(refused.code, 2, "{}", refused.stderr);
        assert!(refused.stderr.contains(says), "{}", refused.stderr);
    }
}

#[test]
fn tls_that_cannot_be_had_is_named() {
    let machine = Machine::new();
    let files = ["--tls-cert", "cert.pem", "--tls-key", "key.pem"];
    let with = |more: &[&str]| machine.recover(&[&["serve"], &files[..], more].concat());
    for (more, says) in [
        (&[][..], "cert.pem is no file of PEM certificates"),
        (&["--behind-proxy"], "--behind-proxy"),
    ] {
        let refused = with(more);
        assert_eq!(refused.code, 2, "{}", refused.stderr);
        assert!(refused.stderr.contains(says), "{}", refused.stderr);
    }
}

#[test]
fn tokens_are_made_listed_and_removed_while_it_runs() {
    let machine = Machine::new();
    let serving = Serving::start(&machine);
    let made = machine.recover(&["serve", "token", "add", "--read", "board"]);
    assert_eq!(made.code, 0, "{}", made.stderr);
    let token = made.stdout.trim().to_owned();
    assert!(token.starts_with("rcv_"), "{token}");
    let theirs = Serving {
        address: serving.address.clone(),
        token,
        child: serving.child,
    };
    assert!(theirs.get("/stats").starts_with("HTTP/1.0 200"));
    let other = machine
        .recover(&["serve", "token", "add", "--admin", "--json"])
        .json();
    assert_eq!(other["scope"], "admin");
    let listed = machine
        .recover(&["serve", "token", "list", "--json"])
        .json();
    let names: Vec<_> = listed
        .as_array()
        .expect("a list")
        .iter()
        .map(|one| &one["name"])
        .collect();
    assert_eq!(names, [&other["name"], &"board".into()]);
    assert!(
        machine
            .recover(&["serve", "token", "list"])
            .stdout
            .contains("board")
    );
    assert_eq!(
        machine.recover(&["serve", "token", "remove", "board"]).code,
        0
    );
    assert!(theirs.get("/stats").starts_with("HTTP/1.0 401"));
    for (args, code) in [
        (&["remove", "board"][..], 1),
        (&["add", "x"], 2),
        (&["add", "--read", "--write", "x"], 2),
        (&["add", "--read", "token file"], 2),
    ] {
        let refused = machine.recover(&[&["serve", "token"], args].concat());
        assert_eq!(refused.code, code, "{}", refused.stderr);
    }
    theirs.signal(Signal::TERM);
    let mut child = theirs.child;
    assert_eq!(child.wait().expect("its end").code(), Some(0));
}

#[test]
fn a_token_is_told_once_and_kept_as_a_hash() {
    let machine = Machine::new();
    let mut token = String::new();
    for round in 0..2 {
        let mut child = machine
            .command(&["serve", "--listen", "127.0.0.1:0"])
            .spawn()
            .expect("start");
        let mut said = BufReader::new(child.stderr.take().expect("what it says")).lines();
        let mut next = || said.next().map(|line| line.expect("text"));
        let listening = next().expect("a line");
        if round == 0 {
            let line = next().expect("a line");
            token = line.rsplit(' ').next().expect("a word").to_owned();
            assert!(token.starts_with("rcv_"), "{line}");
        }
        let serving = Serving {
            address: listening.rsplit('/').next().expect("an address").to_owned(),
            token: token.clone(),
            child,
        };
        assert!(serving.get("/api/v1/sessions").starts_with("HTTP/1.0 200"));
        serving.signal(Signal::TERM);
        child = serving.child;
        assert_eq!(child.wait().expect("its end").code(), Some(0));
        assert_eq!(next(), None, "nothing else is told where nobody looks");
    }
    let kept = std::fs::read_dir(machine.state().join("server")).expect("the feed");
    for file in kept {
        let bytes = std::fs::read(file.expect("an entry").path()).expect("a file");
        let holds = |text: &str| memchr::memmem::find(&bytes, text.as_bytes()).is_some();
        assert!(!holds(&token[4..20]));
    }
}

#[test]
fn a_server_that_is_killed_tells_everything_once() {
    const KILLS: Rounds = Rounds {
        ordinary: 25,
        long: 200,
    };
    let campaign = Campaign::begin("38-serve-kills", "`kill -9` of `recover serve`");
    let mut found = Found::nothing_in(KILLS.count());
    let machine = Machine::new();
    let host = SystemHost::new();
    let recorder = Recorder::new(std::sync::Arc::new(SystemHost::new()));
    let store = JsonlStore::open(&machine.state(), JsonlOptions::default(), recorder);
    let store = store.expect("the store");
    let mut random = Random::new(7);
    let first = Serving::start(&machine);
    let hello = lines(first.open("/api/v1/events"))
        .next()
        .expect("an event");
    let cursor = hello["at"].as_str().expect("a cursor").to_owned();
    let mut serving = Some(first);
    for round in 0..KILLS.count() {
        let mut running = serving.take().unwrap_or_else(|| Serving::start(&machine));
        for number in 0..random.below(20) {
            let entry = NewEntry {
                entry: RecoveryAuditEntry {
                    session_id: format!("s{}", number % 4),
                    strategy: "retry".to_owned(),
                    error_type: format!("E{round}"),
                    ..RecoveryAuditEntry::default()
                },
                number_by_store: true,
            };
            store.append(vec![entry]).expect("appended");
        }
        host.sleep(Duration::from_millis(random.below(250)));
        running.signal(Signal::KILL);
        running.child.wait().expect("its end");
    }
    let last = Serving::start(&machine);
    let mut events = lines(last.open(&format!("/api/v1/events?after={cursor}")));
    assert_eq!(
        events.next().expect("an event")["event"],
        "hello",
        "no cursor is lost"
    );
    for session in ["s0", "s1", "s2", "s3"] {
        let stored = machine.recover(&["history", session, "--json"]).json();
        let stored = stored.as_array().expect("an array").clone();
        let path = format!("/api/v1/events?after={cursor}&session={session}");
        let events = lines(last.open(&path))
            .skip(1)
            .filter(|event| event["event"] == "entry");
        let told: Vec<Value> = events
            .take(stored.len())
            .map(|event| event["entry"].clone())
            .collect();
        if told != stored {
            found.wrong(Wrong::Other, || {
                format!("{session}: {told:?} of {stored:?}")
            });
        }
    }
    last.signal(Signal::TERM);
    campaign.end(&found);
}
