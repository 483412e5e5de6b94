//! What every request passes before anything is done: its host, its origin, who sent it; and the
//! headers that every answer has.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use serde_json::json;

use super::access::Caller;
use super::problem::Problem;
use super::scope::Needs;
use crate::app::App;

/// The address of the other side of a connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer(pub(crate) IpAddr);

/// Pages load our own sheet and script, nothing else, and no script can make HTML from text.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; \
    img-src 'self' data:; form-action 'self'; frame-ancestors 'none'; base-uri 'none'; \
    require-trusted-types-for 'script'; trusted-types 'none'";

/// Lets requests through that may pass.
pub(crate) async fn guard(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    let (method, begin) = (request.method().clone(), app.host.monotonic());
    let peer = request.extensions().get::<Peer>().copied();
    let mut who = None;
    let mut response = match checked(&app, request).await {
        Ok(request) => {
            let caller = request.extensions().get::<Caller>();
            who = caller.map(|caller| caller.name.clone());
            next.run(request).await
        }
        Err(refusal) => refusal,
    };
    harden(response.headers_mut(), &path);
    let status = response.status();
    let is_change = !matches!(method, Method::GET | Method::HEAD);
    let is_refused = matches!(status.as_u16(), 401 | 403 | 421 | 429);
    if is_change || is_refused || status.is_server_error() {
        let took = app.host.monotonic().saturating_sub(begin);
        let fields = vec![
            ("method", json!(method.as_str())),
            ("path", json!(path)),
            ("status", json!(status.as_u16())),
            ("seconds", json!(took.as_secs_f64())),
            ("who", json!(who)),
            ("from", json!(peer.map(|peer| peer.0.to_string()))),
        ];
        let log = &app.following.log;
        match is_refused || status.is_server_error() {
            true => log.warn("request", fields),
            false => log.info("request", fields),
        }
    }
    response
}

async fn checked(app: &Arc<App>, mut request: Request) -> Result<Request, Response> {
    let (headers, method) = (request.headers(), request.method());
    let is_change = !matches!(*method, Method::GET | Method::HEAD);
    let host = host_of(&request).unwrap_or_default().to_owned();
    if !app.is_our_name(name_of(&host)) {
        let text = "this server is not called that: see the option that gives it names";
        return Err(
            Problem::new(StatusCode::MISDIRECTED_REQUEST, "unknown_host", text).into_response(),
        );
    }
    let has_bearer = headers.contains_key(header::AUTHORIZATION);
    if is_change && !is_same_origin(headers, &host, has_bearer) {
        let text = "a page of another origin may change nothing here";
        return Err(Problem::new(StatusCode::FORBIDDEN, "foreign_origin", text).into_response());
    }
    let path = request.extensions().get::<MatchedPath>();
    let Needs::Scope(scope) = app.needs.of(path.map(MatchedPath::as_str), method) else {
        return Ok(request);
    };
    let caller = match caller(app, headers).await {
        Ok(Some(caller)) => caller,
        Ok(None) => return Err(nobody(&request)),
        Err(problem) => return Err(problem.into_response()),
    };
    if !caller.may(scope) {
        let text = format!(
            "the token `{}` has the scope `{}`, and this needs `{scope}`",
            caller.name,
            caller.scope()
        );
        return Err(Problem::new(StatusCode::FORBIDDEN, "no_scope", text).into_response());
    }
    request.extensions_mut().insert(caller);
    Ok(request)
}

/// Who sends a request with `headers`.
async fn caller(app: &Arc<App>, headers: &HeaderMap) -> Result<Option<Caller>, Problem> {
    if let Some(value) = headers.get(header::AUTHORIZATION) {
        let Some(token) = value.to_str().ok().and_then(bearer).map(str::to_owned) else {
            return Ok(None);
        };
        return app.run(move |app| app.access.by_token(token.trim())).await;
    }
    match cookie(headers, &app.access.cookie_name()).map(str::to_owned) {
        Some(cookie) => app.run(move |app| app.access.by_cookie(&cookie)).await,
        None => Ok(None),
    }
}

/// The token in the header `value`. The name of the scheme is in letters of any case: RFC 9110.
fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("Bearer").then_some(token)
}

