//! A run as a GitLab code quality report: the failure as one finding.
//!
//! A finding is of the commit, so a failure that was cured here by a change is one too, a smaller
//! one: the cure is only in this checkout. What passed by being run again is none. A finding must
//! name a file, so a failure that names none in the workspace is left out.

use serde::Serialize;

use super::ci::{CiReport, Verdict, type_of};
use super::short::first_line;
use crate::escape::{Escapes, escape_bytes};

/// Bytes of a finding's description.
const DESCRIPTION_BYTES_MAX: usize = 4096;

#[derive(Serialize)]
struct Finding {
    description: String,
    check_name: String,
    fingerprint: String,
    severity: &'static str,
    location: Location,
}

#[derive(Serialize)]
struct Location {
    path: String,
    lines: Lines,
}

#[derive(Serialize)]
struct Lines {
    begin: u64,
}

/// `report` as a code quality document: an array of one finding, or of none.
pub fn gitlab(report: &CiReport) -> String {
    let findings: Vec<_> = finding(report).into_iter().collect();
    let json =
        serde_json::to_string_pretty(&findings).expect("strings and numbers are always JSON");
    escape_bytes(json.as_bytes(), Escapes::Json) + "\n"
}

fn finding(report: &CiReport) -> Option<Finding> {
    let (failure, severity, more) = match report.verdict() {
        Verdict::Failed => (report.deciding()?, "major", ""),
        Verdict::Cured => {
            let more = " (cured where it ran; the cure is not committed)";
            (report.failure.as_ref()?, "minor", more)
        }
        Verdict::Passed | Verdict::Flaky => return None,
    };
    let spot = report.spot(failure)?;
    let message = first_line(&failure.message, DESCRIPTION_BYTES_MAX);
    let said = match message.is_empty() {
        true => type_of(failure).to_owned(),
        false => message,
    };
    // The line is no part of it: a finding that moves is the same one.
    Some(Finding {
        description: format!("{said}{more}"),
        check_name: format!("recover/{}", type_of(failure)),
        fingerprint: format!("{}:{}", failure.kind(), spot.path),
        severity,
        location: Location {
            path: spot.path,
            lines: Lines {
                begin: spot.line.unwrap_or(1),
            },
        },
    })
}
