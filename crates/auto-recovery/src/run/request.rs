//! What a run is asked to do, as plain values. Nothing here reads the environment.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::audit::AuditStore;
use crate::audit::encrypting::Encryption;
use crate::audit::sealing::SealWhen;
use crate::detect::Rules;
use crate::error::{Error, Result};
use crate::failure::{Category, Failure};
use crate::fixer::Preset;
use crate::learn::LearnSettings;
use crate::manager::OnAuditFailure;
use crate::plan::{CategoryOrder, Planner};
use crate::process::DEFAULT_GRACE;
use crate::recipe::Recipe;
use crate::redaction::Redactor;
use crate::run::advice::{Advice, Words};
use crate::run::outcome::ExitMap;
use crate::run::tree_rules::TreeRules;
use crate::tier::Tier;
use crate::wording::shell_word;
use crate::workspace::Workspace;

/// A command that somebody gave as a strategy, an escalation or an approval.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StrategyCommand {
    /// The program and its arguments.
    pub argv: Vec<OsString>,
    /// What a person would type.
    pub display: String,
    /// Where it runs; where the failed command does if nothing else is said.
    pub folder: Option<PathBuf>,
    /// Whether it came with the project, so that somebody may have to agree before it runs.
    pub of_project: bool,
    /// Whether it was typed for this very run: such commands keep their order among themselves.
    pub typed: bool,
    /// The agent that it calls, which gets a prompt and has limits.
    pub preset: Option<Preset>,
}

impl StrategyCommand {
    /// A shell text, run by `sh -c`.
    pub fn shell(text: &str) -> Self {
        Self {
            argv: vec!["sh".into(), "-c".into(), text.into()],
            display: text.to_owned(),
            folder: None,
            of_project: false,
            typed: false,
            preset: None,
        }
    }

    /// A program and its arguments, run directly.
    pub fn direct(argv: Vec<OsString>) -> Self {
        Self {
            display: display_command(&argv),
            argv,
            folder: None,
            of_project: false,
            typed: false,
            preset: None,
        }
    }

    /// A coding agent.
    pub fn agent(preset: Preset) -> Self {
        Self {
            argv: preset.words().into_iter().map(OsString::from).collect(),
            display: format!("agent:{}", preset.name),
            folder: None,
            of_project: false,
            typed: false,
            preset: Some(preset),
        }
    }

    /// What is run, for people who want to know exactly.
    pub fn in_words(&self) -> String {
        let display = &self.display;
        match &self.preset {
            Some(preset) => format!(
                "{display}: {} ({})",
                display_command(&self.argv),
                preset.in_words()
            ),
            None => display.clone(),
        }
    }

    /// The same, known to come with the project.
    #[must_use]
    pub fn of_project(self) -> Self {
        Self {
            of_project: true,
            ..self
        }
    }
}

/// Who runs, for the record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// The machine.
    pub host: Option<String>,
    /// The user.
    pub user: Option<String>,
}

/// Plain retries of a transient failure: with the default delays about a minute of waiting, which
/// most restarts take.
pub const TRANSIENT_RETRIES: u32 = 7;

/// How recoveries go: what may differ by category or error type.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    /// Tries of each strategy.
    pub max_attempts: u32,
    /// How many plain retries were asked for; `None` leaves it to the category.
    pub retry: Option<u32>,
    /// How long after the first failure a plain retry may begin, where that was asked for rather
    /// than how many.
    pub retry_for: Option<Duration>,
    /// How many plain retries a transient failure has where none were asked for.
    pub transient_retries: u32,
    /// Delay before the second try.
    pub base_delay: Duration,
    /// The longest delay.
    pub max_delay: Duration,
    /// Whether delays are drawn from their upper half.
    pub jitter: bool,
    /// Time limit of each process of the recovery.
    pub attempt_timeout: Option<Duration>,
    /// Time limit of the whole run, from its start, where it differs from the request's.
    pub deadline: Option<Duration>,
    /// Commands that mend, in order.
    pub fixes: Vec<StrategyCommand>,
    /// Commands that stand in, in order.
    pub alternatives: Vec<StrategyCommand>,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            max_attempts: 3,
            retry: None,
            retry_for: None,
            transient_retries: TRANSIENT_RETRIES,
            base_delay: Duration::from_secs(1),
            max_delay: Duration::from_secs(60),
            jitter: true,
            attempt_timeout: None,
            deadline: None,
            fixes: Vec::new(),
            alternatives: Vec::new(),
        }
    }
}

