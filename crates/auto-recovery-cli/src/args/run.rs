//! Arguments of `run`, the main job.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use clap::{Args, ValueHint};

use crate::args::{MappedExit, ReportTarget, check};
use crate::settings::{RollbackTarget, Tier, parse_duration, parse_limit};

const RUN_EXAMPLES: &str = "\
Examples:
  recover run cargo test
      Run it. When it fails, try the built-in recipes that suit the failure and are safe.
  recover run --fix ./mend.sh --fix ./ask-agent pytest -q
      Try your own fixes in this order, each up to 3 times; undo each one that does not help.
  recover run --protect 'tests/**' --fix agent:claude pytest -q
      Have a coding agent mend it, told what failed and what its earlier tries did.
  recover run --retry 5 --base-delay 2s --deadline 10m ./deploy.sh
      Run it up to 5 times more, after growing delays, and end after 10 minutes whatever happens.
  recover run --protect 'tests/**' --fix ./ask-agent npm test
      A fix that touches a test is undone and does not count.
  recover run --dry-run make
      Run it once, print what would be tried, and touch nothing.
  recover run -c 'cd sub && make'
      Run a line as a shell reads it.
  recover run --profile agent pytest -q
      As a coding agent runs it: one run's output, cut in the middle, and one line of verdict.

Commands given as text run under `sh -c`. They get the failure as data, in RECOVER_ERROR_MESSAGE,
RECOVER_FILE, RECOVER_LINE, RECOVER_COMMAND, RECOVER_OUTPUT (a file with the output),
RECOVER_CONTEXT_JSON (a file with all that is known and was tried), RECOVER_PROMPT (the same for a
model) and their like.

Durations are written 10ms, 1.5s, 5m30s.

Options of recover stand before CMD, and what follows is CMD's own, as with `env` and `timeout`. A
`--` before CMD changes nothing. CMD is a program, not a text for a shell: -c is for that.

Exit codes: 0 when the command passed or was recovered; else the command's own code or signal; 124
at the deadline; 125 when recover itself failed, or refuses what was typed or configured, which it
does before it runs anything; 126 when the command cannot be run; 127 when it is not found.";

/// Run a command; when it fails, recover it
///
/// The command's output passes through as it comes, and a command that passes costs nothing and
/// leaves nothing behind. When it fails, strategies are tried in the order that suits the failure.
/// A cure is proved by running the command again. Each attempt that did not help is undone, byte
/// for byte, and every attempt is on record before the next begins.
#[derive(Args, Debug)]
#[command(after_long_help = RUN_EXAMPLES)]
pub(crate) struct RunArgs {
    #[command(flatten)]
    pub(crate) what: CommandArgs,

    #[command(flatten)]
    pub(crate) strategies: StrategyArgs,

    #[command(flatten)]
    pub(crate) timing: TimingArgs,

    #[command(flatten)]
    pub(crate) tree: TreeArgs,

    #[command(flatten)]
    pub(crate) outcome: OutcomeArgs,
}

/// Which command.
#[derive(Args, Debug)]
pub(crate) struct CommandArgs {
    /// Command to run, with its arguments
    ///
    /// Everything from the first word that is no option is the command's, its own options too. `--`
    /// may stand before it.
    #[arg(
        value_name = "CMD",
        trailing_var_arg = true,
        required_unless_present = "line",
        conflicts_with = "line"
    )]
    command: Vec<OsString>,

    /// Run TEXT under `sh -c` instead of a program
    #[arg(short = 'c', long = "shell", value_name = "TEXT", value_parser = check::command_text)]
    line: Option<String>,
}

impl CommandArgs {
    /// The words that are run.
    pub(crate) fn into_argv(self) -> Vec<OsString> {
        match self.line {
            Some(line) => vec!["sh".into(), "-c".into(), line.into()],
            None => self.command,
        }
    }
}

/// Who calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Profile {
    /// A coding agent.
    Agent,
}

