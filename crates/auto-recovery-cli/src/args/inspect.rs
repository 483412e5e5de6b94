//! Arguments of the commands around a run: what would be tried, what a failure is, where the tree
//! was.

use std::path::PathBuf;

use clap::Args;

use crate::args::{RunArgs, check};

const PLAN_EXAMPLES: &str = "\
Examples:
  recover plan cargo fmt --check
  recover plan --fix ./mend.sh --allow moderate --json npm ci

A step of --json: {\"strategy\", \"does\", \"command\", \"folder\", \"recipe\", \"tier\", \"max_attempts\"};
`command` is null where your own command is run again, `recipe` where you gave it yourself. The category
of the newest failure here has `advice` too, as `recover advise --json` prints it, if history knows such.";

/// Print what would be tried for each kind of failure; run nothing
///
/// Takes what `recover run` takes, and answers for that: type `plan` in the place of `run`. What a
/// failure is can only be told once there is one, so each category has its answer.
#[derive(Args, Debug)]
#[command(after_long_help = PLAN_EXAMPLES)]
pub(crate) struct PlanArgs {
    #[command(flatten)]
    pub(crate) run: RunArgs,
}

const CLASSIFY_EXAMPLES: &str = "\
Examples:
  cargo test 2>&1 | recover classify --exit-code 101 --command 'cargo test'
  recover classify build.log
  recover classify --batch < failures.jsonl

A line of --batch: {\"id\", \"argv\", \"exit_code\", \"signal\", \"timed_out\", \"stdout\", \"stderr\"}.";

/// Say what kind of failure an output shows, as JSON
#[derive(Args, Debug)]
#[command(after_long_help = CLASSIFY_EXAMPLES)]
pub(crate) struct ClassifyArgs {
    /// Captured output to read; stdin if left out or `-`
    #[arg(value_name = "FILE", conflicts_with = "batch")]
    pub(crate) file: Option<PathBuf>,

    /// Exit code of the command
    #[arg(
        long,
        value_name = "N",
        conflicts_with = "batch",
        allow_negative_numbers = true
    )]
    pub(crate) exit_code: Option<i32>,

    /// The command that wrote the output, as one would type it
    #[arg(long, value_name = "CMD", conflicts_with = "batch")]
    pub(crate) command: Option<String>,

    /// Read failures as JSONL from stdin and answer each with a line
    #[arg(long)]
    pub(crate) batch: bool,
}

const RECIPES_EXAMPLES: &str = "\
Examples:
  recover recipes                every recipe, in the order they are tried
  recover recipes black          one of them, with all that it says
  recover recipes --json

Exit codes: 0, 1 if there is no such recipe, 2 usage, 125.";

/// List the recipes: what mends which tool's findings, and the worst each may do
///
/// Those of the configuration come first; one of the name of a built-in recipe stands in its place.
#[derive(Args, Debug)]
#[command(after_long_help = RECIPES_EXAMPLES)]
pub(crate) struct RecipesArgs {
    /// Recipe to print; all of them if left out
    #[arg(value_name = "NAME")]
    pub(crate) name: Option<String>,
}

const EXPLAIN_EXAMPLES: &str = "\
Examples:
  recover explain                        the failure of this workspace's newest session
  recover explain SESSION
  recover explain build.log --command 'make lint' --exit-code 2
  make lint 2>&1 | recover explain -

Exit codes: 0, 1 if there is no such session or file, 2 usage, 125.";

/// Say which rule told a failure, by which line, and why each recipe was tried or not
///
/// Each failure of the session's last recovery is explained in turn. Recipes that are not for it
/// are counted; -v names them. Recipes are judged as they stand now, on this machine, in the
/// directory that the session's command ran in (for a FILE: in this one). Runs nothing.
#[derive(Args, Debug)]
#[command(after_long_help = EXPLAIN_EXAMPLES)]
pub(crate) struct ExplainArgs {
    /// Session, or file with a captured output, `-` for standard input; the newest session of this
    /// workspace if left out
    #[arg(value_name = "SESSION|FILE")]
    pub(crate) what: Option<String>,

