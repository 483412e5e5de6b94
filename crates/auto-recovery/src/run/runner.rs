//! Runs the user's command and the helpers of one session, and keeps what they wrote.
//!
//! Shared by the strategies and the verifier of a run. It decides nothing: limits, streams and the
//! place of the output are given to it.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::time::Duration;

use crate::audit::redaction_key;
use crate::audit::sealing::SealWhen;
use crate::checkpoint::RUN_VARIABLE;
use crate::detect::{self, Detection, Observation, Rules};
use crate::error::{Error, Result};
use crate::exit::EXIT_TIMED_OUT;
use crate::failure::Failure;
use crate::fixer::Preset;
use crate::host::{Host, new_id};
use crate::integrity::ShortSeal;
use crate::interrupt::Interrupt;
use crate::process::{
    self, CommandSpec, Completion, Discard, Leftovers, Marker, Process, Remains, Stream,
};
use crate::redaction::Redactor;
use crate::run::event::{Console, Role};
use crate::run::folders;
use crate::run::helpers::agent_call::{AgentCall, PROBE_TIME_MAX};
use crate::run::helpers::consent::{Consent, Consented};
use crate::run::helpers::facing::Facing;
use crate::run::helpers::variables::{self, Around};
use crate::run::outcome::RunExit;
use crate::run::request::{Policy, RunRequest, StrategyCommand, display_command};
use crate::run::seals::RunSeals;
use crate::run::state::outputs::Outputs;
use crate::run::state::vault::Vault;
use crate::strategy::Call;
use crate::workspace::Workspace;

/// The variable by which what an attempt's helper started is found again, wherever it went.
const ATTEMPT_VARIABLE: &str = "RECOVER_ATTEMPT_ID";

/// The parts of the world that a runner needs.
pub(super) struct Runner {
    pub(super) request: RunRequest,
    pub(super) host: Arc<dyn Host>,
    pub(super) interrupt: Arc<Interrupt>,
    /// When the run began, on the host's monotonic clock.
    started: Duration,
    /// The command, as typed.
    pub(super) command: String,
    /// Masks what is kept and told.
    pub(super) redactor: Arc<Redactor>,
    /// Unique to this run, unlike a session's id, which a user may give to several.
    run_id: String,
    /// The id of the session, once there is going to be one.
    announced: OnceLock<String>,
    console: Mutex<Box<dyn Console>>,
    consent: Option<Mutex<Box<dyn Consent>>>,
    pub(super) seals: RunSeals,
    state: Mutex<State>,
}

/// The state that changes during a run.
struct State {
    /// When the user's command failed first, on the host's monotonic clock.
    first_failed_at: Option<Duration>,
    /// The exit of the last failed run of the user's command.
    last_failure: Option<RunExit>,
    /// What failed then, where it was run again.
    last_error: Option<Failure>,
    session: Option<Session>,
    /// Processes that should have ended and could not be ended.
    not_ended: Vec<Process>,
    /// Processes with its mark that the user's command left running since the session began.
    kept: Vec<Process>,
    /// The mark of the newest helper.
    helper: Option<Marker>,
    /// Time limit of each process.
    attempt_timeout: Option<Duration>,
    /// The moment on the host's monotonic clock at which everything must have ended.
    deadline: Option<Duration>,
}

/// The session's store of the output of commands.
#[derive(Clone)]
struct Session {
    id: String,
    outputs: Outputs,
    /// The root of the workspace.
    workspace: PathBuf,
    /// The failure that the next helpers face.
    facing: Option<Facing>,
}

impl Runner {
    pub(super) fn new(
        request: RunRequest,
        host: Arc<dyn Host>,
        interrupt: Arc<Interrupt>,
        console: Box<dyn Console>,
    ) -> Self {
        let started = host.monotonic();
        let state = State {
            first_failed_at: None,
            last_failure: None,
            last_error: None,
            session: None,
            not_ended: Vec::new(),
            kept: Vec::new(),
            helper: None,
            attempt_timeout: request.limits.attempt_timeout,
            deadline: request
                .limits
                .deadline
                .map(|limit| started.saturating_add(limit)),
        };
        let redactor = request.masking.redactor.clone();
        let redactor = redactor.unwrap_or_else(|| Arc::new(Redactor::new(redaction_key(&*host))));
        Self {
            command: display_command(&request.command.argv),
            redactor,
            run_id: new_id("run"),
            started,
            announced: OnceLock::new(),
            request,
            host,
            interrupt,
            console: Mutex::new(console),
            consent: None,
            seals: RunSeals::default(),
            state: Mutex::new(state),
        }
    }

