//! Pieces that several pages have.

use auto_recovery::audit::{SessionOutcome, SessionSummary, session_id};
use auto_recovery::escape::escape_text;
use auto_recovery::wording::{cut, shell_word};
use maud::{Markup, html};

use super::view::view;
use crate::app::App;

/// Characters of a command in a table.
const COMMAND_CHARS: usize = 120;

/// Characters of a name in a table.
const NAME_CHARS: usize = 60;

/// A sign, a word and a tone for how a session ended: never a colour alone.
pub(super) fn outcome(outcome: SessionOutcome) -> Markup {
    let (sign, word, tone) = match outcome {
        SessionOutcome::Recovered => ("✔", "recovered", "good"),
        SessionOutcome::Escalated => ("✘", "not recovered", "bad"),
        SessionOutcome::Interrupted => ("■", "interrupted", "doubtful"),
        SessionOutcome::Running => ("▶", "running", "plain"),
        SessionOutcome::Unknown => ("·", "unknown", "plain"),
    };
    html! { span class=(tone) { (sign) " " (word) } }
}

/// A table of `content` in a box of this `class`, which scrolls by itself where it is too wide.
pub(super) fn wide(class: &str, caption: &str, content: &Markup) -> Markup {
    html! {
        div class=(class) role="group" tabindex="0" aria-label=(caption) {
            table {
                caption { (caption) }
                (content)
            }
        }
    }
}

/// A moment, in the reader's zone and without what nobody reads.
pub(super) fn time(text: &str) -> Markup {
    let text = escape_text(text);
    match view().moment(&text) {
        Some(shown) => html! { time datetime=(text) { (shown) } },
        None => html! { (cut(&text, NAME_CHARS)) },
    }
}

/// A name that others chose, in one line.
pub(super) fn name(text: &str) -> String {
    cut(&escape_text(text), NAME_CHARS)
}

/// The text that somebody typed into a field, without what acts on who reads the page's source.
pub(super) fn typed(text: &str) -> String {
    let draws = |c: &char| escape_text(c.encode_utf8(&mut [0; 4])).chars().eq([*c]);
    text.chars().filter(draws).collect()
}

/// A command as a person would type it, in one line.
pub(super) fn command(words: &[String]) -> String {
    let words: Vec<String> = words.iter().map(|word| shell_word(word)).collect();
    cut(&escape_text(&words.join(" ")), COMMAND_CHARS)
}

/// The address of the page of a session. Two names are none that a browser asks for: it takes them
/// for places. For those it is the list that has them.
pub(super) fn path(id: &str) -> String {
    if matches!(id, "." | "..") {
        return view().link(&format!("/sessions?id={id}"));
    }
    view().link(&format!("/sessions/{}", encoded(id)))
}

/// `text` as a piece of an address.
pub(super) fn encoded(text: &str) -> String {
    let plain =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~');
    let pieces = text.bytes().map(|byte| match plain(byte) {
        true => char::from(byte).to_string(),
        false => format!("%{byte:02X}"),
    });
    pieces.collect()
}

/// A table of sessions.
pub(super) fn sessions(app: &App, caption: &str, sessions: &[SessionSummary]) -> Markup {
    html! {
        section class="wide" aria-label=(caption) tabindex="0" {
            table {
                caption { (caption) }
                thead {
                    tr {
                        th scope="col" { "Session" }
                        th scope="col" { "Began" }
                        th scope="col" { "Outcome" }
                        th scope="col" class="number" { "Cured" }
                        th scope="col" { "Command" }
                        th scope="col" { "Project" }
                        th scope="col" { "Host" }
                    }
                }
                tbody {
                    @for session in sessions { (row(app, session)) }
                }
            }
        }
    }
}

fn row(app: &App, session: &SessionSummary) -> Markup {
    let id = &session.session_id;
    html! {
        tr id={ "s-" (encoded(id)) } {
            th scope="row" { a href=(path(id)) { (name(session_id::short(id))) } }
            td { @if let Some(start) = &session.session_start { (time(start)) } }
            td {
                (outcome(session.outcome))
                @if session.held.is_some() { ", held" }
            }
            td class="number" { (session.successful_attempts) "/" (session.total_attempts) }
            td class="command" {
                @if let Some(words) = &session.command { (command(&app.redactor.redact_words(words))) }
            }
            td { @if let Some(project) = &session.project { (name(&app.masked(project))) } }
            td { @if let Some(host) = &session.host { (name(&app.masked(host))) } }
        }
    }
}

/// What of a store could not be read.
pub(super) fn damage(damage: &[auto_recovery::audit::Damage]) -> Markup {
    html! {
        @if !damage.is_empty() {
            details class="away" {
                summary { (damage.len()) " places of the record could not be read" }
                ul { @for one in damage.iter().take(20) { li { (escape_text(&one.to_string())) } } }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_text_is_text() {
        let hostile = "</script><img onerror=x>\u{202e}\u{1b}[31m\0\"'";
        let shown = html! { (name(hostile)) }.into_string();
        assert!(
            !shown.contains(['<', '\u{202e}', '\u{1b}', '\0']),
            "{shown}"
        );
        assert_eq!(encoded("a b/ä?"), "a%20b%2F%C3%A4%3F");
        assert_eq!(
            (&*path("."), &*path(".a")),
            ("/sessions?id=.", "/sessions/.a")
        );
        let times = [
            hostile,
            "2026-01-31T23:59:59.123Z",
            "ä2026-01-31T23:59:59Z",
            "",
        ];
        for text in times {
            let shown = time(text).into_string();
            assert!(!shown.contains("<img"), "{shown}");
        }
    }
}
