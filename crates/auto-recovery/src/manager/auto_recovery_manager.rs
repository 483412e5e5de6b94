//! The manager's face: its handlers, its history, and the audit methods of the specification.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::attempt::RecoveryResult;
use crate::classify;
use crate::entry::RecoveryAuditEntry;
use crate::error::{Error, ErrorKind, Result};
use crate::export::ExportFormat;
use crate::failure::{Category, Context, Failure};
use crate::host::Host;
use crate::logger::RecoveryAuditLogger;
use crate::manager::incident::{Incident, Recovery, StrategyOrder};
use crate::manager::numbers::AttemptNumbers;
use crate::manager::observer::Observer;
use crate::manager::parts::Parts;
use crate::manager::planner::Planner;
use crate::manager::record::shell_code;
use crate::manager::settings::ManagerSettings;
use crate::manager::step::Step;
use crate::manager::tree::{Approver, Tree};
use crate::manager::under_way::Recovering;
use crate::plan::{self, Available};
use crate::statistics::RecoveryStatistics;
use crate::strategy::{
    AlternativeSelector, FixGenerator, RecoveryStrategyType, RetryHandler, RollbackHandler,
    Strategy, Verifier,
};

/// Recovers failures with the strategies it is given, and records every attempt.
///
/// Success of an attempt means that the [`verifier`](Self::verifier) passed; without one it means
/// what the handler says.
pub struct AutoRecoveryManager {
    /// How it works; may be changed between recoveries.
    pub settings: ManagerSettings,
    /// Makes fixes.
    pub fix_generator: Option<FixGenerator>,
    /// Tries again.
    pub retry_handler: Option<RetryHandler>,
    /// Finds another way.
    pub alternative_selector: Option<AlternativeSelector>,
    /// Goes back to the last good state.
    pub rollback_handler: Option<RollbackHandler>,
    /// Decides whether a failure is cured.
    pub verifier: Option<Box<dyn Verifier>>,
    /// Must agree before a change that works is kept.
    pub approver: Option<Box<dyn Approver>>,
    /// The tree that attempts may change, so that they can be undone.
    pub tree: Option<Box<dyn Tree>>,
    /// Plans anew once an attempt changed which failure there is; without one, the first plan is
    /// the only one.
    pub planner: Option<Box<dyn Planner>>,
    /// Watches.
    pub observer: Option<Box<dyn Observer>>,
    /// Keeps the record; `None` when audit logging is disabled.
    pub audit_logger: Option<Arc<RecoveryAuditLogger>>,
    /// The session that attempts are recorded in.
    pub current_session_id: Option<String>,
    /// The recoveries so far.
    pub recovery_history: Vec<RecoveryResult>,
    /// Numbers the attempts. Managers that record in one session share it.
    pub numbers: Arc<AttemptNumbers>,
    pub(super) strategies: Vec<Box<dyn Strategy>>,
    pub(super) host: Arc<dyn Host>,
}

impl AutoRecoveryManager {
    /// A manager that keeps its trail in `settings.audit_dir`.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] if audit logging is enabled and there is no directory for it;
    /// whatever opening that directory fails with.
    pub fn new(settings: ManagerSettings, host: Arc<dyn Host>) -> Result<Self> {
        let logger = match (settings.enable_audit_logging, &settings.audit_dir) {
            (false, _) => None,
            (true, Some(dir)) => Some(Arc::new(RecoveryAuditLogger::open(dir, host.clone())?)),
            (true, None) => {
                return Err(Error::new(
                    ErrorKind::InvalidInput,
                    "audit logging needs a directory: set audit_dir, or enable_audit_logging = false",
                ));
            }
        };
        Ok(Self::with_logger(settings, logger, host))
    }

    /// A manager that records with `logger`, wherever that keeps its trail.
    pub fn with_logger(
        settings: ManagerSettings,
        logger: Option<Arc<RecoveryAuditLogger>>,
        host: Arc<dyn Host>,
    ) -> Self {
        Self {
            settings,
            fix_generator: None,
            retry_handler: None,
            alternative_selector: None,
            rollback_handler: None,
            verifier: None,
            approver: None,
            tree: None,
            planner: None,
            observer: None,
            audit_logger: logger,
            current_session_id: None,
            recovery_history: Vec::new(),
            numbers: Arc::default(),
            strategies: Vec::new(),
            host,
        }
    }

    /// Adds a strategy of the caller's own. One of a built-in kind is tried in that kind's place,
    /// after those added before it; a custom one after the category's own and before a rollback.
    pub fn add_strategy(&mut self, strategy: Box<dyn Strategy>) {
        self.strategies.push(strategy);
    }

