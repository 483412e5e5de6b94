//! Settings as the library's request.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;

use auto_recovery::detect::Rules;
use auto_recovery::manager::OnAuditFailure;
use auto_recovery::recipe::RecipeBook;
use auto_recovery::run as library;
use auto_recovery::{Category, Failure, Result};

use crate::app::App;
use crate::identity;
use crate::settings::{self, Policy, RunRequest, StoreUrl};

/// The library's request for what was typed, under the settings that apply here.
///
/// # Errors
/// If the store cannot be opened, or a recipe or rule of the user's is not sound.
pub(crate) fn library_request(app: &App, request: &RunRequest) -> Result<library::RunRequest> {
    let settings = &app.settings;
    let run = settings.run.clone();
    let recipes = Arc::new(settings::recipe_book(&run.recipes)?);
    let rules = settings::user_rules(&run.rules)?;
    let identity = identity::of(settings);
    let policies = run.clone();
    Ok(library::RunRequest {
        argv: request.command.clone(),
        cwd: settings.cwd.clone(),
        home: settings.home.clone(),
        state_dir: settings.state_dir.value.clone(),
        store: app.store()?,
        store_dir: match &settings.store.value {
            StoreUrl::Jsonl(dir) => Some(dir.clone()),
            StoreUrl::Unsupported { .. } => None,
        },
        identity: library::Identity { host: identity.host, user: identity.user },
        session_id: request.session.clone(),
        parent_session: settings.parent_session.clone(),
        policy: Arc::new(move |category: Category, failure: &Failure| {
            policy(&policies.policy_for(category, &failure.error_type))
        }),
        recipes: Arc::new(move || RecipeBook::clone(&recipes)),
        rules: Arc::new(move || Rules::clone(&rules)),
        allow: run.allow.value,
        search_path: settings.search_path.clone(),
        attempt_timeout: run.policy.attempt_timeout.value,
        deadline: run.deadline.value,
        grace: run.grace.value,
        protect: run.protect.into_iter().map(|glob| glob.value).collect(),
        rollback: run.rollback.value,
        keep_progress: run.keep_progress.value,
        keep_failed_changes: run.keep_failed_changes.value,
        checkpoint: run.checkpoint.value,
        wait: !request.no_wait,
        hold_stdout: run.hold_stdout.value,
        on_escalate: run.on_escalate.value,
        approve: run.approve.value,
        dry_run: request.dry_run,
        fail_on_flaky: run.fail_on_flaky.value,
        on_audit_failure: run.on_audit_failure.value,
    })
}

/// How one failure is tried.
fn policy(policy: &Policy) -> library::Policy {
    library::Policy {
        max_attempts: policy.max_attempts.value,
        retry: policy.retry.value,
        base_delay: policy.base_delay.value,
        max_delay: policy.max_delay.value,
        jitter: policy.jitter.value,
        attempt_timeout: policy.attempt_timeout.value,
        fixes: policy.fix.value.clone(),
        alternatives: policy.alternative.value.clone(),
    }
}