/// The answer to who has not said who they are: a browser is shown the way in, and a program whose
/// token is none is told so whatever it accepts.
fn nobody(request: &Request) -> Response {
    let accept = request.headers().get(header::ACCEPT);
    let wants_page = accept
        .and_then(|accept| accept.to_str().ok())
        .is_some_and(|a| a.contains("text/html"));
    let has_bearer = request.headers().contains_key(header::AUTHORIZATION);
    if wants_page && !has_bearer && request.method() == Method::GET {
        let to = request
            .uri()
            .path_and_query()
            .map_or("/", |path| path.as_str());
        let to: String = form_urlencoded::byte_serialize(to.as_bytes()).collect();
        return Redirect::to(&format!("/login?next={to}")).into_response();
    }
    let text = "say who you are: `Authorization: Bearer TOKEN`";
    let bearer = HeaderValue::from_static("Bearer");
    let problem = Problem::new(StatusCode::UNAUTHORIZED, "no_token", text);
    problem
        .with(header::WWW_AUTHENTICATE, bearer)
        .into_response()
}

/// The value of the cookie `name`.
pub(super) fn cookie<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let all = headers.get_all(header::COOKIE).iter();
    let pairs = all
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'));
    let mut named = pairs.filter_map(|pair| pair.trim().split_once('='));
    named.find(|(one, _)| *one == name).map(|(_, value)| value)
}

fn host_of(request: &Request) -> Option<&str> {
    let mut hosts = request.headers().get_all(header::HOST).iter();
    let host = hosts.next().and_then(|host| host.to_str().ok());
    // Two are none: others may read the other one.
    if hosts.next().is_some() {
        return None;
    }
    host.or_else(|| {
        request
            .uri()
            .authority()
            .map(|authority| authority.as_str())
    })
}

/// `host` without its port.
fn name_of(host: &str) -> &str {
    match host.strip_prefix('[') {
        Some(rest) => rest.split_once(']').map_or("", |(name, _)| name),
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    }
}

/// Whether a change was asked for by one of our own pages, or by a program: those that have a token
/// and send no origin.
fn is_same_origin(headers: &HeaderMap, host: &str, has_bearer: bool) -> bool {
    if let Some(site) = headers.get("sec-fetch-site") {
        return site == "same-origin" || (site == "none" && has_bearer);
    }
    match headers
        .get(header::ORIGIN)
        .map(|origin| origin.to_str().unwrap_or_default())
    {
        Some(origin) => origin.split_once("://").is_some_and(|(_, of)| of == host),
        None => has_bearer,
    }
}

fn harden(headers: &mut HeaderMap, path: &str) {
    let fixed = [
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
        ("content-security-policy", POLICY),
    ];
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
    let is_asset = path.starts_with("/assets/");
    let caching = if is_asset { "no-cache" } else { "no-store" };
    headers
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static(caching));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_a_name_and_a_port() {
        for (host, name) in [
            ("localhost", "localhost"),
            ("localhost:80", "localhost"),
            ("127.0.0.1:4780", "127.0.0.1"),
            ("[::1]:4780", "::1"),
            ("[::1]", "::1"),
            ("[::1", ""),
            ("", ""),
        ] {
            assert_eq!(name_of(host), name);
        }
    }

    #[test]
    fn a_token_stands_behind_its_scheme() {
        for (value, token) in [
            ("Bearer abc", Some("abc")),
            ("bearer abc", Some("abc")),
            ("BEARER abc", Some("abc")),
            ("Bearerabc", None),
            ("Basic abc", None),
            ("", None),
        ] {
            assert_eq!(bearer(value), token, "{value:?}");
        }
    }

    #[test]
    fn changes_come_from_our_pages_or_from_programs_with_a_token() {
        let headers = |pairs: &[(&'static str, &'static str)]| {
            let mut headers = HeaderMap::new();
            for (name, value) in pairs {
                headers.insert(*name, HeaderValue::from_static(value));
            }
            headers
        };
        let (ours, token) = ("h:1", true);
        for (pairs, has_bearer, expected) in [
            (vec![], token, true),
            (vec![], false, false),
            (vec![("origin", "http://h:1")], false, true),
            (vec![("origin", "http://h:2")], token, false),
            (vec![("origin", "null")], token, false),
            (vec![("sec-fetch-site", "same-origin")], false, true),
            (vec![("sec-fetch-site", "cross-site")], token, false),
            (vec![("sec-fetch-site", "none")], false, false),
        ] {
            assert_eq!(
                is_same_origin(&headers(&pairs), ours, has_bearer),
                expected,
                "{pairs:?}"
            );
        }
    }

    #[test]
    fn a_cookie_is_found_by_its_whole_name() {
        let mut headers = HeaderMap::new();
        headers.append(
            header::COOKIE,
            HeaderValue::from_static("a=1; recover-x=secret"),
        );
        headers.append(header::COOKIE, HeaderValue::from_static("b=2"));
        assert_eq!(cookie(&headers, "recover-x"), Some("secret"));
        assert_eq!(cookie(&headers, "b"), Some("2"));
        assert_eq!(cookie(&headers, "recover"), None);
    }
}
