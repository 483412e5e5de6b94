//! The store of another machine, over its server: as a machine without a database password has it.

use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::process::Command;

use rustix::process::Signal;

use crate::harness::{Machine, Run};
use crate::serve::Serving;

/// A machine that has its store on another.
pub(crate) struct Far {
    pub(crate) here: Machine,
    url: String,
    token: String,
}

impl Far {
    pub(crate) fn of(serving: &Serving, token: &str) -> Self {
        Self {
            here: Machine::new(),
            url: format!("http://{}", serving.address),
            token: token.to_owned(),
        }
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = self.here.command(args);
        command
            .env("RECOVER_STORE", &self.url)
            .env("RECOVER_TOKEN", &self.token);
        command
    }

    pub(crate) fn recover(&self, args: &[&str]) -> Run {
        self.here.run(&mut self.command(args))
    }
}

pub(crate) const RUN: [&str; 7] = ["run", "--retry", "1", "--base-delay", "0s", "--", "false"];

pub(crate) fn end(mut serving: Serving) {
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
    assert_eq!(near.recover(&["hold", id]).code, 0);
    end(serving);
}

/// What becomes of a command whose store is a server's.
enum Over {
    /// It does what it does with any store, and exits with this.
    Works(i32),
    /// It is refused, and this is what to do instead.
    Refused(&'static str),
}

const THERE: &str = "do it on the machine of that server, with its own store";

/// Each command in its turn: `SESSION` stands for a session, `OTHER` for another, `NEAR` for a
/// store of one's own, `SERVER` for the server.
#[rustfmt::skip]
const COMMANDS: [(&str, Over); 50] = [
    ("run -- false", Over::Works(1)),
    ("plan -- false", Over::Works(0)),
    ("classify /dev/null", Over::Works(0)),
    ("recipes", Over::Works(0)),
    ("advise", Over::Works(0)),
    ("explain SESSION", Over::Works(0)),
    ("redact /dev/null", Over::Works(0)),
    ("log", Over::Works(0)),
    ("sessions", Over::Works(0)),
    ("history SESSION", Over::Works(0)),
    ("show SESSION", Over::Works(0)),
    ("stats SESSION", Over::Works(0)),
    ("stats --all", Over::Works(0)),
    ("tail", Over::Works(0)),
    ("export SESSION", Over::Works(0)),
    ("report SESSION", Over::Works(0)),
    ("checkpoint", Over::Works(0)),
    ("checkpoints", Over::Works(0)),
    ("restore SESSION", Over::Works(0)),
    ("hold SESSION", Over::Works(0)),
    ("hold --release SESSION", Over::Works(0)),
    ("clear OTHER --yes", Over::Works(0)),
    ("copy SERVER NEAR", Over::Works(0)),
    ("copy NEAR SERVER", Over::Refused("name the server's own store as TO")),
    ("prune --older-than 1d --yes", Over::Refused("that server keeps to its own rules of retention")),
    ("import /dev/null", Over::Refused(THERE)),
    ("verify", Over::Refused(THERE)),
    ("verify SESSION", Over::Refused(THERE)),
    ("seal", Over::Refused(THERE)),
    ("proof SESSION 1", Over::Refused(THERE)),
    ("key show", Over::Refused(THERE)),
    ("key witness", Over::Refused(THERE)),
    ("key rotate --to age1qyqszqgpqyqszqgpqyqszqgpqyqszqgpqyqszqgpqyqszqgpqyqs3290gq", Over::Refused(THERE)),
    ("key shred SESSION --yes", Over::Refused(THERE)),
    ("key list", Over::Works(0)),
    ("access", Over::Works(0)),
    ("serve", Over::Refused("it is a server already")),
    ("serve token list", Over::Refused("make tokens where that server runs")),
    ("alerts list", Over::Refused("the page /alerts")),
    ("alerts check", Over::Refused("the page /alerts")),
    ("alerts silence rule=a --for 1h --reason b", Over::Refused("the page /alerts")),
    ("heartbeat backup", Over::Refused("`POST /api/v1/heartbeats/NAME` there")),
    ("config", Over::Works(0)),
    ("doctor", Over::Works(0)),
    ("init", Over::Works(0)),
    ("trust --list", Over::Works(0)),
    ("completions bash", Over::Works(0)),
    ("help", Over::Works(0)),
    ("tail --session SESSION -n 1", Over::Works(0)),
    ("export --all --format csv", Over::Works(0)),
];

/// The names in the list of commands that `help` has.
fn commands_in(help: &str) -> Vec<&str> {
    let list = help.split("Commands:").nth(1).expect("a list");
    let list = list.split("\n\n").next().expect("its end");
    let lines = list.lines().filter(|line| !line.starts_with("   "));
    lines
        .filter_map(|line| line.split_whitespace().next())
        .collect()
}

#[test]
fn every_command_works_over_a_server_or_is_refused_by_name() {
    let near = Machine::new();
    let serving = Serving::start(&near);
    let far = Far::of(&serving, &serving.token);
    assert_eq!(far.recover(&RUN).code, 1);
    assert_eq!(far.recover(&RUN).code, 1);
    let sessions = near.recover(&["sessions", "--json"]).json();
    let id = |number: usize| sessions[number]["session_id"].as_str().expect("an id");
    let own = format!("jsonl:{}", far.here.root().join("own").display());
    let help = far.recover(&["--help"]).stdout;
    for command in commands_in(&help) {
        let mut known = COMMANDS.iter().map(|(line, _)| line.split(' ').next());
        assert!(
            known.any(|name| name == Some(command)),
            "{command} is not tried"
        );
    }
    for (line, over) in COMMANDS {
        let words = line.split(' ').map(|word| match word {
            "SESSION" => id(0),
            "OTHER" => id(1),
            "NEAR" => &own,
            "SERVER" => &far.url,
            word => word,
        });
        let args: Vec<&str> = words.collect();
        let done = far.recover(&args);
        match over {
            Over::Works(code) => assert_eq!(done.code, code, "{line}: {}", done.stderr),
            Over::Refused(instead) => {
                assert_eq!(done.code, 2, "{line}: {}", done.stderr);
                let name = format!("`recover {}", args[0]);
                for part in [&*name, &far.url, instead] {
                    assert!(
                        done.stderr.contains(part),
                        "{line}: {part} in {}",
                        done.stderr
                    );
                }
                assert_eq!(done.stdout, "", "{line}");
            }
        }
    }
    end(serving);
}

#[test]
fn what_cannot_be_encrypted_over_a_server_is_refused_before_anything_runs() {
    let near = Machine::new();
    let serving = Serving::start(&near);
    let far = Far::of(&serving, &serving.token);
    let recipient = "age1k2hrsphu7295ghuqknjj3xc3xlnzltff38fmxrl0trtp5gc5tpps5ugxq4";
    let line = format!("[encryption]\nrecipients = [\"{recipient}\"]\n");
    far.here.write("user/.config/recover/config.toml", &line);
    let ran = far.recover(&["run", "--retry", "1", "--", "touch", "ran"]);
    let logged = far.recover(&["log"]);
    assert_eq!((ran.code, logged.code), (125, 2), "{}", ran.stderr);
    for refused in [ran, logged] {
        for part in [&*far.url, "keeps no keys", "[encryption]"] {
            assert!(refused.stderr.contains(part), "{}", refused.stderr);
        }
    }
    assert!(!far.here.work().join("ran").exists());
    assert_eq!(far.recover(&["sessions", "--json"]).stdout, "[]\n");
    end(serving);
}

/// A server that takes connections and never answers.
fn silent() -> (String, std::sync::mpsc::Receiver<std::net::TcpStream>) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("its address"));
    let (told, connections) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for client in listener.incoming() {
            if told.send(client.expect("a connection")).is_err() {
                return;
            }
        }
    });
    (url, connections)
}

