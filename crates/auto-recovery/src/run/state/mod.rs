//! What runs keep on this machine: outputs, budgets, the breaker, and how long all that stays.

pub(super) mod breaker;
pub(super) mod budget;
pub(super) mod login;
pub(super) mod masked_output;
pub(super) mod outputs;
pub(super) mod prune;
pub(super) mod rooms;
pub(super) mod state_file;
pub(super) mod vault;
