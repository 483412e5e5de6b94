//! The settings of a run, resolved.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use auto_recovery::Category;
use auto_recovery::integrity::WitnessKey;

use crate::args::{
    MappedExit, OutcomeArgs, Profile, ReportTarget, RunArgs, StrategyArgs, TimingArgs, TreeArgs,
};
use crate::settings::{
    FixerSetting, Layer, LearnSettings, OnAuditFailure, OnLeftover, PolicyLayer, RecipeSetting,
    RedactSettings, RetentionSettings, RollbackTarget, RuleSetting, SealWhen, Setting,
    StrategyCommand, Tier,
};

/// Tries of each strategy unless somebody says otherwise, as in the specification.
pub(super) const MAX_ATTEMPTS: u32 = 3;
/// Delay before a second try, as in the specification.
const BASE_DELAY: Duration = Duration::from_secs(1);
/// Longest delay between two tries, as in the specification.
pub(super) const MAX_DELAY: Duration = Duration::from_secs(60);
/// Time between asking a program to end and killing it: what service managers and container
/// runtimes give.
const GRACE: Duration = Duration::from_secs(10);

/// When a run for a coding agent ends: agents give a command two minutes unless told otherwise.
const AGENT_DEADLINE: Duration = Duration::from_secs(100);

/// The settings of a run: what flags, environment and files say, laid over one another.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct RunSettings {
    /// How failures are tried when nothing more is known of them.
    pub(crate) policy: Policy,
    /// What differs by category. Use [`RunSettings::policy_for`].
    pub(crate) categories: Vec<(Category, PolicyLayer)>,
    /// What differs by failure type. Use [`RunSettings::policy_for`].
    pub(crate) error_types: Vec<(String, PolicyLayer)>,
    /// Time between asking a program to end and killing it.
    pub(crate) grace: Setting<Duration>,
    /// Globs of paths that no fix may touch, from every place that names some.
    pub(crate) protect: Vec<Setting<String>>,
    /// Riskiest recipe that may run by itself.
    pub(crate) allow: Setting<Tier>,
    /// Is shown the diff before a fix is kept.
    pub(crate) approve: Setting<Option<StrategyCommand>>,
    /// Runs when nothing helped.
    pub(crate) on_escalate: Setting<Option<StrategyCommand>>,
    /// Whether and where to roll back at last.
    pub(crate) rollback: Setting<Option<RollbackTarget>>,
    /// Whether an attempt that changed the failure is built upon.
    pub(crate) keep_progress: Setting<bool>,
    /// Whether nothing is undone.
    pub(crate) keep_failed_changes: Setting<bool>,
    /// Whether checkpoints are taken.
    pub(crate) checkpoint: Setting<bool>,
    /// Whether commands write to terminals where this process does.
    pub(crate) pty: Setting<bool>,
    /// Whether only the deciding run's stdout is written.
    pub(crate) hold_stdout: Setting<bool>,
    /// Whether a flaky pass exits with the first run's code.
    pub(crate) fail_on_flaky: Setting<bool>,
    /// Whether only the deciding run's output is written, both streams.
    pub(crate) hold_output: Setting<bool>,
    /// Whether a cure that changed files exits with the first run's code.
    pub(crate) fail_on_change: Setting<bool>,
    /// Whether a cure is added to git's index where it was staged before.
    pub(crate) stage: Setting<bool>,
    /// Whether a cure must be seen to be one.
    pub(crate) confirm: Setting<bool>,
    /// What becomes of the changes of a killed run; unless said, a person at a terminal decides.
    pub(crate) on_leftover: Setting<Option<OnLeftover>>,
    /// What happens to a recovery whose record cannot be written.
    pub(crate) on_audit_failure: Setting<OnAuditFailure>,
    /// When a run seals what is on record.
    pub(crate) seal_when: Setting<SealWhen>,
    /// The command that is given each seal that a run ends with.
    pub(crate) seal_publish: Setting<Option<StrategyCommand>>,
    /// The witnesses whose signatures of seals count.
    pub(crate) seal_witnesses: Setting<Vec<WitnessKey>>,
    /// Whether the order of strategies is learned.
    pub(crate) learn: LearnSettings,
    /// Changes to the recipes, the project's before the user's; the first of a name counts.
    pub(crate) recipes: Vec<RecipeSetting>,
    /// Rules that are asked before the built-in ones, in this order.
    pub(crate) rules: Vec<RuleSetting>,
    /// Changes to the coding agents that fixes may call.
    pub(crate) fixers: Vec<FixerSetting>,
}

