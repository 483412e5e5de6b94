//! Seals before and after something is removed: what goes is under a seal as it was, and so is that
//! it went.

use std::sync::Arc;

use auto_recovery::audit::AuditStore;
use auto_recovery::audit::sealing::{Sealer, WhatToSeal, newest_seal};

use crate::context::Context;
use crate::hints;
use crate::settings::SealWhen;

/// What seals around a removal; nothing does where nothing is sealed, or nothing is to be.
pub(super) struct Around<'c> {
    context: &'c Context,
    sealer: Option<Sealer>,
}

impl<'c> Around<'c> {
    /// Seals `sessions`, which are about to be removed from `store`.
    pub(super) fn begin(
        context: &'c Context,
        store: &Arc<dyn AuditStore>,
        sessions: &[&str],
    ) -> Self {
        let is_off = context.settings.run.seal_when.value == SealWhen::Off;
        let is_sealed = || newest_seal(&**store).is_ok_and(|newest| newest.is_some());
        let sealer = (!is_off && !sessions.is_empty() && is_sealed()).then(|| {
            let state_dir = &context.settings.state_dir.value;
            Sealer::new(store.clone(), state_dir, context.host.clone())
        });
        let around = Self { context, sealer };
        around.seal(sessions);
        around
    }

    /// Seals that they were removed.
    pub(super) fn end(self) {
        self.seal(&[]);
    }

    /// Seals `sessions` and the journal. What cannot be sealed stops nothing.
    fn seal(&self, sessions: &[&str]) {
        let Some(sealer) = &self.sealer else {
            return;
        };
        if let Err(error) = sealer.seal(WhatToSeal::Sessions(sessions)) {
            self.context.printer.warn(format_args!(
                "what is on record is not sealed: {}",
                hints::chain(&error)
            ));
        }
    }
}
