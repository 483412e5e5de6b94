//! The outbox against receivers that behave badly, by a clock that is set.

mod again;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use auto_recovery::audit::{AuditStore, SessionOutcome};
use auto_recovery::host::Host;
use auto_recovery::mutex::lock;
use tokio::sync::watch;

use super::{Clocks, History, rule};
use crate::alerts::config::{Alerting, Channel, Check, Destination};
use crate::alerts::engine::{Engine, Seen};
use crate::alerts::look::{active, deliveries};
use crate::alerts::once::send;
use crate::alerts::sender::{Sender, Sending};
use crate::feed::{Database, Following, Standing};
use crate::log::Log;
use crate::outbound::{Outbound, OutboundUrl};

const ESCALATED: (SessionOutcome, bool) = (SessionOutcome::Escalated, false);
const CURED: (SessionOutcome, bool) = (SessionOutcome::Recovered, false);

/// What a receiver was sent.
#[derive(Clone, Debug, PartialEq)]
struct Told {
    id: String,
    kind: String,
    text: String,
}

/// The answers of a receiver, the last one again and again, and what it was sent.
struct Receiver {
    url: OutboundUrl,
    told: Arc<Mutex<Vec<Told>>>,
    answers: Arc<Mutex<Vec<String>>>,
}

impl Receiver {
    fn answering(answers: &[&str]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let told: Arc<Mutex<Vec<Told>>> = Arc::default();
        let answers: Vec<String> = answers.iter().map(|one| (*one).to_owned()).collect();
        let answers = Arc::new(Mutex::new(answers));
        let (of_thread, to_say) = (Arc::clone(&told), Arc::clone(&answers));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let mut reader = BufReader::new(stream);
                let (mut length, mut id) = (0, String::new());
                loop {
                    let mut line = String::new();
                    reader.read_line(&mut line).unwrap();
                    let (name, value) = line.trim().split_once(':').unwrap_or_default();
                    match &*name.to_ascii_lowercase() {
                        "content-length" => length = value.trim().parse().unwrap(),
                        "webhook-id" => id = value.trim().to_owned(),
                        _ if line.trim().is_empty() => break,
                        _ => {}
                    }
                }
                let mut body = vec![0; length];
                reader.read_exact(&mut body).unwrap();
                let text = String::from_utf8(body).unwrap();
                let kind = text.split('"').nth(3).unwrap_or_default().to_owned();
                lock(&of_thread).push(Told { id, kind, text });
                let mut answers = lock(&to_say);
                let answer = match answers.len() {
                    1 => answers[0].clone(),
                    _ => answers.remove(0),
                };
                drop(answers);
                reader.into_inner().write_all(answer.as_bytes()).unwrap();
            }
        });
        Self {
            url: OutboundUrl::parse(&url).unwrap(),
            told,
            answers,
        }
    }

    fn now_answers(&self, answer: &str) {
        *lock(&self.answers) = vec![answer.to_owned()];
    }

    fn told(&self) -> Vec<Told> {
        lock(&self.told).clone()
    }

    fn destination(&self, name: &str) -> Destination {
        let url = self.url.clone();
        let secrets = Vec::new();
        Destination {
            name: name.to_owned(),
            channel: Channel::Webhook { url, secrets },
        }
    }
}

const TAKEN: &str = "HTTP/1.1 204 No Content\r\n\r\n";
const BROKEN: &str = "HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n";
const GONE: &str = "HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n";
const LATER: &str = "HTTP/1.1 503 No\r\nRetry-After: 3600\r\nContent-Length: 0\r\n\r\n";

/// A history that is followed, decided and told.
struct Bench {
    history: History,
    following: Following,
    alerting: Arc<Alerting>,
    state: tempfile::TempDir,
    engine: Engine,
    gather_ms: i64,
}

impl Bench {
    fn new(alerting: Alerting) -> Self {
        Self::over(History::new(), tempfile::TempDir::new().unwrap(), alerting)
    }

    fn over(history: History, state: tempfile::TempDir, alerting: Alerting) -> Self {
        let store = Arc::clone(&history.store) as Arc<dyn AuditStore>;
        let host = Arc::clone(&history.host) as Arc<dyn Host>;
        let feed = Database::open(state.path(), &store.url(), &*host).unwrap();
        let following = Following {
            store,
            feed: Arc::new(feed),
            host,
            newest: watch::Sender::new(0),
            standing: Mutex::new(Standing::default()),
            claim: Mutex::new(None),
            seen_at: Mutex::default(),
            is_over: AtomicBool::new(false),
            log: Log::default(),
        };
        following.once();
        let alerting = Arc::new(alerting);
        let engine = engine(&following, &alerting, state.path());
        Self {
            history,
            following,
            alerting,
            state,
            engine,
            gather_ms: 0,
        }
    }

