//! What one place says about the settings: the flags, the environment, or one file.
//!
//! A layer says nothing about most settings. Layers are laid over one another in
//! [`crate::settings::Settings`].

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use auto_recovery::audit::Durability;
use auto_recovery::{Category, Error, Result};
use toml::de::DeTable;

use crate::output::ColorChoice;
use crate::settings::fixer::read_fixers;
use crate::settings::recipe::{read_recipes, read_rules};
use crate::settings::section::{Section, complaint};
use crate::settings::value::{absolute_path, parse_durability};
use crate::settings::{
    EncryptionSettings, FixerSetting, LearnLayer, OnAuditFailure, OnLeftover, RecipeSetting,
    RedactSettings, RemoteSettings, RetentionSettings, RollbackTarget, RuleSetting, SealLayer,
    ServedSettings, Setting, SourceFile, StoreUrl, StrategyCommand, Tier,
};

/// What one place says about the settings.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Layer {
    pub(crate) store: Option<Setting<StoreUrl>>,
    pub(crate) state_dir: Option<Setting<PathBuf>>,
    pub(crate) durability: Option<Setting<Durability>>,
    pub(crate) color: Option<Setting<ColorChoice>>,
    pub(crate) on_audit_failure: Option<Setting<OnAuditFailure>>,
    pub(crate) retention: RetentionSettings,
    pub(crate) learn: LearnLayer,
    pub(crate) redact: RedactSettings,
    pub(crate) encryption: EncryptionSettings,
    pub(crate) served: ServedSettings,
    pub(crate) remote: RemoteSettings,
    pub(crate) seal: SealLayer,
    pub(crate) policy: PolicyLayer,
    pub(crate) grace: Option<Setting<Duration>>,
    pub(crate) protect: Vec<Setting<String>>,
    pub(crate) allow: Option<Setting<Tier>>,
    pub(crate) approve: Option<Setting<StrategyCommand>>,
    pub(crate) on_escalate: Option<Setting<StrategyCommand>>,
    pub(crate) rollback: Option<Setting<RollbackTarget>>,
    pub(crate) keep_progress: Option<Setting<bool>>,
    pub(crate) keep_failed_changes: Option<Setting<bool>>,
    pub(crate) checkpoint: Option<Setting<bool>>,
    pub(crate) pty: Option<Setting<bool>>,
    pub(crate) hold_stdout: Option<Setting<bool>>,
    pub(crate) fail_on_flaky: Option<Setting<bool>>,
    pub(crate) hold_output: Option<Setting<bool>>,
    pub(crate) fail_on_change: Option<Setting<bool>>,
    pub(crate) stage: Option<Setting<bool>>,
    pub(crate) confirm: Option<Setting<bool>>,
    pub(crate) on_leftover: Option<Setting<OnLeftover>>,
    pub(crate) categories: BTreeMap<Category, PolicyLayer>,
    pub(crate) error_types: BTreeMap<String, PolicyLayer>,
    pub(crate) recipes: Vec<RecipeSetting>,
    pub(crate) rules: Vec<RuleSetting>,
    pub(crate) fixers: Vec<FixerSetting>,
}

/// What one place says about trying, in general or for one kind of failure.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct PolicyLayer {
    pub(crate) fix: Option<Setting<Vec<StrategyCommand>>>,
    pub(crate) alternative: Option<Setting<Vec<StrategyCommand>>>,
    pub(crate) retry: Option<Setting<u32>>,
    pub(crate) retry_for: Option<Setting<Duration>>,
    pub(crate) max_attempts: Option<Setting<u32>>,
    pub(crate) base_delay: Option<Setting<Duration>>,
    pub(crate) max_delay: Option<Setting<Duration>>,
    pub(crate) jitter: Option<Setting<bool>>,
    pub(crate) attempt_timeout: Option<Setting<Duration>>,
    pub(crate) deadline: Option<Setting<Duration>>,
}

