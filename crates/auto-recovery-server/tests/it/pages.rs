//! The pages, with whatever others may have written in every field.

use auto_recovery::audit::{JournalEvent, SessionFinished, SessionOutcome};

use crate::hostile::{HOSTILE, fill};
use crate::machine::{Kind, Machine, entry, started};

#[test]
fn hostile_text_is_text_on_every_page() {
    for kind in Kind::ALL {
        let machine = Machine::new(kind);
        let store = machine.store();
        let server = machine.start();
        let mut stream = server.lines("/api/v1/events");
        let (sessions, events) = fill(&*store);
        for _ in 0..events {
            stream.row().unwrap();
        }
        let mut paths = [
            "/",
            "/sessions",
            "/live",
            "/failures",
            "/advice?limit=100",
            "/about",
            "/login?next=%22%3E%3Csvg%20onload%3D1%3E",
        ]
        .map(str::to_owned)
        .to_vec();
        let dimensions = ["strategy", "error_type", "project", "host", "day", "source"];
        paths.extend(dimensions.map(|by| format!("/stats?by={by}")));
        paths.extend(
            sessions
                .iter()
                .map(|id| format!("/sessions/{}", encoded(id))),
        );
        paths.extend(HOSTILE.map(|text| format!("/sessions?project={}&id=x", encoded(text))));
        paths.extend(HOSTILE.map(|text| format!("/live?session={0}&project={0}", encoded(text))));
        for path in paths {
            harmless(&path, &server.get(&path).text());
        }
        for text in HOSTILE {
            let answer = server.ask(&format!("GET /sessions/{}x", encoded(text)), &[]);
            assert_eq!(answer.status, 404);
            harmless(text, &answer.text());
        }
        let metrics = server.get("/metrics").text();
        for line in metrics.lines() {
            let is_plain = |c: char| c == ' ' || c.is_ascii_graphic();
            assert!(line.chars().all(is_plain), "{line:?}");
        }
    }
}

pub(crate) fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02x}")).collect()
}

/// Asserts that no text of others is markup on `page`, nor acts on who reads its source.
fn harmless(path: &str, page: &str) {
    for bad in [
        "<img",
        "<svg onload",
        "onerror=alert(1)>",
        "</script><img",
        "\0",
        "\u{1b}",
        "\u{202e}",
        "\u{2066}",
    ] {
        assert!(!page.contains(bad), "{path}: {bad:?} in {page}");
    }
    let scripts = page.matches("<script").count();
    let own = ["page", "stream", "live", "sessions"].map(|name| {
        let script = format!("<script src=\"/assets/{name}.js\" defer></script>");
        page.matches(&script).count()
    });
    let own = own.iter().sum::<usize>();
    assert_eq!(scripts, own, "{path}");
    assert!(
        !page.contains(" style="),
        "{path}: the policy lets no such attribute count"
    );
    assert!(!page.contains("href=\"javascript:"), "{path}");
}

#[test]
fn every_page_is_whole_and_says_what_to_do_when_there_is_nothing() {
    let machine = Machine::new(Kind::Jsonl);
    let server = machine.start();
    for (path, says) in [
        ("/", "recover run -- CMD"),
        ("/sessions", "recover run -- CMD"),
        ("/live", "recover run -- CMD"),
        ("/advice", "recover run -- CMD"),
        ("/stats", "Attempts"),
        ("/about", "OpenAPI"),
    ] {
        let answer = server.get(path);
        assert_eq!(
            answer.header("content-type"),
            Some("text/html; charset=utf-8")
        );
        let page = answer.text();
        assert!(page.contains(says), "{path}");
        for piece in [
            "<!DOCTYPE html><html lang=\"en\">",
            "<h1>",
            "id=\"content\"",
            "<nav",
            "</html>",
        ] {
            assert_eq!(page.matches(piece).count(), 1, "{path}: {piece}");
        }
    }
    let gone = server.ask("GET /sessions/nobody", &["Accept: text/html"]);
    assert_eq!(gone.status, 404);
    assert!(gone.text().contains("<h1>Not Found</h1>"));
}

#[test]
fn who_needs_a_person_stands_on_the_first_page_until_cured_or_cleared() {
    for kind in Kind::ALL {
        let machine = Machine::new(kind);
        let store = machine.store();
        let end = |id: &str, project: &str, outcome| {
            store.record(Some(id), started(project)).unwrap();
            store.append(vec![entry(id, 1)]).unwrap();
            let finished = SessionFinished {
                outcome,
                ..SessionFinished::default()
            };
            store
                .record(Some(id), JournalEvent::SessionFinished(finished))
                .unwrap();
        };
        // One from before the feed began, and one from after.
        end("early", "p", SessionOutcome::Escalated);
        let server = machine.start();
        let mut stream = server.lines("/api/v1/events");
        end("late", "p", SessionOutcome::Escalated);
        // What is cured elsewhere is not cured here.
        end("well", "q", SessionOutcome::Recovered);
        for _ in 0..6 {
            stream.row().unwrap();
        }
        let needs = || {
            let page = server.get("/").text();
            let list = page
                .split("Needs a person</h2>")
                .nth(1)
                .unwrap_or_default()
                .to_owned();
            let list = list
                .split("</section>")
                .next()
                .unwrap_or_default()
                .to_owned();
            ["early", "late", "well"].map(|id| list.contains(&format!("/sessions/{id}\"")))
        };
        assert_eq!(needs(), [true, true, false], "{kind:?}");
        store.clear("late").unwrap();
        end("cure", "p", SessionOutcome::Recovered);
        for _ in 0..5 {
            stream.row().unwrap();
        }
        assert_eq!(needs(), [false, false, false], "{kind:?}");
    }
}

#[test]
fn the_list_goes_on_page_by_page_and_keeps_its_filters() {
    let machine = Machine::new(Kind::Sqlite);
    let store = machine.store();
    for number in 0..5 {
        store.append(vec![entry(&format!("s{number}"), 1)]).unwrap();
    }
    let server = machine.start();
    let first = server.get("/sessions?limit=2&id=s&outcome=").text();
    let link = first.split("rel=\"next\" href=\"").nth(1).unwrap();
    let link = link.split('"').next().unwrap().replace("&amp;", "&");
    assert!(
        link.starts_with("/sessions?limit=2&id=s&after=s1-"),
        "{link}"
    );
    let second = server.get(&link).text();
    assert_eq!(
        (
            first.matches("<tr id=").count(),
            second.matches("<tr id=").count()
        ),
        (2, 2)
    );
    assert_ne!(first, second);
}
