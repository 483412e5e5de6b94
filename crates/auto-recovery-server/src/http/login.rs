//! Logging a browser in: by the link that is printed at the start, or with a token.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::{Extension, RawQuery, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};

use super::access::{Caller, LOGIN};
use super::guard::{Peer, cookie};
use super::problem::Problem;
use super::query::Query;
use crate::app::App;
use crate::pages;

/// The longest form that is read, in bytes.
const FORM_BYTES_MAX: usize = 8192;

/// The time that a form may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// The form, or the login itself where the address has the code of a link.
pub(crate) async fn login_form(
    State(app): State<Arc<App>>,
    Extension(Peer(peer)): Extension<Peer>,
    RawQuery(query): RawQuery,
) -> Response {
    let mut query = match Query::read(query.as_deref()) {
        Ok(query) => query,
        Err(problem) => return problem.into_response(),
    };
    let next = query.take("next");
    let Some(code) = query.take("code") else {
        return pages::login(next.as_deref(), None).into_response();
    };
    if let Some(refusal) = too_often(&app, peer) {
        return refusal;
    }
    match app.access.by_link(&code) {
        Some(caller) => welcome(&app, caller, "/".to_owned()).await,
        None => {
            app.access.failed(peer);
            let why = "This link was used already, or is older than a minute.";
            (
                StatusCode::FORBIDDEN,
                pages::login(next.as_deref(), Some(why)),
            )
                .into_response()
        }
    }
}

/// Logs in with the token in the form.
pub(crate) async fn login(
    State(app): State<Arc<App>>,
    Extension(Peer(peer)): Extension<Peer>,
    body: Body,
) -> Response {
    let read = tokio::time::timeout(PATIENCE, to_bytes(body, FORM_BYTES_MAX)).await;
    let Ok(Ok(body)) = read else {
        let text = format!("a login has at most {FORM_BYTES_MAX} bytes");
        return Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", text).into_response();
    };
    let field = |name: &str| {
        let mut pairs = form_urlencoded::parse(&body);
        pairs
            .find(|(one, _)| one == name)
            .map(|(_, value)| value.into_owned())
    };
    let next = field("next").filter(|next| is_own_path(next));
    let token = field("token").unwrap_or_default();
    let found = app.run(move |app| app.access.by_token(token.trim())).await;
    match found {
        // Who guesses holds up nobody who knows: a token is no word that can be tried out.
        Ok(Some(caller)) => welcome(&app, caller, next.unwrap_or("/".to_owned())).await,
        Ok(None) => {
            if let Some(refusal) = too_often(&app, peer) {
                return refusal;
            }
            app.access.failed(peer);
            let why = "There is no such token.";
            (
                StatusCode::FORBIDDEN,
                pages::login(next.as_deref(), Some(why)),
            )
                .into_response()
        }
        Err(problem) => problem.into_response(),
    }
}

/// Ends a browser's login.
pub(crate) async fn leave(State(app): State<Arc<App>>, headers: HeaderMap) -> Response {
    let name = app.access.cookie_name();
    if let Some(cookie) = cookie(&headers, &name).map(str::to_owned)
        && let Err(problem) = app.run(move |app| app.access.log_out(&cookie)).await
    {
        return problem.into_response();
    }
    with_cookie(
        Redirect::to("/login"),
        &format!("{name}=; Path=/; Max-Age=0"),
    )
}

fn too_often(app: &App, peer: std::net::IpAddr) -> Option<Response> {
    let wait = app.access.wait_of(peer)?;
    let seconds = HeaderValue::from(wait.as_secs().max(1));
    let text = "too many logins failed from this address: wait a minute";
    let problem = Problem::new(StatusCode::TOO_MANY_REQUESTS, "too_many_logins", text);
    Some(problem.with(header::RETRY_AFTER, seconds).into_response())
}

async fn welcome(app: &Arc<App>, caller: Caller, next: String) -> Response {
    let made = app.run(move |app| app.access.log_in(&caller)).await;
    let cookie = match made {
        Ok(cookie) => cookie,
        Err(problem) => return problem.into_response(),
    };
    let secure = if app.is_secure { "; Secure" } else { "" };
    let cookie = format!(
        "{}={cookie}; Path=/; HttpOnly; SameSite=Strict; Max-Age={}{secure}",
        app.access.cookie_name(),
        LOGIN.as_secs(),
    );
    with_cookie(Redirect::to(&next), &cookie)
}

fn with_cookie(redirect: Redirect, cookie: &str) -> Response {
    let mut response = redirect.into_response();
    if let Ok(value) = HeaderValue::from_str(cookie) {
        response.headers_mut().insert(header::SET_COOKIE, value);
    }
    response
}

/// Whether `next` leads to a page of ours: a path, and no name of another server.
fn is_own_path(next: &str) -> bool {
    let is_plain = next
        .bytes()
        .all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    next.starts_with('/') && !next.starts_with("//") && is_plain
}

#[cfg(test)]
mod tests {
    use super::is_own_path;

    #[test]
    fn nobody_is_sent_elsewhere() {
        for path in ["/", "/sessions?project=a%20b"] {
            assert!(is_own_path(path), "{path}");
        }
        for path in [
            "",
            "//evil",
            "/\\evil",
            "http://evil",
            "/a\r\nb",
            "javascript:1",
        ] {
            assert!(!is_own_path(path), "{path:?}");
        }
    }
}
