//! The manager's face: its handlers, its history, and the audit methods of the specification.

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
use crate::manager::handler::Handler;
use crate::manager::incident::{Incident, Recovery};
use crate::manager::numbers::AttemptNumbers;
use crate::manager::observer::Observer;
use crate::manager::parts::Parts;
use crate::manager::replanner::{PlannedStrategy, Replanner};
use crate::manager::settings::ManagerSettings;
use crate::manager::step::{Shared, Step, shared};
use crate::manager::tree::{Approver, Tree};
use crate::manager::under_way::Recovering;
use crate::plan::{Candidate, Case, CategoryOrder, Planner};
use crate::statistics::RecoveryStatistics;
use crate::strategy::{
    AlternativeSelector, FixGenerator, RecoveryStrategyType, RetryHandler, RollbackHandler,
    Strategy, Verifier,
};

/// Recovers failures with the strategies it is given, and records every attempt: see [`crate`].
///
/// Success of an attempt means that the [`verifier`](Self::verifier) passed; without one it means
/// what the handler says.
pub struct AutoRecoveryManager {
    /// Its settings; may be changed between recoveries.
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
    /// Decides which strategies are tried, and in which order.
    pub planner: Box<dyn Planner>,
    /// Plans anew once an attempt changed which failure there is; without one, the first plan is
    /// the only one.
    pub replanner: Option<Box<dyn Replanner>>,
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
            planner: Box::new(CategoryOrder),
            replanner: None,
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
    /// Same errors as [`attempt_recovery`](Self::attempt_recovery).
    pub fn recover(&mut self, mut incident: Incident, context: &Context) -> Result<Recovery> {
        self.begin()?;
        let candidates = self.candidates();
        let case = Case {
            category: incident.category,
            failure: Some(&incident.failure),
            took: None,
        };
        let plan = self.planner.plan(&case, &candidates);
        incident.skipped.extend(plan.skipped);
        let (session_id, kinds) = (self.session_id(), self.kinds_with_handler());
        let (parts, strategies) = self.lend(&kinds);
        let steps = plan.steps.iter();
        let steps = steps
            .map(|chosen| Step {
                candidate: Candidate {
                    max_attempts: chosen.max_attempts,
                    ..candidates[chosen.candidate].clone()
                },
                first: 1,
                propensity: chosen.propensity,
                strategy: strategies[chosen.candidate].clone(),
            })
            .collect();
        drop(strategies);
        let recovery = Recovering::new(parts, session_id, incident, context).run(steps)?;
        self.recovery_history.push(recovery.result.clone());
        Ok(recovery)
    }

    /// As [`recover`](Self::recover), by the caller's plan: tries `strategies` and nothing else, in
    /// this order.
    ///
    /// # Errors
    /// Same errors as [`recover`](Self::recover).
    pub fn recover_as_planned(
        &mut self,
        incident: Incident,
        context: &Context,
        strategies: Vec<PlannedStrategy>,
    ) -> Result<Recovery> {
        self.begin()?;
        let session_id = self.session_id();
        let (parts, _) = self.lend(&[]);
        let max_attempts = parts.settings.max_attempts;
        let steps = strategies
            .into_iter()
            .map(|planned| Step::new(planned.strategy, planned.propensity, max_attempts));
        let steps = steps.collect();
        let recovery = Recovering::new(parts, session_id, incident, context).run(steps)?;
        self.recovery_history.push(recovery.result.clone());
        Ok(recovery)
    }

    /// Makes sure of a session, where attempts are recorded.
    fn begin(&mut self) -> Result<()> {
        if self.audit_logger.is_some() && self.current_session_id.is_none() {
            self.start_new_session(None)?;
        }
        if self.audit_logger.is_none() {
            // Without a session there is nothing that numbers could continue.
            self.numbers.forget();
        }
        Ok(())
    }

    /// The session that the recovery is recorded in.
    fn session_id(&self) -> Option<String> {
        let logger = self.audit_logger.as_ref();
        logger.and(self.current_session_id.clone())
    }

    /// Lends a recovery the parts, and the strategies in the order of the candidates: handlers of
    /// `kinds`, then the caller's own.
    fn lend(&mut self, kinds: &[RecoveryStrategyType]) -> (Parts<'_>, Vec<Shared<'_>>) {
        let handlers = [
            Handler::Fix(self.fix_generator.as_mut()),
            Handler::Retry(self.retry_handler.as_mut()),
            Handler::Alternative(self.alternative_selector.as_mut()),
            Handler::Rollback(self.rollback_handler.as_mut()),
        ];
        let handlers = handlers.into_iter();
        let handlers = handlers.filter(|handler| kinds.contains(&handler.kind()));
        let own = self.strategies.iter_mut();
        let strategies = handlers
            .map(shared)
            .chain(own.map(|strategy| shared(&mut **strategy)))
            .collect();
        let parts = Parts {
            settings: &self.settings,
            verifier: &mut self.verifier,
            approver: &mut self.approver,
            tree: &mut self.tree,
            replanner: &mut self.replanner,
            observer: &mut self.observer,
            audit_logger: self.audit_logger.as_deref(),
            numbers: &self.numbers,
            host: &*self.host,
        };
        (parts, strategies)
    }

    /// The strategies that would be tried for `category`, in order.
    pub fn select_recovery_strategies(&self, category: Category) -> Vec<RecoveryStrategyType> {
        let candidates = self.candidates();
        let case = Case {
            category,
            failure: None,
            took: None,
        };
        let steps = self.planner.plan(&case, &candidates).steps.into_iter();
        let mut kinds: Vec<_> = steps
            .map(|step| candidates[step.candidate].kind.clone())
            .collect();
        kinds.dedup();
        kinds
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