/// What is tried.
#[derive(Args, Debug)]
#[command(next_help_heading = "What is tried")]
pub(crate) struct StrategyArgs {
    /// A command that may mend the tree, or agent:NAME; several are tried in their order
    ///
    /// `agent:claude`, `agent:codex`, `agent:gemini`, `agent:opencode`, `agent:aider` and
    /// `agent:copilot` call a coding agent with a prompt that says what failed and what was tried;
    /// `[fixer.NAME]` in your configuration changes how, or adds one; `recover plan` shows what is
    /// run.
    /// The failing output goes to the service that the agent talks to, its secrets masked.
    #[arg(
        long,
        value_name = "CMD",
        value_hint = ValueHint::ExecutablePath,
        value_parser = check::command_text
    )]
    pub(crate) fix: Vec<String>,

    /// A command that may stand in for the failing one; several are tried in their order
    ///
    /// Its own exit code 0 is the success, and the record says that it stood in.
    #[arg(
        long,
        value_name = "CMD",
        value_hint = ValueHint::ExecutablePath,
        value_parser = check::command_text
    )]
    pub(crate) alternative: Vec<String>,

    /// Run the command again up to N times, whatever the failure; 0 for never
    ///
    /// Left out, a failure that looks transient is tried again up to 7 times, which takes about a
    /// minute, and a test that failed as long as it fails otherwise, up to 3 times.
    #[arg(long, value_name = "N")]
    pub(crate) retry: Option<u32>,

    /// Run the command again, whatever the failure, until this long after it failed first
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub(crate) retry_for: Option<Duration>,

    /// Tries of each strategy, each fix and each alternative [default: 3]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) max_attempts: Option<u32>,

    /// Riskiest built-in recipe that may run by itself [default: safe]
    ///
    /// `safe` mends formatting and findings of linters; `moderate` also mends lock files and
    /// manifests offline; `network` also whatever may download.
    #[arg(
        long,
        value_name = "TIER",
        value_parser = PossibleValuesParser::new(Tier::ALL.map(Tier::as_str))
            .try_map(|tier| tier.parse::<Tier>())
    )]
    pub(crate) allow: Option<Tier>,

    /// At last, go back to the tree at which this command passed
    ///
    /// That is the last checkpoint at which it passed in this directory, or that `recover
    /// checkpoint` marked. `--rollback=ID` names another checkpoint, by its id, a piece of it or
    /// its label, `--rollback=git:REV` a commit.
    #[arg(
        long,
        value_name = "CHECKPOINT|git:REV",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "last-good",
        hide_default_value = true
    )]
    pub(crate) rollback: Option<RollbackTarget>,

    /// Run this when nothing helped
    ///
    /// Also when the deadline passed, in the first run of the command too; then it has the time of
    /// `--grace`. Not when you stopped it.
    #[arg(
        long,
        value_name = "CMD",
        value_hint = ValueHint::ExecutablePath,
        value_parser = check::command_text
    )]
    pub(crate) on_escalate: Option<String>,

    /// Run the command once, print what would be tried, touch nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// When, and for how long.
#[derive(Args, Debug)]
#[command(next_help_heading = "Time")]
pub(crate) struct TimingArgs {
    /// Delay before a strategy's second try; doubles with each further one [default: 1s]
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub(crate) base_delay: Option<Duration>,

    /// Longest delay between two tries [default: 60s]
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub(crate) max_delay: Option<Duration>,

    /// Do not vary delays at random
    #[arg(long)]
    pub(crate) no_jitter: bool,

    /// End the whole run after this time, with exit code 124 [default: none]
    #[arg(long, value_name = "DURATION", value_parser = parse_limit)]
    pub(crate) deadline: Option<Duration>,

    /// End each program that is started after this time, the first run too [default: none]
    #[arg(long, value_name = "DURATION", value_parser = parse_limit)]
    pub(crate) attempt_timeout: Option<Duration>,

    /// Time between asking a program to end and killing it [default: 10s]
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub(crate) grace: Option<Duration>,

    /// Do not wait for another recovery in this workspace: exit with 125
    #[arg(long)]
    pub(crate) no_wait: bool,
}

/// What may become of the working tree.
#[derive(Args, Debug)]
#[command(next_help_heading = "The working tree")]
pub(crate) struct TreeArgs {
    /// Undo a fix that touches such a path, relative to the current directory
    ///
    /// Adds to what the configuration protects.
    #[arg(long, value_name = "GLOB")]
    pub(crate) protect: Vec<String>,

