//! Arguments of the commands that keep trails, remove them by rule, and move them.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use crate::args::check;
use crate::settings::{parse_duration, parse_size};

const PRUNE_EXAMPLES: &str = "\
Examples:
  recover prune --older-than 90d --dry-run           what would go
  recover prune --older-than 90d --archive old/      keep a compressed copy of each
  recover prune --max-size 2G --keep-last 20 --yes   where nobody can be asked";

/// Remove old sessions by rule, and leave a record of each
///
/// Whole sessions go, oldest first: those whose newest attempt is older than --older-than, then the
/// oldest while all together have more than --max-size. --keep-last protects the newest; alone it
/// removes all others. Sessions that are held or still running stay. Without a rule here, those of
/// `[retention]` in your config.toml count; they are also applied after a recovery, at most once a
/// day.
#[derive(Args, Debug)]
#[command(after_long_help = PRUNE_EXAMPLES)]
pub(crate) struct PruneArgs {
    /// Sessions whose newest attempt is older, like 90d
    #[arg(long, value_name = "AGE", value_parser = parse_duration)]
    pub(crate) older_than: Option<Duration>,

    /// The N newest sessions stay
    #[arg(long, value_name = "N")]
    pub(crate) keep_last: Option<u64>,

    /// How much the entries of all may take, like 500M or 2G
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    pub(crate) max_size: Option<u64>,

    /// Only sessions of this project
    #[arg(long, value_name = "NAME")]
    pub(crate) project: Option<String>,

    /// Write each to DIR first, compressed; `recover import` reads it back
    #[arg(long, value_name = "DIR")]
    pub(crate) archive: Option<PathBuf>,

    /// Show what would go, and remove nothing
    #[arg(long)]
    pub(crate) dry_run: bool,

    /// Do not ask
    #[arg(long, short)]
    pub(crate) yes: bool,
}

const HOLD_EXAMPLES: &str = "\
Examples:
  recover hold SESSION --reason 'incident 7'
  recover hold --release SESSION";

/// Keep a session from being removed, by rule or by hand, until it is released
#[derive(Args, Debug)]
#[command(after_long_help = HOLD_EXAMPLES)]
pub(crate) struct HoldArgs {
    /// Session to keep
    #[arg(value_name = "SESSION", value_parser = check::session)]
    pub(crate) session: String,

    /// Why, for those who wonder later
    #[arg(long, value_name = "TEXT", conflicts_with = "release")]
    pub(crate) reason: Option<String>,

    /// Let it go again
    #[arg(long)]
    pub(crate) release: bool,
}

const IMPORT_EXAMPLES: &str = "\
Examples:
  recover import old/*.zst                   what `recover prune --archive old` wrote
  recover import session_abc123_audit.jsonl  what the Python original wrote
  recover --store sqlite:trail.db import export.json";

/// Take over the entries of files, as they are
///
/// Trails and journals as JSON lines, ours and the Python original's, JSON exports, and any of
/// these compressed with zstd. Ids, times and every byte stay; what is there already is not added
/// again. What cannot be read is named with its line, the rest still lands, and the exit code is 1.
#[derive(Args, Debug)]
#[command(after_long_help = IMPORT_EXAMPLES)]
pub(crate) struct ImportArgs {
    /// Files to take over
    #[arg(value_name = "FILE", required = true)]
    pub(crate) files: Vec<PathBuf>,
}

const COPY_EXAMPLES: &str = "\
Examples:
  recover copy jsonl:$HOME/.local/state/auto-recovery sqlite:$HOME/trail.db
  recover copy sqlite:trail.db postgres://recover@db.example/trails
  recover copy --encrypt jsonl:plain jsonl:trails     what was recorded before encryption was on
  recover copy --exact jsonl:trails sqlite:archive.db     with its seals, for who verifies it";

/// Copy every session of one store to another, and prove that it arrived
///
/// Ids, times and every byte of every entry stay. What is there already is not added again, so a
/// copy that was interrupted is simply done once more. In the end the entries of each session are
/// counted and their digests compared; the exit code is 1 if one differs.
#[derive(Args, Debug)]
#[command(after_long_help = COPY_EXAMPLES)]
pub(crate) struct CopyArgs {
    /// Store to copy from, as a URL
    #[arg(value_name = "FROM")]
    pub(crate) from: OsString,

    /// Store to copy to
    #[arg(value_name = "TO")]
    pub(crate) to: OsString,

    /// Copy every journal record and every seal too, to an empty store, and verify the copy by the
    /// seals
    #[arg(long)]
    pub(crate) exact: bool,

    /// Encrypt what is copied to the recipients of `[encryption]`, to a store without sessions
    #[arg(long, conflicts_with = "exact")]
    pub(crate) encrypt: bool,
}
