//! What history would try first: the same for programs and on the page, by filters of the address.

use auto_recovery::audit::{AuditStore, JournalLine};
use auto_recovery::host::{Host as _, SystemHost, timestamp};
use auto_recovery::learn::{LearnMode, LearnSettings};
use serde_json::{Value, json};

use crate::machine::{Kind, Machine, Running};

/// The workspace, the project and the machine of a session, and the type of its failure.
pub(crate) type Of = (&'static str, &'static str, &'static str, &'static str);

pub(crate) const SHOP: Of = ("/srv/shop", "shop", "build-1", "ECONNREFUSED");

/// Brings in a session of `days` ago, whose retry does not help and whose second step, `relock`,
/// does.
pub(crate) fn bring_in(
    store: &dyn AuditStore,
    (workspace, project, host, error_type): Of,
    days: u32,
) {
    let id = format!("{project}-{error_type}-{days}");
    let begun = SystemHost::new().now() - std::time::Duration::from_secs(86_400) * days;
    let record = |seconds: u64, fields: Value| {
        let at = timestamp(begun + std::time::Duration::from_secs(seconds));
        let mut record = json!({"v": 1, "at": at, "session_id": id});
        let all = fields.as_object().unwrap().clone();
        record.as_object_mut().unwrap().extend(all);
        JournalLine::taken_over(record.to_string().as_bytes()).unwrap()
    };
    let unit = |name: &str, asked| json!({"name": name, "first": 1, "tries": 1, "strategy": "retry", "asked": asked});
    let attempt = |number: u64, recipe: Option<&str>, success: bool| {
        let name = format!("a{number}");
        let begin = json!({
            "event": "attempt_started", "attempt_number": number, "attempt_id": name,
            "strategy": if recipe.is_some() { "fix" } else { "retry" }, "strategy_attempt": 1,
            "category": "transient", "recipe": recipe,
            "action": if recipe.is_some() { "relock --all" } else { "" },
        });
        let end = json!({
            "event": "attempt_finished", "attempt_number": number, "attempt_id": name,
            "entry_id": name, "success": success, "exit_code": i32::from(!success),
        });
        [record(60 * number, begin), record(60 * number + 50, end)]
    };
    let [first, tried] = attempt(1, None, false);
    let [second, cured] = attempt(2, Some("relock"), true);
    let records = [
        record(
            0,
            json!({
                "event": "session_started", "workspace": workspace, "project": project, "host": host,
                "pid": 1, "version": "0.1.0",
            }),
        ),
        record(
            1,
            json!({
                "event": "failure_detected", "category": "transient", "rule": "r", "exit_code": 1,
                "failure": {"error_type": error_type, "message": "refused", "source": "npm", "context": {}},
                "advice": {"v": 1, "plan": [unit("retry", false), unit("recipe:relock", true)]},
            }),
        ),
        first,
        tried,
        second,
        cured,
        record(
            200,
            json!({
                "event": "session_finished", "outcome": "recovered", "attempts": 2, "exit_code": 0,
                "duration_seconds": 200.0,
            }),
        ),
    ];
    let mut importer = store.importer().unwrap();
    importer.records(&records).unwrap();
}

fn asked(server: &Running, query: &str) -> Value {
    server.get(&format!("/api/v1/advice{query}")).json()
}

fn ids(answer: &Value) -> Vec<&str> {
    let items = answer["items"].as_array().unwrap().iter();
    items
        .map(|one| one["session_id"].as_str().unwrap())
        .collect()
}

