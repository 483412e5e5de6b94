//! The audit logger by itself, for callers that recover in their own way: the specification's
//! direct usage.
//!
//! `cargo run --example logger -- DIR` keeps the trail in DIR.

use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;

use auto_recovery::host::{Host as _, SystemHost, timestamp};
use auto_recovery::logger::AttemptRecord;
use auto_recovery::{Failure, RecoveryAttempt, RecoveryAuditLogger, RecoveryStrategyType};

#[expect(clippy::print_stdout, reason = "an example shows what it got")]
fn main() -> Result<(), Box<dyn Error>> {
    let audit_dir = std::env::args_os()
        .nth(1)
        .map(PathBuf::from)
        .ok_or("usage: logger DIR")?;
    let host = Arc::new(SystemHost::new());
    let logger = RecoveryAuditLogger::open(&audit_dir, host.clone())?;
    let session_id = logger.start_session(None)?;

    let attempt = RecoveryAttempt {
        attempt_number: 1,
        strategy: RecoveryStrategyType::Fix,
        success: true,
        error_before: Some(Failure::new("TestError", "Test", "test")),
        error_after: None,
        changes_made: vec!["Fixed syntax error".to_owned()],
        timestamp: timestamp(host.now()),
        duration_seconds: 1.5,
        message: "Recovery successful".to_owned(),
    };
    let record = AttemptRecord {
        files_modified: vec!["test.py".to_owned()],
        rollback_performed: false,
        next_action: "complete".to_owned(),
    };
    let entry_id = logger.log_recovery_attempt(&attempt, &session_id, record)?;
    println!("Logged {entry_id}");

    let statistics = logger.get_recovery_statistics(&session_id)?;
    println!("Total attempts: {}", statistics.total_attempts);
    println!("Success rate: {}%", statistics.success_rate);
    Ok(())
}