    fn pass(&mut self, by: Duration) {
        self.history.pass(by);
        self.decide();
    }

    fn decide(&mut self) {
        self.history.pass(Duration::from_secs(1));
        self.following.once();
        let seen = Seen {
            standing: &Standing::Current,
            lag_ms: 0,
        };
        while self.engine.step(&seen, self.gather_ms).unwrap() {}
    }

    /// Everything in memory is gone.
    fn crash(&mut self) {
        self.engine = engine(&self.following, &self.alerting, self.state.path());
    }

    fn sender(&self, name: &str) -> Sender {
        let destinations = self.alerting.destinations.iter();
        let destination = destinations.clone().find(|one| one.name == name).unwrap();
        Sender {
            alerting: Arc::clone(&self.alerting),
            destination: destination.clone(),
            feed: Arc::clone(&self.following.feed),
            host: Arc::clone(&self.following.host),
            outbound: Arc::new(Outbound::new(None).unwrap()),
            dir: self.state.path().join("files"),
        }
    }

    /// Sends what is due to `name`, and returns how many messages that were.
    fn send(&self, name: &str) -> usize {
        let sender = self.sender(name);
        let now = self.engine.decided_ms();
        (0..100)
            .take_while(|_| sender.send_one(now).unwrap() != Sending::Nothing)
            .count()
    }

    fn states(&self, destination: &str) -> Vec<(String, String)> {
        let all = self
            .following
            .feed
            .read(deliveries)
            .unwrap()
            .into_iter()
            .rev();
        let of = all.filter(|one| one.destination == destination);
        of.map(|one| (one.change, one.state)).collect()
    }
}

fn engine(following: &Following, alerting: &Arc<Alerting>, dir: &std::path::Path) -> Engine {
    Engine::open(
        Arc::clone(alerting),
        Arc::clone(&following.feed),
        &*following.store,
        Arc::clone(&following.host),
        dir,
    )
    .unwrap()
}

fn alerting(check: Check, to: &[(&str, &Receiver)]) -> Alerting {
    let mut rule = rule(check);
    rule.to = to.iter().map(|(name, _)| (*name).to_owned()).collect();
    Alerting {
        rules: vec![rule],
        destinations: to.iter().map(|(name, one)| one.destination(name)).collect(),
        ..Alerting::default()
    }
}

fn owned(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    let pairs = pairs.iter();
    pairs
        .map(|(a, b)| ((*a).to_owned(), (*b).to_owned()))
        .collect()
}

const HOUR: Duration = Duration::from_secs(3600);

#[test]
fn what_is_refused_is_sent_again_with_the_same_id_and_others_do_not_wait() {
    let (bad, good) = (
        Receiver::answering(&[BROKEN]),
        Receiver::answering(&[TAKEN]),
    );
    let to = [("bad", &bad), ("good", &good)];
    let mut bench = Bench::new(alerting(Check::Escalated, &to));
    bench.history.session(("shop", "h"), "refused", ESCALATED);
    bench.decide();
    assert_eq!((bench.send("bad"), bench.send("good")), (1, 1));
    assert_eq!(good.told().len(), 1);
    assert_eq!(bench.send("bad"), 0, "not at once");
    bench.pass(Duration::from_secs(6));
    assert_eq!(bench.send("bad"), 1);
    // It ends: nobody hears of that before they heard of its beginning.
    bench.history.session(("shop", "h"), "refused", CURED);
    bench.decide();
    assert_eq!((bench.send("bad"), bench.send("good")), (0, 1));
    assert_eq!(good.told()[1].kind, "alert.resolved");
    bad.now_answers(TAKEN);
    bench.pass(HOUR);
    assert_eq!(bench.send("bad"), 2);
    let told = bad.told();
    assert!(told[2].kind == "alert.firing" && told[3].kind == "alert.resolved");
    assert!(told[..3].iter().all(|one| one.id == told[0].id), "{told:?}");
}

#[test]
fn a_message_that_nobody_takes_is_dead_after_three_days_and_its_end_is_not_told() {
    let (bad, good) = (
        Receiver::answering(&[BROKEN]),
        Receiver::answering(&[TAKEN]),
    );
    let mut all = alerting(Check::Escalated, &[("bad", &bad)]);
    let failing = Check::DeliveryFailing { longer_than: HOUR };
    let mut about_us = rule(failing);
    about_us.name = "us".to_owned();
    about_us.to = vec!["bad".to_owned(), "good".to_owned()];
    all.rules.push(about_us);
    all.destinations.push(good.destination("good"));
    let mut bench = Bench::new(all);
    bench.history.session(("shop", "h"), "refused", ESCALATED);
    bench.decide();
    for _ in 0..80 {
        bench.send("bad");
        bench.pass(HOUR);
        bench.send("good");
    }
    let told = bad.told().len();
    assert!((8..=10).contains(&told), "{told}");
    assert_eq!(
        good.told().len(),
        1,
        "told by another channel that the first one fails"
    );
    // After a day an escalation that nobody answers ends; its end is told to nobody.
    let states = bench.states("bad");
    assert_eq!(
        states,
        owned(&[("firing", "dead"), ("resolved", "dropped")])
    );
}

