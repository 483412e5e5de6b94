//! The commands that help a run: how each is called, what it is told, and what it may say.

pub(super) mod agent_call;
pub(super) mod agent_refusal;
pub(super) mod commands;
pub(super) mod consent;
pub(super) mod escalation;
pub(super) mod excerpt;
pub(super) mod facing;
pub(super) mod mended;
pub(super) mod retrying;
pub(super) mod rollback;
pub(super) mod told;
pub(super) mod variables;
