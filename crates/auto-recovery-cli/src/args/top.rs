//! The command itself and the list of its subcommands.

use std::ffi::{OsStr, OsString};

use clap::{Arg, CommandFactory, Parser, Subcommand};

use crate::args::{
    AccessArgs, AdviseArgs, CheckpointArgs, ClassifyArgs, ClearArgs, CompletionsArgs, CopyArgs,
    ExplainArgs, ExportArgs, GlobalArgs, HistoryArgs, HoldArgs, ImportArgs, KeyArgs, PlanArgs,
    ProofArgs, PruneArgs, RecipesArgs, RedactArgs, ReportArgs, RestoreArgs, RunArgs, SealArgs,
    SessionsArgs, ShowArgs, StatsArgs, TailArgs, TrustArgs, VerifyArgs,
};
#[cfg(feature = "serve")]
use crate::args::{AlertsArgs, HeartbeatArgs, ServeArgs};
use crate::build::VERSION;

const AFTER_HELP: &str = "\
Try it: `recover run -- CMD` runs CMD and steps in when it fails; `recover show --last` then shows
what was done. `recover help COMMAND` explains a command with examples.";

const AFTER_LONG_HELP: &str = "\
Examples:
  recover run -- cargo test                    run it; recover it when it fails
  recover run --fix ./mend.sh -- make check    try your own fix first
  recover show --last                          what was tried, what changed, how long it took
  recover restore --last                       take it all back
  recover sessions                             this workspace's newest recoveries

Exit codes: `run` exits as the command it ran, 0 once recovered, 124 at the deadline, 125 when
recover itself failed or refuses, 126 or 127 when the command cannot be run. Every other command
exits with 0, 1 when what was asked for is not there, 2 for a mistake in the command line or the
configuration, 125 when recover itself failed; `verify` and `proof` with 3 when nothing is known to
have changed and that cannot be proved.

Environment: RECOVER_STORE, RECOVER_STATE_DIR, RECOVER_CONFIG, RECOVER_DURABILITY, RECOVER_TOKEN and
SSL_CERT_FILE; PAGER, NO_COLOR and CLICOLOR_FORCE.

Files: `recover.toml` in the workspace (see `recover help trust` for one that others could have
written), then `recover/config.toml` in $XDG_CONFIG_HOME (~/.config). `recover config` prints every
setting and where its value comes from.";

const LOG_EXAMPLES: &str = "\
A line, `?` marking what may be left out:
  {\"session_id\"?, \"strategy\", \"success\", \"error_type\", \"error_message\"?, \"attempt_number\"?, \
\"changes_made\"?, \"files_modified\"?, \"rollback_performed\"?, \"next_action\"?, \
\"duration_seconds\"?, \"timestamp\"?, \"recovery_message\"?}

Lines without a session id share one new session. A missing attempt number is the session's next. A
given timestamp is kept as it is. A key that is not listed is an error of its line. A byte order
mark is passed over; UTF-16 is named and not read. When the reader of the acknowledgements goes
away, recording goes on.

Example:
  echo '{\"strategy\":\"fix\",\"success\":true,\"error_type\":\"E0308\"}' | recover log";

/// Run any command; when it fails, recover it, and keep a record of every attempt
///
/// recover runs a command and passes its output and exit code through. When the command fails, it
/// finds out what kind of failure that is, tries the strategies that suit it, proves a cure by
/// running the command again, puts back what did not help, and records every attempt durably.
#[derive(Debug, Parser)]
#[command(
    name = "recover",
    version = VERSION,
    after_help = AFTER_HELP,
    after_long_help = AFTER_LONG_HELP,
    arg_required_else_help = true,
    subcommand_required = true
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: GlobalArgs,

    #[command(subcommand)]
    pub(crate) command: Command,
}

/// `run` by itself: a command that passes does not pay for what the others could be told.
#[derive(Debug, Parser)]
#[command(no_binary_name = true)]
struct RunAlone {
    #[command(flatten)]
    global: GlobalArgs,

    #[command(flatten)]
    run: RunArgs,
}