/// What a project cannot say.
const USERS_ALONE: [&str; 14] = [
    "store",
    "state_dir",
    "durability",
    "color",
    "on_audit_failure",
    "retention",
    "fixer",
    "seal",
    "encryption",
    "alerts",
    "otlp",
    "alert",
    "notify",
    "remote",
];

impl Layer {
    /// What the user's own `file` says. It may set everything.
    ///
    /// # Errors
    /// If it is no TOML, holds an unknown key or a value that cannot be used.
    pub(crate) fn from_user_file(file: &SourceFile) -> Result<Self> {
        with_root(file, |root| {
            let store = root.parsed("store", |text| StoreUrl::parse(&OsString::from(text)))?;
            let seal = SealLayer::of_user(root)?;
            let layer = Self {
                encryption: EncryptionSettings::of_user(root, seal.when.as_ref())?,
                store: store.map(|store| relative_to(&file.path, store)),
                state_dir: root.parsed("state_dir", absolute_path)?,
                durability: root.parsed("durability", parse_durability)?,
                color: root.parsed("color", str::parse)?,
                on_audit_failure: root.parsed("on_audit_failure", str::parse)?,
                retention: retention(root)?,
                served: ServedSettings::of_user(root)?,
                learn: LearnLayer::of_user(root)?,
                redact: RedactSettings::of_user(root)?,
                remote: RemoteSettings::of_user(root)?,
                seal,
                fixers: read_fixers(root)?,
                ..Self::from_root(root)?
            };
            root.finish()?;
            Ok(layer)
        })
    }

    /// Where the user's own `file`, which has a mistake, says that records and state are, and who
    /// can read them, as far as that can be read: what was recorded is to be found nevertheless.
    pub(crate) fn from_broken_user_file(file: &SourceFile) -> Self {
        let (document, _) = DeTable::parse_recoverable(&file.text);
        let mut root = Section::root(file, document.get_ref());
        let store = root.parsed("store", |text| StoreUrl::parse(&OsString::from(text)));
        let store = store.ok().flatten();
        Self {
            store: store.map(|store| relative_to(&file.path, store)),
            state_dir: root.parsed("state_dir", absolute_path).ok().flatten(),
            encryption: EncryptionSettings::of_user(&mut root, None).unwrap_or_default(),
            remote: RemoteSettings::of_user(&mut root).unwrap_or_default(),
            ..Self::default()
        }
    }

    /// What the project's `recover.toml` says. It cannot say where records go, how durable they
    /// are, how long they are kept and what happens when they fail: that is the user's alone.
    ///
    /// # Errors
    /// As [`Layer::from_user_file`], and if it sets one of those.
    pub(crate) fn from_project_file(file: &SourceFile) -> Result<Self> {
        with_root(file, |root| {
            for key in USERS_ALONE {
                if let Some(offset) = root.offset_of(key) {
                    return Err(complaint(
                        file,
                        offset,
                        &format!(
                            "`{key}` cannot be set by a project: set it in your own config.toml"
                        ),
                    ));
                }
            }
            let layer = Self {
                redact: RedactSettings::of_project(root)?,
                learn: LearnLayer::of_project(root)?,
                ..Self::from_root(root)?
            };
            root.finish()?;
            Ok(layer)
        })
    }