    /// Recovers from `failure`: tries the strategies that suit it until one cures it.
    ///
    /// # Errors
    /// If the record of an attempt cannot be written (and the settings say to stop then), or the
    /// tree cannot be kept safe. A failure that is not cured is no error.
    pub fn attempt_recovery(
        &mut self,
        failure: &Failure,
        context: &Context,
    ) -> Result<RecoveryResult> {
        let (category, rule) = classify::classify(failure);
        let incident = Incident::new(failure.clone(), category, rule);
        Ok(self.recover(incident, context)?.result)
    }

    /// As [`attempt_recovery`](Self::attempt_recovery), for a caller that knows more of the
    /// failure.
    ///
    /// # Errors
    /// As there.
    pub fn recover(&mut self, incident: Incident, context: &Context) -> Result<Recovery> {
        if self.audit_logger.is_some() && self.current_session_id.is_none() {
            self.start_new_session(None)?;
        }
        if self.audit_logger.is_none() {
            // Without a session there is nothing that numbers could continue.
            self.numbers.forget();
        }
        let steps: Vec<Step> = match &incident.order {
            StrategyOrder::OfCategory => self.steps(incident.category),
            StrategyOrder::Given(kinds) => {
                kinds.iter().flat_map(|kind| self.steps_of(kind)).collect()
            }
            StrategyOrder::AsAdded => (0..self.strategies.len())
                .map(|index| self.step_of(index))
                .collect(),
        };
        let started = self.host.monotonic();
        let last_exit = shell_code(incident.exit_code, incident.signal);
        let recovering = Recovering {
            current: incident.failure.clone(),
            faced: incident.failure.clone(),
            session_id: self
                .audit_logger
                .as_ref()
                .and(self.current_session_id.clone()),
            parts: self.parts(),
            context,
            incident,
            attempts: Vec::new(),
            kept: false,
            left: false,
            not_put_back: None,
            changed: BTreeSet::new(),
            not_covered: BTreeSet::new(),
            attempt_id: String::new(),
            put_back: false,
            stopped: None,
            out_of_time: None,
            grounds: 1,
            done: BTreeMap::new(),
            declined: Vec::new(),
            last_exit,
            started,
        };
        let recovery = recovering.run(steps)?;
        self.recovery_history.push(recovery.result.clone());
        Ok(recovery)
    }