    /// The same, where `consent` has a say in what came with the project.
    pub(super) fn asking(self, consent: Option<Box<dyn Consent>>) -> Self {
        Self {
            consent: consent.map(Mutex::new),
            ..self
        }
    }

    /// Whether `command` may run. One that the user asked for may; one that came with the project
    /// may need the user's consent.
    pub(super) fn may_run(&self, command: &StrategyCommand) -> Consented {
        let consent = self.consent.as_ref().filter(|_| command.of_project);
        let Some(consent) = consent else {
            return Consented::Yes;
        };
        let now = self.host.monotonic();
        let time_left = self.deadline().map(|end| end.saturating_sub(now));
        let mut consent = consent.lock().unwrap_or_else(|poison| poison.into_inner());
        consent.may_run(command, time_left)
    }

    /// The id of the session to come, which everything that runs from here on receives.
    pub(super) fn announce_session(&self) -> &str {
        let wanted = &self.request.record.session_id;
        let id = || wanted.clone().unwrap_or_else(|| new_id("session"));
        self.announced.get_or_init(id)
    }

    /// From here on, output is kept for `session_id`, and the time limits of `policy` hold.
    pub(super) fn begin_session(
        &self,
        session_id: &str,
        policy: &Policy,
        workspace: &Workspace,
    ) -> Result<()> {
        let encryption = self.request.masking.encryption.as_ref();
        let vault = encryption
            .map(|encryption| Vault::of(encryption, &*self.request.state.store, session_id))
            .transpose()?;
        let outputs = Outputs::of(&self.request.state.dir, session_id, &self.run_id)?;
        let outputs = outputs.encrypted_by(vault);
        let mut state = self.state();
        state.session = Some(Session {
            id: session_id.to_owned(),
            outputs,
            workspace: workspace.root().to_owned(),
            facing: None,
        });
        state.attempt_timeout = policy.attempt_timeout;
        let limit = policy.deadline.or(self.request.limits.deadline);
        state.deadline = limit.map(|limit| self.started.saturating_add(limit));
        self.host.set_deadline(state.deadline);
        Ok(())
    }

    /// The moment on the host's monotonic clock at which everything must have ended.
    pub(super) fn deadline(&self) -> Option<Duration> {
        self.state().deadline
    }

    /// What `act` comes to if it has the grace that programs get to end, though the deadline has
    /// passed: a person is called then, too.
    pub(super) fn with_grace<T>(&self, act: impl FnOnce() -> T) -> T {
        let before = self.deadline();
        let soon = self
            .host
            .monotonic()
            .saturating_add(self.request.limits.grace);
        let at = before.map(|at| at.max(soon));
        self.state().deadline = at;
        self.host.set_deadline(at);
        let done = act();
        self.state().deadline = before;
        self.host.set_deadline(before);
        done
    }

    /// Runs the user's command. What it leaves running stays, as it would without us.
    pub(super) fn run_command(&self) -> Result<Completion> {
        let mut spec = CommandSpec::new(self.request.command.argv.iter().cloned());
        if let Some(session_id) = self.announced.get() {
            // A recovery inside of this one must know that it is inside.
            let variable = variables::SESSION_VARIABLE.into();
            spec.env.push((variable, session_id.into()));
        }
        let ran = self.start(spec, Role::Command, None)?;
        if !ran.is_success() {
            let now = self.host.monotonic();
            let mut state = self.state();
            state.first_failed_at.get_or_insert(now);
            state.last_failure = Some(exit_of(&ran));
            state.last_error = None;
        }
        Ok(ran)
    }