/// How failures are tried.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Policy {
    /// Commands that may mend the tree, in order.
    pub(crate) fix: Setting<Vec<StrategyCommand>>,
    /// Commands that may stand in, in order.
    pub(crate) alternative: Setting<Vec<StrategyCommand>>,
    /// Plain retries asked for whatever the category; `None` leaves it to the category.
    pub(crate) retry: Setting<Option<u32>>,
    /// How long after the first failure a plain retry may begin, whatever the category.
    pub(crate) retry_for: Setting<Option<Duration>>,
    /// Tries of each strategy.
    pub(crate) max_attempts: Setting<u32>,
    /// Delay before a strategy's second try.
    pub(crate) base_delay: Setting<Duration>,
    /// Longest delay.
    pub(crate) max_delay: Setting<Duration>,
    /// Whether delays vary at random.
    pub(crate) jitter: Setting<bool>,
    /// Bounds every program that is started.
    pub(crate) attempt_timeout: Setting<Option<Duration>>,
    /// Bounds the whole run, from its start.
    pub(crate) deadline: Setting<Option<Duration>>,
}

/// What a run is asked to do that no file can say.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct RunRequest {
    /// The command, as argv; never empty.
    pub(crate) command: Vec<OsString>,
    /// Session to record under.
    pub(crate) session: Option<String>,
    /// Whether to plan only.
    pub(crate) dry_run: bool,
    /// Whether to refuse instead of waiting for another recovery.
    pub(crate) no_wait: bool,
    /// Where the result is written.
    pub(crate) result_file: Option<PathBuf>,
    /// Who calls, if that was said.
    pub(crate) profile: Option<Profile>,
    /// What is written for CI systems.
    pub(crate) reports: Vec<ReportTarget>,
    /// Exit codes of failures that nothing recovered.
    pub(crate) exit_map: Vec<MappedExit>,
}

impl RunRequest {
    /// The request to run `command`, with nothing else said.
    pub(crate) fn of(command: Vec<OsString>) -> Self {
        Self {
            command,
            session: None,
            dry_run: false,
            no_wait: false,
            result_file: None,
            profile: None,
            reports: Vec::new(),
            exit_map: Vec::new(),
        }
    }

    /// What was typed, parted into what only this run is asked and what is a layer of settings.
    pub(crate) fn split(args: RunArgs) -> (Self, Layer) {
        let RunArgs {
            what,
            strategies,
            timing,
            tree,
            outcome,
        } = args;
        let request = Self {
            command: what.into_argv(),
            session: outcome.session.clone(),
            dry_run: strategies.dry_run,
            no_wait: timing.no_wait || outcome.profile.is_some(),
            result_file: outcome.result_file.clone(),
            profile: outcome.profile,
            reports: outcome.report.clone(),
            exit_map: outcome.exit_map.clone(),
        };
        let mut layer = Layer::from_flags(strategies, timing, tree, outcome);
        if let Some(profile) = request.profile {
            layer.lay_over_profile(profile);
        }
        (request, layer)
    }
}

impl Layer {
    /// What is to be tried, as flags of `advise` say it.
    pub(crate) fn of_strategies(fix: Vec<String>, alternative: Vec<String>) -> Self {
        Self {
            policy: PolicyLayer {
                fix: shell_commands("fix", fix),
                alternative: shell_commands("alternative", alternative),
                ..PolicyLayer::default()
            },
            ..Self::default()
        }
    }

