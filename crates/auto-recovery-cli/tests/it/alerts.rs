//! `recover alerts`, as a person or cron types it: decided once, told once, in order, and refused
//! where a rule makes no sense.

mod killed;
mod receiver;

use std::sync::Arc;
use std::time::Duration;

use auto_recovery::Failure;
use auto_recovery::audit::{
    AuditStore as _, FailureDetected, JournalEvent, Recorder, SessionFinished, SessionOutcome,
    SessionStarted,
};
use auto_recovery::host::{Host as _, SystemHost};
use auto_recovery::jsonl::{JsonlOptions, JsonlStore};
use receiver::Receiver;

use crate::harness::Machine;

const CONFIG: &str = "user/.config/recover/config.toml";

/// Records sessions as runs do, without running anything.
struct Recording(JsonlStore);

impl Recording {
    fn of(machine: &Machine) -> Self {
        let recorder = Recorder::new(Arc::new(SystemHost::new()));
        let store = JsonlStore::open(&machine.state(), JsonlOptions::default(), recorder);
        Self(store.expect("the store"))
    }

    /// A session of `project` with the failure `message` ends.
    fn session(&self, id: &str, project: &str, message: &str, outcome: SessionOutcome) {
        let failure = Failure::new("ECONNREFUSED", message, "curl");
        let detected = serde_json::json!({
            "failure": failure, "category": "transient", "rule": "a test",
        });
        let detected: FailureDetected = serde_json::from_value(detected).expect("a failure");
        let started = SessionStarted {
            command: Some(vec!["make".to_owned()]),
            project: Some(project.to_owned()),
            host: Some("build-7".to_owned()),
            ..SessionStarted::default()
        };
        let finished = SessionFinished {
            outcome,
            ..SessionFinished::default()
        };
        for event in [
            JournalEvent::SessionStarted(started),
            JournalEvent::FailureDetected(Box::new(detected)),
            JournalEvent::SessionFinished(finished),
        ] {
            self.0.record(Some(id), event).expect("recorded");
        }
    }
}

fn config(url: &str, rules: &str) -> String {
    format!("[notify.ops]\nkind = \"webhook\"\nurl = \"{url}\"\n{rules}")
}

#[test]
fn what_needs_a_person_is_told_once_and_so_is_its_end() {
    let machine = Machine::new();
    let receiver = Receiver::start();
    let rule = "[alert.person]\nrule = \"escalated\"\n";
    machine.write(CONFIG, &config(&receiver.url(), rule));
    let recording = Recording::of(&machine);
    let quiet = machine.recover(&["alerts", "check"]);
    assert_eq!((quiet.code, receiver.count()), (0, 0), "{}", quiet.stderr);
    let hostile = "connection to 10.0.0.7:443 refused <!channel>";
    recording.session("s1", "shop", hostile, SessionOutcome::Escalated);
    for _ in 0..2 {
        let fires = machine.recover(&["alerts", "check"]);
        assert_eq!(fires.code, 1, "{}", fires.stderr);
        assert!(
            fires.stdout.contains("ECONNREFUSED in shop"),
            "{}",
            fires.stdout
        );
        assert_eq!(receiver.count(), 1, "told once");
    }
    let told = &receiver.told()[0];
    assert_eq!(told.body["type"], "alert.firing");
    let incident = &told.body["data"]["incidents"][0];
    assert_eq!(incident["message"], hostile);
    assert_eq!(incident["sessions"][0], "s1");
    let listed = machine.recover(&["alerts", "list", "--json"]).json();
    assert_eq!(listed[0]["incident"], incident["id"]);
    let id = incident["id"].as_str().expect("an id");
    let shown = machine.recover(&["alerts", "show", &id[..8]]);
    assert!(
        shown.stdout.contains("ops: firing, sent"),
        "{}",
        shown.stdout
    );
    // The same kind of failure in the same project, cured.
    let other = "connection to 10.0.0.9:8443 refused <!channel>";
    recording.session("s2", "shop", other, SessionOutcome::Recovered);
    let over = machine.recover(&["alerts", "check"]);
    assert_eq!(over.code, 0, "{}", over.stderr);
    let told = receiver.told();
    assert_eq!(told.len(), 2);
    assert_eq!(told[1].body["type"], "alert.resolved");
    assert_eq!(told[1].body["data"]["incidents"][0]["id"], id);
    assert_ne!(told[0].id, told[1].id);
}

#[test]
fn what_was_there_before_the_first_look_is_looked_at_too() {
    let machine = Machine::new();
    let receiver = Receiver::start();
    let recording = Recording::of(&machine);
    recording.session("s1", "shop", "refused", SessionOutcome::Escalated);
    let rule = "[alert.person]\nrule = \"escalated\"\n";
    machine.write(CONFIG, &config(&receiver.url(), rule));
    assert_eq!(machine.recover(&["alerts", "check"]).code, 1);
    assert_eq!(receiver.count(), 1);
}

