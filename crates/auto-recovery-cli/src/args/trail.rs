//! Arguments of the commands that read trails.

use std::path::PathBuf;

use clap::Args;

use crate::args::{Dimension, ExportFormat, OutcomeWord, ReportFormat, check};

const SESSIONS_EXAMPLES: &str = "\
Examples:
  recover sessions                       this workspace's newest 20, on a terminal
  recover sessions --all                 every one of the store
  recover sessions --outcome not_recovered --since 7d
  recover sessions --json | jq length    all of them: a pipe has no screen to fill";

/// List recoveries, newest first
///
/// On a terminal the newest 20 of this workspace, unless you ask for others; --json and pipes list
/// the whole store.
#[derive(Args, Debug)]
#[command(after_long_help = SESSIONS_EXAMPLES)]
pub(crate) struct SessionsArgs {
    /// Only the newest N; 20 on a terminal unless --all is given
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) number: Option<u64>,

    /// Only those of this workspace; so on a terminal unless --all or --project is given
    #[arg(long, conflicts_with = "all")]
    pub(crate) here: bool,

    /// Those of every workspace
    #[arg(long)]
    pub(crate) all: bool,

    /// Only those of this project
    #[arg(long, value_name = "NAME")]
    pub(crate) project: Option<String>,

    /// Only those that began from then on: how long ago (30d, 12h), a date or a time (UTC if it
    /// says no other)
    #[arg(long, value_name = "WHEN")]
    pub(crate) since: Option<String>,

    /// Only those that ended so
    #[arg(long, value_name = "OUTCOME", value_enum)]
    pub(crate) outcome: Option<OutcomeWord>,
}

const HISTORY_EXAMPLES: &str = "\
Examples:
  recover history                     every attempt of this workspace's newest session
  recover history --last 20           its last 20 attempts
  recover history SESSION --json      the entries as a JSON array";

/// List the attempts of a session
///
/// People are shown the last 1,000 attempts unless they ask for more; `--json` gives all of them.
/// Damage in a trail is counted and located on stderr and hides nothing else: what can be read is
/// shown, and the exit code stays 0.
#[derive(Args, Debug)]
#[command(after_long_help = HISTORY_EXAMPLES)]
pub(crate) struct HistoryArgs {
    /// Session to read; the newest of this workspace if left out
    #[arg(value_name = "SESSION", value_parser = check::session)]
    pub(crate) session: Option<String>,

    /// Only the last N attempts; without N, the newest session of this workspace
    #[arg(
        long,
        value_name = "N",
        num_args = 0..=1,
        value_parser = clap::value_parser!(u64).range(1..)
    )]
    pub(crate) last: Option<Option<u64>>,

    /// Take the newest session of the store, whichever project it is of
    #[arg(long, conflicts_with = "session")]
    pub(crate) any_project: bool,
}

const SHOW_EXAMPLES: &str = "\
Examples:
  recover show --last            this workspace's newest session: every try, changes, output
  recover show --last 2          its second attempt
  recover show SESSION 2         the same of another session
  recover show SESSION 2 --json  as {entry, journal, diff, output_file}
  recover show --diff | git apply --index --3way     the cure, in another checkout of the project
  recover show --output          what the command wrote when it failed first";

/// Show what was tried: each attempt with its changes and its output
///
/// Without N, a person sees every attempt of the session (of a long one, the last of them), and
/// `--json` gives the last attempt.
#[derive(Args, Debug)]
#[command(after_long_help = SHOW_EXAMPLES)]
pub(crate) struct ShowArgs {
    /// Session to show; the newest of this workspace if left out
    #[arg(value_name = "SESSION", value_parser = check::session, conflicts_with = "last")]
    pub(crate) session: Option<String>,

    /// Number of the attempt to show
    #[arg(value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) attempt: Option<u64>,

