//! Who comes in, and who does not.

use std::os::unix::fs::PermissionsExt;
use std::sync::{Arc, Mutex};

use auto_recovery::ErrorKind;
use auto_recovery::host::SystemHost;
use auto_recovery::mutex::lock;
use auto_recovery_server::{Log, LogLine, LogSink, ServerOptions};

use crate::client::ask;
use crate::machine::{Kind, Machine, entry};

#[test]
fn nothing_is_open_but_health_and_the_way_in() {
    let machine = Machine::new(Kind::Jsonl);
    let server = machine.start();
    for path in [
        "/",
        "/sessions",
        "/sessions/x",
        "/stats",
        "/live",
        "/about",
        "/metrics",
        "/openapi.json",
        "/api/v1/sessions",
        "/api/v1/events",
        "/api/v1/export",
        "/nothing",
    ] {
        let bare = ask(server.address, &format!("GET {path}"), &[], b"");
        assert_eq!(bare.status, 401, "{path}");
        assert_eq!(bare.header("www-authenticate"), Some("Bearer"), "{path}");
        let wrong = ["Authorization: Bearer rcv_0000000000000000000000000000000000000000"];
        assert_eq!(
            ask(server.address, &format!("GET {path}"), &wrong, b"").status,
            401,
            "{path}"
        );
        let basic = ["Authorization: Basic cm9vdDpyb290"];
        assert_eq!(
            ask(server.address, &format!("GET {path}"), &basic, b"").status,
            401,
            "{path}"
        );
    }
    let browser = ask(
        server.address,
        "GET /sessions?project=a%20b",
        &["Accept: text/html"],
        b"",
    );
    assert_eq!(browser.status, 303);
    assert_eq!(
        browser.header("location"),
        Some("/login?next=%2Fsessions%3Fproject%3Da%2520b")
    );
    for path in [
        "/healthz",
        "/readyz",
        "/login",
        "/assets/style.css",
        "/assets/live.js",
    ] {
        assert_eq!(
            ask(server.address, &format!("GET {path}"), &[], b"").status,
            200,
            "{path}"
        );
    }
}

#[test]
fn a_name_that_is_not_ours_is_not_answered() {
    let machine = Machine::new(Kind::Jsonl);
    let server = machine.start();
    for host in [
        "evil.example",
        "evil.example:4780",
        "localhost.evil.example",
        "",
        "127.0.0.1.nip.io",
    ] {
        let answer = server.ask("GET /api/v1/sessions", &[&format!("Host: {host}")]);
        assert_eq!(answer.status, 421, "{host}");
    }
    let twice = server.ask(
        "GET /api/v1/sessions",
        &["Host: localhost", "Host: evil.example"],
    );
    assert!([400, 421].contains(&twice.status));
    for host in [
        "localhost",
        "LOCALHOST:1",
        "127.0.0.1",
        "[::1]:4780",
        "10.0.0.7:80",
    ] {
        let answer = server.ask("GET /api/v1/sessions", &[&format!("Host: {host}")]);
        assert_eq!(answer.status, 200, "{host}");
    }
}

#[test]
fn the_link_logs_in_once_and_the_cookie_stays_for_the_next_server() {
    let machine = Machine::new(Kind::Jsonl);
    let server = machine.start();
    let logged_in = ask(server.address, &format!("GET {}", server.login), &[], b"");
    assert_eq!(
        (logged_in.status, logged_in.header("location")),
        (303, Some("/"))
    );
    let cookie = logged_in.header("set-cookie").unwrap().to_owned();
    for part in ["HttpOnly", "SameSite=Strict", "Path=/"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    let again = ask(server.address, &format!("GET {}", server.login), &[], b"");
    assert_eq!((again.status, again.header("set-cookie")), (403, None));
    let cookie = format!("Cookie: {}", cookie.split(';').next().unwrap());
    assert_eq!(
        ask(server.address, "GET /sessions", &[&cookie], b"").status,
        200
    );
    server.end();
    let server = machine.start();
    assert_eq!(
        ask(server.address, "GET /sessions", &[&cookie], b"").status,
        200
    );
    // Another page may not log anybody out.
    let elsewhere = ["Origin: http://evil.example", &*cookie];
    assert_eq!(
        ask(server.address, "POST /logout", &elsewhere, b"").status,
        403
    );
    let own = format!("Origin: http://{}", server.address);
    let left = ask(server.address, "POST /logout", &[&own, &cookie], b"");
    assert_eq!(left.status, 303);
    assert_eq!(
        ask(server.address, "GET /sessions", &[&cookie], b"").status,
        401
    );
}

#[test]
fn a_token_logs_in_and_guessing_is_slow() {
    let machine = Machine::new(Kind::Jsonl);
    let server = machine.start();
    let own = format!("Origin: http://{}", server.address);
    let log_in = |form: &str| ask(server.address, "POST /login", &[&own], form.as_bytes());
    let good = format!("token={}&next=%2Fstats%3Fby%3Dday", server.token);
    let answer = log_in(&good);
    assert_eq!(
        (answer.status, answer.header("location")),
        (303, Some("/stats?by=day"))
    );
    let answer = log_in(&format!("token={}&next=%2F%2Fevil.example", server.token));
    assert_eq!((answer.status, answer.header("location")), (303, Some("/")));
    for _ in 0..5 {
        let answer = log_in("token=guess&next=%22%3E%3Cscript%3E");
        assert_eq!(answer.status, 403);
        assert!(!answer.text().contains("<script>"));
    }
    let answer = log_in("token=another");
    assert_eq!(answer.status, 429);
    assert!(answer.header("retry-after").is_some());
    assert_eq!(
        log_in(&good).status,
        303,
        "who knows a token waits for nobody"
    );
    let too_long = "x".repeat(10_000);
    assert_eq!(log_in(&too_long).status, 413);
}

#[test]
fn the_token_file_is_for_its_owner_alone() {
    let machine = Machine::new(Kind::Jsonl);
    machine.start().end();
    let path = machine.token_file();
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o644)).unwrap();
    assert_eq!(
        machine.try_start().err().unwrap().kind(),
        ErrorKind::InvalidInput
    );
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
    std::fs::write(&path, "short\n").unwrap();
    assert_eq!(
        machine.try_start().err().unwrap().kind(),
        ErrorKind::InvalidInput
    );
}

