//! A run as SARIF 2.1.0: the failure as one result of the tool `recover`.
//!
//! What is left is an error; what was cured here by a change is a warning, for the commit still has
//! it; what passed by being run again is no result. Readers refuse a result without a place, so a
//! failure that names no file in the workspace is a notification of the run instead.

use serde_json::{Value, json};

use super::ci::{CiReport, Spot, Verdict, type_of};
use super::short::cut;
use crate::escape::{Escapes, escape_bytes};
use crate::failure::Failure;

/// The schema that a document says it keeps.
const SCHEMA: &str =
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

/// Bytes of a result's message.
const MESSAGE_BYTES_MAX: usize = 4096;

/// `report` as a SARIF document.
pub fn sarif(report: &CiReport) -> String {
    let found = match report.verdict() {
        Verdict::Failed => report.deciding().map(|failure| (failure, "error")),
        Verdict::Cured => report.failure.as_ref().map(|failure| (failure, "warning")),
        Verdict::Passed | Verdict::Flaky => None,
    };
    let placed = found.and_then(|(failure, level)| Some((failure, level, report.spot(failure)?)));
    let rules: Vec<_> = found
        .iter()
        .map(|(failure, _)| json!({"id": type_of(failure)}))
        .collect();
    let mut invocation = json!({
        "commandLine": cut(&report.command, MESSAGE_BYTES_MAX),
        "exitCode": report.exit_code,
        // The tool is `recover`, and it did its work.
        "executionSuccessful": report.outcome != "error",
    });
    if let (Some((failure, level)), None) = (found, &placed) {
        invocation["toolExecutionNotifications"] = json!([{
            "level": level,
            "message": {"text": message(failure)},
            "associatedRule": {"id": type_of(failure), "index": 0},
        }]);
    }
    let results: Vec<_> = placed
        .iter()
        .map(|(failure, level, spot)| result(failure, level, spot))
        .collect();
    let document = json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "recover",
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "rules": rules,
            }},
            "invocations": [invocation],
            "results": results,
        }],
    });
    let json =
        serde_json::to_string_pretty(&document).expect("strings and numbers are always JSON");
    escape_bytes(json.as_bytes(), Escapes::Json) + "\n"
}

fn result(failure: &Failure, level: &str, spot: &Spot) -> Value {
    let mut physical = json!({
        "artifactLocation": {"uri": uri(&spot.path), "uriBaseId": "%SRCROOT%"},
    });
    if let Some(line) = spot.line {
        physical["region"] = json!({"startLine": line});
    }
    json!({
        "ruleId": type_of(failure),
        "ruleIndex": 0,
        "level": level,
        "message": {"text": message(failure)},
        "locations": [{"physicalLocation": physical}],
        "partialFingerprints": {"failureKind/v1": failure.kind()},
    })
}

/// What is said of `failure`; a result must say something.
fn message(failure: &Failure) -> String {
    match failure.message.trim().is_empty() {
        true => type_of(failure).to_owned(),
        false => cut(failure.message.trim(), MESSAGE_BYTES_MAX),
    }
}

/// A relative path as a reference: what is no plain character is `%NN`.
fn uri(path: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
    path.bytes()
        .map(|byte| match is_plain(byte) {
            true => char::from(byte).to_string(),
            false => format!("%{byte:02X}"),
        })
        .collect()
}