    /// The newest session of this workspace, or its attempt N
    #[arg(
        long,
        value_name = "N",
        num_args = 0..=1,
        value_parser = clap::value_parser!(u64).range(1..)
    )]
    pub(crate) last: Option<Option<u64>>,

    /// Take the newest session of the store, whichever project it is of
    #[arg(long, conflicts_with = "session")]
    pub(crate) any_project: bool,

    /// Print what its cure changed, or attempt N, as a patch that `git apply` takes
    ///
    /// What a file holds leaves as it is: nothing is redacted.
    #[arg(long, group = "part")]
    pub(crate) diff: bool,

    /// Print which files that changed, and how much
    #[arg(long, group = "part")]
    pub(crate) stat: bool,

    /// Print what the command wrote when it failed first, or what attempt N wrote
    #[arg(long, group = "part")]
    pub(crate) output: bool,
}

const STATS_EXAMPLES: &str = "\
Examples:
  recover stats                               how this workspace's newest session went
  recover stats SESSION --json                the 15 keys of the statistics
  recover stats --all                         every session together
  recover stats --since 30d --by day          what got better, what worse
  recover stats --by project,strategy         where which strategy helps";

/// Sum up a session, or all of them: how many attempts, which helped, how long they took
///
/// With --by, each group has its own sums. A session counts in every group that an attempt of it is
/// in; how it ended counts in that of its last attempt. Days and hours are those of UTC.
#[derive(Args, Debug)]
#[command(after_long_help = STATS_EXAMPLES)]
pub(crate) struct StatsArgs {
    /// Session to sum up; the newest of this workspace if left out
    #[arg(
        value_name = "SESSION",
        value_parser = check::session,
        conflicts_with_all = ["all", "since", "until", "project", "host", "by"]
    )]
    pub(crate) session: Option<String>,

    /// The newest session of this workspace, which is taken anyway where none is named
    #[arg(long, conflicts_with_all = ["session", "all", "since", "until", "project", "host", "by"])]
    pub(crate) last: bool,

    /// Every session together; what follows implies it
    #[arg(long)]
    pub(crate) all: bool,

    /// Only attempts from then on: how long ago (30d, 12h), a date or a time (UTC if it says no
    /// other)
    #[arg(long, value_name = "WHEN")]
    pub(crate) since: Option<String>,

    /// Only attempts before then
    #[arg(long, value_name = "WHEN")]
    pub(crate) until: Option<String>,

    /// Only sessions of this project
    #[arg(long, value_name = "NAME")]
    pub(crate) project: Option<String>,

    /// Only sessions of this machine
    #[arg(long, value_name = "NAME")]
    pub(crate) host: Option<String>,

    /// Tell apart by these, in this order
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_enum)]
    pub(crate) by: Vec<Dimension>,

    /// Take the newest session of the store, whichever project it is of
    #[arg(
        long,
        conflicts_with_all = ["session", "all", "since", "until", "project", "host", "by"]
    )]
    pub(crate) any_project: bool,
}

const EXPORT_EXAMPLES: &str = "\
Examples:
  recover export SESSION -o trail.csv      the ending names the format
  recover export --all --format jsonl      every entry, as stored, on stdout
  recover export --all -o all.parquet      typed columns, for DuckDB, polars or pandas
  recover export | jq '.entries[].strategy'";

/// Write trails out whole, as JSON, CSV, JSONL or Parquet
///
/// Without `-o` the export goes to stdout. With `-o FILE` it is written beside FILE and takes its
/// place once it is whole and on disk, readable by you alone.
#[derive(Args, Debug)]
#[command(after_long_help = EXPORT_EXAMPLES)]
pub(crate) struct ExportArgs {
    /// Session to export; the newest of this workspace if left out
    #[arg(value_name = "SESSION", value_parser = check::session, conflicts_with = "all")]
    pub(crate) session: Option<String>,

    /// The newest session of this workspace, which is taken anyway where none is named
    #[arg(long, conflicts_with_all = ["session", "all"])]
    pub(crate) last: bool,

    /// Every session
    #[arg(long)]
    pub(crate) all: bool,

    /// Format; else what FILE ends in, else json
    #[arg(long, value_name = "FORMAT", value_enum)]
    pub(crate) format: Option<ExportFormat>,