#[test]
fn a_silence_holds_back_and_an_acknowledgement_ends_an_escalation() {
    let machine = Machine::new();
    let receiver = Receiver::start();
    let rule = "[alert.person]\nrule = \"escalated\"\n";
    machine.write(CONFIG, &config(&receiver.url(), rule));
    let recording = Recording::of(&machine);
    machine.recover(&["alerts", "check"]);
    let silence = ["alerts", "silence", "project=shop", "--for", "1h"];
    assert_eq!(machine.recover(&silence).code, 0);
    recording.session("s1", "shop", "refused", SessionOutcome::Escalated);
    recording.session("s2", "till", "refused", SessionOutcome::Escalated);
    let fires = machine.recover(&["alerts", "check", "--json"]);
    assert_eq!(fires.code, 1);
    assert_eq!(receiver.count(), 1, "only the project that is not silenced");
    let alerts: serde_json::Value = serde_json::from_str(&fires.stdout).expect("JSON");
    let held = alerts.as_array().expect("a list").iter();
    let held = held.filter(|alert| alert["held"] == "silenced").count();
    assert_eq!(held, 1, "{alerts}");
    for alert in alerts.as_array().expect("a list") {
        let id = alert["incident"].as_str().expect("an id");
        assert_eq!(machine.recover(&["alerts", "ack", id]).code, 0);
    }
    assert_eq!(machine.recover(&["alerts", "check"]).code, 0);
    let told = receiver.told();
    let kinds: Vec<_> = told.iter().map(|one| one.body["type"].clone()).collect();
    assert_eq!(
        kinds,
        ["alert.firing", "alert.resolved"],
        "nobody hears the end of the other"
    );
}

#[test]
fn a_silence_is_listed_and_ended_and_one_that_matches_nothing_is_refused() {
    let machine = Machine::new();
    let receiver = Receiver::start();
    let rule = "[alert.person]\nrule = \"escalated\"\n";
    machine.write(CONFIG, &config(&receiver.url(), rule));
    let recording = Recording::of(&machine);
    machine.recover(&["alerts", "check"]);
    let silence = |what: &str| machine.recover(&["alerts", "silence", what, "--for", "1h"]);
    for (what, says) in [
        (
            "projct=shop",
            "there are rule, severity, heartbeat, destination, project",
        ),
        ("severity=high", "warning and critical"),
        ("rule=persn", "there are person"),
        ("shop", "write NAME=VALUE"),
    ] {
        let refused = silence(what);
        assert_eq!(refused.code, 2, "{}", refused.stderr);
        assert!(refused.stderr.contains(says), "{}", refused.stderr);
    }
    let made = silence("rule=person");
    assert!(
        made.stderr.contains("silence 1: nobody is told"),
        "{}",
        made.stderr
    );
    recording.session("s1", "shop", "refused", SessionOutcome::Escalated);
    machine.recover(&["alerts", "check"]);
    assert_eq!(receiver.count(), 0);
    let listed = machine.recover(&["alerts", "silence", "list", "--json"]);
    let listed: serde_json::Value = serde_json::from_str(&listed.stdout).expect("JSON");
    assert_eq!(listed[0]["matchers"], serde_json::json!({"rule": "person"}));
    let end = || machine.recover(&["alerts", "silence", "end", "1"]);
    let (ended, again) = (end(), end());
    assert_eq!((ended.code, again.code), (0, 1), "{}", again.stderr);
    machine.recover(&["alerts", "check"]);
    assert_eq!(receiver.count(), 1, "what still fires is told");
}

/// That a rule, as its table has it, is refused in the words that stand beside it.
fn check_refused(rules: &[(&str, &str)]) {
    let machine = Machine::new();
    for (rule, says) in rules {
        let text = config("http://127.0.0.1:1/", &format!("[alert.bad]\n{rule}\n"));
        machine.write(CONFIG, &text);
        for command in [
            &["alerts", "check"][..],
            &["serve", "--listen", "127.0.0.1:0"],
        ] {
            let refused = machine.recover(command);
            assert_eq!(refused.code, 2, "{rule}: {}", refused.stderr);
            assert!(refused.stderr.contains(says), "{rule}: {}", refused.stderr);
            let has_place = refused.stderr.contains("config.toml:");
            assert!(has_place, "{}", refused.stderr);
        }
    }
}