    /// What the flags of `run` say.
    fn from_flags(
        strategies: StrategyArgs,
        timing: TimingArgs,
        tree: TreeArgs,
        outcome: OutcomeArgs,
    ) -> Self {
        let StrategyArgs {
            fix,
            alternative,
            retry,
            retry_for,
            max_attempts,
            allow,
            rollback,
            on_escalate,
            dry_run: _,
        } = strategies;
        let TimingArgs {
            base_delay,
            max_delay,
            no_jitter,
            deadline,
            attempt_timeout,
            grace,
            no_wait: _,
        } = timing;
        let TreeArgs {
            protect,
            approve,
            confirm,
            keep_progress,
            keep_failed_changes,
            no_checkpoint,
        } = tree;
        Self {
            policy: PolicyLayer {
                fix: shell_commands("fix", fix),
                alternative: shell_commands("alternative", alternative),
                retry: given("retry", retry),
                retry_for: given("retry-for", retry_for),
                max_attempts: given("max-attempts", max_attempts),
                base_delay: given("base-delay", base_delay),
                max_delay: given("max-delay", max_delay),
                jitter: switch("no-jitter", no_jitter, false),
                attempt_timeout: given("attempt-timeout", attempt_timeout),
                deadline: given("deadline", deadline),
            },
            grace: given("grace", grace),
            protect: each("protect", protect),
            allow: given("allow", allow),
            approve: given("approve", approve.map(StrategyCommand::of_text)),
            on_escalate: given("on-escalate", on_escalate.map(StrategyCommand::of_text)),
            rollback: given("rollback", rollback),
            keep_progress: switch("keep-progress", keep_progress, true),
            keep_failed_changes: switch("keep-failed-changes", keep_failed_changes, true),
            checkpoint: switch("no-checkpoint", no_checkpoint, false),
            confirm: switch("confirm", confirm, true),
            ..Self::from_outcome(outcome)
        }
    }

    /// What those say that are of the record and the result.
    fn from_outcome(outcome: OutcomeArgs) -> Self {
        let OutcomeArgs {
            session: _,
            result_file: _,
            report: _,
            exit_map: _,
            no_pty,
            hold_stdout,
            fail_on_flaky,
            hold_output,
            fail_on_change,
            stage,
            profile: _,
            redact_env,
        } = outcome;
        Self {
            hold_stdout: switch("hold-stdout", hold_stdout, true),
            fail_on_flaky: switch("fail-on-flaky", fail_on_flaky, true),
            hold_output: switch("hold-output", hold_output, true),
            fail_on_change: switch("fail-on-change", fail_on_change, true),
            stage: switch("stage", stage, true),
            pty: switch("no-pty", no_pty, false),
            redact: RedactSettings {
                env: each("redact-env", redact_env),
                ..RedactSettings::default()
            },
            ..Self::default()
        }
    }
}

impl Layer {
    /// Lays these flags over what `profile` says.
    fn lay_over_profile(&mut self, profile: Profile) {
        let Profile::Agent = profile;
        let policy = &mut self.policy;
        fill(
            &mut policy.deadline,
            &given("profile", Some(AGENT_DEADLINE)),
        );
        if self.hold_stdout.is_none() {
            fill(&mut self.hold_output, &switch("profile", true, true));
        }
        if policy.retry.is_none() && policy.retry_for.is_none() {
            let blind = PolicyLayer {
                retry: given("profile", Some(0)),
                ..PolicyLayer::default()
            };
            self.categories.insert(Category::TestFailure, blind);
        }
    }
}

impl RunSettings {
    /// What `layers` say, the strongest first, over the defaults.
    pub(crate) fn resolve(layers: Vec<Layer>) -> Self {
        let mut recipes = Vec::new();
        let mut rules = Vec::new();
        let mut fixers = Vec::new();
        let mut protect = Vec::new();
        let mut categories: BTreeMap<Category, Vec<PolicyLayer>> = BTreeMap::new();
        let mut error_types: BTreeMap<String, Vec<PolicyLayer>> = BTreeMap::new();
        let mut top = Layer::default();
        for layer in layers {
            top.lay_over(&layer);
            recipes.extend(layer.recipes);
            rules.extend(layer.rules);
            fixers.extend(layer.fixers);
            protect.extend(layer.protect);
            for (category, policy) in layer.categories {
                categories.entry(category).or_default().push(policy);
            }
            for (error_type, policy) in layer.error_types {
                error_types.entry(error_type).or_default().push(policy);
            }
        }
        Self {
            policy: Policy::from_layer(top.policy),
            categories: merge_each(categories),
            error_types: merge_each(error_types),
            grace: or_default(top.grace, GRACE),
            protect,
            allow: or_default(top.allow, Tier::Safe),
            approve: optional(top.approve),
            on_escalate: optional(top.on_escalate),
            rollback: optional(top.rollback),
            keep_progress: or_default(top.keep_progress, false),
            keep_failed_changes: or_default(top.keep_failed_changes, false),
            checkpoint: or_default(top.checkpoint, true),
            pty: or_default(top.pty, true),
            hold_stdout: or_default(top.hold_stdout, false),
            fail_on_flaky: or_default(top.fail_on_flaky, false),
            hold_output: or_default(top.hold_output, false),
            fail_on_change: or_default(top.fail_on_change, false),
            stage: or_default(top.stage, false),
            confirm: or_default(top.confirm, false),
            on_leftover: optional(top.on_leftover),
            on_audit_failure: or_default(top.on_audit_failure, OnAuditFailure::Stop),
            seal_when: or_default(top.seal.when, SealWhen::Attempts),
            seal_publish: optional(top.seal.publish),
            seal_witnesses: or_default(top.seal.witnesses, Vec::new()),
            learn: top.learn.resolve(),
            recipes,
            rules,
            fixers,
        }
    }

