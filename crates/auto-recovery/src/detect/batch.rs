//! Many observations at once, as `recover classify --batch` reads and writes them, a line each.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::detector::{Detection, detect};
use super::observation::Observation;
use super::rules::Rules;
use crate::failure::Category;

/// One line in. Unknown keys are ignored, so that labelled corpora can be read as they are.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct BatchInput {
    /// The caller's name for the case, of any JSON type; comes back with the answer.
    pub id: Value,
    /// The program and its arguments.
    pub argv: Vec<String>,
    /// The exit code, unless a signal ended it.
    pub exit_code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// Whether it was stopped at its time limit.
    pub timed_out: bool,
    /// What it wrote to its standard output.
    pub stdout: String,
    /// What it wrote to its standard error.
    pub stderr: String,
}

/// One line out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BatchOutput {
    /// The id that came in.
    pub id: Value,
    /// What kind of failure it is.
    pub category: Category,
    /// The type a person would name.
    pub error_type: String,
    /// The message that tells most.
    pub message: String,
    /// The tool that reported it.
    pub source: String,
    /// The file the tool pointed at, as it wrote it.
    pub file_path: Option<String>,
    /// The line in that file.
    pub line_number: Option<u64>,
    /// The rule that decided.
    pub rule: String,
}

impl BatchInput {
    /// What the input says, as an observation.
    pub fn observation(&self) -> Observation<'_> {
        Observation {
            argv: &self.argv,
            exit_code: self.exit_code,
            signal: self.signal,
            timed_out: self.timed_out,
            stdout: self.stdout.as_bytes(),
            stderr: self.stderr.as_bytes(),
        }
    }

    /// The answer to this line.
    pub fn classify(&self, rules: &Rules) -> BatchOutput {
        BatchOutput::new(self.id.clone(), detect(&self.observation(), rules))
    }
}

impl BatchOutput {
    /// A detection, as a line under `id`.
    pub fn new(id: Value, detection: Detection) -> Self {
        let failure = detection.failure;
        Self {
            id,
            category: detection.category,
            error_type: failure.error_type,
            message: failure.message,
            source: failure.source,
            file_path: failure.file_path,
            line_number: failure.line_number,
            rule: detection.rule,
        }
    }
}
