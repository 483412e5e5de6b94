//! A run as JUnit XML: the command is one test case.
//!
//! As in Surefire: a command that passed by being run again is a success with a `flakyFailure` for
//! each run that failed; one that fails has a `failure`, and a `rerunFailure` for each run after
//! it. Where passing by being run again counts as a failure, the `failure` says that, and each run
//! that failed is a `rerunFailure`. A cure by a change is a success, and `system-out` names the
//! changes. If the exit code is not 0, the test has failed, whatever the end of the run. Characters
//! that XML cannot hold, or that are not drawn in their place, are written as escapes that people
//! read, `\u{1b}`.

use std::fmt::Write as _;

use super::ci::{CiReport, Verdict, type_of};
use super::short::{cut, first_line};
use crate::escape::push_visible;
use crate::failure::Failure;
use crate::wording::counted;

/// Bytes of the text of one failure.
const FAILURE_BYTES_MAX: usize = 64 * 1024;

/// Bytes of an attribute.
const ATTRIBUTE_BYTES_MAX: usize = 1000;

/// `report` as a JUnit document.
pub fn junit(report: &CiReport) -> String {
    let fails = report.exit_code != 0 || report.verdict() == Verdict::Failed;
    let failures = u32::from(fails);
    let seconds = format!("{:.3}", report.duration_seconds);
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let _ = writeln!(
        xml,
        "<testsuites name=\"recover\" tests=\"1\" failures=\"{failures}\" errors=\"0\" \
         time=\"{seconds}\">"
    );
    let _ = writeln!(
        xml,
        "  <testsuite name=\"recover\" tests=\"1\" failures=\"{failures}\" errors=\"0\" \
         skipped=\"0\" time=\"{seconds}\" timestamp=\"{}\">",
        attribute(&report.timestamp)
    );
    xml.push_str(&properties(report));
    let _ = writeln!(
        xml,
        "    <testcase name=\"{}\" classname=\"recover\" time=\"{seconds}\">",
        attribute(&report.command)
    );
    xml.push_str(&failures_of(report, fails));
    if !report.tries.is_empty() {
        let story = text(&cut(&story(report), FAILURE_BYTES_MAX));
        let _ = writeln!(xml, "      <system-out>{story}</system-out>");
    }
    xml.push_str("    </testcase>\n  </testsuite>\n</testsuites>\n");
    xml
}

fn properties(report: &CiReport) -> String {
    let mut xml = String::from("    <properties>\n");
    let mut property = |name: &str, value: &str| {
        let value = attribute(value);
        let _ = writeln!(
            xml,
            "      <property name=\"recover.{name}\" value=\"{value}\"/>"
        );
    };
    property("outcome", &report.outcome);
    property("exit_code", &report.exit_code.to_string());
    if let Some(session) = &report.session_id {
        property("session", session);
    }
    if let Some(category) = report.category {
        property("category", category.as_str());
    }
    if let Some(patch) = &report.patch {
        property("patch", patch);
    }
    xml.push_str("    </properties>\n");
    xml
}

/// One element for each run that failed.
fn failures_of(report: &CiReport, fails: bool) -> String {
    let first = report.failure.as_ref().or(report.left.as_ref());
    let (tries, _) = report.told_tries();
    let again = tries.iter().filter_map(|one| one.failure.as_ref());
    let names = match (fails, report.verdict()) {
        (true, _) => Some(("failure", "rerunFailure")),
        (false, Verdict::Flaky) => Some(("flakyFailure", "flakyFailure")),
        (false, _) => None,
    };
    let Some((name, name_again)) = names else {
        return String::new();
    };
    let nothing_known = Failure::new("", &report.message, "");
    let first = first.unwrap_or(&nothing_known);
    let mut xml = match (fails, report.verdict()) {
        (true, Verdict::Flaky) => {
            let passed = Failure {
                message: format!(
                    "it passed when it was run again, and fails all the same: {}",
                    first.message
                ),
                ..first.clone()
            };
            element(report, name, &passed) + &element(report, name_again, first)
        }
        _ => element(report, name, first),
    };
    xml.extend(again.map(|failure| element(report, name_again, failure)));
    xml
}

fn element(report: &CiReport, name: &str, failure: &Failure) -> String {
    let place = match report.spot(failure) {
        Some(spot) => match spot.line {
            Some(line) => format!("{}:{line}\n", spot.path),
            None => format!("{}\n", spot.path),
        },
        None => String::new(),
    };
    let trace = failure.stack_trace.as_deref().unwrap_or_default();
    let said = cut(
        &format!("{place}{}\n{trace}", failure.message),
        FAILURE_BYTES_MAX,
    );
    let message = attribute(&first_line(&failure.message, ATTRIBUTE_BYTES_MAX));
    let kind = attribute(type_of(failure));
    let said = text(said.trim_end());
    // A re-run has its text in an element of its own, as newer readers want it.
    let said = match name {
        "failure" => said,
        _ => format!("<stackTrace>{said}</stackTrace>"),
    };
    format!("      <{name} type=\"{kind}\" message=\"{message}\">{said}</{name}>\n")
}

/// The tries, a line each.
fn story(report: &CiReport) -> String {
    let (tries, untold) = report.told_tries();
    let mut story = String::new();
    if untold > 0 {
        let _ = writeln!(story, "{} before these", counted(untold as u64, "try"));
    }
    for one in tries {
        let end = one.result();
        let message = first_line(&one.message, ATTRIBUTE_BYTES_MAX);
        let _ = writeln!(story, "{}: {end}: {message}", one.strategy);
    }
    for file in &report.files_modified {
        let _ = writeln!(story, "changed {file}");
    }
    story
}

/// Escapes `value` for quotation marks.
fn attribute(value: &str) -> String {
    let mut xml = String::with_capacity(value.len());
    for character in cut(value, ATTRIBUTE_BYTES_MAX).chars() {
        match character {
            '"' => xml.push_str("&quot;"),
            // A reader turns these into blanks.
            '\n' => xml.push_str("&#10;"),
            '\t' => xml.push_str("&#9;"),
            other => push(other, &mut xml),
        }
    }
    xml
}

/// Escapes `value` for a place between tags.
fn text(value: &str) -> String {
    let mut xml = String::with_capacity(value.len());
    value
        .chars()
        .filter(|character| *character != '\r')
        .for_each(|character| push(character, &mut xml));
    xml
}

fn push(character: char, xml: &mut String) {
    match character {
        '&' => xml.push_str("&amp;"),
        '<' => xml.push_str("&lt;"),
        // Otherwise `]]>` would be an error.
        '>' => xml.push_str("&gt;"),
        '\n' | '\t' => xml.push(character),
        // XML has no such characters.
        '\u{fffe}' | '\u{ffff}' => {
            let _ = write!(xml, "\\u{{{:x}}}", u32::from(character));
        }
        other => push_visible(other, xml),
    }
}
