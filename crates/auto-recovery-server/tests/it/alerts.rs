//! Alerts told to programs that others wrote: a real Alertmanager, a verifier of signatures, and a
//! server of mail where mail is built in.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use auto_recovery::Failure;
use auto_recovery::audit::{
    AuditStore, FailureDetected, JournalEvent, SessionFinished, SessionOutcome,
};
use auto_recovery::host::{Host, SystemHost};
use auto_recovery_server::{
    Alerting, Channel, Check, Destination, OutboundUrl, Rule, Secret, Severity, check,
};
use tempfile::TempDir;

use crate::client::ask;
use crate::machine::{Kind, Machine, started};

/// Looks until something is so.
const LOOKS_MAX: u32 = 600;
const LOOK: Duration = Duration::from_millis(50);

pub(crate) fn alerting(channel: Channel) -> Alerting {
    Alerting {
        rules: vec![Rule {
            name: "person".to_owned(),
            check: Check::Escalated,
            hold: Duration::ZERO,
            keep_firing: Duration::ZERO,
            group_by: Vec::new(),
            severity: Severity::Critical,
            to: vec!["ops".to_owned()],
            repeat: None,
        }],
        destinations: vec![Destination {
            name: "ops".to_owned(),
            channel,
        }],
        ..Alerting::default()
    }
}

/// A session of the project `shop` ends.
fn session(store: &dyn AuditStore, id: &str, outcome: SessionOutcome) {
    let message = "connection refused\r\nBcc: all@example.org\r\n\r\n<!channel>";
    let failure = Failure::new("ECONNREFUSED", message, "curl");
    let detected = serde_json::json!({
        "failure": failure, "category": "transient", "rule": "a test",
    });
    let detected: FailureDetected = serde_json::from_value(detected).unwrap();
    let finished = SessionFinished {
        outcome,
        ..SessionFinished::default()
    };
    for event in [
        started("shop"),
        JournalEvent::FailureDetected(Box::new(detected)),
        JournalEvent::SessionFinished(finished),
    ] {
        store.record(Some(id), event).unwrap();
    }
}

/// Follows, decides and sends once. Returns whether something fires.
fn look(machine: &Machine, state: &Path, channel: Channel) -> bool {
    let host = Arc::new(SystemHost::new());
    let checked = check(machine.store(), host, state, alerting(channel)).unwrap();
    checked.alerts.iter().any(|alert| alert.state == "firing")
}

fn until(mut is_so: impl FnMut() -> bool) {
    let host = SystemHost::new();
    for _ in 0..LOOKS_MAX {
        if is_so() {
            return;
        }
        host.sleep(LOOK);
    }
    panic!("that did not come to be");
}

#[expect(clippy::disallowed_methods, reason = "tests start what they talk to")]
fn command(program: impl AsRef<std::ffi::OsStr>) -> Command {
    Command::new(program)
}

/// A program that is ended with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

fn skipped(why: &str) {
    writeln!(std::io::stderr(), "skipped: {why}").ok();
}

/// Python with what tests talk to, if `scripts/tools` installed it.
fn python() -> Option<PathBuf> {
    let tools = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("tools");
    Some(tools.join("venv/bin/python")).filter(|python| python.exists())
}

/// Alertmanager, and where it listens.
fn alertmanager(dir: &Path) -> Option<(Running, SocketAddr)> {
    let programs = ["/usr/bin/prometheus-alertmanager", "/usr/bin/alertmanager"];
    let program = programs.into_iter().find(|path| Path::new(path).exists())?;
    let config = dir.join("alertmanager.yml");
    let text =
        "global: {resolve_timeout: 1s}\nroute: {receiver: none}\nreceivers: [{name: none}]\n";
    std::fs::write(&config, text).unwrap();
    let child = command(program)
        .arg(format!("--config.file={}", config.display()))
        .arg(format!("--storage.path={}", dir.display()))
        .args([
            "--web.listen-address=127.0.0.1:0",
            "--cluster.listen-address=",
        ])
        .stderr(Stdio::piped())
        .spawn();
    let mut running = Running(child.unwrap());
    let said = BufReader::new(running.0.stderr.take().unwrap());
    let mut lines = said.lines().map_while(Result::ok);
    let address = lines.find_map(|line| {
        let words = line.split(&[' ', '"', '='][..]);
        words.filter_map(|word| word.parse().ok()).next()
    });
    // What it says from now on nobody reads, and it must not wait for that.
    std::thread::spawn(move || lines.for_each(drop));
    Some((running, address.unwrap()))
}

