//! The store of another machine, over its server: as a machine without a database password has it.

use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use rustix::process::Signal;

use crate::harness::{Machine, Run};
use crate::serve::Serving;

/// A machine that has its store on another.
struct Far {
    here: Machine,
    url: String,
    token: String,
}

impl Far {
    fn of(serving: &Serving, token: &str) -> Self {
        Self {
            here: Machine::new(),
            url: format!("http://{}", serving.address),
            token: token.to_owned(),
        }
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = self.here.command(args);
        command
            .env("RECOVER_STORE", &self.url)
            .env("RECOVER_TOKEN", &self.token);
        command
    }

    fn recover(&self, args: &[&str]) -> Run {
        self.here.run(&mut self.command(args))
    }
}

const RUN: [&str; 7] = ["run", "--retry", "1", "--base-delay", "0s", "--", "false"];

fn end(mut serving: Serving) {
    serving.signal(Signal::TERM);
    assert_eq!(serving.child.wait().expect("its end").code(), Some(0));
}

#[test]
fn a_run_is_on_record_elsewhere_and_what_is_asked_there_is_the_same() {
    let near = Machine::new();
    let serving = Serving::start(&near);
    let token = near.recover(&["serve", "token", "add", "--write", "ci"]);
    let far = Far::of(&serving, token.stdout.trim());
    let run = far.recover(&RUN);
    assert_eq!(run.code, 1, "{}", run.stderr);
    assert!(run.stderr.contains("not recovered"), "{}", run.stderr);
    for args in [
        &["sessions", "--json"][..],
        &["stats", "--all", "--json"],
        &["stats", "--all", "--by", "strategy,day", "--json"],
        &["history", "--any-project", "--json"],
        &["export", "--all", "--format", "jsonl"],
    ] {
        let (there, here) = (near.recover(args), far.recover(args));
        assert_eq!((there.code, here.code), (0, 0), "{args:?}: {}", here.stderr);
        assert_eq!(there.stdout, here.stdout, "{args:?}");
    }
    let id = near.recover(&["sessions", "--json"]).json()[0]["session_id"].clone();
    let id = id.as_str().expect("an id");
    let held = far.recover(&["hold", id]);
    assert_eq!(held.code, 125, "{}", held.stderr);
    assert!(held.stderr.contains("needs `admin`"), "{}", held.stderr);
    for args in [
        &["prune", "--older-than", "10ms", "--yes"][..],
        &["seal"],
        &["serve"],
    ] {
        let refused = far.recover(args);
        assert!(
            [1, 2, 125].contains(&refused.code),
            "{args:?}: {}",
            refused.stderr
        );
    }
    assert_eq!(near.recover(&["hold", id]).code, 0);
    end(serving);
}

#[test]
fn while_the_server_is_away_entries_wait_and_then_arrive() {
    let near = Machine::new();
    let serving = Serving::start(&near);
    let (address, token) = (serving.address.clone(), serving.token.clone());
    let far = Far::of(&serving, &token);
    end(serving);
    let run = far.recover(&RUN);
    assert_eq!(run.code, 1, "{}", run.stderr);
    assert_eq!(
        run.stderr.matches("until it is back").count(),
        1,
        "{}",
        run.stderr
    );
    assert_eq!(far.recover(&["sessions"]).code, 125);
    let passing = far.recover(&["run", "--", "true"]);
    assert_eq!((passing.code, &*passing.stderr), (0, ""));
    let serving = Serving::start_at(&near, &address);
    let run = far.recover(&RUN);
    assert!(
        run.stderr.contains("delivered 1 entry and"),
        "{}",
        run.stderr
    );
    let sessions = near.recover(&["sessions", "--json"]).json();
    let outcomes: Vec<_> = sessions
        .as_array()
        .expect("a list")
        .iter()
        .map(|one| (&one["outcome"], &one["total_attempts"], &one["project"]))
        .collect();
    let expected = (&"escalated".into(), &1.into(), &"project".into());
    assert_eq!(outcomes, [expected, expected]);
    end(serving);
}

#[test]
fn a_token_is_never_shown_and_its_file_is_for_its_owner() {
    let near = Machine::new();
    let serving = Serving::start(&near);
    let far = Far::of(&serving, "");
    let asked = |far: &Far| far.recover(&["sessions", "--json"]);
    let none = asked(&far);
    assert_eq!(none.code, 2, "{}", none.stderr);
    assert!(none.stderr.contains("RECOVER_TOKEN"), "{}", none.stderr);
    let file = far.here.write("token", &serving.token);
    let line = format!("[remote]\ntoken_file = \"{}\"\n", file.display());
    far.here.write("user/.config/recover/config.toml", &line);
    let open = asked(&far);
    assert_eq!(open.code, 2, "{}", open.stderr);
    assert!(open.stderr.contains("chmod 600"), "{}", open.stderr);
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).expect("its mode");
    assert_eq!((asked(&far).code, &*asked(&far).stdout), (0, "[]\n"));
    let wrong = Far {
        token: "rcv_0123456789abcdef0123456789abcdef".to_owned(),
        ..Far::of(&serving, "")
    };
    let refused = asked(&wrong);
    assert_eq!(refused.code, 125);
    assert!(
        refused.stderr.contains("does not know the token"),
        "{}",
        refused.stderr
    );
    let shown = wrong.recover(&["config"]);
    assert!(
        shown.stdout.contains("*** (36 characters)"),
        "{}",
        shown.stdout
    );
    assert!(!shown.stdout.contains("89abcdef"), "{}", shown.stdout);
    let url = wrong
        .here
        .recover(&["--store", "https://rcv_secret@h", "sessions"]);
    assert_eq!(url.code, 2);
    assert!(!url.stderr.contains("rcv_secret"), "{}", url.stderr);
    end(serving);
}

#[test]
fn what_comes_to_a_server_is_followed_over_its_restarts() {
    let near = Machine::new();
    let serving = Serving::start(&near);
    let line = |number: u32| {
        format!(
            "{{\"session_id\":\"s\",\"strategy\":\"retry\",\"success\":false,\"error_type\":\"E{number}\"}}\n"
        )
    };
    let (address, token) = (serving.address.clone(), serving.token.clone());
    let far = Far::of(&serving, &token);
    let server = format!("http://{address}");
    let args = ["tail", "-f", "-n", "1", "--json", "--server", &server];
    let mut tail = far.command(&args).spawn().expect("start");
    let mut told = BufReader::new(tail.stdout.take().expect("its output")).lines();
    let mut next = || {
        let line = told.next().expect("a line").expect("text");
        let entry: serde_json::Value = serde_json::from_str(&line).expect("JSON");
        entry["error_type"].as_str().expect("a type").to_owned()
    };
    // Until it listens, what comes is from before.
    while serving.get("/metrics").contains("recover_stream_clients 0") {
        std::thread::yield_now();
    }
    near.recover_with(&["log"], line(1));
    assert_eq!(next(), "E1");
    end(serving);
    near.recover_with(&["log"], line(2));
    let serving = Serving::start_at(&near, &address);
    near.recover_with(&["log"], line(3));
    assert_eq!((next(), next()), ("E2".to_owned(), "E3".to_owned()));
    let last = far.recover(&["tail", "-n", "2", "--json", "--server", &server]);
    assert_eq!(last.stdout.lines().count(), 2, "{}", last.stderr);
    tail.kill().expect("its end");
    tail.wait().expect("its end");
    end(serving);
}