impl Cli {
    /// Understands `args`, the program's own name first.
    ///
    /// # Errors
    /// A mistake in them, and the help that is asked for.
    pub(crate) fn read(args: &[OsString]) -> clap::error::Result<Self> {
        if let [_, command, rest @ ..] = args
            && command == "run"
            && let Ok(RunAlone { global, run }) = RunAlone::try_parse_from(rest)
        {
            let command = Command::Run(Box::new(run));
            return Ok(Self { global, command });
        }
        Self::try_parse_from(args)
    }
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Run(Box<RunArgs>),
    Plan(Box<PlanArgs>),
    Classify(ClassifyArgs),
    Recipes(RecipesArgs),
    Advise(AdviseArgs),
    Explain(ExplainArgs),
    Redact(RedactArgs),
    /// Record attempts that something else made, as JSONL on stdin
    ///
    /// Prints {"entry_id", "session_id"} for each line once it is durable, in order. A line that
    /// cannot be used is named on stderr and the others still land; the exit code is 1 then.
    #[command(visible_alias = "record", after_long_help = LOG_EXAMPLES)]
    Log,
    #[command(visible_alias = "ls")]
    Sessions(SessionsArgs),
    History(HistoryArgs),
    Show(ShowArgs),
    Stats(StatsArgs),
    Tail(TailArgs),
    Export(ExportArgs),
    Report(ReportArgs),
    Checkpoint(CheckpointArgs),
    /// List the trees of this workspace that `restore` and a rollback can go back to
    Checkpoints,
    #[command(visible_alias = "undo")]
    Restore(RestoreArgs),
    Hold(HoldArgs),
    Prune(PruneArgs),
    Import(ImportArgs),
    Copy(CopyArgs),
    Clear(ClearArgs),
    Verify(VerifyArgs),
    Seal(SealArgs),
    Proof(ProofArgs),
    Key(KeyArgs),
    Access(AccessArgs),
    #[cfg(feature = "serve")]
    Serve(ServeArgs),
    #[cfg(feature = "serve")]
    Alerts(AlertsArgs),
    #[cfg(feature = "serve")]
    Heartbeat(HeartbeatArgs),
    /// Print every setting and where its value comes from
    Config,
    /// Look at what recoveries need here: what is wrong, and what to type
    ///
    /// Changes nothing. Exit codes: 0, 1 if something is wrong, 2 usage, 125.
    Doctor,
    /// Write a commented recover.toml for this workspace; one that is there stays as it is
    Init,
    Trust(TrustArgs),
    Completions(CompletionsArgs),
}

/// Whether `args`, which cannot be understood as a whole, are meant for `run`.
pub(crate) fn is_run(args: &[OsString]) -> bool {
    command_of(args).is_some_and(|command| command == "run")
}

/// The long names of the options that `run` takes, without the dashes.
pub(crate) fn options_of_run() -> Vec<String> {
    let cli = Cli::command();
    let run = cli.find_subcommand("run");
    let options = run.into_iter().flat_map(clap::Command::get_arguments);
    let options = options.chain(cli.get_arguments());
    options
        .filter_map(|option| option.get_long().map(str::to_owned))
        .collect()
}

/// The command that `args`, which cannot be understood as a whole, are meant for: the first word
/// that is neither an option nor the value of one.
pub(super) fn command_of(args: &[OsString]) -> Option<&OsStr> {
    let cli = Cli::command();
    // Options of a command are typed before it, too, and are a mistake then.
    let commands = cli.get_subcommands().flat_map(clap::Command::get_arguments);
    let options: Vec<_> = cli.get_arguments().chain(commands).collect();
    Some(args.get(after_options(&options, args, 1))?)
}

/// The names of the commands, one below the other, that `args` are meant for; none where the first
/// is no command.
pub(super) fn commands_of(args: &[OsString]) -> Vec<String> {
    let cli = Cli::command();
    let commands = cli.get_subcommands().flat_map(clap::Command::get_arguments);
    let options: Vec<_> = cli.get_arguments().chain(commands).collect();
    let (mut at, mut names) = (after_options(&options, args, 1), Vec::new());
    let mut above = &cli;
    while let Some(name) = args.get(at).and_then(|word| word.to_str())
        && let Some(command) = above.find_subcommand(name)
    {
        names.push(name.to_owned());
        let options: Vec<_> = cli.get_arguments().chain(command.get_arguments()).collect();
        at = after_options(&options, args, at + 1);
        above = command;
    }
    names
}

/// The number of the word that begins the command to run. The first of `words` is the program's own
/// name, and the last is being typed. None where they are for no such command.
pub(crate) fn wrapped_command_at(words: &[OsString]) -> Option<usize> {
    let cli = Cli::command();
    let globals: Vec<_> = cli.get_arguments().collect();
    let at = after_options(&globals, words, 1);
    let name = words.get(at)?.to_str()?;
    let command = cli.find_subcommand(name)?;
    if !matches!(name, "run" | "plan") {
        return None;
    }
    let options: Vec<_> = globals.into_iter().chain(command.get_arguments()).collect();
    Some(after_options(&options, words, at + 1)).filter(|&at| at < words.len())
}

