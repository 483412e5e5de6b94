//! The step before every page: what its reader chose is taken from the address and the cookies.

use axum::extract::Request;
use axum::http::{HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::frame::Wrong;
use super::view::{chosen, within};

/// Answers `request` in the view that it asks for.
pub(crate) async fn in_view(mut request: Request, next: Next) -> Response {
    let (view, cookies) = match chosen(&mut request) {
        Ok(chosen) => chosen,
        Err(problem) => return Wrong::from(problem).into_response(),
    };
    let mut response = within(view, next.run(request)).await;
    let values = cookies
        .iter()
        .filter_map(|text| HeaderValue::from_str(text).ok());
    for cookie in values {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}
