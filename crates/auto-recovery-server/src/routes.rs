//! Every path, its methods, and what each needs: the one table.
//!
//! What stands in no row needs a token too, and is answered that it is not there.

use std::sync::Arc;

use axum::handler::Handler;
use axum::http::Method;
use axum::routing::{MethodFilter, MethodRouter, on};
use axum::{Router, middleware};

use crate::app::App;
use crate::http::{self, AllNeeds, Needs, Scope};
use crate::{api, health, live, metrics, pages};

/// The readers of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum For {
    /// `openapi.json` describes it.
    Programs,
    People,
}

/// One method of one path.
struct Route {
    audience: For,
    method: Method,
    path: &'static str,
    needs: Needs,
    answer: MethodRouter<Arc<App>>,
}

/// What requests need, by path and method.
pub(crate) fn needs() -> AllNeeds {
    let routes = table().into_iter();
    AllNeeds::new(routes.map(|one| ((one.path, one.method), one.needs)))
}

/// The table as a router.
pub(crate) fn router() -> Router<Arc<App>> {
    let routes = table().into_iter();
    routes.fold(Router::new(), |router, one| {
        let is_page = one.audience == For::People && one.method == Method::GET && one.needs == READ;
        let answer = match is_page {
            true => one.answer.layer(middleware::from_fn(pages::in_view)),
            false => one.answer,
        };
        router.route(one.path, answer)
    })
}

const NOTHING: Needs = Needs::Nothing;
const READ: Needs = Needs::Scope(Scope::Read);
const WRITE: Needs = Needs::Scope(Scope::Write);
const ADMIN: Needs = Needs::Scope(Scope::Admin);

#[rustfmt::skip]
fn table() -> Vec<Route> {
    use For::{People, Programs};
    const GET: Method = Method::GET;
    const POST: Method = Method::POST;
    vec![
        route(Programs, GET, "/api/v1/events", READ, live::events),
        route(Programs, GET, "/api/v1/sessions", READ, api::sessions),
        route(Programs, GET, "/api/v1/sessions/{id}", READ, api::session),
        route(Programs, GET, "/api/v1/sessions/{id}/entries", READ, api::entries_of),
        route(Programs, GET, "/api/v1/sessions/{id}/journal", READ, api::journal_of),
        route(Programs, GET, "/api/v1/sessions/{id}/statistics", READ, api::statistics_of),
        route(Programs, GET, "/api/v1/sessions/{id}/trail", READ, api::trail),
        route(Programs, POST, "/api/v1/sessions/{id}/hold", ADMIN, api::hold),
        route(Programs, POST, "/api/v1/sessions/{id}/release", ADMIN, api::release),
        route(Programs, POST, "/api/v1/sessions/{id}/clear", ADMIN, api::clear),
        route(Programs, GET, "/api/v1/stats", READ, api::stats),
        route(Programs, GET, "/api/v1/failures", READ, api::failures),
        route(Programs, GET, "/api/v1/advice", READ, api::advice),
        route(Programs, GET, "/api/v1/export", READ, api::export),
        route(Programs, GET, "/api/v1/alerts", READ, api::alerts),
        route(Programs, POST, "/api/v1/alerts/{id}/acknowledge", ADMIN, api::acknowledge),
        route(Programs, POST, "/api/v1/alerts/{id}/acknowledge/end", ADMIN, api::end_acknowledgement),
        route(Programs, POST, "/api/v1/deliveries/{id}/again", ADMIN, api::again),
        route(Programs, GET, "/api/v1/deliveries", READ, api::told),
        route(Programs, GET, "/api/v1/silences", READ, api::silences),
        route(Programs, POST, "/api/v1/silences", ADMIN, api::silence),
        route(Programs, POST, "/api/v1/silences/{id}/end", ADMIN, api::end_silence),
        route(Programs, POST, "/api/v1/heartbeats/{name}", WRITE, api::heartbeat),
        route(Programs, POST, "/api/v1/entries", WRITE, api::ingest),
        route(Programs, POST, "/api/v1/batch", WRITE, api::batch),
        route(Programs, GET, "/api/v1/journal", READ, api::journal),
        route(Programs, GET, "/openapi.json", READ, api::document),
        route(Programs, GET, "/metrics", READ, metrics::metrics),
        route(Programs, GET, "/healthz", NOTHING, health::health),
        route(Programs, GET, "/readyz", NOTHING, health::readiness),
        route(People, GET, "/", READ, pages::overview),
        route(People, GET, "/sessions", READ, pages::sessions),
        route(People, GET, "/sessions/{id}", READ, pages::session),
        route(People, POST, "/sessions/{id}/hold", ADMIN, pages::hold),
        route(People, POST, "/sessions/{id}/release", ADMIN, pages::release),
        route(People, POST, "/sessions/{id}/clear", ADMIN, pages::clear),
        route(People, GET, "/failures", READ, pages::failures),
        route(People, GET, "/failures/{kind}", READ, pages::failure),
        route(People, GET, "/advice", READ, pages::advice),
        route(People, GET, "/stats", READ, pages::stats),
        route(People, GET, "/live", READ, pages::live),
        route(People, GET, "/alerts", READ, pages::alerts),
        route(People, POST, "/alerts/{id}/acknowledge", ADMIN, pages::acknowledge),
        route(People, POST, "/alerts/{id}/acknowledge/end", ADMIN, pages::end_acknowledgement),
        route(People, POST, "/deliveries/{id}/again", ADMIN, pages::again),
        route(People, POST, "/silences", ADMIN, pages::silence),
        route(People, POST, "/silences/{id}/end", ADMIN, pages::end_silence),
        route(People, GET, "/about", READ, pages::about),
        route(People, GET, "/login", NOTHING, http::login_form),
        route(People, POST, "/login", NOTHING, http::login),
        route(People, POST, "/logout", READ, http::leave),
        route(People, GET, "/assets/style.css", NOTHING, pages::style),
        route(People, GET, "/assets/{name}", NOTHING, pages::script),
    ]
}