#[test]
fn a_rule_that_makes_no_sense_is_refused_with_its_place() {
    check_refused(&[
        ("rule = \"escalatd\"", "no such `rule`"),
        (
            "rule = \"escalated\"\nwithin = \"1h\"",
            "unknown key `within`",
        ),
        ("rule = \"repeated\"\ntimes = 3", "needs `within`"),
        (
            "rule = \"repeated\"\ntimes = 3\nwithin = \"0s\"",
            "of nothing",
        ),
        (
            "rule = \"repeated\"\ntimes = 3\nwithin = \"30d\"",
            "further than 7 days",
        ),
        ("rule = \"repeated\"\ntimes = 1\nwithin = \"1h\"", "from 2"),
        (
            "rule = \"success_rate\"\nbelow = 101\nwithin = \"1h\"",
            "over 100",
        ),
        (
            "rule = \"escalated\"\nto = [\"nobody\"]",
            "no [notify.nobody]",
        ),
        ("rule = \"escalated\"\nrepeat = \"1s\"", "once a minute"),
    ]);
}

#[test]
fn a_rule_that_can_never_fire_or_tells_nobody_is_refused() {
    check_refused(&[
        ("rule = \"escalated\"\nto = []", "tells nobody"),
        (
            "rule = \"escalated\"\nto = [\"ops\", \"ops\"]",
            "`ops` twice in `to`",
        ),
        ("rule = \"escalated\"\nfor = \"300d\"", "`for` over 7d"),
        (
            "rule = \"escalated\"\nkeep_firing_for = \"8d\"",
            "`keep_firing_for` over 7d",
        ),
        (
            "rule = \"escalated\"\nrepeat = \"400d\"",
            "`repeat` over 366d",
        ),
        (
            "rule = \"store_unreachable\"\ngroup_by = [\"host\"]",
            "is about no session",
        ),
        (
            "rule = \"repeated\"\ntimes = 4000000000\nwithin = \"1h\"",
            "would never fire",
        ),
        (
            "rule = \"heartbeat\"\nname = \"nightly backup\"\nevery = \"1d\"",
            "no name of a heartbeat",
        ),
        (
            "rule = \"heartbeat\"\nname = \"a\"\nevery = \"900d\"",
            "`every` over 366d",
        ),
        ("rule = \"follow_lag\"\nlonger_than = \"9d\"", "over 7d"),
    ]);
}

#[test]
fn settings_that_make_no_sense_are_refused_at_the_start() {
    const NTFY: &str = "[notify.phone]\nkind = \"ntfy\"\nurl = \"http://h/\"\n";
    const HOOK: &str = "[notify.hook]\nkind = \"webhook\"\nurl = \"http://h/\"\n";
    const OTLP: &str = "[otlp]\nendpoint = \"http://h/\"\n";

    let machine = Machine::new();
    let (empty, spaced) = (machine.work().join("empty"), machine.work().join("spaced"));
    std::fs::write(&empty, "\n").expect("a file");
    std::fs::write(&spaced, "api key: 1\n").expect("a file");
    let with_empty = |key: &str| format!("{key} = \"{}\"", empty.display());
    let with_spaced = |key: &str| format!("{key} = \"{}\"", spaced.display());
    let topic_and = |more: &str| format!("topic = \"a\"\n{more}");
    let plain = str::to_owned;
    for (table, line, says) in [
        ("[alerts]\n", plain("gather = \"300d\""), "`gather` over 1h"),
        (
            "[alerts]\n",
            plain("quiet_hours = \"07:00-07:00\""),
            "must not end when they begin",
        ),
        (
            "[alerts]\n",
            plain("quiet_hours = \"+7:00-08:00\""),
            "must be hours",
        ),
        ("[alerts]\n", plain("storm = 1"), "from 2"),
        (NTFY, plain("topic = \"\""), "1 to 64 letters"),
        (NTFY, plain("topic = \"a b\""), "1 to 64 letters"),
        (
            NTFY,
            topic_and("token = \"\""),
            "must be a text of one line",
        ),
        (
            NTFY,
            topic_and(&with_empty("token_file")),
            "its token must be",
        ),
        (HOOK, plain("secrets = []"), "`secrets` of nothing"),
        (
            HOOK,
            with_empty("secrets_file"),
            "its file of secrets has none",
        ),
        (
            "[notify.run]\nkind = \"command\"\n",
            plain("run = [\"\"]"),
            "must be a command",
        ),
        (
            "[notify.\"\"]\nkind = \"slack\"\n",
            plain("url = \"http://h/\""),
            "needs a name",
        ),
        (
            OTLP,
            with_spaced("headers_file"),
            "\"api key\" is no name of a header",
        ),
        (OTLP, with_empty("headers_file"), "has no header"),
        (
            "[otlp]\n",
            plain("endpoint = \"http://h/?a=1\""),
            "has `?` or `#`",
        ),
    ] {
        check_start(&machine, &format!("{table}{line}\n"), says);
    }
}