    /// Runs a given command, passing it the facts of `call`, and `more` in variables. An agent gets
    /// its prompt from the file at `prompt`.
    pub(super) fn run_helper(
        &self,
        command: &StrategyCommand,
        role: Role,
        call: &Call<'_>,
        (more, prompt): (&[(OsString, OsString)], Option<&Path>),
    ) -> Result<Completion> {
        let mut spec = CommandSpec::new(command.argv.iter().cloned());
        spec.cwd.clone_from(&command.folder);
        spec.env.extend(more.iter().cloned());
        let agent = match (&command.preset, prompt) {
            (Some(preset), Some(prompt)) => Some(AgentCall::new(preset, prompt)?),
            _ => None,
        };
        // Without a session nothing is kept that could be named.
        let session = self.session();
        let kept = session.as_ref().map(|session| {
            let outputs = &session.outputs;
            (outputs.failure_log(), outputs.failure_json())
        });
        let (output_file, failure_file) = kept.unwrap_or_default();
        let facing = session.as_ref().and_then(|session| session.facing.as_ref());
        let workspace = session.as_ref().map(|session| &*session.workspace);
        let failure = self.for_helpers(call.failure);
        let call = &Call {
            failure: &failure,
            ..*call
        };
        let around = Around {
            argv: &self.request.command.argv,
            exit_code: facing.map(|facing| facing.exit.shell_code()),
            workspace: workspace.unwrap_or(&self.request.command.cwd),
            output_file: &output_file,
            failure_file: &failure_file,
        };
        spec.env.extend(variables::variables(call, &around));
        spec.marker = Some(self.marker(call.attempt_number));
        self.state().helper.clone_from(&spec.marker);
        self.start(spec, role, agent)
    }

    fn start(
        &self,
        mut spec: CommandSpec,
        role: Role,
        agent: Option<AgentCall>,
    ) -> Result<Completion> {
        spec.cwd
            .get_or_insert_with(|| self.request.command.cwd.clone());
        spec.timeout = self.state().attempt_timeout;
        spec.deadline = self.deadline();
        spec.grace = self.request.limits.grace;
        spec.leftovers = Leftovers::Keep;
        if self.session_id().is_some() {
            spec.env
                .push((RUN_VARIABLE.into(), self.run_id.clone().into()));
        }
        let mut console = self
            .console
            .lock()
            .unwrap_or_else(|poison| poison.into_inner());
        console.prepare(role, &mut spec)?;
        if let Some(agent) = agent {
            agent.prepare(&mut spec);
        }
        let mut sink = console.sink(role)?;
        let ran = process::run(&spec, &mut *sink, &self.interrupt, &*self.host)?;
        if let Some(signal) = ran.interrupted
            && self.interrupt.raised().is_none()
        {
            self.interrupt.raise(signal);
        }
        if is_not_ended(&ran) {
            let left = ran.left_running.iter().cloned();
            self.state().not_ended.extend(left);
        }
        if role == Role::Command {
            self.keep_running(&ran.left_running);
        }
        match role {
            Role::Command => passed_on(&spec, ran),
            Role::Helper | Role::Person => Ok(ran),
        }
    }

    /// Remembers what the user's own command left running. Once a helper ran, that is what carries
    /// the mark of this run and not of the helper, which may have gone on starting others.
    fn keep_running(&self, left: &[Process]) {
        let mark = mark_of_run(&self.run_id);
        let mut state = self.state();
        let helper = state.helper.clone();
        let is_helpers = |process: &Process| helper.as_ref().is_some_and(|m| process.is_marked(m));
        let is_own = |process: &Process| process.is_marked(&mark) && !is_helpers(process);
        let kept = left
            .iter()
            .filter(|process| helper.is_none() || is_own(process));
        let kept = kept.cloned();
        state.kept.extend(kept);
    }

    /// Why the agent of `preset` cannot be called as it says, if that is known: it is not there, or
    /// its version does not fit. An agent that says nothing of itself may fit.
    pub(super) fn unfit(&self, preset: &Preset) -> Option<String> {
        let program = preset.argv.first()?;
        if !self
            .request
            .is_installed(program, &self.request.command.cwd)
        {
            let name = &preset.name;
            return Some(format!(
                "agent:{name}: {program} is not installed: install it, or name another fix"
            ));
        }
        if preset.probe.is_empty() {
            return None;
        }
        let mut spec = CommandSpec::new(preset.probe.iter().map(OsString::from));
        spec.cwd = Some(self.request.command.cwd.clone());
        spec.timeout = Some(PROBE_TIME_MAX);
        spec.deadline = self.deadline();
        spec.grace = self.request.limits.grace.min(PROBE_TIME_MAX);
        spec.leftovers = Leftovers::End;
        spec.env_remove = preset.env_remove.iter().map(OsString::from).collect();
        let ran = process::run(&spec, &mut Discard, &self.interrupt, &*self.host).ok()?;
        let said = ran.capture.interleaved();
        let said = ran.is_success().then(|| String::from_utf8_lossy(&said))?;
        preset.unfit(&said)
    }