    /// The newest session of this workspace, which is taken anyway where none is named
    #[arg(long, conflicts_with = "what")]
    pub(crate) last: bool,

    /// For a FILE: exit code of the command
    #[arg(
        long,
        value_name = "N",
        requires = "what",
        allow_negative_numbers = true
    )]
    pub(crate) exit_code: Option<i32>,

    /// For a FILE: the command that wrote the output, as one would type it
    #[arg(long, value_name = "CMD", requires = "what")]
    pub(crate) command: Option<String>,

    /// Take the newest session of the store, whichever project it is of
    #[arg(long, conflicts_with = "what")]
    pub(crate) any_project: bool,
}

const REDACT_EXAMPLES: &str = "\
Examples:
  cargo test 2>&1 | recover redact > build.log     keep a log without its secrets
  recover redact build.log                         the same of a file; it stays as it is
  recover redact --check build.log                 name what is in it, without its value
  recover redact --list                            what is found, and in which places

A mask reads `[redacted github-token 7f3a]`; equal secrets of one run have equal masks. A line of
--check is `FILE:LINE: KIND`; with --json: [{\"file\", \"line\", \"kind\", \"proved\"}], `proved` where a
checksum inside is right.

Exit codes: 0, 1 if --check found something, 2 usage, 125.";

/// Mask the secrets in a text: tokens, keys, passwords
///
/// Reads FILE or stdin and writes it to stdout, secrets masked. Found are tokens of known services,
/// keys, what stands where only secrets do (headers, URLs, options), and the values of variables of
/// the environment whose names say so (PASSWORD, TOKEN, SECRET, API_KEY …), in every encoding.
/// Nothing is masked for looking random: hashes of commits and of lock files stay.
#[derive(Args, Debug)]
#[command(after_long_help = REDACT_EXAMPLES)]
pub(crate) struct RedactArgs {
    /// Text to read; stdin if left out or `-`
    #[arg(value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,

    /// Print only where something secret is, and what kind; exit with 1 if there is any
    #[arg(long)]
    pub(crate) check: bool,

    /// List the kinds of secrets that are found, and read nothing
    #[arg(long, conflicts_with_all = ["file", "check"])]
    pub(crate) list: bool,
}

/// Mark the tree as good, for a later rollback
///
/// For agents and scripts, at points where they know that all is well. `recover run --rollback`
/// goes back to the newest mark, or to the last tree at which its command passed. Inside another
/// recovery (RECOVER_SESSION_ID is set) it marks nothing, says so, and exits with 0.
#[derive(Args, Debug)]
pub(crate) struct CheckpointArgs {
    /// A name for it, which `recover checkpoints` lists and `recover restore` takes
    #[arg(long, value_name = "TEXT", value_parser = check::label)]
    pub(crate) label: Option<String>,
}

const RESTORE_EXAMPLES: &str = "\
Examples:
  recover restore                what the newest session here did, taken back
  recover restore SESSION 2      what came after attempt 2 of it, taken back
  recover restore SESSION --preview
  recover restore CHECKPOINT     the whole tree as it was then; `recover checkpoints` lists them

Exit codes: 0, 1 if a path was left or there is no such session, 2 usage, 125.";

/// Take back what a session did to the tree, or what came after its attempt N
///
/// Paths that the session changed become what they were before it (with N: what they were after the
/// verification of attempt N) where they still are as the session left them; others are named and
/// kept. Asks nothing, keeps what it replaces, and prints the command that takes it back.
#[derive(Args, Debug)]
#[command(after_long_help = RESTORE_EXAMPLES)]
pub(crate) struct RestoreArgs {
    /// Session to take back, the newest of this workspace if left out; or a checkpoint's id, the
    /// beginning of one, or its label
    #[arg(value_name = "SESSION|CHECKPOINT", value_parser = check::session, conflicts_with = "last")]
    pub(crate) session: Option<String>,

    /// Back to how attempt N left it, before any undo
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

    /// The whole tree, with whatever came after the session
    #[arg(long)]
    pub(crate) whole_tree: bool,

    /// Show what would change; change nothing
    #[arg(long)]
    pub(crate) preview: bool,
}