/// That a server with this configuration does not start, in these words and with the place.
fn check_start(machine: &Machine, config: &str, says: &str) {
    machine.write(CONFIG, config);
    let refused = machine.recover(&["serve", "--listen", "127.0.0.1:0"]);
    assert_eq!(refused.code, 2, "{config}: {}", refused.stderr);
    let told = &refused.stderr;
    assert!(
        told.contains(says) && told.contains("config.toml:"),
        "{config}: {told}"
    );
}

#[test]
fn a_project_pages_nobody_and_secrets_are_not_shown() {
    let machine = Machine::new();
    for table in ["alerts", "alert.a", "notify.n"] {
        machine.write("project/recover.toml", &format!("[{table}]\n"));
        let refused = machine.recover(&["run", "--", "true"]);
        assert_eq!(refused.code, 125);
        assert!(
            refused.stderr.contains("cannot be set by a project"),
            "{}",
            refused.stderr
        );
    }
    std::fs::remove_file(machine.work().join("recover.toml")).expect("removed");
    let secret = "whsec_notlongenough";
    let text = format!(
        "[notify.ops]\nkind = \"webhook\"\nurl = \"http://127.0.0.1:1/T0/XSECRET\"\n\
         secrets = [\"{secret}\"]\n[alert.a]\nrule = \"escalated\"\n"
    );
    machine.write(CONFIG, &text);
    let refused = machine.recover(&["alerts", "check"]);
    assert_eq!(refused.code, 2);
    assert!(
        !refused.stderr.contains("notlongenough"),
        "{}",
        refused.stderr
    );
    machine.write(
        CONFIG,
        &text.replace(&format!("secrets = [\"{secret}\"]\n"), ""),
    );
    let config = machine.recover(&["config"]);
    assert!(config.stdout.contains("notify.ops"), "{}", config.stdout);
    Recording::of(&machine).session("s1", "shop", "refused", SessionOutcome::Escalated);
    let fires = machine.recover(&["-v", "alerts", "check"]);
    assert_eq!(fires.code, 1, "{}", fires.stderr);
    for text in [&config.stdout, &fires.stdout, &fires.stderr] {
        assert!(!text.contains("XSECRET"), "{text}");
    }
    let state = machine.state().join("server");
    for file in std::fs::read_dir(state).expect("the state").flatten() {
        if file.path().is_file() {
            let bytes = std::fs::read(file.path()).expect("a file");
            assert!(memchr::memmem::find(&bytes, b"XSECRET").is_none());
        }
    }
}

#[test]
fn a_heartbeat_overwrites_one_file_and_records_nothing() {
    let machine = Machine::new();
    let receiver = Receiver::start();
    let rule = "[alert.nightly]\nrule = \"heartbeat\"\nname = \"backup\"\nevery = \"1s\"\n";
    machine.write(CONFIG, &config(&receiver.url(), rule));
    assert_eq!(
        machine.recover(&["alerts", "check"]).code,
        0,
        "it has its time"
    );
    let host = SystemHost::new();
    host.sleep(Duration::from_millis(1100));
    assert_eq!(machine.recover(&["alerts", "check"]).code, 1);
    for _ in 0..3 {
        machine.recover(&["heartbeat", "backup"]).quiet();
    }
    assert_eq!(machine.recover(&["alerts", "check"]).code, 0);
    let kinds: Vec<_> = receiver
        .told()
        .iter()
        .map(|one| one.body["type"].clone())
        .collect();
    assert_eq!(kinds, ["alert.firing", "alert.resolved"]);
    assert!(
        !machine.state().join("journal.jsonl").exists(),
        "no record is written"
    );
    assert_eq!(machine.recover(&["heartbeat", "../evil"]).code, 2);
}

#[test]
fn a_rule_is_tried_on_the_past() {
    let machine = Machine::new();
    let rules = "[alert.outage]\nrule = \"repeated\"\ntimes = 5\nwithin = \"10m\"\n\
                 [alert.lag]\nrule = \"follow_lag\"\n";
    machine.write(CONFIG, rules);
    let recording = Recording::of(&machine);
    for number in 0..40 {
        let message = format!("connection to 10.0.0.{number}:443 refused");
        recording.session(
            &format!("s{number}"),
            "shop",
            &message,
            SessionOutcome::Escalated,
        );
    }
    let test = machine
        .recover(&["alerts", "test", "outage", "--json"])
        .json();
    assert_eq!(test["fired"].as_array().map(Vec::len), Some(1), "{test}");
    assert_eq!(machine.recover(&["alerts", "test", "lag"]).code, 2);
    assert_eq!(machine.recover(&["alerts", "test", "nothing"]).code, 1);
}
