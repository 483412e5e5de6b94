//! Retry: try the same again. The waiting before it is the manager's.

use crate::failure::{Context, Failure};
use crate::strategy::{HandlerResult, Outcome};

/// Tries what failed again and says whether it worked.
pub type RetryHandler = Box<dyn FnMut(&Failure, &Context) -> HandlerResult<bool> + Send>;

/// Asks `handler` to try again.
///
/// # Errors
/// What the handler fails with.
pub fn retry(
    handler: Option<&mut RetryHandler>,
    failure: &Failure,
    context: &Context,
) -> HandlerResult<Outcome> {
    let Some(handler) = handler else {
        return Ok(Outcome::not_possible("Retry handler not configured"));
    };
    match handler(failure, context) {
        Ok(true) => Ok(Outcome::success("Retry successful")),
        Ok(false) => Ok(Outcome::failure("Retry failed")),
        Err(error) => Err(format!("Retry failed: {error}").into()),
    }
}
