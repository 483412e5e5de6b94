//! The live page: how soon it shows what happened, and in how many tabs.

use std::time::UNIX_EPOCH;

use auto_recovery::host::{Host as _, SystemHost};
use serde_json::{Value, json};

use super::driver::Browser;
use crate::machine::{Kind, Machine, entry};

/// Waits until a row is of the session `arguments[0]`, and tells when that was.
const ROW: &str = "
    const [session, answer] = arguments;
    const look = () => [...document.querySelectorAll('#events th')]
        .some((cell) => cell.textContent === session);
    const watch = new MutationObserver(() => {
        if (look()) { watch.disconnect(); answer(Date.now()); }
    });
    watch.observe(document.getElementById('events'), {childList: true});
    if (look()) { watch.disconnect(); answer(Date.now()); }
";

/// How many attempts are listed. What the server adds when it seals them is there, too, and when
/// that is depends on how busy the machine is.
const ATTEMPTS: &str = "
    return [...document.querySelectorAll('#events tr')]
        .filter((row) => /attempt \\d/.test(row.textContent)).length;
";

/// Begins to note when rows come, by session.
const NOTE: &str = "
    window.noted = {};
    new MutationObserver((changes) => {
        for (const change of changes) for (const row of change.addedNodes) {
            window.noted[row.querySelector('th').textContent] = Date.now();
        }
    }).observe(document.getElementById('events'), {childList: true});
";

/// Waits until the page says that events come.
const LIVE: &str = "
    const [answer] = arguments;
    const look = () => {
        if (document.getElementById('state').textContent === 'Live.') answer(performance.now());
        else setTimeout(look, 5);
    };
    look();
";

const TABS: usize = 20;

/// Appends that are measured on each store.
const APPENDS: usize = 40;

fn now_ms() -> f64 {
    let since = SystemHost::new().now().duration_since(UNIX_EPOCH).unwrap();
    since.as_secs_f64() * 1000.0
}

#[test]
fn what_is_durable_is_seen_at_once() {
    for kind in [Kind::Sqlite, Kind::Jsonl] {
        let machine = Machine::new(kind);
        let store = machine.store();
        let server = machine.start();
        let browser = Browser::of(&server);
        browser.open("/live");
        browser.wait_for(LIVE, &[]);
        browser.run(NOTE, &[]);
        let mut waits = Vec::new();
        for number in 0..APPENDS {
            let id = format!("s{number}");
            store.append(vec![entry(&id, 1)]).unwrap();
            let durable = now_ms();
            browser.wait_for(ROW, &[json!(id)]);
            let seen = browser.run("return window.noted[arguments[0]]", &[json!(id)]);
            waits.push(seen.as_f64().unwrap() - durable);
        }
        waits.sort_by(f64::total_cmp);
        let at = |percent: usize| waits[(waits.len() * percent).div_ceil(100) - 1];
        assert!(at(95) <= 300.0, "{kind:?}: {} ms, {waits:?}", at(95));
        assert_eq!(browser.complaints(), Vec::<String>::new());
    }
}

#[test]
fn the_twentieth_tab_is_as_live_as_the_first() {
    let machine = Machine::new(Kind::Sqlite);
    let store = machine.store();
    let server = machine.start();
    let browser = Browser::of(&server);
    let mut tabs = vec![browser.tab()];
    let mut live = 0.0;
    while tabs.len() <= TABS {
        if tabs.len() > 1 {
            // What comes before a tab is ready comes to it, too.
            store
                .append(vec![entry(&format!("t{}", tabs.len()), 1)])
                .unwrap();
        }
        browser.open("/live");
        live = browser.wait_for(LIVE, &[]).as_f64().unwrap();
        // A stream in each tab would not be slow but wait for ever: a busy machine gets two more
        // tries.
        for _ in 0..2 {
            if tabs.len() == TABS && live > 500.0 {
                browser.open("/live");
                live = browser.wait_for(LIVE, &[]).as_f64().unwrap();
            }
        }
        if tabs.len() == TABS {
            break;
        }
        tabs.push(browser.new_tab());
    }
    assert!(live <= 500.0, "{live}");
    let everywhere = |id: &str, tabs: &[String]| {
        for tab in tabs {
            browser.go_to(tab);
            assert_ne!(browser.wait_for(ROW, &[json!(id)]), Value::Null);
            let rows = browser.run(ATTEMPTS, &[]).as_u64().unwrap();
            assert_eq!(rows, store.sessions().unwrap().len() as u64, "{tab}");
        }
    };
    store.append(vec![entry("all", 1)]).unwrap();
    everywhere("all", &tabs);
    // The tab that has the stream goes: another takes it over, and nothing is missed.
    browser.go_to(&tabs[0]);
    browser.close_tab();
    tabs.remove(0);
    store.append(vec![entry("after", 1)]).unwrap();
    everywhere("after", &tabs);
}

#[test]
fn a_server_that_was_away_is_found_again() {
    let machine = Machine::new(Kind::Jsonl);
    let store = machine.store();
    let server = machine.start();
    let address = server.address;
    let browser = Browser::of(&server);
    browser.open("/live");
    browser.wait_for(LIVE, &[]);
    server.end();
    let lost = "
        const [answer] = arguments;
        const state = document.getElementById('state');
        const look = () => state.textContent.includes('lost') ? answer(true) : setTimeout(look, 5);
        look();
    ";
    browser.wait_for(lost, &[]);
    store.append(vec![entry("meanwhile", 1)]).unwrap();
    let _server = machine.start_at(address);
    browser.wait_for(ROW, &[json!("meanwhile")]);
}