/// Chooses the policy for a failure, once it is known.
pub type PolicyFor = Arc<dyn Fn(Category, &Failure) -> Policy + Send + Sync>;

/// Everything a run needs to know.
#[derive(Clone)]
pub struct RunRequest {
    /// What runs.
    pub command: CommandLine,
    /// What stays of it, and where.
    pub state: State,
    /// How it is recorded.
    pub record: Recording,
    /// What is masked.
    pub masking: Masking,
    /// What is tried against which failure.
    pub tries: Tries,
    /// How long things may take.
    pub limits: Limits,
    /// What becomes of the tree.
    pub tree: TreeRules,
    /// Who is asked, and who is called.
    pub people: People,
    /// How the run exits.
    pub exits: Exits,
    /// Whether it recovers.
    pub mode: Mode,
    /// What the edge calls what a person can do.
    pub words: Words,
}

/// What runs, where, and where programs are found.
#[derive(Clone, Debug, Default)]
pub struct CommandLine {
    /// The command.
    pub argv: Vec<OsString>,
    /// Where it runs.
    pub cwd: PathBuf,
    /// Programs are looked for here, to know which recipes can run.
    pub search_path: Option<OsString>,
}

/// Where the state and the record are, and whose they are.
#[derive(Clone)]
pub struct State {
    /// The state directory.
    pub dir: PathBuf,
    /// Where the record goes.
    pub store: Arc<dyn AuditStore>,
    /// The files or the directory that the store is kept in; left out of checkpoints.
    pub store_paths: Vec<PathBuf>,
    /// The user's home directory, which is never checkpointed.
    pub home: Option<PathBuf>,
    /// Who became root by `sudo`, if this is root: that user's repositories count as root's.
    pub sudo_uid: Option<u32>,
}

/// How a run is recorded.
#[derive(Clone, Debug)]
pub struct Recording {
    /// Who runs.
    pub identity: Identity,
    /// The id of the session, if the user chose one.
    pub session_id: Option<String>,
    /// The session of the recovery that this run happens inside of.
    pub parent_session: Option<String>,
    /// Whether what a cure changed is kept as a patch.
    pub keep_patch: bool,
    /// What to do when a record cannot be written.
    pub on_audit_failure: OnAuditFailure,
    /// When the record is sealed, where its store keeps seals.
    pub seal: SealWhen,
}

impl Default for Recording {
    fn default() -> Self {
        Self {
            identity: Identity::default(),
            session_id: None,
            parent_session: None,
            keep_patch: false,
            on_audit_failure: OnAuditFailure::Stop,
            seal: SealWhen::default(),
        }
    }
}

/// What is masked in all that is kept and told of a run. What the command writes passes through as
/// it is.
#[derive(Clone, Debug, Default)]
pub struct Masking {
    /// Masks secrets; the store's recorder should have the same one. `None` makes one that knows
    /// no values.
    pub redactor: Option<Arc<Redactor>>,
    /// Whether strategy commands are given the failure, its output and patches as they are. Prompts
    /// are masked all the same, for agents send them away.
    pub real_for_fixers: bool,
    /// Encrypts kept outputs, as the store's recorder does texts.
    pub encryption: Option<Arc<Encryption>>,
}

/// What is tried against which failure.
#[derive(Clone)]
pub struct Tries {
    /// How to recover which failure.
    pub policy: PolicyFor,
    /// Decides what is tried, and in which order.
    pub planner: Arc<dyn Planner>,
    /// Whether history is asked for a better order; off unless set.
    pub learn: LearnSettings,
    /// The user's recipes, which come before the built-in ones.
    pub recipes: Vec<Recipe>,
    /// The rules of detection; the built-in ones unless set.
    pub rules: Option<Arc<Rules>>,
    /// The worst that a recipe may do.
    pub allow: Tier,
}

impl Default for Tries {
    fn default() -> Self {
        Self {
            policy: Arc::new(|_, _| Policy::default()),
            planner: Arc::new(CategoryOrder),
            learn: LearnSettings::OFF,
            recipes: Vec::new(),
            rules: None,
            allow: Tier::Safe,
        }
    }
}

