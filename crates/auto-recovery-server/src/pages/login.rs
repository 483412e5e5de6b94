//! The way in for browsers.

use maud::html;

use super::frame::{Page, bare};
use super::pieces;

/// The form; `why` says what went wrong before.
pub(crate) fn login(next: Option<&str>, why: Option<&str>) -> Page {
    let main = html! {
        main id="content" {
            h1 { "recover" }
            @if let Some(why) = why { p class="away" role="alert" { (why) } }
            p { "The server prints a link that logs in when it starts on a terminal. A token does too." }
            form class="filters" method="post" action="/login" {
                label { "Token" input type="password" name="token" autocomplete="current-password" required; }
                @if let Some(next) = next { input type="hidden" name="next" value=(pieces::typed(next)); }
                button type="submit" { "Log in" }
            }
        }
    };
    bare("Log in", main)
}
