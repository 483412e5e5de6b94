//! What a reader chooses: keys, zone, colours. And what is new on a list.

use serde_json::{Value, json};

use super::driver::{Browser, DESK, Look};
use crate::machine::{Kind, Machine, entry};

/// The path and query of the page that is open.
const WHERE: &str = "return location.pathname + location.search";

/// Waits until what `arguments[0]` names is so. The browser may call Kathmandu by an older name.
const UNTIL: &str = "
    const [what, answer] = arguments;
    const is = {
        at: (path) => (location.pathname + location.search).replace('Katmandu', 'Kathmandu') === path,
        pill: (text) => document.getElementById('new').textContent === text,
    };
    const look = () => is[what[0]](what[1]) ? answer(true) : setTimeout(look, 10);
    look();
";

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

#[test]
fn all_can_be_reached_by_keys_unless_they_are_off() {
    let machine = Machine::new(Kind::Sqlite);
    let store = machine.store();
    for id in ["one", "two", "three"] {
        store.append(vec![entry(id, 1)]).unwrap();
    }
    let server = machine.start();
    let browser = Browser::of(&server);
    browser.open("/");
    let focus = "return document.activeElement.textContent || document.activeElement.name || ''";
    for (keys, path) in [
        ("gs", "/sessions"),
        ("gf", "/failures"),
        ("gl", "/live"),
        ("ga", "/alerts"),
        ("go", "/"),
    ] {
        browser.press(keys);
        browser.wait_for(UNTIL, &[json!(["at", path])]);
    }
    browser.open("/sessions");
    browser.press("jjk");
    let first = browser.run("return document.querySelector('tbody a').textContent", &[]);
    assert_eq!(browser.run(focus, &[]), first);
    browser.press("j\u{e007}");
    let second = ["one", "two", "three"].map(|id| format!("/sessions/{id}"));
    let at = browser.run(WHERE, &[]);
    assert!(second.iter().any(|path| path == text(&at)), "{at}");
    // Older and newer ones with the same failure.
    browser.open("/sessions/two");
    browser.press("[");
    browser.wait_for(UNTIL, &[json!(["at", "/sessions/one"])]);
    browser.press("]");
    browser.wait_for(UNTIL, &[json!(["at", "/sessions/two"])]);
    the_output_is_one_key_away(&browser);
    let is_open = "return document.getElementById('keys').open";
    browser.press("?");
    assert_eq!(browser.run(is_open, &[]), true);
    browser.press("gs");
    browser.press("\u{e00c}");
    assert_eq!(browser.run(is_open, &[]), false);
    browser.open("/sessions");
    browser.press("/g?");
    let typed = browser.run("return document.activeElement.value", &[]);
    assert_eq!(
        (browser.run(focus, &[]), typed),
        (json!("project"), json!("g?"))
    );
    browser.open("/?keys=off");
    browser.press("?");
    assert_eq!(browser.run(is_open, &[]), false);
    browser.open("/sessions");
    browser.press("?");
    assert_eq!(browser.run(is_open, &[]), false);
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

/// The output, on the session that is open and on the next, until that is not wanted any more.
fn the_output_is_one_key_away(browser: &Browser) {
    let at_output = "return [document.activeElement.tagName, scrollY > 0 || \
         document.documentElement.scrollHeight <= innerHeight]";
    let here = json!(["PRE", true]);
    assert_ne!(browser.run(at_output, &[]), here);
    browser.press("r");
    assert_eq!(browser.run(at_output, &[]), here);
    browser.open("/sessions/one");
    assert_eq!(browser.run(at_output, &[]), here);
    browser.press("r");
    assert_eq!(
        browser.run("return [document.activeElement.tagName, scrollY]", &[]),
        json!(["BODY", 0])
    );
    browser.open("/sessions/two");
    assert_eq!(
        browser.run("return document.activeElement.tagName", &[]),
        json!("BODY")
    );
}

#[test]
fn a_zone_and_colours_are_remembered_with_and_without_a_script() {
    let machine = Machine::new(Kind::Jsonl);
    machine.store().append(vec![entry("one", 1)]).unwrap();
    let server = machine.start();
    let browser = Browser::of(&server);
    let kathmandu = json!({"timezoneId": "Asia/Kathmandu"});
    browser.command("Emulation.setTimezoneOverride", &kathmandu);
    let time = "return document.querySelector('tbody time').textContent";
    let ground = "return getComputedStyle(document.documentElement).backgroundColor";
    browser.open("/sessions");
    assert!(text(&browser.run(time, &[])).ends_with('Z'));
    let light = browser.run(ground, &[]);
    browser.open("/sessions?tz=local&limit=5");
    let path = "/sessions?tz=Asia%2FKathmandu&limit=5";
    browser.wait_for(UNTIL, &[json!(["at", path])]);
    assert!(text(&browser.run(time, &[])).ends_with(" +05:45"));
    // Links have the zone as long as the address does; afterwards it is remembered.
    browser.click("tbody a");
    browser.wait_for(UNTIL, &[json!(["at", "/sessions/one?tz=Asia%2FKathmandu"])]);
    for has_script in [true, false] {
        browser.look(Look { has_script, ..DESK });
        browser.open("/sessions?theme=dark");
        assert!(text(&browser.run(time, &[])).ends_with(" +05:45"));
        browser.open("/sessions");
        assert_ne!(browser.run(ground, &[]), light, "{has_script}");
        browser.look(Look {
            is_dark: true,
            has_script,
            ..DESK
        });
        browser.open("/sessions?theme=light");
        assert_eq!(browser.run(ground, &[]), light, "{has_script}");
    }
    browser.look(DESK);
    // The server and the script write a moment alike.
    browser.open("/live");
    machine.store().append(vec![entry("two", 1)]).unwrap();
    let shown = browser.wait_for(
        "const [answer] = arguments;
         const look = () => {
             const time = document.querySelector('#events time');
             if (time) answer([time.textContent, recoverTime(time.dateTime)]);
             else setTimeout(look, 10);
         };
         look();",
        &[],
    );
    assert_eq!(shown[0], shown[1]);
    assert!(text(&shown[0]).ends_with(" +05:45"), "{shown}");
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

#[test]
fn a_list_says_what_is_new_and_does_not_move() {
    let machine = Machine::new(Kind::Sqlite);
    let store = machine.store();
    store.append(vec![entry("old", 1)]).unwrap();
    let server = machine.start();
    let browser = Browser::of(&server);
    browser.open("/sessions?limit=50");
    store
        .append(vec![entry("new (1)", 1), entry("old", 2)])
        .unwrap();
    store
        .append(vec![entry("new (2)", 1), entry("new (1)", 2)])
        .unwrap();
    browser.wait_for(UNTIL, &[json!(["pill", "2 new: show"])]);
    let rows = "return document.querySelectorAll('tbody tr').length";
    assert_eq!(browser.run(rows, &[]), 1);
    browser.click("#new");
    assert_eq!(browser.run(rows, &[]), 3);
    assert_eq!(browser.run(WHERE, &[]), "/sessions?limit=50");
}