    fn from_root(root: &mut Section<'_>) -> Result<Self> {
        let protect = root.texts("protect")?;
        Ok(Self {
            store: None,
            state_dir: None,
            durability: None,
            color: None,
            on_audit_failure: None,
            retention: RetentionSettings::default(),
            served: ServedSettings::default(),
            learn: LearnLayer::default(),
            redact: RedactSettings::default(),
            encryption: EncryptionSettings::default(),
            remote: RemoteSettings::default(),
            seal: SealLayer::default(),
            policy: PolicyLayer::read(root)?,
            grace: root.duration("grace")?,
            protect: protect.map(each).unwrap_or_default(),
            allow: root.parsed("allow", str::parse)?,
            approve: root.command("approve")?,
            on_escalate: root.command("on_escalate")?,
            rollback: root.parsed("rollback", rollback)?,
            keep_progress: root.flag("keep_progress")?,
            keep_failed_changes: root.flag("keep_failed_changes")?,
            checkpoint: root.flag("checkpoint")?,
            pty: root.flag("pty")?,
            hold_stdout: root.flag("hold_stdout")?,
            fail_on_flaky: root.flag("fail_on_flaky")?,
            hold_output: root.flag("hold_output")?,
            fail_on_change: root.flag("fail_on_change")?,
            stage: root.flag("stage")?,
            confirm: root.flag("confirm")?,
            on_leftover: root.parsed("on_leftover", str::parse)?,
            categories: read_policies(root, "category", |name, section| {
                name.parse::<Category>()
                    .map_err(|error| section.refuse(&format!("names no category: {error}")))
            })?,
            error_types: read_policies(root, "error_type", |name, _| Ok(name.to_owned()))?,
            recipes: read_recipes(root)?,
            rules: read_rules(root)?,
            fixers: Vec::new(),
        })
    }
}

impl PolicyLayer {
    fn read(section: &mut Section<'_>) -> Result<Self> {
        Ok(Self {
            fix: section.commands("fix")?,
            alternative: section.commands("alternative")?,
            retry: section.number("retry", 0)?,
            retry_for: section.duration("retry_for")?,
            max_attempts: section.number("max_attempts", 1)?,
            base_delay: section.duration("base_delay")?,
            max_delay: section.duration("max_delay")?,
            jitter: section.flag("jitter")?,
            attempt_timeout: section.limit("attempt_timeout")?,
            deadline: section.limit("deadline")?,
        })
    }
}

/// Parses `file` and lets `read` take its whole.
fn with_root<T>(file: &SourceFile, read: impl FnOnce(&mut Section<'_>) -> Result<T>) -> Result<T> {
    let document = DeTable::parse(&file.text).map_err(|error| {
        let offset = error.span().map_or(0, |span| span.start);
        let says = match error.message() {
            // That of a number, too, which the parser does not know.
            says if says.starts_with("string values must be quoted") => {
                "a value is a number, true or false, or a text in quotes"
            }
            says => says,
        };
        complaint(file, offset, &format!("not valid TOML: {says}"))
    })?;
    read(&mut Section::root(file, document.get_ref()))
}

fn read_policies<K: Ord>(
    root: &mut Section<'_>,
    key: &'static str,
    name: impl Fn(&str, &Section<'_>) -> Result<K>,
) -> Result<BTreeMap<K, PolicyLayer>> {
    root.tables(key)?
        .into_iter()
        .map(|(text, mut section)| {
            let policy = PolicyLayer::read(&mut section)?;
            section.finish()?;
            Ok((name(&text, &section)?, policy))
        })
        .collect()
}

/// Each item of a list as a setting of its own.
fn each(list: Setting<Vec<String>>) -> Vec<Setting<String>> {
    let Setting { value, origin } = list;
    value
        .into_iter()
        .map(|value| Setting {
            value,
            origin: origin.clone(),
        })
        .collect()
}

/// A relative path in a file is meant from where the file stands.
fn relative_to(file: &Path, store: Setting<StoreUrl>) -> Setting<StoreUrl> {
    match file.parent() {
        Some(parent) => Setting {
            value: store.value.below(parent),
            origin: store.origin,
        },
        None => store,
    }
}

fn retention(root: &mut Section<'_>) -> Result<RetentionSettings> {
    match root.table("retention")? {
        Some(mut section) => RetentionSettings::read(&mut section),
        None => Ok(RetentionSettings::default()),
    }
}

fn rollback(text: &str) -> Result<RollbackTarget, String> {
    text.parse().map_err(|error: Error| error.to_string())
}