    fn parts(&mut self) -> Parts<'_> {
        Parts {
            settings: &self.settings,
            fix_generator: &mut self.fix_generator,
            retry_handler: &mut self.retry_handler,
            alternative_selector: &mut self.alternative_selector,
            rollback_handler: &mut self.rollback_handler,
            verifier: &mut self.verifier,
            approver: &mut self.approver,
            tree: &mut self.tree,
            planner: &mut self.planner,
            observer: &mut self.observer,
            audit_logger: self.audit_logger.as_deref(),
            numbers: &self.numbers,
            strategies: &mut self.strategies,
            host: &*self.host,
        }
    }

    /// The strategies that would be tried for `category`, in order.
    pub fn select_recovery_strategies(&self, category: Category) -> Vec<RecoveryStrategyType> {
        let mut kinds: Vec<_> = self
            .steps(category)
            .into_iter()
            .map(|step| step.kind)
            .collect();
        kinds.dedup();
        kinds
    }

    fn steps(&self, category: Category) -> Vec<Step> {
        let settings = &self.settings;
        let available = Available {
            fix: settings.enable_fix_generation,
            retry: self.retry_handler.is_some(),
            alternative: settings.enable_alternatives,
            rollback: settings.enable_rollback && self.rollback_handler.is_some(),
        };
        let mut asked: Vec<_> = self
            .strategies
            .iter()
            .map(|strategy| strategy.kind())
            .collect();
        asked.retain(|kind| self.is_enabled(kind));
        plan::plan(category, available, &asked)
            .into_iter()
            .flat_map(|kind| self.steps_of(&kind))
            .collect()
    }

    fn is_enabled(&self, kind: &RecoveryStrategyType) -> bool {
        match kind {
            RecoveryStrategyType::Fix => self.settings.enable_fix_generation,
            RecoveryStrategyType::Alternative => self.settings.enable_alternatives,
            RecoveryStrategyType::Rollback => self.settings.enable_rollback,
            RecoveryStrategyType::Retry | RecoveryStrategyType::Custom(_) => true,
            RecoveryStrategyType::Escalate => false,
        }
    }

    /// The steps of one kind: its handler, unless only plug-ins fulfil it, then its plug-ins.
    fn steps_of(&self, kind: &RecoveryStrategyType) -> Vec<Step> {
        let plugins = self.strategies.iter().enumerate();
        let plugins = plugins.filter(|(_, strategy)| strategy.kind() == *kind);
        let mut steps: Vec<_> = plugins.map(|(index, _)| self.step_of(index)).collect();
        let has_handler = match kind {
            RecoveryStrategyType::Fix => self.fix_generator.is_some(),
            RecoveryStrategyType::Retry => self.retry_handler.is_some(),
            RecoveryStrategyType::Alternative => self.alternative_selector.is_some(),
            RecoveryStrategyType::Rollback => self.rollback_handler.is_some(),
            RecoveryStrategyType::Escalate | RecoveryStrategyType::Custom(_) => false,
        };
        if has_handler || steps.is_empty() {
            steps.insert(
                0,
                Step {
                    kind: kind.clone(),
                    plugin: None,
                    first: 1,
                    max_attempts: self.settings.max_attempts,
                    ends_early: false,
                    action: format!("the {kind} handler"),
                    recipe: None,
                },
            );
        }
        steps
    }

    /// The step that tries plug-in `index`.
    fn step_of(&self, index: usize) -> Step {
        let strategy = &*self.strategies[index];
        Step::of_plugin(index, strategy, self.settings.max_attempts)
    }

    /// Starts a session for the attempts that follow. `None` when audit logging is disabled.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] if the id cannot be used; if its start cannot be recorded.
    pub fn start_new_session(&mut self, session_id: Option<&str>) -> Result<Option<String>> {
        let Some(logger) = &self.audit_logger else {
            return Ok(None);
        };
        let session_id = logger.start_session(session_id)?;
        self.current_session_id = Some(session_id.clone());
        Ok(Some(session_id))
    }

    /// The entries of a session, the current one if none is named; empty when audit logging is
    /// disabled.
    ///
    /// # Errors
    /// If the trail cannot be read.
    pub fn get_audit_trail(&self, session_id: Option<&str>) -> Result<Vec<Map<String, Value>>> {
        let Some((logger, session_id)) = self.audited(session_id) else {
            return Ok(Vec::new());
        };
        let entries = logger.get_recovery_history(session_id)?;
        Ok(entries.iter().map(RecoveryAuditEntry::to_dict).collect())
    }

    /// Writes a session's trail to a file and says where; `None` when audit logging is disabled or
    /// there is no session.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] if the session has no entries; if the file cannot be written.
    pub fn export_audit_trail(
        &self,
        session_id: Option<&str>,
        format: ExportFormat,
    ) -> Result<Option<PathBuf>> {
        let Some((logger, session_id)) = self.audited(session_id) else {
            return Ok(None);
        };
        logger.export_audit_trail(session_id, format).map(Some)
    }

    /// The statistics of a session; `None` when audit logging is disabled or there is no session.
    ///
    /// # Errors
    /// If the trail cannot be read.
    pub fn get_recovery_statistics(
        &self,
        session_id: Option<&str>,
    ) -> Result<Option<RecoveryStatistics>> {
        let Some((logger, session_id)) = self.audited(session_id) else {
            return Ok(None);
        };
        logger.get_recovery_statistics(session_id).map(Some)
    }

    /// Writes the report of a session and says where; `None` when audit logging is disabled or
    /// there is no session.
    ///
    /// # Errors
    /// If the trail cannot be read or the file cannot be written.
    pub fn generate_recovery_report(
        &self,
        session_id: Option<&str>,
        output_path: Option<&Path>,
    ) -> Result<Option<PathBuf>> {
        let Some((logger, session_id)) = self.audited(session_id) else {
            return Ok(None);
        };
        logger
            .generate_recovery_report(session_id, output_path)
            .map(Some)
    }

    /// Removes a session's trail, the current one's if none is named.
    ///
    /// # Errors
    /// If the store cannot be written.
    pub fn clear_audit_history(&mut self, session_id: Option<&str>) -> Result<()> {
        let Some((logger, session_id)) = self.audited(session_id) else {
            return Ok(());
        };
        logger.clear_session(session_id)?;
        if self.current_session_id.as_deref() == Some(session_id) {
            self.current_session_id = None;
        }
        self.numbers.forget();
        Ok(())
    }

    /// The recoveries this manager made, oldest first.
    pub fn get_recovery_history(&self) -> &[RecoveryResult] {
        &self.recovery_history
    }

    /// Writes the recoveries this manager made to `path`, as a JSON array.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn save_recovery_history(&self, path: &Path) -> Result<()> {
        let text = serde_json::to_string_pretty(&self.recovery_history)
            .map_err(|error| Error::os("serialise the recovery history", io::Error::from(error)))?;
        std::fs::write(path, text).map_err(|error| Error::io("write", path, error))
    }

    /// Forgets the recoveries this manager made. The audit trail stays.
    pub fn clear_recovery_history(&mut self) {
        self.recovery_history.clear();
    }

    fn audited<'a>(
        &'a self,
        session_id: Option<&'a str>,
    ) -> Option<(Arc<RecoveryAuditLogger>, &'a str)> {
        let logger = self.audit_logger.clone()?;
        Some((logger, session_id.or(self.current_session_id.as_deref())?))
    }
}

impl fmt::Debug for AutoRecoveryManager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AutoRecoveryManager")
            .field("settings", &self.settings)
            .field("current_session_id", &self.current_session_id)
            .field("recoveries", &self.recovery_history.len())
            .finish_non_exhaustive()
    }
}
