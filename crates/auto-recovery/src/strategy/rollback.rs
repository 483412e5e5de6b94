//! Rollback: go back to the last state that was good.

use crate::strategy::{HandlerResult, Outcome};

/// Goes back to the last good state and says whether it did.
pub type RollbackHandler = Box<dyn FnMut() -> HandlerResult<bool> + Send>;

/// Asks `handler` to go back.
///
/// # Errors
/// What the handler fails with.
pub fn rollback(handler: Option<&mut RollbackHandler>) -> HandlerResult<Outcome> {
    let Some(handler) = handler else {
        return Ok(Outcome::not_possible("Rollback handler not configured"));
    };
    match handler() {
        Ok(true) => Ok(Outcome::success("Rollback successful")
            .with_changes(vec!["Rolled back to last checkpoint".to_owned()])),
        Ok(false) => Ok(Outcome::failure("Rollback failed")),
        Err(error) => Err(format!("Rollback failed: {error}").into()),
    }
}
