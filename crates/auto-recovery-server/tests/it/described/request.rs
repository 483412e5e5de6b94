//! Requests that are drawn: mostly as the description has them, with texts that it does not expect.

use auto_recovery::testing::Random;
use serde_json::{Map, Value, json};

use crate::hostile::HOSTILE;
use crate::pages::encoded;

/// Texts that parameters and names may be.
const TEXTS: [&str; 14] = [
    "s1",
    "s2",
    "",
    "0",
    "-1",
    "1",
    "99999999999999999999",
    "7d",
    "2026-01-31",
    "null",
    "%",
    "..",
    "a b/ä?",
    "\u{feff}",
];

/// Methods that no path has.
const METHODS: [&str; 6] = ["DELETE", "PUT", "PATCH", "OPTIONS", "TRACE", "PROPFIND"];

/// One method of one path.
pub(super) struct Operation {
    pub(super) path: String,
    pub(super) method: String,
    pub(super) described: Value,
}

/// All that `document` describes.
pub(super) fn operations(document: &Value) -> Vec<Operation> {
    let paths = document["paths"].as_object().unwrap().iter();
    let all = paths.flat_map(|(path, methods)| {
        let methods = methods.as_object().unwrap().iter();
        methods.map(|(method, described)| Operation {
            path: path.clone(),
            method: method.to_uppercase(),
            described: described.clone(),
        })
    });
    all.collect()
}

/// A request, and the operation that it is for, if there is such a one.
pub(super) struct Request<'o> {
    pub(super) line: String,
    pub(super) headers: Vec<String>,
    pub(super) body: Vec<u8>,
    pub(super) operation: Option<&'o Operation>,
}

impl<'o> Request<'o> {
    /// One for some of `operations`, with one of `tokens` or a wrong one.
    pub(super) fn drawn(
        operations: &'o [Operation],
        random: &mut Random,
        tokens: [&str; 2],
    ) -> Self {
        let operation = &operations[random.index(operations.len())];
        let mut path = operation.path.clone();
        for place in ["{id}", "{name}"] {
            // A dot and two are no names in an address.
            let name = Some(text(random)).filter(|name| !matches!(name.as_str(), "" | ".."));
            path = path.replace(place, &encoded(&name.unwrap_or_else(|| "s1".to_owned())));
        }
        let mut is_known = true;
        let mut method = operation.method.clone();
        if random.chance(10) {
            (method, is_known) = (random.one_of(&METHODS).to_owned(), false);
        } else if random.chance(5) {
            path += "/no/more";
            is_known = false;
        }
        path += &query(operation, random);
        Self {
            line: format!("{method} {path}"),
            headers: headers(operation, random, tokens),
            body: match operation.method.as_str() {
                "POST" => body(operation, random),
                _ => Vec::new(),
            },
            operation: Some(operation).filter(|_| is_known),
        }
    }
}

fn text(random: &mut Random) -> String {
    match random.below(10) {
        0..7 => random.one_of(&TEXTS).to_owned(),
        7..9 => random.one_of(&HOSTILE).to_owned(),
        _ => "x".repeat(random.index(2000)),
    }
}

/// Some parameters of `operation`, and now and then one that it does not have or has twice.
fn query(operation: &Operation, random: &mut Random) -> String {
    let mut pairs = Vec::new();
    let known = operation.described["parameters"].as_array();
    for one in known.into_iter().flatten() {
        if one["in"] != "query" || !random.chance(40) {
            continue;
        }
        let name = one["name"].as_str().unwrap();
        pairs.push(format!(
            "{name}={}",
            encoded(&valued(&one["schema"], random))
        ));
        if random.chance(3) {
            pairs.push(format!("{name}={}", encoded(&text(random))));
        }
    }
    if random.chance(5) {
        pairs.push(format!(
            "{}={}",
            encoded(&text(random)),
            encoded(&text(random))
        ));
    }
    if random.chance(2) {
        pairs.push("%ff=%C3%28".to_owned());
    }
    match pairs.is_empty() {
        true => String::new(),
        false => format!("?{}", pairs.join("&")),
    }
}