    /// What the user's own command left running, and has not ended.
    pub(super) fn left_by_command(&self) -> Vec<Process> {
        let mut left = self.state().kept.clone();
        left.retain(Process::is_alive);
        left.sort_by_key(|process| process.pid);
        left.dedup_by_key(|process| process.pid);
        left
    }

    /// Ends what a failed helper left running, wherever it went. What the user's own command left
    /// meanwhile stays. What cannot be ended is remembered, to be named.
    pub(super) fn end_leftovers(&self, left: Remains) {
        let kept = self.state().kept.clone();
        let (grace, host) = (self.request.limits.grace, &*self.host);
        if let Ok(left) = left.end(&kept, grace, &self.interrupt, host) {
            self.state().not_ended.extend(left);
        }
    }

    /// The mark of the processes that the helper of attempt `number` starts.
    fn marker(&self, number: u64) -> Marker {
        let value = format!("{}:{number}", self.run_id);
        Marker {
            name: ATTEMPT_VARIABLE.into(),
            value: value.into(),
        }
    }

    /// The mark of everything that is started for this recovery.
    pub(super) fn run_id(&self) -> &str {
        &self.run_id
    }

    /// Detects the failure in the output of a run of the command.
    pub(super) fn detect(&self, ran: &Completion) -> Detection {
        self.detect_of(&self.request.words(), ran)
    }

    /// Detects the failure in the output of a run of `argv`.
    pub(super) fn detect_of(&self, argv: &[String], ran: &Completion) -> Detection {
        let rules = self
            .request
            .tries
            .rules
            .as_deref()
            .unwrap_or_else(|| Rules::builtin());
        let observation = Observation {
            argv,
            exit_code: code_of(ran),
            signal: signal_of(ran),
            timed_out: ran.timed_out || ran.deadline_passed,
            stdout: &ran.capture.stream(Stream::Stdout),
            stderr: &ran.capture.stream(Stream::Stderr),
        };
        let mut detection = detect::detect(&observation, rules);
        self.shorten_path(&mut detection.failure);
        let output = || ran.capture.interleaved();
        folders::join(&mut detection.failure, &self.request, argv, output);
        detection
    }

    /// A file below the directory of the command is named relative to it, as the user would.
    fn shorten_path(&self, failure: &mut Failure) {
        let Some(file) = &failure.file_path else {
            return;
        };
        if let Ok(relative) = Path::new(file).strip_prefix(&self.request.command.cwd) {
            // The directory itself is no place in it.
            let relative = relative.display().to_string();
            failure.file_path = Some(relative).filter(|relative| !relative.is_empty());
        }
    }

    /// Seals what is on record of the session, if that is wanted `when` this is.
    pub(super) fn seal(&self, when: SealWhen) -> Option<ShortSeal> {
        let session_id = self.session_id()?;
        let of = (&*session_id, &self.host);
        self.seals.seal(&self.request, of, when)
    }

    /// Keeps what a run wrote in the log of attempt `number`; returns where.
    pub(super) fn keep(&self, number: u64, command: &str, ran: &Completion) -> Option<String> {
        let outputs = self.outputs()?;
        let command = self.redactor.redact_text(command);
        let output = self.masked(ran);
        let kept = outputs.keep(number, &command, (ran, &output)).ok()?;
        Some(kept.display().to_string())
    }