    /// How a failure of `category` and `error_type` is tried. Key by key: a flag counts most, then
    /// what is said of the type, then of the category, then in general.
    pub(crate) fn policy_for(&self, category: Category, error_type: &str) -> Policy {
        let by_type = self.error_types.iter().find(|(name, _)| name == error_type);
        let by_category = self.categories.iter().find(|(name, _)| *name == category);
        let special = [
            by_type.map(|(_, policy)| policy),
            by_category.map(|(_, policy)| policy),
        ];
        let mut policy = self.policy.clone();
        for layer in special.into_iter().rev().flatten() {
            policy.override_with(layer);
        }
        policy
    }
}

impl Policy {
    fn from_layer(layer: PolicyLayer) -> Self {
        Self {
            fix: or_default(layer.fix, Vec::new()),
            alternative: or_default(layer.alternative, Vec::new()),
            retry: optional(layer.retry),
            retry_for: optional(layer.retry_for),
            max_attempts: or_default(layer.max_attempts, MAX_ATTEMPTS),
            base_delay: or_default(layer.base_delay, BASE_DELAY),
            max_delay: or_default(layer.max_delay, MAX_DELAY),
            jitter: or_default(layer.jitter, true),
            attempt_timeout: optional(layer.attempt_timeout),
            deadline: optional(layer.deadline),
        }
    }

    fn override_with(&mut self, layer: &PolicyLayer) {
        fn put<T: Clone>(place: &mut Setting<T>, special: &Option<Setting<T>>) {
            if let Some(special) = special
                && !place.is_flag()
            {
                *place = special.clone();
            }
        }
        put(&mut self.fix, &layer.fix);
        put(&mut self.alternative, &layer.alternative);
        put(&mut self.retry, &layer.retry.clone().map(Setting::some));
        put(
            &mut self.retry_for,
            &layer.retry_for.clone().map(Setting::some),
        );
        put(&mut self.max_attempts, &layer.max_attempts);
        put(&mut self.base_delay, &layer.base_delay);
        put(&mut self.max_delay, &layer.max_delay);
        put(&mut self.jitter, &layer.jitter);
        put(
            &mut self.attempt_timeout,
            &layer.attempt_timeout.clone().map(Setting::some),
        );
        put(
            &mut self.deadline,
            &layer.deadline.clone().map(Setting::some),
        );
    }
}

