//! A named session, several recoveries, a report and exports: the specification's advanced usage.
//!
//! `cargo run --example advanced -- DIR` keeps the trail in DIR.

use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use auto_recovery::export::ExportFormat;
use auto_recovery::host::SystemHost;
use auto_recovery::manager::ManagerSettings;
use auto_recovery::{AutoRecoveryManager, Failure};

#[expect(clippy::print_stdout, reason = "an example shows what it got")]
fn main() -> Result<(), Box<dyn Error>> {
    let audit_dir = std::env::args_os()
        .nth(1)
        .map(PathBuf::from)
        .ok_or("usage: advanced DIR")?;
    let settings = ManagerSettings {
        audit_dir: Some(audit_dir),
        base_delay: Duration::from_millis(1),
        ..ManagerSettings::default()
    };
    let mut manager = AutoRecoveryManager::new(settings, Arc::new(SystemHost::new()))?;
    let mut tries = 0;
    manager.retry_handler = Some(Box::new(move |_failure, _context| {
        tries += 1;
        Ok(tries == 2)
    }));

    manager.start_new_session(Some("my_recovery_session"))?;
    for failure in [
        Failure::new("TimeoutError", "Connection timed out", "network"),
        Failure::new("ImportError", "No module named 'requests'", "python"),
    ] {
        manager.attempt_recovery(&failure, &Default::default())?;
    }

    if let Some(report) = manager.generate_recovery_report(None, None)? {
        println!("Report saved to: {}", report.display());
    }
    for format in [ExportFormat::Json, ExportFormat::Csv] {
        if let Some(path) = manager.export_audit_trail(None, format)? {
            println!("Exported to: {}", path.display());
        }
    }
    for entry in manager.get_audit_trail(None)? {
        println!(
            "{}: {} - {}",
            entry["timestamp"], entry["strategy"], entry["success"]
        );
    }
    Ok(())
}
