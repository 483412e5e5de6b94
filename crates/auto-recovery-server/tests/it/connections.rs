//! Connections that say nothing, say it slowly, or are many.

use std::io::{Read as _, Write as _};
use std::time::{Duration, Instant};

use crate::client::connect;
use crate::machine::{Kind, Machine};

/// Slower than a server that heeds its limit, and faster than one that has none.
const CLOSED_WITHIN: Duration = Duration::from_secs(10);

#[test]
#[expect(clippy::disallowed_methods, reason = "the limit is one of real time")]
fn who_says_nothing_or_half_a_head_is_let_go() {
    let machine = Machine::new(Kind::Jsonl);
    let server = machine.start();
    let begin = Instant::now();
    let silent = connect(server.address);
    let mut half = connect(server.address);
    half.write_all(b"GET / HTTP/1.1\r\nHost: loc").unwrap();
    let mut idle = connect(server.address);
    idle.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .unwrap();
    for mut stream in [silent, half, idle] {
        stream.set_read_timeout(Some(CLOSED_WITHIN)).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
    }
    assert!(begin.elapsed() < CLOSED_WITHIN);
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the limit is one of real time")]
fn silent_crowds_keep_nobody_waiting() {
    let machine = Machine::new(Kind::Jsonl);
    let server = machine.start();
    // More than there are places.
    let crowd: Vec<_> = (0..1100).map(|_| connect(server.address)).collect();
    let begin = Instant::now();
    server.get("/healthz");
    server.get("/api/v1/sessions");
    assert!(
        begin.elapsed() < Duration::from_secs(4),
        "{:?}",
        begin.elapsed()
    );
    drop(crowd);
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the limit is one of real time")]
fn streams_end_with_the_server_at_once() {
    let machine = Machine::new(Kind::Jsonl);
    let server = machine.start();
    let mut streams: Vec<_> = (0..100).map(|_| server.lines("/api/v1/events")).collect();
    let begin = Instant::now();
    server.end();
    assert!(
        begin.elapsed() < Duration::from_secs(5),
        "{:?}",
        begin.elapsed()
    );
    for stream in &mut streams {
        assert_eq!(stream.json(), None);
    }
}

#[test]
fn nonsense_is_refused_and_hurts_nobody() {
    let machine = Machine::new(Kind::Jsonl);
    let server = machine.start();
    for nonsense in [
        &b"\0\0\0\0\r\n\r\n"[..],
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ] {
        let mut stream = connect(server.address);
        stream.write_all(nonsense).unwrap();
        let mut answer = Vec::new();
        let _reset = stream.read_to_end(&mut answer);
        assert!(!answer.starts_with(b"HTTP/1.1 2"), "{nonsense:?}");
    }
    server.get("/healthz");
}

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "the limits are ones of real time"
)]
fn five_hundred_that_are_slow_keep_nobody_waiting_and_are_let_go() {
    let machine = Machine::new(Kind::Jsonl);
    let server = machine.start();
    let bearer = server.bearer();
    let begin = Instant::now();
    let mut crowd: Vec<_> = (0..512).map(|_| connect(server.address)).collect();
    for (number, stream) in crowd.iter_mut().enumerate() {
        let half = match number % 3 {
            0 => "G".to_owned(),
            1 => "GET /api/v1/sessions HTTP/1.1\r\nHost: localhost\r\nX: ".to_owned(),
            // The body has one byte, and nothing follows.
            _ => format!(
                "POST /api/v1/silences HTTP/1.1\r\nHost: localhost\r\n{bearer}\r\n\
                 Content-Length: 99\r\n\r\n{{"
            ),
        };
        stream.write_all(half.as_bytes()).unwrap();
    }
    let asked = Instant::now();
    for path in ["/healthz", "/api/v1/sessions", "/sessions"] {
        server.get(path);
    }
    assert!(
        asked.elapsed() < Duration::from_secs(4),
        "{:?}",
        asked.elapsed()
    );
    // A head has 5 s, a body 10 s: who goes on slowly is let go all the same.
    let mut refused = 0;
    for stream in &mut crowd {
        let _reset = stream.write_all(b"x");
        stream.set_read_timeout(Some(CLOSED_WITHIN * 4)).unwrap();
        let mut answer = Vec::new();
        let _reset = stream.read_to_end(&mut answer);
        assert!(!answer.starts_with(b"HTTP/1.1 2"), "{answer:?}");
        refused += usize::from(answer.starts_with(b"HTTP/1.1 408"));
    }
    assert!(begin.elapsed() < CLOSED_WITHIN * 4, "{:?}", begin.elapsed());
    assert!(refused > 0, "a slow body is told so");
    server.get("/healthz");
}
