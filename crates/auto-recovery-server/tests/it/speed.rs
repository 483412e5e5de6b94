//! Pages over a large store: how long until they begin, and how large they are.
//!
//! `RECOVER_SESSIONS=100000` is the size that is promised, which takes minutes to make and an
//! optimised build to be true; without it there are fewer.

use std::fmt::Write as _;
use std::time::Duration;

use auto_recovery::host::{Host as _, SystemHost};

use crate::machine::{Kind, Machine};
use crate::past;

const SESSIONS: u64 = 1000;

/// The promise: until the first byte, and bytes of a page.
const WAIT: Duration = Duration::from_millis(100);
const BYTES_MAX: usize = 150 * 1024;

/// How often each page is asked for; the median counts.
const TIMES: usize = 9;

#[test]
fn pages_are_small_and_quick() {
    let promised = promised();
    let sessions = promised.unwrap_or(SESSIONS);
    let host = SystemHost::new();
    let machine = Machine::new(Kind::Sqlite);
    past::fill(&*machine.store(), sessions, (400, host.now()));
    let server = machine.start();
    let kind = server.get("/api/v1/failures").json()["items"][0]["kind"].clone();
    let newest = server.get("/api/v1/sessions?limit=1").json()["items"][0]["session_id"].clone();
    let paths = [
        "/".to_owned(),
        "/?since=400d".to_owned(),
        "/sessions".to_owned(),
        "/sessions?project=shop&outcome=escalated".to_owned(),
        format!("/sessions/{}", newest.as_str().unwrap()),
        "/failures".to_owned(),
        "/failures?project=shop&sort=last&tz=Asia/Kathmandu".to_owned(),
        format!("/failures/{}", kind.as_str().unwrap()),
        "/advice".to_owned(),
        "/stats".to_owned(),
        "/stats?by=project&since=30d".to_owned(),
        "/live".to_owned(),
        "/about".to_owned(),
    ];
    let mut figures = String::new();
    let mut slow = Vec::new();
    for path in &paths {
        let mut waits = Vec::new();
        let mut bytes = 0;
        for _ in 0..TIMES {
            let begin = host.monotonic();
            bytes = server.get(path).body.len();
            waits.push(host.monotonic() - begin);
        }
        waits.sort();
        let wait = waits[TIMES / 2];
        writeln!(
            figures,
            "{path}: {} ms, {} KB",
            wait.as_millis(),
            bytes / 1024
        )
        .unwrap();
        assert!(bytes <= BYTES_MAX, "{path}: {bytes} bytes");
        if wait > WAIT {
            slow.push(path);
        }
    }
    let memory = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let resident = memory.lines().find(|line| line.starts_with("VmRSS"));
    writeln!(
        figures,
        "{sessions} sessions, {}",
        resident.unwrap_or_default()
    )
    .unwrap();
    assert!(slow.is_empty() || promised.is_none(), "{figures}");
}

#[expect(
    clippy::disallowed_methods,
    reason = "a test is told by its environment how long it may take"
)]
fn promised() -> Option<u64> {
    let text = std::env::var("RECOVER_SESSIONS").ok()?;
    Some(text.parse().unwrap())
}