/// A text that mostly fits `schema`.
fn valued(schema: &Value, random: &mut Random) -> String {
    if random.chance(25) {
        return text(random);
    }
    if let Some(all) = schema["enum"].as_array() {
        let one = &all[random.index(all.len())];
        return one.as_str().map_or_else(|| one.to_string(), str::to_owned);
    }
    match schema["type"].as_str() {
        Some("integer") => random.below(1200).to_string(),
        _ => text(random),
    }
}

fn headers(operation: &Operation, random: &mut Random, [admin, reader]: [&str; 2]) -> Vec<String> {
    let token = match random.below(20) {
        0 => "wrong",
        1 => reader,
        _ => admin,
    };
    let mut headers = vec![format!("Authorization: Bearer {token}")];
    let kinds = operation.described["requestBody"]["content"].as_object();
    let own = kinds.and_then(|kinds| kinds.keys().next());
    for (chance, header) in [
        (50, own.map(|kind| format!("Content-Type: {kind}"))),
        (10, Some("Content-Type: text/html".to_owned())),
        (10, Some("Accept-Encoding: gzip".to_owned())),
        (10, Some("Accept: application/x-ndjson".to_owned())),
        (5, Some("Accept: text/html".to_owned())),
        (10, Some("If-None-Match: *".to_owned())),
        (3, Some("Content-Encoding: gzip".to_owned())),
        (3, Some("Content-Encoding: br".to_owned())),
        (3, Some("Origin: http://evil.example".to_owned())),
        (2, Some("Host: evil.example".to_owned())),
        (3, Some("Last-Event-ID: 00000000.7".to_owned())),
        (3, Some("Range: bytes=0-1".to_owned())),
    ] {
        if random.chance(chance) {
            headers.extend(header);
        }
    }
    headers
}

/// A body that mostly fits, of one line or of several.
fn body(operation: &Operation, random: &mut Random) -> Vec<u8> {
    let kinds = operation.described["requestBody"]["content"].as_object();
    let Some((kind, content)) = kinds.and_then(|kinds| kinds.iter().next()) else {
        return Vec::new();
    };
    let lines = if kind.ends_with("ndjson") {
        random.below(4)
    } else {
        1
    };
    let mut body = Vec::new();
    for _ in 0..lines {
        match random.below(10) {
            0 => body.extend(b"\xff\0{"),
            1 => body.extend(text(random).into_bytes()),
            2 => body.extend(any(random, 3).to_string().into_bytes()),
            3 if kind.ends_with("ndjson") => body.extend(entry(random).to_string().into_bytes()),
            _ => body.extend(fitting(&content["schema"], random).to_string().into_bytes()),
        }
        body.push(b'\n');
    }
    body
}

fn entry(random: &mut Random) -> Value {
    json!({
        "session_id": text(random), "entry_id": text(random), "error_type": text(random),
        "strategy": text(random), "attempt_number": any(random, 0), "success": random.chance(50),
        "error_message": text(random),
    })
}

/// A value that mostly fits `schema`.
fn fitting(schema: &Value, random: &mut Random) -> Value {
    let mut object = Map::new();
    for (name, of) in schema["properties"].as_object().into_iter().flatten() {
        if random.chance(20) {
            continue;
        }
        let value = match of["type"].as_str() {
            Some("integer") => json!(random.below(5000)),
            Some("object") => {
                let names = ["project", "rule", "severity", "host", &text(random)];
                let name = names[random.index(names.len())].to_owned();
                json!({name: text(random)})
            }
            _ if random.chance(20) => any(random, 1),
            _ => json!(text(random)),
        };
        object.insert(name.clone(), value);
    }
    Value::Object(object)
}

/// Any value, at most `depth` deep.
fn any(random: &mut Random, depth: u32) -> Value {
    match random.below(if depth == 0 { 6 } else { 8 }) {
        0 => Value::Null,
        1 => json!(random.chance(50)),
        2 => json!(random.bits()),
        3 => json!(-1.5e300),
        4 | 5 => json!(text(random)),
        6 => json!([any(random, depth - 1), any(random, depth - 1)]),
        _ => json!({text(random): any(random, depth - 1)}),
    }
}