/// The number of the first word, from `from` on, that is neither one of `options` nor the value of
/// one.
fn after_options(options: &[&Arg], words: &[OsString], from: usize) -> usize {
    let mut at = from;
    while let Some(word) = words.get(at) {
        let bytes = word.as_encoded_bytes();
        if bytes == b"--" && at + 1 < words.len() {
            return at + 1;
        }
        if !bytes.starts_with(b"-") {
            return at;
        }
        at += if takes_next(options, word) { 2 } else { 1 };
    }
    at
}

/// Whether the word after the option `word` is its value.
fn takes_next(options: &[&Arg], word: &OsStr) -> bool {
    let takes_value = |arg: &Arg| {
        let number = arg.get_num_args();
        arg.get_action().takes_values() && number.is_none_or(|number| number.min_values() > 0)
    };
    let has_value = |is_meant: &dyn Fn(&Arg) -> bool| {
        let mut options = options.iter();
        options.any(|arg| is_meant(arg) && takes_value(arg))
    };
    let Some(word) = word.to_str() else {
        return false;
    };
    match word.strip_prefix("--") {
        Some(name) => has_value(&|arg| arg.get_long() == Some(name)),
        // Of letters that stand together, the first that takes a value takes what follows it.
        None => {
            let mut letters = word.chars().skip(1);
            let taker = letters.find(|&letter| has_value(&|arg| arg.get_short() == Some(letter)));
            taker.is_some() && letters.next().is_none()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_alone_is_understood_as_among_all_commands() {
        let cases: [&[&str]; 12] = [
            &["run", "true"],
            &["run", "--", "true", "--json"],
            &[
                "run", "--json", "-q", "--fix", "./mend", "--retry", "3", "make", "-j",
            ],
            &[
                "run",
                "--store",
                "jsonl:d",
                "--no-pager",
                "--color",
                "never",
                "x",
            ],
            &["run", "-c", "a && b"],
            &["run", "-c", "a", "b"],
            &["run", "--quiet", "--verbose", "x"],
            &["run", "--rollback", "--", "x"],
            &["run", "--help"],
            &["run", "--version"],
            &["run", "--bogus", "x"],
            &["run"],
        ];
        for words in cases {
            let args: Vec<OsString> = ["recover"].iter().chain(words).map(Into::into).collect();
            let told = |read: clap::error::Result<Cli>| match read {
                Ok(cli) => format!("{cli:?}"),
                Err(error) => error.to_string(),
            };
            let among_all = told(Cli::try_parse_from(&args));
            assert_eq!(told(Cli::read(&args)), among_all, "{words:?}");
        }
    }

    #[test]
    fn a_run_is_known_by_its_first_word() {
        let cases: [(&[&str], bool); 13] = [
            (&["--fix", "./mend", "run", "true"], true),
            (&["--rollback", "run", "true"], true),
            (&["run", "--bogus", "--", "true"], true),
            (&["run"], true),
            (&["--bogus", "run", "--", "true"], true),
            (&["--json", "--store", "jsonl:d", "run", "x"], true),
            (&["--store=jsonl:d", "-q", "run"], true),
            (&["--store", "run", "--", "true"], false),
            (&["--config", "run", "plan"], false),
            (&["plan", "--bogus", "run"], false),
            (&["rnu", "--", "true"], false),
            (&["--", "run"], true),
            (&[], false),
        ];
        for (words, expected) in cases {
            let args: Vec<OsString> = ["recover"].iter().chain(words).map(Into::into).collect();
            assert_eq!(is_run(&args), expected, "{words:?}");
        }
    }

    #[test]
    fn the_wrapped_command_begins_after_the_options_of_run() {
        // The last word is being typed.
        let cases: [(&[&str], Option<usize>); 15] = [
            (&["run", ""], Some(2)),
            (&["run", "car"], Some(2)),
            (&["run", "cargo", "te"], Some(2)),
            (&["run", "--", "cargo", "--"], Some(3)),
            (&["run", "--"], None),
            (&["run", "--fi"], None),
            (&["run", "--fix", "./me"], None),
            (&["run", "--fix", "./mend", "ca"], Some(4)),
            (&["run", "--fix=./mend", "-q", "ca"], Some(4)),
            (&["run", "-c", "a && b"], None),
            (&["run", "-qc", "a && b", "x"], Some(4)),
            (&["--json", "--store", "jsonl:d", "plan", "ca"], Some(5)),
            (&["run", "--rollback", "ca"], Some(3)),
            (&["show", "ca"], None),
            (&["ru"], None),
        ];
        for (words, expected) in cases {
            let words: Vec<OsString> = ["recover"].iter().chain(words).map(Into::into).collect();
            assert_eq!(wrapped_command_at(&words), expected, "{words:?}");
        }
    }
}