#[test]
fn alertmanager_keeps_what_fires_and_ends_what_is_over() {
    let dir = TempDir::new().unwrap();
    let Some((_running, address)) = alertmanager(dir.path()) else {
        return skipped("prometheus-alertmanager is not installed");
    };
    let channel = || Channel::Alertmanager {
        url: OutboundUrl::parse(&format!("http://{address}")).unwrap(),
    };
    let (machine, state) = (Machine::new(Kind::Jsonl), TempDir::new().unwrap());
    let alerts = || {
        let answer = ask(address, "GET /api/v2/alerts", &[], b"");
        answer.json().as_array().unwrap().clone()
    };
    until(|| ask(address, "GET /-/ready", &[], b"").status == 200);
    session(&*machine.store(), "s1", SessionOutcome::Escalated);
    assert!(look(&machine, state.path(), channel()));
    until(|| alerts().len() == 1);
    let before = alerts();
    assert_eq!(before[0]["labels"]["alertname"], "person");
    assert_eq!(before[0]["labels"]["project"], "shop");
    assert_eq!(before[0]["status"]["state"], "active");
    // Longer than what ends an alert there that has no end of its own.
    SystemHost::new().sleep(Duration::from_secs(2));
    assert!(
        look(&machine, state.path(), channel()),
        "told again, and not anew"
    );
    let after = alerts();
    assert_eq!(after.len(), 1);
    assert_eq!(after[0]["fingerprint"], before[0]["fingerprint"]);
    assert_eq!(after[0]["startsAt"], before[0]["startsAt"]);
    assert!(after[0]["endsAt"].as_str() > before[0]["endsAt"].as_str());
    session(&*machine.store(), "s2", SessionOutcome::Recovered);
    assert!(!look(&machine, state.path(), channel()));
    until(|| alerts().is_empty());
}

/// A receiver of one request, which it writes down: headers, an empty line, the body.
fn receiver() -> (OutboundUrl, std::thread::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let thread = std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let mut reader = BufReader::new(stream);
        let (mut text, mut length) = (String::new(), 0);
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).unwrap();
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
            text.push_str(&line);
            if line.trim().is_empty() {
                break;
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
        reader
            .into_inner()
            .write_all(b"HTTP/1.1 200 OK\r\n\r\n")
            .unwrap();
        text + &String::from_utf8(body).unwrap()
    });
    (OutboundUrl::parse(&url).unwrap(), thread)
}