/// How long things may take.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Time limit of the first run; the policy has that of the others.
    pub attempt_timeout: Option<Duration>,
    /// Time limit of the whole run, unless the policy for its failure has another.
    pub deadline: Option<Duration>,
    /// Time between asking a process to end and killing it.
    pub grace: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            attempt_timeout: None,
            deadline: None,
            grace: DEFAULT_GRACE,
        }
    }
}

/// Who is asked, and who is called.
#[derive(Clone, Debug, Default)]
pub struct People {
    /// What must exit 0 before a change that works is kept.
    pub approve: Option<StrategyCommand>,
    /// What to run when a person is needed.
    pub on_escalate: Option<StrategyCommand>,
}

/// How the run exits, where not as the command.
#[derive(Clone, Debug, Default)]
pub struct Exits {
    /// Exit codes of failures that nothing recovered.
    pub exit_map: ExitMap,
    /// Whether a flaky pass exits with the first run's code.
    pub fail_on_flaky: bool,
    /// Whether a cure that changed files, and stays, exits with the first run's code.
    pub fail_on_change: bool,
}

/// Whether a run recovers a failure, or shows how it would.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// It recovers.
    #[default]
    Recover,
    /// It shows the plan.
    DryRun,
}

impl RunRequest {
    /// Whether it is part of another recovery, which tries what can be tried itself.
    pub(super) fn is_nested(&self) -> bool {
        self.record.parent_session.is_some()
    }

    /// A request to run `argv` in `cwd`, with its state in `state_dir` and its record in `store`.
    /// Nothing else is given: each failure has the policy by default, built-in recipes that are
    /// safe may be tried, and no program is found by its name until a search path is set.
    pub fn new(
        argv: Vec<OsString>,
        cwd: PathBuf,
        state_dir: PathBuf,
        store: Arc<dyn AuditStore>,
    ) -> Self {
        Self {
            command: CommandLine {
                argv,
                cwd,
                search_path: None,
            },
            state: State {
                dir: state_dir,
                store,
                store_paths: Vec::new(),
                home: None,
                sudo_uid: None,
            },
            record: Recording::default(),
            masking: Masking::default(),
            tries: Tries::default(),
            limits: Limits::default(),
            tree: TreeRules::default(),
            people: People::default(),
            exits: Exits::default(),
            mode: Mode::Recover,
            words: Words::NONE,
        }
    }

    /// The workspace of the run.
    ///
    /// # Errors
    /// If the current directory is not there.
    pub fn workspace(&self) -> Result<Workspace> {
        let state = &self.state;
        Workspace::find_for(&self.command.cwd, state.home.as_deref(), state.sudo_uid)
    }

    /// The command as text; what is no UTF-8 becomes replacement characters.
    pub fn words(&self) -> Vec<String> {
        self.command
            .argv
            .iter()
            .map(|word| word.to_string_lossy().into_owned())
            .collect()
    }

    /// What is said where the run `says` this and has `advice`.
    pub(super) fn advise(&self, says: impl AsRef<str>, advice: &Advice) -> String {
        (self.words.advice)(says.as_ref(), advice)
    }

    /// `error` with its causes in one line, and the edge's words for what can be done about it.
    pub(super) fn chain(&self, error: &Error) -> String {
        error.chain_with(self.words.hint)
    }

    /// Whether `program` can be started in `folder`: a path from there, or a name on the search
    /// path.
    pub(super) fn is_installed(&self, program: &str, folder: &Path) -> bool {
        use std::os::unix::fs::PermissionsExt as _;
        let is_program = |path: PathBuf| {
            path.metadata()
                .is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
        };
        match program.contains('/') {
            true => is_program(folder.join(program)),
            false => std::env::split_paths(self.command.search_path.as_deref().unwrap_or_default())
                .any(|dir| is_program(folder.join(dir).join(program))),
        }
    }
}

/// `argv` as a person would type it in a shell.
pub fn display_command<A: AsRef<OsStr>>(argv: &[A]) -> String {
    argv.iter()
        .map(|word| shell_word(&word.as_ref().to_string_lossy()))
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_shown_as_it_would_be_typed() {
        let cases: [(&[&str], &str); 4] = [
            (&["cargo", "fmt", "--check"], "cargo fmt --check"),
            (&["sh", "-c", "exit 3"], "sh -c 'exit 3'"),
            (&["echo", ""], "echo ''"),
            (&["echo", "it's"], r"echo 'it'\''s'"),
        ];
        for (argv, expected) in cases {
            assert_eq!(display_command(argv), expected);
        }
    }
}
