//! The files by which a step of GitHub Actions is told something: its summary and its outputs.

use std::io::Write as _;
use std::path::Path;

use auto_recovery::files::append_through;
use auto_recovery::host::new_id;
use auto_recovery::report::{CiReport, SUMMARY_BYTES_MAX, github_outputs, github_summary};
use auto_recovery::{Error, Result};

use crate::hints;
use crate::output::Printer;
use crate::settings::GithubFiles;

/// Adds what is told of `report` to the outputs, and to the summary where `with_summary` says so.
/// What cannot be written is told to a person, and changes nothing else.
pub(crate) fn tell_github(
    report: &CiReport,
    files: &GithubFiles,
    with_summary: bool,
    printer: &Printer,
) {
    let summary = files.summary.as_deref().filter(|_| with_summary);
    let summary = summary.map(|path| add_summary(report, path));
    let outputs = files.output.as_deref().map(|path| {
        let outputs = github_outputs(report, &new_id("output"));
        append(path, outputs.as_bytes())
    });
    for failed in [summary, outputs]
        .into_iter()
        .flatten()
        .filter_map(Result::err)
    {
        printer.warn(format_args!(
            "not told to GitHub: {}",
            hints::chain(&failed)
        ));
    }
}

/// The summary of a step is one file, whoever writes into it.
fn add_summary(report: &CiReport, path: &Path) -> Result<()> {
    let there = path.metadata().map_or(0, |found| found.len());
    let there = usize::try_from(there).unwrap_or(usize::MAX);
    let room = SUMMARY_BYTES_MAX.saturating_sub(there);
    append(path, github_summary(report, room).as_bytes())
}

fn append(path: &Path, bytes: &[u8]) -> Result<()> {
    if bytes.is_empty() {
        return Ok(());
    }
    append_through(path)
        .and_then(|mut file| file.write_all(bytes))
        .map_err(|error| Error::io("write to", path, error))
}