// Long because it waits as long as a user would.
#[test]
fn a_server_that_does_not_answer_costs_a_run_one_wait_and_a_signal_ends_it() {
    let (url, connections) = silent();
    let far = Far {
        here: Machine::new(),
        url,
        token: "rcv_0123456789abcdef0123456789abcdef".to_owned(),
    };
    let run = far.recover(&["run", "--retry", "3", "--base-delay", "0s", "--", "false"]);
    assert_eq!(run.code, 1, "{}", run.stderr);
    let told = "it did not answer within 5 s; kept in";
    assert_eq!(run.stderr.matches(told).count(), 1, "{}", run.stderr);
    assert_eq!(connections.try_iter().count(), 1, "it was asked once");
    let child = far.command(&RUN).spawn().expect("start recover");
    let _asked = connections.recv().expect("its connection");
    let pid = i32::try_from(child.id())
        .ok()
        .and_then(rustix::process::Pid::from_raw);
    rustix::process::kill_process(pid.expect("a process"), Signal::TERM).expect("sent");
    let output = child.wait_with_output().expect("its end");
    assert_eq!(output.status.signal(), Some(Signal::TERM.as_raw()));
    assert_eq!(connections.try_iter().count(), 0, "it was asked once");
}

#[test]
fn a_file_of_certificates_is_found_from_where_it_was_named() {
    let here = Machine::new();
    let asked = |command: &mut Command| {
        let asked = here.run(command.env("RECOVER_TOKEN", "rcv_0123456789abcdef0123456789abcdef"));
        assert_eq!(asked.code, 2, "{}", asked.stderr);
        asked.stderr
    };
    // What is no certificate says that it was read.
    here.write("project/mine.pem", "none\n");
    let mut command = here.command(&["--store", "https://h.example", "sessions"]);
    let told = asked(command.env("SSL_CERT_FILE", "mine.pem"));
    assert!(told.contains("mine.pem has no certificate"), "{told}");
    here.write("user/.config/recover/theirs.pem", "none\n");
    let store = "store = \"https://h.example/?sslrootcert=theirs.pem\"\n";
    here.write("user/.config/recover/config.toml", store);
    let told = asked(&mut here.command(&["sessions"]));
    let expected = "/user/.config/recover/theirs.pem has no certificate";
    assert!(told.contains(expected), "{told}");
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