#[test]
fn the_page_and_programs_are_told_what_was_cured_by_what_and_what_is_left_out() {
    for kind in Kind::ALL {
        let machine = Machine::new(kind);
        let store = machine.store();
        for days in 1..=30 {
            bring_in(&*store, SHOP, days);
        }
        let server = machine.start();
        let told = asked(&server, "");
        let one = &told["items"][0];
        assert_eq!(ids(&told), ["shop-ECONNREFUSED-1"], "{told}");
        assert_eq!(
            (&one["failures"], &one["project"]),
            (&json!(30), &json!("shop"))
        );
        let advice = &one["advice"];
        assert_eq!(advice["status"], "changed", "{advice}");
        assert_eq!(advice["shipped"], json!(["retry#1", "recipe:relock"]));
        assert_eq!(advice["order"], json!(["recipe:relock"]));
        assert_eq!(advice["steps"][0]["here"], json!([30, 30]));
        assert_eq!(advice["left_out"][0]["step"], "retry#1");
        let back = advice["left_out"][0]["back_in_days"].as_u64().unwrap();
        assert!((2..400).contains(&back), "{back}");
        let page = server.get("/advice").text();
        let back = format!("back in {back} days if nothing happens");
        for piece in [
            "<h2>transient · npm · ECONNREFUSED</h2>",
            "class=\"failure\">relock --all</th>",
            ">30 of 30<",
            ">0 of 30<",
            ">left out<",
            "▲ Another order",
            "href=\"/sessions/shop-ECONNREFUSED-1\"",
            &back,
            "too few to say what it saves",
        ] {
            assert!(page.contains(piece), "{kind:?}: {piece} in {page}");
        }
        // What comes is counted, and what is removed is not.
        store.clear("shop-ECONNREFUSED-1").unwrap();
        while asked(&server, "")["items"][0]["failures"] != 29 {
            std::thread::yield_now();
        }
    }
}

#[test]
fn each_workspace_of_each_machine_is_asked_about_for_itself_and_filters_choose() {
    let machine = Machine::new(Kind::Jsonl);
    let store = machine.store();
    let till = ("/srv/till", "till", "build-1", "ECONNREFUSED");
    let away = ("/srv/shop", "shop2", "build-2", "ECONNREFUSED");
    let other = ("/srv/shop", "shop", "build-1", "ETIMEDOUT");
    for days in 11..=20 {
        bring_in(&*store, SHOP, days);
    }
    for (of, days) in [(till, 3), (away, 4), (other, 5)] {
        bring_in(&*store, of, days);
    }
    let server = machine.start();
    let all = asked(&server, "");
    let expected = [
        "till-ECONNREFUSED-3",
        "shop2-ECONNREFUSED-4",
        "shop-ETIMEDOUT-5",
        "shop-ECONNREFUSED-11",
    ];
    assert_eq!(ids(&all), expected, "{all}");
    // Another project of the machine counts a little, another machine not at all.
    let of = |place: usize| &all["items"][place]["advice"]["steps"][0];
    assert_eq!(
        (&of(0)["here"], &of(0)["others"]),
        (&json!([1, 1]), &json!([10, 10])),
        "{all}"
    );
    assert_eq!(
        (&of(1)["here"], &of(1)["others"]),
        (&json!([0, 1]), &json!([0, 0])),
        "{all}"
    );
    for (query, found) in [
        ("?project=till", 1),
        ("?host=build-2", 1),
        ("?workspace=/srv/shop", 3),
        ("?text=etimed", 1),
        ("?status=changed", 2),
        ("?status=none", 0),
        ("?project=nobody", 0),
    ] {
        assert_eq!(ids(&asked(&server, query)).len(), found, "{query}");
        let page = server.get(&format!("/advice{query}")).text();
        assert_eq!(page.matches("<section id=\"a-").count(), found, "{query}");
    }
    let first = asked(&server, "?limit=3");
    let next = first["next"].as_str().unwrap();
    let rest = asked(&server, &format!("?limit=3&after={next}"));
    assert_eq!(
        (ids(&rest), &rest["next"]),
        (vec![expected[3]], &Value::Null)
    );
    for bad in ["after=x", "status=x", "limit=0", "nothing=1"] {
        for path in ["/api/v1/advice", "/advice"] {
            let answer = server.ask(&format!("GET {path}?{bad}"), &[]);
            assert_eq!(answer.status, 400, "{path}?{bad}");
        }
    }
}

#[test]
fn where_learning_is_off_the_counts_stay_and_the_order_is_the_shipped_one() {
    let machine = Machine::new(Kind::Sqlite);
    for days in 1..=10 {
        bring_in(&*machine.store(), SHOP, days);
    }
    let off = LearnSettings {
        mode: LearnMode::Off,
        ..LearnSettings::default()
    };
    let server = machine
        .try_start_with(|options| options.learn = off)
        .unwrap();
    let told = asked(&server, "");
    let advice = &told["items"][0]["advice"];
    assert_eq!(
        (&told["mode"], &advice["status"]),
        (&json!("off"), &json!("off"))
    );
    assert_eq!(advice["order"], advice["shipped"]);
    assert_eq!(advice["left_out"], json!([]));
    assert!(server.get("/advice").text().contains("Learning is off"));
}
