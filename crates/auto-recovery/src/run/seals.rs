//! The seals that a run makes: what is on record when a command that mends starts, that command
//! cannot change unnoticed.
//!
//! A seal stops nothing: what cannot be sealed is remembered, to be told at the end.

use std::sync::{Arc, Mutex, OnceLock};

use crate::audit::sealing::{SealWhen, Sealer, WhatToSeal};
use crate::error::ErrorKind;
use crate::host::Host;
use crate::integrity::{Seal, ShortSeal};
use crate::mutex;
use crate::run::request::RunRequest;

/// The sealer of one run.
#[derive(Default)]
pub(super) struct RunSeals {
    sealer: OnceLock<Sealer>,
    /// Why something could not be sealed, the first time.
    failed: Mutex<Option<String>>,
}

impl RunSeals {
    /// Seals what is on record of the session, if `request` wants that `when` this is.
    pub(super) fn seal(
        &self,
        request: &RunRequest,
        (session_id, host): (&str, &Arc<dyn Host>),
        when: SealWhen,
    ) -> Option<ShortSeal> {
        let wanted = request.record.seal;
        if wanted == SealWhen::Off || (when == SealWhen::Attempts && wanted != when) {
            return None;
        }
        let state = &request.state;
        let new = || Sealer::new(state.store.clone(), &state.dir, host.clone());
        let sealer = self.sealer.get_or_init(new);
        match sealer.seal(WhatToSeal::Sessions(&[session_id])) {
            Ok(sealed) => sealed.seal().map(Seal::short),
            // The store has told that its server is away, and where the record waits meanwhile.
            Err(error) if error.kind() == ErrorKind::Unreachable => None,
            Err(error) => {
                let why = request.chain(&error);
                mutex::lock(&self.failed).get_or_insert(why);
                None
            }
        }
    }

    /// Why something could not be sealed.
    pub(super) fn failed(&self) -> Option<String> {
        mutex::lock(&self.failed).clone()
    }
}
