//! Events of a recovery, logged by Python's `logging`.

use std::sync::Arc;

use auto_recovery::manager::{Event, Observer};
use pyo3::exceptions::PyException;
use pyo3::intern;
use pyo3::prelude::*;

use crate::case::Case;
use crate::error::in_words;

/// `logging.DEBUG`, and so on.
const DEBUG: u32 = 10;
const INFO: u32 = 20;
const WARNING: u32 = 30;
const ERROR: u32 = 40;

/// Logs to the manager's `logger`.
pub(crate) struct Watch(pub(crate) Arc<Case>);

impl Observer for Watch {
    fn observe(&mut self, event: &Event<'_>) {
        let Some((level, message)) = told(event) else {
            return;
        };
        Python::attach(|py| {
            let manager = self.0.manager.bind(py);
            let told = manager
                .getattr(intern!(py, "logger"))
                .and_then(|logger| logger.call_method1("log", (level, "%s", message)));
            match told {
                Err(error) if error.is_instance_of::<PyException>(py) => {
                    // A logger that fails must not fail what it logs.
                    error.write_unraisable(py, Some(manager));
                }
                // A signal may arrive here as anywhere.
                Err(error) => self.0.stop.set(error),
                Ok(_) => {}
            }
        });
    }
}

/// The level and the words of an event; `None` if the next event says it too.
fn told(event: &Event<'_>) -> Option<(u32, String)> {
    match event {
        Event::Waiting { strategy, delay } => Some((
            INFO,
            format!(
                "Waiting {:.3} s before the next {strategy}",
                delay.as_secs_f64()
            ),
        )),
        Event::Attempt {
            strategy,
            strategy_attempt,
            max_attempts,
            ..
        } => Some((
            INFO,
            format!("Attempting {strategy} ({strategy_attempt}/{max_attempts})"),
        )),
        Event::Tried {
            success: true,
            verdict,
            ..
        } => Some((INFO, format!("Recovered: {verdict}"))),
        Event::Tried { verdict, .. } => Some((WARNING, format!("Not recovered: {verdict}"))),
        Event::NotRecorded { error } => {
            let reason = in_words(error);
            Some((ERROR, format!("Not recorded: {reason}")))
        }
        Event::Verifying { .. } => Some((DEBUG, "Verifying".to_owned())),
        _ => None,
    }
}
