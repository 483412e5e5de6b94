//! Compression on the wire: the same bytes in less room, and nothing that unpacks to too much.

use std::io::{Read as _, Write as _};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use serde_json::json;

use crate::machine::{Kind, Machine, entry};

const GZIP: &str = "Accept-Encoding: gzip";

fn packed(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn unpacked(bytes: &[u8]) -> Vec<u8> {
    let mut whole = Vec::new();
    GzDecoder::new(bytes).read_to_end(&mut whole).unwrap();
    whole
}

#[test]
fn answers_of_the_api_are_the_same_in_less_room_for_who_wants_that() {
    let machine = Machine::new(Kind::Jsonl);
    machine
        .store()
        .append((1..=200).map(|number| entry("s", number)).collect())
        .unwrap();
    let server = machine.start();
    for path in [
        "/api/v1/sessions/s/trail",
        "/api/v1/sessions/s/entries",
        "/api/v1/stats",
        "/api/v1/export?format=jsonl",
        "/api/v1/export?format=csv",
    ] {
        let plain = server.ask(&format!("GET {path}"), &[]);
        let less = server.ask(&format!("GET {path}"), &[GZIP]);
        assert_eq!((plain.status, less.status), (200, 200), "{path}");
        assert_eq!(plain.header("content-encoding"), None, "{path}");
        if plain.body.len() < 1024 {
            assert_eq!(less.header("content-encoding"), None, "{path}");
            continue;
        }
        assert_eq!(less.header("content-encoding"), Some("gzip"), "{path}");
        assert!(less.header("vary").is_some(), "{path}: {}", less.head);
        assert!(less.body.len() * 2 < plain.body.len(), "{path}");
        assert!(unpacked(&less.body) == plain.body, "{path}");
    }
    for path in ["/", "/sessions/s", "/static/app.js"] {
        let page = server.ask(&format!("GET {path}"), &[GZIP]);
        assert_eq!(page.header("content-encoding"), None, "{path}");
    }
}

#[test]
fn bodies_that_come_packed_are_recorded_and_none_unpacks_to_too_much() {
    let machine = Machine::new(Kind::Jsonl);
    let store = machine.store();
    let server = machine.start();
    let post = |path: &str, coding: &str, body: &[u8]| {
        let header = format!("Content-Encoding: {coding}");
        server
            .send(&format!("POST {path}"), &[&header], body)
            .status
    };
    let line = json!({"session_id": "s", "strategy": "retry", "success": true, "error_type": "E"});
    let lines = format!("{line}\n{line}\n");
    assert_eq!(
        post("/api/v1/entries", "gzip", &packed(lines.as_bytes())),
        200
    );
    let mut new = entry("t", 1).entry;
    new.entry_id = "e".to_owned();
    let entry: serde_json::Value = serde_json::from_str(&new.to_json()).unwrap();
    let batch = json!({"entry": entry}).to_string();
    assert_eq!(
        post("/api/v1/batch", "GZIP", &packed(batch.as_bytes())),
        200
    );
    assert_eq!(post("/api/v1/batch", "identity", batch.as_bytes()), 200);
    let recorded = || {
        let sessions = store.sessions().unwrap();
        sessions.iter().map(|one| one.total_attempts).sum::<u64>()
    };
    assert_eq!(recorded(), 3);
    let bomb = packed(&vec![b'\n'; 64 * 1024 * 1024]);
    assert!(bomb.len() < 1024 * 1024, "{}", bomb.len());
    let whole = packed(lines.as_bytes());
    for path in ["/api/v1/entries", "/api/v1/batch"] {
        assert_eq!(post(path, "gzip", &bomb), 413, "{path}");
        assert_eq!(
            post(path, "gzip", lines.as_bytes()),
            400,
            "{path}: it is none"
        );
        assert_eq!(
            post(path, "gzip", &whole[..whole.len() / 2]),
            400,
            "{path}: cut off"
        );
        for coding in ["br", "gzip, gzip", "identity, gzip", "zstd"] {
            assert_eq!(post(path, coding, &whole), 415, "{path}: {coding}");
        }
    }
    assert_eq!(recorded(), 3);
}
