//! Whether this process lives, and whether it knows the store: for those who start it again.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;

use crate::app::App;
use crate::feed::Standing;

/// It lives.
pub(crate) async fn health() -> &'static str {
    "ok\n"
}

/// It has all that the store has.
pub(crate) async fn readiness(State(app): State<Arc<App>>) -> (StatusCode, &'static str) {
    match app.standing() {
        Standing::Current => (StatusCode::OK, "ready\n"),
        Standing::Beginning => (StatusCode::SERVICE_UNAVAILABLE, "the store is being read\n"),
        Standing::Away { .. } => (
            StatusCode::SERVICE_UNAVAILABLE,
            "the store cannot be used\n",
        ),
    }
}
