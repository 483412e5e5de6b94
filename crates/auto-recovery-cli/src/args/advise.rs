//! Arguments of `advise`.

use std::ffi::OsString;
use std::path::PathBuf;

use auto_recovery::learn::Day;
use clap::Args;

use super::check;

const ADVISE_EXAMPLES: &str = "\
Examples:
  recover advise -- cargo test                 against the newest failure here: the counts
  recover advise --fix ./mend.sh -- make       the same, as run with that
  recover advise --failure f.json -- make      against this one, as `recover classify` prints it
  recover advise --session 0190                what that session was advised, counted again
  recover advise --report                      what following the advice saves, by the controls
  recover advise --forget                      remove the summaries; they are counted anew

CURED HERE counts days: a step that meets one failure many times on one day counts once. Chances
are \"when tried here\": a step that is only reached when others failed is known by those cases
alone. Nothing is run and nothing is recorded.

Exit codes: 0; 1 if there is no such failure or session, or if what a session was advised does not
come out again; 2 usage; 125.";

/// Say which strategy history would try first against a failure, and why
#[derive(Args, Debug)]
#[command(after_long_help = ADVISE_EXAMPLES)]
pub(crate) struct AdviseArgs {
    /// The failure, as JSON in this file or, as `-`, on stdin; the newest on record in this
    /// workspace if left out
    #[arg(long, value_name = "FILE")]
    pub(crate) failure: Option<PathBuf>,

    /// Look at the counts as on this UTC day, like 2026-11-28
    #[arg(long, value_name = "DAY", value_parser = day)]
    pub(crate) as_of: Option<Day>,

    /// Count again what this session was advised, and compare
    #[arg(long, value_name = "ID", conflicts_with_all = ["failure", "as_of"])]
    pub(crate) session: Option<String>,

    /// Compare the recoveries that followed the advice with the controls
    #[arg(long, conflicts_with_all = ["failure", "as_of", "session"])]
    pub(crate) report: bool,

    /// Remove the summaries; the journal stays
    #[arg(long, conflicts_with_all = ["failure", "as_of", "session", "report"])]
    pub(crate) forget: bool,

    /// A command that may mend the tree, as `run` was given it; what stands in configuration counts
    /// anyway
    #[arg(long, value_name = "CMD", value_parser = check::command_text)]
    pub(crate) fix: Vec<String>,

    /// A command that may stand in for the failing one, as `run` was given it
    #[arg(long, value_name = "CMD", value_parser = check::command_text)]
    pub(crate) alternative: Vec<String>,

    /// The command that fails; that of the newest failure if left out
    #[arg(value_name = "CMD", trailing_var_arg = true)]
    pub(crate) command: Vec<OsString>,
}

fn day(text: &str) -> Result<Day, String> {
    Day::parse(text).ok_or_else(|| "write a UTC day like 2026-11-28".to_owned())
}