#[test]
fn a_receiver_says_when_to_come_again_or_that_it_is_gone() {
    let later = Receiver::answering(&[LATER, TAKEN]);
    let mut bench = Bench::new(alerting(Check::Escalated, &[("ops", &later)]));
    bench.history.session(("shop", "h"), "refused", ESCALATED);
    bench.decide();
    assert_eq!(bench.send("ops"), 1);
    bench.pass(Duration::from_secs(3000));
    assert_eq!(bench.send("ops"), 0);
    bench.pass(Duration::from_secs(700));
    assert_eq!(bench.send("ops"), 1);
    later.now_answers(GONE);
    bench.history.session(("till", "h"), "refused", ESCALATED);
    bench.decide();
    assert_eq!(bench.send("ops"), 1);
    bench.history.session(("bank", "h"), "refused", ESCALATED);
    bench.pass(HOUR);
    assert_eq!(bench.send("ops"), 0, "it is disabled");
    assert_eq!(
        bench.states("ops"),
        owned(&[("firing", "sent"), ("firing", "dead")])
    );
}

#[test]
fn a_crash_loses_nothing_and_decides_nothing_twice() {
    let ops = Receiver::answering(&[TAKEN]);
    let mut bench = Bench::new(alerting(Check::Escalated, &[("ops", &ops)]));
    bench.history.session(("shop", "h"), "refused", ESCALATED);
    bench.decide();
    bench.crash();
    bench.decide();
    // Marked as being sent, and then killed: nobody knows whether it was.
    let marked = bench.following.feed.write(|connection| {
        connection.execute("UPDATE alert_message SET state = 'sending', tries = 1", [])
    });
    assert_eq!(marked.unwrap(), 1);
    bench.crash();
    bench.decide();
    assert_eq!(bench.send("ops"), 1);
    bench.crash();
    bench.decide();
    assert_eq!((bench.send("ops"), ops.told().len()), (0, 1));
}

#[test]
fn one_that_hangs_holds_up_no_other() {
    let (hangs, good) = (
        TcpListener::bind("127.0.0.1:0").unwrap(),
        Receiver::answering(&[TAKEN]),
    );
    let mut all = alerting(Check::Escalated, &[("good", &good)]);
    let url = format!("http://{}/", hangs.local_addr().unwrap());
    all.rules[0].to.insert(0, "hangs".to_owned());
    all.destinations.insert(
        0,
        Destination {
            name: "hangs".to_owned(),
            channel: Channel::Slack {
                url: OutboundUrl::parse(&url).unwrap(),
            },
        },
    );
    let mut bench = Bench::new(all);
    bench.history.session(("shop", "h"), "refused", ESCALATED);
    bench.decide();
    let now = bench.engine.decided_ms();
    let senders = vec![bench.sender("hangs"), bench.sender("good")];
    // It is left behind: what it does after the test is of no use to anybody.
    let limit = Duration::from_millis(500);
    send(senders, &*bench.following.host, (now, limit)).unwrap();
    let (waiting, _) = hangs.accept().unwrap();
    assert_eq!(good.told().len(), 1);
    assert_eq!(bench.states("hangs"), owned(&[("firing", "sending")]));
    drop(waiting);
}