#[test]
fn one_server_a_store() {
    let machine = Machine::new(Kind::Jsonl);
    let server = machine.start();
    let second = machine.try_start().err().unwrap();
    assert_eq!(second.kind(), ErrorKind::Busy);
    assert!(second.to_string().contains("served already"), "{second}");
    server.end();
    machine.start();
}

#[test]
fn one_server_a_store_whichever_state_it_keeps() {
    for kind in [Kind::Jsonl, Kind::Sqlite] {
        let machine = Machine::new(kind);
        let elsewhere = machine.dir().join("another state");
        let with_state = |options: &mut ServerOptions| options.state_dir.clone_from(&elsewhere);
        let server = machine.start();
        let second = machine.try_start_with(with_state).err().unwrap();
        assert_eq!(second.kind(), ErrorKind::Busy, "{kind:?}: {second}");
        assert!(second.to_string().contains("is served already"), "{second}");
        server.end();
        machine.try_start_with(with_state).unwrap().end();
    }
}

#[test]
fn one_server_a_database_whichever_machine_it_is_on() {
    let machine = Machine::new(Kind::Postgres);
    let server = machine.start();
    let beside = machine.beside();
    let second = beside.try_start().err().unwrap();
    assert_eq!(second.kind(), ErrorKind::Busy);
    assert!(second.to_string().contains("whichever machine"), "{second}");
    server.end();
    while beside
        .try_start()
        .is_err_and(|error| error.kind() == ErrorKind::Busy)
    {
        std::thread::yield_now();
    }
}

#[test]
fn every_answer_is_hardened() {
    let machine = Machine::new(Kind::Jsonl);
    let server = machine.start();
    for path in [
        "/",
        "/api/v1/sessions",
        "/nothing",
        "/assets/style.css",
        "/login",
    ] {
        let answer = server.ask(&format!("GET {path}"), &[]);
        let policy = answer.header("content-security-policy").unwrap();
        assert!(policy.starts_with("default-src 'none';"), "{policy}");
        assert!(!policy.contains("unsafe"), "{policy}");
        assert!(policy.contains("trusted-types 'none'"), "{policy}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(answer.header("referrer-policy"), Some("no-referrer"));
        assert!(answer.header("access-control-allow-origin").is_none());
        assert!(answer.header("cache-control").is_some());
    }
}

#[test]
fn the_log_says_who_changed_what_and_who_was_refused_and_never_a_token() {
    let machine = Machine::new(Kind::Jsonl);
    machine.store().append(vec![entry("s", 1)]).unwrap();
    let told: Arc<Mutex<Vec<LogLine>>> = Arc::default();
    let kept = Arc::clone(&told);
    let sink: LogSink = Arc::new(move |line| lock(&kept).push(line.clone()));
    let server = machine
        .try_start_with(|options| options.log = Log::new(sink, Arc::new(SystemHost::new())))
        .unwrap();
    server.get("/api/v1/sessions");
    server.ask("POST /api/v1/sessions/s/hold", &[]);
    let wrong = "Authorization: Bearer rcv_wrong";
    ask(server.address, "GET /api/v1/stats?a=b", &[wrong], b"");
    let lines = lock(&told);
    let told: Vec<String> = lines.iter().map(LogLine::to_json).collect();
    assert_eq!(told.len(), 2, "{told:?}");
    for piece in [
        "\"path\":\"/api/v1/sessions/s/hold\"",
        "\"who\":\"token file\"",
        "\"status\":200",
    ] {
        assert!(told[0].contains(piece), "{piece}: {told:?}");
    }
    for piece in ["warning", "\"status\":401", "\"from\":\"127.0.0.1\""] {
        assert!(told[1].contains(piece), "{piece}: {told:?}");
    }
    let all = told.concat();
    assert!(
        !all.contains("rcv_") && !all.contains(&server.token),
        "{all}"
    );
}
