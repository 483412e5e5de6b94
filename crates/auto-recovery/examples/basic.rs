//! Recover one failure with audit logging, and read the statistics: the specification's basic
//! usage.
//!
//! `cargo run --example basic -- DIR` keeps the trail in DIR.

use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;

use auto_recovery::host::SystemHost;
use auto_recovery::manager::ManagerSettings;
use auto_recovery::{AutoRecoveryManager, Failure};

#[expect(clippy::print_stdout, reason = "an example shows what it got")]
fn main() -> Result<(), Box<dyn Error>> {
    let audit_dir = std::env::args_os()
        .nth(1)
        .map(PathBuf::from)
        .ok_or("usage: basic DIR")?;
    let settings = ManagerSettings {
        audit_dir: Some(audit_dir),
        ..ManagerSettings::default()
    };
    let mut manager = AutoRecoveryManager::new(settings, Arc::new(SystemHost::new()))?;
    manager.fix_generator = Some(Box::new(|failure, _context| {
        Ok(format!("- added what {} asked for", failure.error_type))
    }));

    let failure = Failure::new("SyntaxError", "Invalid syntax", "linter");
    let result = manager.attempt_recovery(&failure, &Default::default())?;
    println!("{}", result.message);

    if let Some(statistics) = manager.get_recovery_statistics(None)? {
        println!("Success rate: {}%", statistics.success_rate);
    }
    Ok(())
}