    /// Show the diff of a fix that helped to CMD; unless it exits with 0, undo the fix
    ///
    /// The diff has all that would stay, also what the fix was built upon.
    #[arg(
        long,
        value_name = "CMD",
        value_hint = ValueHint::ExecutablePath,
        value_parser = check::command_text
    )]
    pub(crate) approve: Option<String>,

    /// Undo a cure, see the command fail, apply it again and see it pass, before it counts
    ///
    /// A command that passes without the change as well is flaky, and the change is dropped. So is
    /// one that passes after what changed nothing. A deadline that passes meanwhile is 124.
    #[arg(long, conflicts_with_all = ["no_checkpoint", "keep_failed_changes"])]
    pub(crate) confirm: bool,

    /// Build upon an attempt that changed which failure there is, instead of undoing it
    #[arg(long)]
    pub(crate) keep_progress: bool,

    /// Undo nothing
    #[arg(long, conflicts_with = "keep_progress")]
    pub(crate) keep_failed_changes: bool,

    /// Take no checkpoint of the tree; then nothing can be undone
    #[arg(long, conflicts_with = "rollback")]
    pub(crate) no_checkpoint: bool,
}

/// What is kept and told of the run.
#[derive(Args, Debug)]
#[command(next_help_heading = "Record and result")]
pub(crate) struct OutcomeArgs {
    /// Record under this session instead of a new one
    ///
    /// 1 to 200 characters, none of them a control character, of at most 200 bytes percent-encoded.
    #[arg(long, value_name = "ID", value_parser = check::session)]
    pub(crate) session: Option<String>,

    /// Write the result as JSON to FILE, also when the command passes at once; `-` is stdout
    ///
    /// On stdout it is one line, the last, as with --json.
    /// One that cannot be written is refused before the command runs. A file is replaced at once;
    /// a device, a named pipe or /dev/stdout is written into. A disk may still fill before the end.
    #[arg(long, value_name = "FILE")]
    pub(crate) result_file: Option<PathBuf>,

    /// Write what a CI system reads: github, gitlab, junit or sarif; may be given several times
    ///
    /// `github` writes an annotation to stderr, and adds to what GITHUB_STEP_SUMMARY (or FILE) and
    /// GITHUB_OUTPUT name. The others write a file, also when the command passes at once: FILE, or
    /// gl-code-quality-report.json, recover-junit.xml, recover.sarif; FORMAT=- is stdout. Secrets
    /// in what the command printed are masked: see `recover redact`.
    #[arg(long, value_name = "FORMAT[=FILE]")]
    pub(crate) report: Vec<ReportTarget>,

    /// Exit with CODE when nothing recovered a failure of CATEGORY; may be given several times
    ///
    /// So that whoever starts it again knows when that is worth it: `transient=75`. CODE is 1 to
    /// 123, one for each category. Signals and 124 to 127 stay what they are, the record keeps the
    /// command's own code, and a line says that it was exchanged.
    #[arg(long, value_name = "CATEGORY=CODE")]
    pub(crate) exit_map: Vec<MappedExit>,

    /// Give commands pipes to write to, also on a terminal
    #[arg(long)]
    pub(crate) no_pty: bool,

    /// Write only the deciding run's stdout, at the end
    #[arg(long)]
    pub(crate) hold_stdout: bool,

    /// Write only the deciding run's output, both streams, at the end
    ///
    /// What fixes write is in the record.
    #[arg(long, conflicts_with = "hold_stdout")]
    pub(crate) hold_output: bool,

    /// Exit with the first run's code when the command passed by plain retry only
    #[arg(long)]
    pub(crate) fail_on_flaky: bool,

    /// Exit with the first run's code when a cure changed files; the cure stays
    ///
    /// In a git repository also when the command itself changed files that git knows, as a check
    /// that mends what it finds.
    #[arg(long)]
    pub(crate) fail_on_change: bool,

    /// Add what a cure changed to git's index, where it was staged before, and wholly
    ///
    /// For hooks: the commit takes what is staged. Nothing else is added; what is not is named.
    #[arg(long, conflicts_with = "no_checkpoint")]
    pub(crate) stage: bool,

    /// Defaults for one kind of caller: `agent` pays by the word and does not wait
    ///
    /// `agent` holds the output back, cuts it in the middle, says one line at the end, does not run
    /// a failed test again by itself, does not wait for another recovery, and ends after 100s.
    /// Output that is cut stays whole in a file recover-output-*.log in TMPDIR, which is named.
    /// The profile beats the configuration; flags given besides beat the profile.
    #[arg(long, value_name = "PROFILE", value_enum)]
    pub(crate) profile: Option<Profile>,

    /// Mask the value of this variable too in all that is kept and told; may be given several times
    ///
    /// Those whose names say that they are secret, as GITHUB_TOKEN, are masked anyway.
    #[arg(long, value_name = "NAME", value_parser = check::variable)]
    pub(crate) redact_env: Vec<String>,
}
