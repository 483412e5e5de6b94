//! Values that only the command line has names for.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use auto_recovery::Category;
use auto_recovery::wording::nearest;
use clap::ValueEnum;

/// What an export is written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ExportFormat {
    /// One document: the session and its entries
    Json,
    /// A header and a row an entry; list fields are JSON arrays
    Csv,
    /// The entry lines as they are stored
    Jsonl,
    /// A file of typed columns, for DuckDB, polars, pandas and Spark
    Parquet,
}

/// What a report is written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ReportFormat {
    /// For programs
    Json,
    /// For people, as text
    Markdown,
    /// For people, as one page that loads nothing
    Html,
    /// Annotations for a step's log, and its summary and outputs where GitHub Actions wants them
    Github,
    /// The code quality report of GitLab
    Gitlab,
    /// One test case, as JUnit XML
    Junit,
    /// SARIF 2.1.0, for code scanning
    Sarif,
}

/// What a CI system reads of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CiFormat {
    /// Annotations, a summary and outputs of GitHub Actions.
    Github,
    /// The code quality report of GitLab.
    Gitlab,
    /// JUnit XML.
    Junit,
    /// SARIF 2.1.0.
    Sarif,
}

/// A report that was asked for, and where it goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ReportTarget {
    /// What it is written as.
    pub(crate) format: CiFormat,
    /// The file, if one was named.
    pub(crate) file: Option<PathBuf>,
}

impl CiFormat {
    /// The file it goes to unless one is named; the summary of GitHub goes where a variable says.
    pub(crate) fn file(self) -> Option<&'static Path> {
        match self {
            Self::Github => None,
            Self::Gitlab => Some(Path::new("gl-code-quality-report.json")),
            Self::Junit => Some(Path::new("recover-junit.xml")),
            Self::Sarif => Some(Path::new("recover.sarif")),
        }
    }
}

impl FromStr for ReportTarget {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (format, file) = match text.split_once('=') {
            Some((_, "")) => return Err("there is no file behind the `=`".to_owned()),
            Some((format, file)) => (format, Some(PathBuf::from(file))),
            None => (text, None),
        };
        let format = match format {
            "github" => CiFormat::Github,
            "gitlab" => CiFormat::Gitlab,
            "junit" => CiFormat::Junit,
            "sarif" => CiFormat::Sarif,
            other => {
                let near = nearest(other, ["github", "gitlab", "junit", "sarif"]);
                let near = near.map(|near| format!("did you mean `{near}`? "));
                let near = near.unwrap_or_default();
                return Err(format!(
                    "{near}use github, gitlab, junit or sarif, and =FILE behind it"
                ));
            }
        };
        Ok(Self { format, file })
    }
}

/// An exit code that stands for failures of a category.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MappedExit {
    /// The category.
    pub(crate) category: Category,
    /// The code, 1 to 123.
    pub(crate) code: u8,
}

impl FromStr for MappedExit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let Some((category, code)) = text.split_once('=') else {
            return Err("write it like transient=75".to_owned());
        };
        let category = category
            .parse()
            .map_err(|error: auto_recovery::Error| error.to_string())?;
        match code.parse() {
            Ok(code) if (1..=123).contains(&code) => Ok(Self { category, code }),
            _ => Err(format!(
                "{code:?} is no code that it can exit with: 1 to 123, for 0 is success and those \
                 above have meanings of their own"
            )),
        }
    }
}

/// What sums are grouped by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub(crate) enum Dimension {
    /// The strategy of the attempt
    Strategy,
    /// The type of the failure
    ErrorType,
    /// The recipe that the attempt came from
    Recipe,
    /// The category of the session's failure
    Category,
    /// The tool that reported it
    Source,
    /// The session's project
    Project,
    /// The session's machine
    Host,
    /// The day of the attempt
    Day,
    /// The hour of the attempt
    Hour,
}

/// How a session ended, in the words of `sessions --json` and of the screens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub(crate) enum OutcomeWord {
    /// Cured
    Recovered,
    /// Not cured; `escalated` in records
    #[value(alias = "escalated")]
    NotRecovered,
    /// Ended by the user
    Interrupted,
    /// Still at work
    Running,
    /// Nobody said
    Unknown,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_a_format_and_perhaps_a_file() {
        let check = |text: &str, expected: Option<(CiFormat, Option<&str>)>| {
            let target = text.parse::<ReportTarget>().ok();
            let expected = expected.map(|(format, file)| ReportTarget {
                format,
                file: file.map(PathBuf::from),
            });
            assert_eq!(target, expected, "{text}");
        };
        check("github", Some((CiFormat::Github, None)));
        check("junit=a=b.xml", Some((CiFormat::Junit, Some("a=b.xml"))));
        check("sarif=", None);
        check("JUnit", None);
        check("", None);
    }

    #[test]
    fn a_mapped_exit_code_means_nothing_else() {
        let check = |text: &str, expected: Option<(Category, u8)>| {
            let mapped = text.parse::<MappedExit>().ok();
            assert_eq!(
                mapped.map(|one| (one.category, one.code)),
                expected,
                "{text}"
            );
        };
        check("transient=75", Some((Category::Transient, 75)));
        check("test_failure=123", Some((Category::TestFailure, 123)));
        for wrong in [
            "transient=0",
            "transient=124",
            "transient=127",
            "transient=137",
            "transient=-1",
            "transient=",
            "transient",
            "often=75",
        ] {
            check(wrong, None);
        }
    }
}