    /// Where to write; `-` is stdout
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,

    /// CSV only: leave text exact that a spreadsheet would run as a formula
    ///
    /// Such a cell (it begins with one of = + - @, a tab or a carriage return) gets a leading '
    /// otherwise.
    #[arg(long)]
    pub(crate) raw: bool,

    /// Mask the secrets that others brought, as `recover redact` does
    ///
    /// What was recorded here was masked before it was kept. Records that were imported, and those
    /// of earlier releases, are as they came, and so an export has them.
    #[arg(long)]
    pub(crate) redact: bool,

    /// Take the newest session of the store, whichever project it is of
    #[arg(long, conflicts_with_all = ["session", "all"])]
    pub(crate) any_project: bool,
}

const REPORT_EXAMPLES: &str = "\
Examples:
  recover report                           this workspace's newest session, as Markdown
  recover report -o report.html            as one page for a browser; the ending names the format
  recover report SESSION -o report.json    for programs
  recover report --format junit -o x.xml   as a CI system reads it";

/// Write a report of a session, for people, programs or CI systems
///
/// For people it says what failed, where and on which host, what was tried, what came of it, why no
/// more was tried, and what changed. As HTML it is one file that loads nothing and has no script.
///
/// Secrets are masked in it, also those of records that were imported.
///
/// Without `-o` the report goes to stdout. With `-o FILE` it is written beside FILE and takes its
/// place once it is whole and on disk, readable by you alone.
#[derive(Args, Debug)]
#[command(after_long_help = REPORT_EXAMPLES)]
pub(crate) struct ReportArgs {
    /// Session to report on; the newest of this workspace if left out
    #[arg(value_name = "SESSION", value_parser = check::session)]
    pub(crate) session: Option<String>,

    /// The newest session of this workspace, which is taken anyway where none is named
    #[arg(long, conflicts_with = "session")]
    pub(crate) last: bool,

    /// Format; else what FILE ends in, else markdown (json with --json)
    #[arg(long, value_name = "FORMAT", value_enum)]
    pub(crate) format: Option<ReportFormat>,

    /// Where to write; `-` is stdout
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,

    /// Take the newest session of the store, whichever project it is of
    #[arg(long, conflicts_with = "session")]
    pub(crate) any_project: bool,
}

const TAIL_EXAMPLES: &str = "\
Examples:
  recover tail                          the last 10 attempts of the store
  recover tail -f --project shop        and those of that project as they come
  recover tail -f --json | jq .error_type
  recover tail -f --server https://recover.example.org     those of a server elsewhere";

/// Show the last attempts of the store and, with -f, those that come
///
/// Attempts that arrive late, from a spool or an import, are shown when they arrive. `--json` gives
/// each as it is stored, one a line. A slow reader misses nothing.
#[derive(Args, Debug)]
#[command(after_long_help = TAIL_EXAMPLES)]
pub(crate) struct TailArgs {
    /// Go on with those that come, until interrupted
    #[arg(short, long)]
    pub(crate) follow: bool,

    /// How many to begin with
    #[arg(
        short,
        long,
        value_name = "N",
        default_value_t = 10,
        value_parser = clap::value_parser!(u64).range(1..=10_000)
    )]
    pub(crate) number: u64,

    /// Only those of this session
    #[arg(long, value_name = "SESSION", value_parser = check::session)]
    pub(crate) session: Option<String>,

    /// Only those of sessions of this project
    #[arg(long, value_name = "NAME", conflicts_with = "session")]
    pub(crate) project: Option<String>,

    /// Those of the server at this URL, in the order in which it came to know them
    ///
    /// RECOVER_TOKEN, or the file that `remote.token_file` names, has the token for it. When the
    /// connection is lost it is made again; nothing is missed and nothing is shown twice. A session
    /// is named whole.
    #[cfg(feature = "remote")]
    #[arg(long, value_name = "URL", value_parser = check::server)]
    pub(crate) server: Option<auto_recovery_remote::Address>,
}