impl Layer {
    /// Takes from `weaker` whatever single value this layer says nothing about.
    pub(crate) fn lay_over(&mut self, weaker: &Self) {
        // Destructured, so that the compiler names a setting that is forgotten here.
        let Self {
            store,
            state_dir,
            durability,
            color,
            on_audit_failure,
            retention,
            served,
            learn,
            redact,
            encryption,
            remote,
            seal,
            policy,
            grace,
            allow,
            approve,
            on_escalate,
            rollback,
            keep_progress,
            keep_failed_changes,
            checkpoint,
            pty,
            hold_stdout,
            fail_on_flaky,
            hold_output,
            fail_on_change,
            stage,
            confirm,
            on_leftover,
            // Lists from every layer count.
            protect: _,
            categories: _,
            error_types: _,
            recipes: _,
            rules: _,
            fixers: _,
        } = weaker;
        fill(&mut self.store, store);
        fill(&mut self.state_dir, state_dir);
        fill(&mut self.durability, durability);
        fill(&mut self.color, color);
        fill(&mut self.on_audit_failure, on_audit_failure);
        self.retention.lay_over(retention);
        self.served.lay_over(served);
        self.learn.lay_over(learn);
        self.redact.lay_over(redact);
        self.encryption.lay_over(encryption);
        self.remote.lay_over(remote);
        self.seal.lay_over(seal);
        self.policy.lay_over(policy);
        fill(&mut self.grace, grace);
        fill(&mut self.allow, allow);
        fill(&mut self.approve, approve);
        fill(&mut self.on_escalate, on_escalate);
        fill(&mut self.rollback, rollback);
        fill(&mut self.keep_progress, keep_progress);
        fill(&mut self.keep_failed_changes, keep_failed_changes);
        fill(&mut self.checkpoint, checkpoint);
        fill(&mut self.pty, pty);
        fill(&mut self.hold_stdout, hold_stdout);
        fill(&mut self.fail_on_flaky, fail_on_flaky);
        fill(&mut self.hold_output, hold_output);
        fill(&mut self.fail_on_change, fail_on_change);
        fill(&mut self.stage, stage);
        fill(&mut self.confirm, confirm);
        fill(&mut self.on_leftover, on_leftover);
    }
}

impl RetentionSettings {
    fn lay_over(&mut self, weaker: &Self) {
        let Self {
            older_than,
            keep_last,
            max_size,
            archive,
        } = weaker;
        fill(&mut self.older_than, older_than);
        fill(&mut self.keep_last, keep_last);
        fill(&mut self.max_size, max_size);
        fill(&mut self.archive, archive);
    }
}

impl PolicyLayer {
    fn lay_over(&mut self, weaker: &Self) {
        let Self {
            fix,
            alternative,
            retry,
            retry_for,
            max_attempts,
            base_delay,
            max_delay,
            jitter,
            attempt_timeout,
            deadline,
        } = weaker;
        fill(&mut self.fix, fix);
        fill(&mut self.alternative, alternative);
        fill(&mut self.retry, retry);
        fill(&mut self.retry_for, retry_for);
        fill(&mut self.max_attempts, max_attempts);
        fill(&mut self.base_delay, base_delay);
        fill(&mut self.max_delay, max_delay);
        fill(&mut self.jitter, jitter);
        fill(&mut self.attempt_timeout, attempt_timeout);
        fill(&mut self.deadline, deadline);
    }
}

fn merge_each<K>(layers: BTreeMap<K, Vec<PolicyLayer>>) -> Vec<(K, PolicyLayer)> {
    layers
        .into_iter()
        .map(|(key, layers)| {
            let mut merged = PolicyLayer::default();
            for layer in &layers {
                merged.lay_over(layer);
            }
            (key, merged)
        })
        .collect()
}

fn fill<T: Clone>(place: &mut Option<T>, weaker: &Option<T>) {
    if place.is_none() {
        place.clone_from(weaker);
    }
}

fn or_default<T>(setting: Option<Setting<T>>, default: T) -> Setting<T> {
    setting.unwrap_or_else(|| Setting::default(default))
}

fn optional<T>(setting: Option<Setting<T>>) -> Setting<Option<T>> {
    setting.map_or_else(|| Setting::default(None), Setting::some)
}

fn given<T>(name: &'static str, value: Option<T>) -> Option<Setting<T>> {
    value.map(|value| Setting::flag(name, value))
}

fn each<T>(name: &'static str, values: Vec<T>) -> Vec<Setting<T>> {
    let values = values.into_iter();
    values.map(|value| Setting::flag(name, value)).collect()
}

fn switch(name: &'static str, set: bool, meaning: bool) -> Option<Setting<bool>> {
    set.then(|| Setting::flag(name, meaning))
}

fn shell_commands(name: &'static str, texts: Vec<String>) -> Option<Setting<Vec<StrategyCommand>>> {
    let commands = texts.into_iter().map(StrategyCommand::of_text);
    let commands: Vec<_> = commands.collect();
    (!commands.is_empty()).then(|| Setting::flag(name, commands))
}
