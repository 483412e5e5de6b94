//! The part of a path that a handler is for. What cannot be read is a problem like any other.

use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;

use super::problem::Problem;

/// The one part of the path that stands in braces in the table of routes, decoded.
pub(crate) struct Named(pub(crate) String);

impl<S: Send + Sync> FromRequestParts<S> for Named {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match Path::from_request_parts(parts, state).await {
            Ok(Path(name)) => Ok(Self(name)),
            Err(_) => Err(Problem::invalid(format!(
                "{:?} has a part that is no UTF-8 once it is decoded",
                parts.uri.path()
            ))),
        }
    }
}
