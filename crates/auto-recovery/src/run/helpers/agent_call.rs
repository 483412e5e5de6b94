//! A call of a coding agent: its prompt, its limits, and the variables that are kept from it.

use std::ffi::OsString;
use std::fs::OpenOptions;
use std::io::Read as _;
use std::os::fd::AsFd as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::error::{Error, Result};
use crate::files::open_own;
use crate::fixer::{Preset, PromptBy};
use crate::process::{CommandSpec, ReplayedInput, Stdin};

/// Longest time for an agent to print its version; some start a runtime for that.
pub(in crate::run) const PROBE_TIME_MAX: Duration = Duration::from_secs(20);

/// An agent that is about to be called.
pub(in crate::run) struct AgentCall {
    argv: Vec<OsString>,
    stdin: Stdin,
    timeout: Option<Duration>,
    env_remove: Vec<OsString>,
}

impl AgentCall {
    /// The call of the agent of `preset` with the prompt in the file at `prompt`.
    pub(in crate::run) fn new(preset: &Preset, prompt: &Path) -> Result<Self> {
        let failed = |error| Error::io("read", prompt, error);
        let mut file = open_own(prompt, OpenOptions::new().read(true)).map_err(failed)?;
        let mut text = String::new();
        let stdin = match preset.prompt {
            PromptBy::Stdin => {
                let spool = prompt.parent().unwrap_or(prompt);
                let input = ReplayedInput::new(file.as_fd(), spool).map_err(failed)?;
                Stdin::Replay(Arc::new(input))
            }
            PromptBy::Argument => {
                file.read_to_string(&mut text).map_err(failed)?;
                Stdin::Null
            }
            PromptBy::File => Stdin::Null,
        };
        let argv = preset.call(&text, &prompt.display().to_string());
        Ok(Self {
            argv: argv.into_iter().map(OsString::from).collect(),
            stdin,
            timeout: preset.timeout(),
            env_remove: preset.env_remove.iter().map(OsString::from).collect(),
        })
    }

    /// Turns `spec` into the call, after the console has prepared it.
    pub(in crate::run) fn prepare(self, spec: &mut CommandSpec) {
        let Self {
            argv,
            stdin,
            timeout,
            env_remove,
        } = self;
        (spec.argv, spec.stdin) = (argv, stdin);
        // The shorter of both limits holds.
        spec.timeout = [spec.timeout, timeout].into_iter().flatten().min();
        spec.env_remove.extend(env_remove);
    }
}
