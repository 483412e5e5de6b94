//! Alternative: reach the goal another way.

use crate::failure::{Context, Failure};
use crate::strategy::{Did, HandlerResult, Outcome};

/// Switches to another way and names it; `None` if there is none.
pub type AlternativeSelector =
    Box<dyn FnMut(&Failure, &Context) -> HandlerResult<Option<String>> + Send>;

/// Asks `selector` for another way.
///
/// # Errors
/// What the selector fails with.
pub fn select_alternative(
    selector: Option<&mut AlternativeSelector>,
    failure: &Failure,
    context: &Context,
) -> HandlerResult<Outcome> {
    let Some(selector) = selector else {
        return Ok(Outcome::not_possible("Alternative selector not configured"));
    };
    match selector(failure, context) {
        Ok(Some(name)) if !name.is_empty() => Ok(Outcome::success(format!(
            "Applied alternative approach: {name}"
        ))
        .with_changes(vec![format!("Switched to alternative: {name}")])),
        Ok(_) => Ok(Outcome {
            did: Did::Nothing,
            ..Outcome::not_possible("No alternative approach available")
        }),
        Err(error) => Err(format!("Alternative selection failed: {error}").into()),
    }
}
