//! What `--report` asked for: known to be writable before the command runs, written in the end.
//!
//! A file is written whatever became of the command, for a CI system that finds none takes an older
//! one, or says that there is none. A report that cannot be written in the end is told and changes
//! nothing: how the command ended is what counts.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use auto_recovery::host::{Host, new_id};
use auto_recovery::report::{
    CiReport, SUMMARY_BYTES_MAX, github_log, github_summary, gitlab, junit, sarif,
};
use auto_recovery::{Error, ErrorKind, Result};

use crate::args::{CiFormat, ReportTarget};
use crate::commands::github::tell_github;
use crate::commands::run::result_file::ResultPlace;
use crate::hints;
use crate::output::Printer;
use crate::settings::GithubFiles;

/// Where reports go that go into no file of their own.
#[derive(Clone, Copy)]
pub(super) struct CiPlaces<'a> {
    /// The files of GitHub Actions.
    pub(super) github: &'a GithubFiles,
    /// The step's log, and where a person is told what went wrong.
    pub(super) printer: &'a Printer,
    /// The clock by which somebody is waited for who reads.
    pub(super) host: &'a dyn Host,
}

/// What is to be written.
pub(super) struct Reports {
    wanted: Vec<(CiFormat, Option<ResultPlace>)>,
}

impl Reports {
    /// Makes sure that each of `targets` can be written in the end.
    ///
    /// # Errors
    /// If one cannot, or two are the same file.
    pub(super) fn prepare(targets: &[ReportTarget]) -> Result<Self> {
        let mut files = BTreeSet::new();
        let mut wanted = Vec::new();
        for ReportTarget { format, file } in targets {
            let file = file.as_deref().or_else(|| format.file()).map(stdout_or);
            if let Some(file) = &file
                && !files.insert(file.clone())
            {
                let context = format!(
                    "--report: two reports for {}: name a file for each, as --report junit=FILE",
                    file.display()
                );
                return Err(Error::new(ErrorKind::InvalidInput, context));
            }
            let place = file.map(|file| ResultPlace::prepare("--report", &file));
            wanted.push((*format, place.transpose()?));
        }
        Ok(Self { wanted })
    }

    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.wanted.is_empty()
    }

    /// Writes all of them.
    pub(super) fn write(&self, report: &CiReport, to: &CiPlaces<'_>) {
        let CiPlaces {
            github,
            printer,
            host,
        } = *to;
        for (format, place) in &self.wanted {
            let text = match format {
                CiFormat::Github => {
                    printer.program_lines(&github_log(report, &new_id("output")));

                    tell_github(report, github, place.is_none(), printer);
                    github_summary(report, SUMMARY_BYTES_MAX)
                }
                CiFormat::Gitlab => gitlab(report),
                CiFormat::Junit => junit(report),
                CiFormat::Sarif => sarif(report),
            };
            let Some(place) = place else {
                continue;
            };
            if let Err(error) = place.write_bytes(text.as_bytes(), host) {
                printer.warn(format_args!(
                    "a report is missing: {}",
                    hints::chain(&error)
                ));
            }
        }
    }
}

/// `path`, or where stdout goes for `-`.
fn stdout_or(path: &Path) -> PathBuf {
    match path.as_os_str() == "-" {
        true => PathBuf::from("/dev/stdout"),
        false => path.to_owned(),
    }
}
