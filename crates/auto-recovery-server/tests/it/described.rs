//! Requests made at random from the description of the API, and some that it does not describe:
//! none is answered with a mistake of ours, and each with a status, a kind and a shape that the
//! description has.
//!
//! `RECOVER_FAULTS` makes many more; a finding names the seed of its request.

mod request;
mod shape;

use auto_recovery::testing::{Campaign, Found, Random, Rounds, Wrong};
use auto_recovery_server::Scope;
use serde_json::Value;

use self::request::{Operation, Request, operations};
use self::shape::misfit;
use crate::client::{Answer, Stream, ask};
use crate::failures::session;
use crate::machine::{Kind, Machine, Running};
use crate::silences::watching;

/// Requests of a run.
const REQUESTS: Rounds = Rounds {
    ordinary: 500,
    long: 20_000,
};

fn machine() -> Machine {
    let mut machine = Machine::new(Kind::Sqlite);
    machine.alerting = watching(Vec::new());
    let store = machine.store();
    for id in ["s1", "s2", "a b/ä?"] {
        session(&*store, id, "shop", ("refused", id == "s1"));
    }
    machine
}

#[test]
fn every_answer_is_one_that_the_description_has() {
    let machine = machine();
    let server = machine.start();
    let (_, reader) = machine.tokens().add(None, Scope::Read).unwrap();
    let document = server.get("/openapi.json").json();
    let operations = operations(&document);
    let campaign = Campaign::begin("described", "requests at random from the description");
    let mut found = Found::nothing_in(REQUESTS.count());
    for seed in 1..=REQUESTS.count() {
        let mut random = Random::new(seed);
        let request = Request::drawn(&operations, &mut random, [&server.token, &reader]);
        let answer = answered(&server, &request);
        if let Some(why) = wrong(&document, &request, &answer) {
            let line = &request.line;
            found.wrong(Wrong::Other, || {
                format!("seed {seed}: {line} {:?}: {why}", request.headers)
            });
        }
    }
    // It lives, and so do all parts of it.
    assert_eq!(server.get("/readyz").text(), "ready\n");
    campaign.end(&found);
}

/// The answer to `request`; of a stream, its head alone.
fn answered(server: &Running, request: &Request) -> Answer {
    let path = request.line.split_once(' ').unwrap().1;
    let headers: Vec<&str> = request.headers.iter().map(String::as_str).collect();
    if request.line.starts_with("GET /api/v1/events") {
        let head = Stream::open(server.address, path, &headers).head;
        if head.starts_with("HTTP/1.1 200 ") {
            return Answer {
                status: 200,
                head,
                body: Vec::new(),
            };
        }
    }
    ask(server.address, &request.line, &headers, &request.body)
}

/// What is wrong with `answer`.
fn wrong(document: &Value, request: &Request, answer: &Answer) -> Option<String> {
    let status = answer.status;
    let kind = answer.header("content-type").unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default();
    if status >= 500 {
        return Some(format!("{status}: {}", answer.text()));
    }
    let Some(Operation { described, .. }) = request.operation else {
        let is_refused = matches!(status, 401 | 403 | 404 | 405 | 421 | 400);
        let is_problem = kind == "application/problem+json" || request.line.starts_with("HEAD");
        return (!is_refused || !is_problem).then(|| format!("{status} {kind}"));
    };
    let Some(response) = described["responses"].get(status.to_string()) else {
        return Some(format!("{status} is not described"));
    };
    let mut response = response.clone();
    if let Some(name) = response.get("$ref").and_then(Value::as_str) {
        response = document.pointer(&name[1..]).unwrap().clone();
    }
    let Some(kinds) = response.get("content") else {
        return (!answer.body.is_empty()).then(|| format!("{status} with a body"));
    };
    let Some(content) = kinds.get(kind) else {
        return Some(format!("{status} as {kind:?}"));
    };
    let is_json = kind.ends_with("json") && !kind.ends_with("ndjson");
    if !is_json || answer.header("content-encoding").is_some() {
        return None;
    }
    let Ok(value) = serde_json::from_slice::<Value>(&answer.body) else {
        return Some(format!("{status}: no JSON: {:?}", answer.body));
    };
    misfit(document, &content["schema"], &value).map(|why| format!("{status}: {why}"))
}

#[test]
fn a_status_a_kind_and_a_shape_that_are_not_described_are_found() {
    let machine = machine();
    let server = machine.start();
    let mut document = server.get("/openapi.json").json();
    let find = |document: &Value, change: &dyn Fn(&mut Answer)| {
        let operations = operations(document);
        let operation = operations.iter().find(|one| one.path == "/api/v1/sessions");
        let request = Request {
            line: "GET /api/v1/sessions".to_owned(),
            headers: vec![server.bearer()],
            body: Vec::new(),
            operation,
        };
        let mut answer = answered(&server, &request);
        change(&mut answer);
        wrong(document, &request, &answer)
    };
    assert_eq!(find(&document, &|_| ()), None);
    assert!(find(&document, &|answer| answer.status = 500).is_some());
    assert!(find(&document, &|answer| answer.status = 204).is_some());
    assert!(find(&document, &|answer| answer.head = "HTTP/1.1 200".to_owned()).is_some());
    assert!(find(&document, &|answer| answer.body.truncate(9)).is_some());
    let properties = &mut document["components"]["schemas"]["Session"]["properties"];
    properties.as_object_mut().unwrap().remove("session_id");
    assert!(find(&document, &|_| ()).is_some());
}
