//! A real Prometheus, which scrapes a server: what is shipped for it is answered with series.

#![expect(
    clippy::disallowed_methods,
    reason = "it runs and waits for a program of others"
)]

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use auto_recovery::audit::{JournalEvent, SessionFinished, SessionOutcome};
use serde_json::Value;
use tempfile::TempDir;

use crate::client::{LONG, ask};
use crate::machine::{Kind, Machine, Running, entry, started};

/// Ended when the test is.
struct Prometheus {
    child: Child,
    port: u16,
    dir: TempDir,
}

impl Prometheus {
    fn scraping(server: &Running, token_file: &Path) -> Self {
        let dir = TempDir::new().unwrap();
        let config = format!(
            "global: {{scrape_interval: 500ms, evaluation_interval: 500ms}}\n\
             rule_files: [{}]\n\
             scrape_configs:\n\
             - job_name: recover\n  \
               authorization: {{credentials_file: {}}}\n  \
               static_configs: [{{targets: [\"{}\"]}}]\n",
            shipped("prometheus/recover.rules.yml").display(),
            token_file.display(),
            server.address,
        );
        let file = dir.path().join("prometheus.yml");
        std::fs::write(&file, config).unwrap();
        // It cannot be told to take any port and to say which.
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr();
        let port = free.unwrap().port();
        let child = Command::new("prometheus")
            .arg(format!("--config.file={}", file.display()))
            .arg(format!(
                "--storage.tsdb.path={}",
                dir.path().join("data").display()
            ))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(dir.path().join("log")).unwrap())
            .spawn()
            .unwrap();
        let prometheus = Self { child, port, dir };
        let begun = Instant::now();
        loop {
            let log = std::fs::read_to_string(prometheus.dir.path().join("log")).unwrap();
            if log.contains("Server is ready") {
                return prometheus;
            }
            assert!(begun.elapsed() < LONG, "{log}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// The answer to `path`.
    fn ask(&self, path: &str) -> Value {
        let address = ([127, 0, 0, 1], self.port).into();
        ask(address, &format!("GET {path}"), &[], b"").json()
    }

    /// The series that `query` has.
    fn series(&self, query: &str) -> Vec<Value> {
        let query: String = query.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let answer = self.ask(&format!("/api/v1/query?query={query}"));
        assert_eq!(answer["status"], "success", "{answer}");
        answer["data"]["result"].as_array().unwrap().clone()
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

fn shipped(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../contrib")
        .join(name)
        .canonicalize()
        .unwrap()
}

fn record(machine: &Machine, session: &str, outcome: SessionOutcome) {
    let store = machine.store();
    store.record(Some(session), started("shop")).unwrap();
    let entries = (1..=3).map(|number| entry(session, number));
    store.append(entries.collect()).unwrap();
    let finished = SessionFinished {
        outcome,
        flaky: outcome == SessionOutcome::Recovered,
        ..SessionFinished::default()
    };
    store
        .record(Some(session), JournalEvent::SessionFinished(finished))
        .unwrap();
}

#[test]
fn every_expression_of_the_dashboard_has_series_and_rules_are_taken() {
    let machine = Machine::new(Kind::Sqlite);
    let server = machine.start();
    record(&machine, "first", SessionOutcome::Recovered);
    record(&machine, "second", SessionOutcome::Escalated);
    let prometheus = Prometheus::scraping(&server, &machine.token_file());
    let begun = Instant::now();
    let outcomes = "recover_sessions_total";
    while prometheus.series(outcomes).len() < 2 {
        assert!(
            begun.elapsed() < LONG,
            "{:?}",
            prometheus.ask("/api/v1/targets")
        );
        std::thread::sleep(Duration::from_millis(100));
    }
    // A rate needs two looks.
    record(&machine, "third", SessionOutcome::Recovered);
    record(&machine, "fourth", SessionOutcome::Escalated);
    let dashboard = std::fs::read(shipped("grafana/recover.json")).unwrap();
    let dashboard: Value = serde_json::from_slice(&dashboard).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let targets = panels
        .iter()
        .flat_map(|panel| panel["targets"].as_array().unwrap());
    let queries: Vec<_> = targets
        .map(|target| target["expr"].as_str().unwrap())
        .map(|query| {
            query
                .replace("$__rate_interval", "1m")
                .replace("$__range", "1m")
        })
        .map(|query| query.replace("$instance", ".*"))
        .collect();
    assert!(queries.len() > 10);
    for query in &queries {
        let begun = Instant::now();
        while prometheus.series(query).is_empty() {
            assert!(begun.elapsed() < LONG, "no series: {query}");
            std::thread::sleep(Duration::from_millis(100));
        }
    }
    let metadata = prometheus.ask("/api/v1/targets/metadata");
    let told = metadata["data"].as_array().unwrap();
    for one in told
        .iter()
        .filter(|one| one["metric"].as_str().unwrap().starts_with("recover_"))
    {
        assert_ne!(one["help"], "", "{one}");
        assert_ne!(one["type"], "unknown", "{one}");
    }
    let rules = prometheus.ask("/api/v1/rules");
    let rules = rules["data"]["groups"][0]["rules"].as_array().unwrap();
    assert_eq!(rules.len(), 8);
    for rule in rules {
        assert!(rule["lastError"].is_null(), "{rule}");
    }
}

#[test]
fn promtool_has_no_complaint_of_the_rules_and_the_metrics() {
    let rules = shipped("prometheus/recover.rules.test.yml");
    let tested = Command::new("promtool")
        .args(["test", "rules"])
        .arg(&rules)
        .output()
        .unwrap();
    assert!(tested.status.success(), "{tested:?}");
    let machine = Machine::new(Kind::Sqlite);
    let server = machine.start();
    record(&machine, "first", SessionOutcome::Recovered);
    let metrics = server.get("/metrics").text();
    let mut promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    std::io::Write::write_all(promtool.stdin.as_mut().unwrap(), metrics.as_bytes()).unwrap();
    let checked = promtool.wait_with_output().unwrap();
    assert!(
        checked.status.success() && checked.stderr.is_empty(),
        "{checked:?}"
    );
}