/// What a receiver believes that looks at each id once: which projects need a person.
fn believed(told: &[Told]) -> Vec<String> {
    let mut ids = std::collections::BTreeSet::new();
    let once = told.iter().filter(|one| ids.insert(one.id.clone()));
    let projects = once.flat_map(|one| {
        let body: serde_json::Value = serde_json::from_str(&one.text).unwrap();
        let incidents = body["data"]["incidents"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        let labels = incidents
            .into_iter()
            .map(|one| one["labels"]["project"].clone());
        labels
            .map(|one| one.as_str().unwrap_or_default().to_owned())
            .collect::<Vec<_>>()
    });
    let mut projects: Vec<String> = projects.collect();
    projects.sort();
    projects
}

/// Copies the state of a server, as a crash would leave it now.
fn copy(from: &std::path::Path, to: &std::path::Path) {
    std::fs::create_dir_all(to.join("server")).unwrap();
    for file in from.join("server").read_dir().unwrap().flatten() {
        std::fs::copy(file.path(), to.join("server").join(file.file_name())).unwrap();
    }
}

#[test]
fn a_variant_that_sends_before_it_commits_would_be_seen() {
    for commits_first in [true, false] {
        let ops = Receiver::answering(&[TAKEN]);
        let rules = alerting(Check::Escalated, &[("ops", &ops)]);
        let mut bench = Bench::new(rules.clone());
        let copied = tempfile::TempDir::new().unwrap();
        if !commits_first {
            copy(bench.state.path(), copied.path());
        }
        bench.history.session(("b", "h"), "refused", ESCALATED);
        bench.decide();
        if commits_first {
            copy(bench.state.path(), copied.path());
        }
        assert_eq!(bench.send("ops"), 1);
        // The crash: what was not written by then is gone. Something else happens meanwhile.
        let Bench { mut history, .. } = bench;
        history.session(("a", "h"), "refused", ESCALATED);
        let mut bench = Bench::over(history, copied, rules);
        bench.decide();
        bench.send("ops");
        let is_right = believed(&ops.told()) == ["a", "b"];
        assert_eq!(is_right, commits_first, "{:?}", ops.told());
    }
}

#[test]
fn incidents_of_a_group_are_one_message_and_so_is_a_storm() {
    let ops = Receiver::answering(&[TAKEN]);
    let mut bench = Bench::new(alerting(Check::Escalated, &[("ops", &ops)]));
    bench.gather_ms = 10_000;
    for number in 0..5 {
        bench
            .history
            .session((&format!("p{number}"), "h"), "refused", ESCALATED);
        bench.decide();
    }
    assert_eq!(bench.send("ops"), 0, "others may come");
    bench.pass(Duration::from_secs(10));
    assert_eq!(bench.send("ops"), 1);
    for number in 5..60 {
        bench
            .history
            .session((&format!("p{number}"), "h"), "refused", ESCALATED);
        bench.decide();
        bench.send("ops");
    }
    bench.pass(Duration::from_secs(600));
    bench.send("ops");
    let told = ops.told().len();
    assert!((2..=4).contains(&told), "{told}");
    let alerts = bench.following.feed.read(active).unwrap();
    assert_eq!(alerts.len(), 60);
}

#[test]
fn what_is_over_before_it_was_told_is_told_to_nobody() {
    let ops = Receiver::answering(&[TAKEN]);
    let mut bench = Bench::new(alerting(Check::Escalated, &[("ops", &ops)]));
    bench.gather_ms = 10_000;
    bench.history.session(("shop", "h"), "refused", ESCALATED);
    bench.decide();
    bench.history.session(("shop", "h"), "refused", CURED);
    bench.decide();
    bench.pass(Duration::from_secs(60));
    assert_eq!((bench.send("ops"), ops.told().len()), (0, 0));
    assert_eq!(bench.states("ops"), owned(&[("firing", "dropped")]));
}

#[test]
fn what_is_critical_is_told_again_and_quiet_hours_hold_back_the_rest() {
    let ops = Receiver::answering(&[TAKEN]);
    let mut all = alerting(Check::Escalated, &[("ops", &ops)]);
    all.rules[0].repeat = Some(HOUR);
    // All of the day but one minute that the clock does not come to.
    all.quiet = Some("00:01-00:00".parse().unwrap());
    let mut bench = Bench::new(all.clone());
    bench.history.session(("shop", "h"), "refused", ESCALATED);
    bench.decide();
    assert_eq!(bench.send("ops"), 0);
    all.rules[0].severity = crate::alerts::config::Severity::Critical;
    bench.alerting = Arc::new(all);
    bench.crash();
    bench.decide();
    assert_eq!(bench.send("ops"), 1, "what was held is told once it may be");
    bench.pass(HOUR / 2);
    assert_eq!(bench.send("ops"), 0);
    bench.pass(HOUR / 2);
    assert_eq!(bench.send("ops"), 1);
    assert_eq!(ops.told()[1].kind, "alert.again");
}

#[test]
fn what_stands_in_the_way_of_a_beat_is_no_beat() {
    let ops = Receiver::answering(&[TAKEN]);
    let beat = Check::Heartbeat {
        name: "backup".to_owned(),
        every: HOUR,
        grace: HOUR,
    };
    let mut bench = Bench::new(alerting(beat, &[("ops", &ops)]));
    bench.decide();
    bench.pass(HOUR);
    assert_eq!(bench.send("ops"), 0);
    bench.pass(HOUR);
    assert_eq!(bench.send("ops"), 1, "it was never heard of in its time");
    let host: &Clocks = &bench.history.host;
    crate::alerts::beats::beat_in(bench.state.path(), "backup", host).unwrap();
    bench.crash();
    bench.decide();
    assert_eq!(bench.send("ops"), 1);
    bench.crash();
    bench.pass(HOUR);
    assert_eq!(
        bench.send("ops"),
        0,
        "a restart is no beat, and no end of one"
    );
    bench.pass(2 * HOUR);
    assert_eq!(
        bench.send("ops"),
        1,
        "the old file is no news after a restart"
    );
}