#[test]
fn a_verifier_of_others_takes_the_signature_of_each_key() {
    const VERIFY: &str = "
import sys
from standardwebhooks.webhooks import Webhook
head, body = sys.stdin.read().split('\\r\\n\\r\\n', 1)
headers = dict(line.split(': ', 1) for line in head.split('\\r\\n')[1:])
Webhook(sys.argv[1]).verify(body, {name.lower(): value for name, value in headers.items()})
";
    let Some(python) = python() else {
        return skipped("standardwebhooks is not installed: scripts/tools does that");
    };
    let keys = [
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
    ];
    let (url, receiver) = receiver();
    let (machine, state) = (Machine::new(Kind::Jsonl), TempDir::new().unwrap());
    session(&*machine.store(), "s1", SessionOutcome::Escalated);
    let secrets = keys.iter().map(|key| Secret((*key).to_owned())).collect();
    assert!(look(
        &machine,
        state.path(),
        Channel::Webhook { url, secrets }
    ));
    let told = receiver.join().unwrap();
    let verified = |key: &str, told: &str| {
        let mut child = command(&python)
            .args(["-c", VERIFY, key])
            .stdin(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        child
            .stdin
            .take()
            .unwrap()
            .write_all(told.as_bytes())
            .unwrap();
        child.wait().unwrap().success()
    };
    for key in keys {
        assert!(verified(key, &told), "{told}");
    }
    assert!(!verified(keys[0], &told.replace("shop", "shed")));
}

#[cfg(feature = "smtp")]
#[test]
fn a_server_of_mail_takes_the_message() {
    use auto_recovery_server::{Mail, MailTls};

    const SERVE: &str = "
import sys, asyncio
from aiosmtpd.controller import Controller
class Handler:
    async def handle_DATA(self, server, session, envelope):
        print(envelope.rcpt_tos, flush=True)
        print(repr(envelope.content.decode()), flush=True)
        return '250 taken'
import socket
free = socket.socket(); free.bind(('127.0.0.1', 0)); port = free.getsockname()[1]; free.close()
controller = Controller(Handler(), hostname='127.0.0.1', port=port)
controller.start()
print(port, flush=True)
sys.stdin.read()
";
    let Some(python) = python() else {
        return skipped("aiosmtpd is not installed: scripts/tools does that");
    };
    let child = command(&python)
        .args(["-c", SERVE])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn();
    let mut running = Running(child.unwrap());
    let mut said = BufReader::new(running.0.stdout.take().unwrap()).lines();
    let mut next = || said.next().unwrap().unwrap();
    let channel = Channel::Mail(Mail {
        host: "127.0.0.1".to_owned(),
        port: next().parse().unwrap(),
        tls: MailTls::Plain,
        login: None,
        from: "recover@example.org".to_owned(),
        to: vec!["ops@example.org".to_owned()],
    });
    let (machine, state) = (Machine::new(Kind::Jsonl), TempDir::new().unwrap());
    session(&*machine.store(), "s1", SessionOutcome::Escalated);
    assert!(look(&machine, state.path(), channel));
    assert_eq!(next(), "['ops@example.org']");
    let mail = next();
    let (head, body) = mail.split_once("\\r\\n\\r\\n").unwrap();
    assert!(head.contains("Auto-Submitted: auto-generated"), "{head}");
    assert!(head.contains("Message-ID: <msg_"), "{head}");
    assert!(!head.contains("Bcc"), "{head}");
    assert!(body.contains("recover show s1"), "{body}");
}

#[test]
fn a_server_decides_tells_and_shows_it() {
    let (url, receiver) = receiver();
    let mut machine = Machine::new(Kind::Sqlite);
    machine.alerting = Alerting {
        gather: Some(Duration::ZERO),
        ..alerting(Channel::Webhook {
            url,
            secrets: Vec::new(),
        })
    };
    machine.alerting.rules.push(Rule {
        name: "nightly".to_owned(),
        check: Check::Heartbeat {
            name: "backup".to_owned(),
            every: Duration::from_secs(3600),
            grace: Duration::ZERO,
        },
        ..machine.alerting.rules[0].clone()
    });
    let server = machine.start();
    session(&*machine.store(), "s1", SessionOutcome::Escalated);
    let told = receiver.join().unwrap();
    assert!(told.contains("\"type\":\"alert.firing\""), "{told}");
    let items = |path: &str| {
        let answer = server.get(path).json();
        answer["items"].as_array().unwrap().clone()
    };
    until(|| {
        items("/api/v1/deliveries")
            .iter()
            .any(|one| one["state"] == "sent")
    });
    let alerts = items("/api/v1/alerts");
    assert_eq!(alerts[0]["sessions"][0], "s1");
    let page = server.get("/alerts").text();
    let incident = alerts[0]["incident"].as_str().unwrap();
    assert!(
        page.contains(incident) && page.contains("▲ firing"),
        "{page}"
    );
    assert!(
        page.contains("sent: taken") && !page.contains("<!channel>"),
        "{page}"
    );
    let metrics = server.get("/metrics").text();
    for line in [
        "recover_alerts{rule=\"person\",state=\"firing\"} 1",
        "recover_alerts{rule=\"nightly\",state=\"firing\"} 0",
        "recover_notifications_total{channel=\"webhook\",result=\"sent\"} 1",
    ] {
        assert!(metrics.contains(line), "{line}: {metrics}");
    }
    let beaten = server.ask("POST /api/v1/heartbeats/backup", &[]);
    assert_eq!(beaten.status, 204);
    let refused = server.ask("POST /api/v1/heartbeats/.evil", &[]);
    assert_eq!(refused.status, 400, "{}", refused.text());
}
