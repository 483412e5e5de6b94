//! What every page has around its content.

use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::view::{View, view};
use crate::app::App;
use crate::feed::Standing;
use crate::http::Problem;

/// The pages in the bar.
const BAR: [(&str, &str); 8] = [
    ("/", "Overview"),
    ("/sessions", "Sessions"),
    ("/failures", "Failures"),
    ("/advice", "Advice"),
    ("/stats", "Statistics"),
    ("/live", "Live"),
    ("/alerts", "Alerts"),
    ("/about", "About"),
];

/// A page.
pub(crate) struct Page(Markup);

impl IntoResponse for Page {
    fn into_response(self) -> Response {
        let kind = HeaderValue::from_static("text/html; charset=utf-8");
        ([(header::CONTENT_TYPE, kind)], self.0.into_string()).into_response()
    }
}

/// What is wrong, as a page.
pub(crate) struct Wrong(Problem);

impl From<Problem> for Wrong {
    fn from(problem: Problem) -> Self {
        Self(problem)
    }
}

impl From<auto_recovery::Error> for Wrong {
    fn from(error: auto_recovery::Error) -> Self {
        Self(error.into())
    }
}

impl IntoResponse for Wrong {
    fn into_response(self) -> Response {
        let status = self.0.status();
        let title = status.canonical_reason().unwrap_or("Error");
        let body = html! {
            main id="content" {
                h1 { (title) }
                p { (self.0.detail()) }
                p { a href="/" { "Back to the overview" } }
            }
        };
        let page = page(title, None, html! { (bar(None)) (body) });
        (status, page).into_response()
    }
}

/// The page `path` of the bar, with `content` below a heading.
pub(super) fn framed(app: &App, title: &str, path: &str, content: Markup) -> Page {
    let main = html! {
        main id="content" {
            h1 { (title) }
            (content)
        }
    };
    within(app, title, path, main)
}

/// The same with `main`, which has its own heading.
pub(super) fn within(app: &App, title: &str, path: &str, main: Markup) -> Page {
    let body = html! {
        (bar(Some(path)))
        (standing(app))
        (main)
    };
    page(title, Some(path), body)
}

/// A page without the bar.
pub(super) fn bare(title: &str, main: Markup) -> Page {
    page(title, None, main)
}

fn page(title: &str, path: Option<&str>, body: Markup) -> Page {
    let view = view();
    let sheet = match view.theme {
        Some(theme) => format!("/assets/style.css?theme={theme}"),
        None => "/assets/style.css".to_owned(),
    };
    Page(html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content=(view.theme.unwrap_or("light dark"));
                title { (title) " · recover" }
                link rel="stylesheet" href=(sheet);
                link rel="icon" href="data:,";
                @for name in scripts(path) {
                    script src={ "/assets/" (name) } defer {}
                }
            }
            body data-zone=(view.zone_name) data-keys=(if view.has_keys { "on" } else { "off" }) {
                (body)
                @if path.is_some() { (choices(&view)) (keys()) }
            }
        }
    })
}

/// The scripts of the page `path`, in order; none where nobody is logged in.
fn scripts(path: Option<&str>) -> &'static [&'static str] {
    match path {
        None => &[],
        Some("/live") => &["page.js", "stream.js", "live.js"],
        Some("/sessions") => &["page.js", "stream.js", "sessions.js"],
        Some(_) => &["page.js"],
    }
}

fn bar(current: Option<&str>) -> Markup {
    html! {
        a class="skip" href="#content" { "Skip to the content" }
        nav aria-label="Pages" {
            strong { "recover" }
            @for (path, name) in BAR {
                @if current == Some(path) {
                    a href=(view().link(path)) aria-current="page" { (name) }
                } @else {
                    a href=(view().link(path)) { (name) }
                }
            }
            form method="post" action="/logout" { button type="submit" { "Log out" } }
        }
    }
}

/// What the reader may choose, for this page and all that come.
fn choices(view: &View) -> Markup {
    let option = |value: &str, words: &str, is_chosen: bool| {
        html! { option value=(value) selected[is_chosen] { (words) } }
    };
    html! {
        aside aria-label="Display" {
            details {
                summary { "Display: times in " (view.zone_name) }
                form class="filters" method="get" {
                    @for (name, value) in &view.parameters {
                        input type="hidden" name=(name) value=(super::pieces::typed(value));
                    }
                    label { "Zone" input name="tz" value=(view.zone_name); }
                    label {
                        "Colours"
                        select name="theme" {
                            (option("auto", "as the system", view.theme.is_none()))
                            (option("light", "light", view.theme == Some("light")))
                            (option("dark", "dark", view.theme == Some("dark")))
                        }
                    }
                    label {
                        "Keys"
                        select name="keys" {
                            (option("on", "on", view.has_keys))
                            (option("off", "off", !view.has_keys))
                        }
                    }
                    button type="submit" { "Remember" }
                }
            }
        }
    }
}

/// The keys, which a script heeds and shows.
fn keys() -> Markup {
    const KEYS: [(&str, &str); 11] = [
        ("/", "type into the first filter"),
        ("j, k", "the next, the previous row"),
        ("Enter", "open it"),
        ("g o", "Overview"),
        ("g s", "Sessions"),
        ("g f", "Failures"),
        ("g l", "Live"),
        ("g a", "Alerts"),
        (
            "[, ]",
            "the older, the newer session with the same failure; ] the next page",
        ),
        (
            "r",
            "the output, here and on the sessions that you open next; again: not",
        ),
        ("?", "this help"),
    ];
    html! {
        dialog id="keys" aria-label="Keys" {
            form method="dialog" { button { "Close" } }
            dl {
                @for (key, does) in KEYS { div { dt { kbd { (key) } } dd { (does) } } }
            }
        }
    }
}

/// That the store cannot be read, and since when.
fn standing(app: &App) -> Markup {
    match app.standing() {
        Standing::Away { since, why } => html! {
            p class="away" role="status" {
                "The store cannot be read since " (super::pieces::time(&since)) ": " (why)
            }
        },
        Standing::Beginning | Standing::Current => PreEscaped(String::new()),
    }
}