fn route<H, T>(audience: For, method: Method, path: &'static str, needs: Needs, handler: H) -> Route
where
    H: Handler<T, Arc<App>>,
    T: 'static,
{
    let filter = MethodFilter::try_from(method.clone()).expect("a method that HTTP itself defines");
    Route {
        audience,
        method,
        path,
        needs,
        answer: on(filter, handler),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::Value;

    use super::*;

    /// What each method of each path needs, in words.
    type Described = BTreeMap<String, Option<String>>;

    fn of_table() -> Described {
        let routes = table().into_iter();
        let programs = routes.filter(|one| one.audience == For::Programs);
        programs
            .map(|one| {
                let needs = match one.needs {
                    Needs::Nothing => None,
                    Needs::Scope(scope) => Some(scope.as_str().to_owned()),
                };
                (format!("{} {}", one.method, one.path), needs)
            })
            .collect()
    }

    fn of_document() -> Described {
        let document: Value = serde_json::from_str(api::DOCUMENT).unwrap();
        let scope = |security: &Value| {
            let scope = security.get(0)?["token"].get(0)?.as_str();
            scope.map(str::to_owned)
        };
        let default = scope(&document["security"]);
        let mut described = Described::new();
        for (path, methods) in document["paths"].as_object().unwrap() {
            for (method, operation) in methods.as_object().unwrap() {
                let needs = match operation.get("security") {
                    Some(security) => scope(security),
                    None => default.clone(),
                };
                described.insert(format!("{} {path}", method.to_uppercase()), needs);
            }
        }
        described
    }

    #[test]
    fn the_document_describes_each_route_for_programs_and_no_other() {
        assert_eq!(of_table(), of_document());
    }

    #[test]
    fn what_is_under_the_api_is_for_programs() {
        for one in table() {
            let is_api = one.path.starts_with("/api/");
            assert!(!is_api || one.audience == For::Programs, "{}", one.path);
        }
    }

    #[test]
    fn only_what_looks_is_open_to_those_who_may_only_look() {
        for one in table() {
            let is_own_way = matches!(one.path, "/login" | "/logout");
            if one.method != Method::GET && !is_own_way {
                let may = [Needs::Scope(Scope::Write), Needs::Scope(Scope::Admin)];
                assert!(may.contains(&one.needs), "{} {}", one.method, one.path);
            }
        }
        let needs = needs();
        assert_eq!(needs.of(None, &Method::GET), READ);
        assert_eq!(needs.of(Some("/sessions"), &Method::HEAD), READ);
        assert_eq!(needs.of(Some("/healthz"), &Method::PUT), READ);
        assert_eq!(needs.of(Some("/healthz"), &Method::HEAD), NOTHING);
    }
}