    /// Keeps the failure that the next helpers face: that of `ran`, which ended with `exit`, as
    /// `rule` detected it. Nothing ran if it could not be started.
    pub(super) fn face(
        &self,
        failure: &Failure,
        rule: &str,
        exit: RunExit,
        ran: Option<&Completion>,
    ) -> Result<()> {
        let output = match (ran, self.request.masking.real_for_fixers) {
            (Some(ran), true) => ran.capture.interleaved().into(),
            (Some(ran), false) => self.masked(ran),
            (None, _) => Arc::default(),
        };
        let failure = &self.for_helpers(failure);
        let facing = Facing::new(failure, rule, exit, (ran, &output));
        let outputs = self.state().session.as_mut().map(|session| {
            session.facing = Some(facing);
            session.outputs.clone()
        });
        match outputs {
            Some(outputs) => outputs.keep_failure(failure, &output),
            None => Ok(()),
        }
    }

    /// The failure that the next helpers face.
    pub(super) fn facing(&self) -> Option<Facing> {
        self.session()?.facing
    }

    pub(super) fn outputs(&self) -> Option<Outputs> {
        self.session().map(|session| session.outputs)
    }

    fn session(&self) -> Option<Session> {
        self.state().session.clone()
    }

    pub(super) fn session_id(&self) -> Option<String> {
        self.state()
            .session
            .as_ref()
            .map(|session| session.id.clone())
    }

    /// The processes that should have ended, could not be ended and still exist, in words.
    pub(super) fn not_ended(&self) -> Vec<String> {
        let state = self.state();
        let alive = state.not_ended.iter().filter(|process| process.is_alive());
        alive.map(ToString::to_string).collect()
    }

    /// When the user's command failed first, on the host's monotonic clock; now, if it has not.
    pub(super) fn first_failed_at(&self) -> Duration {
        let first = self.state().first_failed_at;
        first.unwrap_or_else(|| self.host.monotonic())
    }

    pub(super) fn last_failure(&self) -> Option<RunExit> {
        self.state().last_failure
    }

    /// Notes what failed when the command was run again, last.
    pub(super) fn note_error(&self, failure: Failure) {
        self.state().last_error = Some(failure);
    }

    /// What failed when the command was run again, last.
    pub(super) fn last_error(&self) -> Option<Failure> {
        self.state().last_error.clone()
    }

    /// Whether the command would find all that it reads again; else the reason why not.
    pub(super) fn can_run_again(&self) -> std::result::Result<(), String> {
        self.console
            .lock()
            .unwrap_or_else(|poison| poison.into_inner())
            .can_run_again(&self.request.command.argv)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state
            .lock()
            .unwrap_or_else(|poison| poison.into_inner())
    }
}

/// `ran`, unless what it wrote to stdout is lost: then nothing it says of itself counts. A reader
/// that went away lost nothing it wanted.
fn passed_on(spec: &CommandSpec, mut ran: Completion) -> Result<Completion> {
    match ran.output_error.take() {
        Some((Stream::Stdout, error)) if error.kind() != io::ErrorKind::BrokenPipe => {
            let program = spec.program().to_string_lossy();
            let context = format!("pass on what `{program}` wrote to stdout");
            Err(Error::os(context, error))
        }
        other => {
            ran.output_error = other;
            Ok(ran)
        }
    }
}

/// Whether a limit or the user ended `ran`, and something of it is still there: it waits in the
/// kernel, or it is another user's, which this one cannot end.
pub(super) fn is_not_ended(ran: &Completion) -> bool {
    let ended = ran.timed_out || ran.deadline_passed || ran.interrupted.is_some();
    ended && !ran.left_running.is_empty()
}

/// The mark of everything that the run `run_id` started.
pub(super) fn mark_of_run(run_id: &str) -> Marker {
    Marker {
        name: RUN_VARIABLE.into(),
        value: run_id.into(),
    }
}

/// The exit of `recover` when this run of the user's command is the one that counts.
fn exit_of(ran: &Completion) -> RunExit {
    match ran.timed_out || ran.deadline_passed {
        true => RunExit::Code(EXIT_TIMED_OUT),
        false => ran.exit.into(),
    }
}

pub(super) fn code_of(ran: &Completion) -> Option<i32> {
    match ran.exit {
        process::Exit::Code(code) => Some(code),
        process::Exit::Signal(_) => None,
    }
}

pub(super) fn signal_of(ran: &Completion) -> Option<i32> {
    match ran.exit {
        process::Exit::Code(_) => None,
        process::Exit::Signal(signal) => Some(signal),
    }
}
