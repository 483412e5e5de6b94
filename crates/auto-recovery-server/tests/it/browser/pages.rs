//! Every page, light and dark, wide and narrow, with and without script, over the worst texts.

use std::sync::Arc;

use auto_recovery::audit::sealing::SealWhen;
use serde_json::Value;

use super::axe;
use super::driver::{Browser, DESK, TELEPHONE};
use crate::hostile::{HostileLeftovers, fill, fill_long};
use crate::machine::{Kind, Machine, Running};
use crate::pages::encoded;

/// The texts of all cells of tables and all facts: what a page is about. What only a script can
/// offer is no part of it, and the moment at which a report is made is another each time.
const DATA: &str = "
    const cells = document.querySelectorAll('#content th, #content td, #content dd, #content li');
    return [...cells].filter((cell) => cell.previousElementSibling?.textContent !== 'Report made')
        .map((cell) => cell.textContent);
";

/// Addresses at the head of the list that axe looks through; the others are of pages like the last
/// of them, with other texts.
const LOOKED_THROUGH: usize = 14;

/// How far the page is wider than the window, and what sticks out farthest.
pub(super) const OVERFLOW: &str = "
    const wide = document.documentElement.scrollWidth - document.documentElement.clientWidth;
    if (wide <= 0) return [];
    const right = (one) => Math.max(one.getBoundingClientRect().right, one.scrollWidth);
    const all = [...document.body.querySelectorAll('*')].filter((one) => !one.closest('.wide'))
        .sort((a, b) => right(b) - right(a));
    return [wide + ' px: ' + all[0].outerHTML.slice(0, 300)];
";

/// A server over the worst texts, which has told all of them, and the addresses of all its pages.
fn hostile(machine: &Machine) -> (Running, Vec<String>) {
    let store = machine.store();
    let server = machine.start_with(Arc::new(HostileLeftovers));
    let mut stream = server.lines("/api/v1/events");
    let (sessions, mut events) = fill(&*store);
    events += fill_long(&*store);
    for _ in 0..events {
        stream.row().unwrap();
    }
    let fixed = [
        "/",
        "/sessions",
        "/sessions?project=%3Cb%3E&outcome=recovered",
        "/failures",
        "/advice",
        "/stats",
        "/stats?by=error_type",
        "/live",
        "/about",
        "/login?next=%22%3E%3Csvg%20onload%3D1%3E",
        "/sessions/nobody",
        "/sessions/long",
    ];
    let mut paths = fixed.map(str::to_owned).to_vec();
    paths.extend(
        sessions
            .iter()
            .map(|id| format!("/sessions/{}", encoded(id))),
    );
    (server, paths)
}

pub(super) fn strings(value: Value) -> Vec<String> {
    serde_json::from_value(value).unwrap()
}

#[test]
fn no_text_breaks_the_policy_the_frame_or_a_reader() {
    let mut machine = Machine::new(Kind::Sqlite);
    // A page that is looked at twice would tell of a seal that came in between.
    machine.seal = SealWhen::Off;
    let (server, paths) = hostile(&machine);
    let browser = Browser::of(&server);
    let [mut dark, mut plain] = [DESK; 2];
    dark.is_dark = true;
    plain.has_script = false;
    let mut wrong = Vec::new();
    let mut data = Vec::new();
    for look in [DESK, dark, TELEPHONE, plain] {
        browser.look(look);
        let count = if look.is_dark {
            LOOKED_THROUGH
        } else {
            paths.len()
        };
        for (number, path) in paths.iter().take(count).enumerate() {
            browser.open(path);
            let mut found = browser.complaints();
            // The browser tells of an answer that is meant to be one.
            found.retain(|text| path != "/sessions/nobody" || !text.contains("404"));
            if look.width == TELEPHONE.width {
                found.extend(strings(browser.run(OVERFLOW, &[])));
            } else if look.is_dark {
                found.extend(axe::findings(&browser, Some(&["color-contrast"])));
            } else if look.has_script {
                data.push(strings(browser.run(DATA, &[])));
                if number < LOOKED_THROUGH {
                    found.extend(axe::findings(&browser, None));
                }
            }
            // What axe does in the page is not the page's.
            browser.complaints();
            wrong.extend(found.iter().map(|what| format!("{path}, {look:?}: {what}")));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    for (path, with_script) in paths.iter().zip(&data) {
        browser.open(path);
        assert_eq!(&strings(browser.run(DATA, &[])), with_script, "{path}");
        let is_empty = path.contains("nobody") || path.contains("login") || path.contains("b%3E");
        assert_eq!(with_script.is_empty(), is_empty, "{path}");
    }
}

#[test]
fn what_the_policy_forbids_is_seen_by_these_tests() {
    let machine = Machine::new(Kind::Jsonl);
    let server = machine.start();
    let browser = Browser::of(&server);
    browser.look(TELEPHONE);
    assert_eq!(browser.complaints(), Vec::<String>::new());
    let bad = [
        "document.body.setAttribute('style', 'width: 5000px')",
        "try { document.body.setAttribute('onclick', 'alert(1)') } catch { }",
        "try { document.body.innerHTML = '<b>' } catch { }",
        "const one = new Image(); one.src = 'http://127.0.0.2/'; document.body.append(one)",
    ];
    for script in bad {
        browser.run(script, &[]);
        let complaints = browser.complaints();
        assert!(!complaints.is_empty(), "{script}");
    }
    assert!(strings(browser.run(OVERFLOW, &[])).is_empty());
    browser.run(
        "document.getElementById('content').style.width = '5000px'",
        &[],
    );
    assert_eq!(strings(browser.run(OVERFLOW, &[])).len(), 1);
    browser.run("document.querySelector('h1').remove()", &[]);
    assert_ne!(axe::findings(&browser, None), Vec::<String>::new());
}
