//! Tokens with scopes: made and removed while the server runs.

use auto_recovery::ErrorKind;
use auto_recovery_server::Scope;

use crate::client::{Answer, ask};
use crate::machine::{Kind, Machine, Running, entry};

/// The answer to a request with `token`.
fn with(server: &Running, token: &str, line: &str, body: &[u8]) -> Answer {
    let bearer = format!("Authorization: Bearer {token}");
    ask(server.address, line, &[&bearer], body)
}

#[test]
fn a_scope_opens_what_it_names_and_no_more() {
    let machine = Machine::new(Kind::Sqlite);
    machine.store().append(vec![entry("s", 1)]).unwrap();
    let server = machine.start();
    let tokens = machine.tokens();
    let line = b"{\"strategy\":\"fix\",\"success\":true,\"error_type\":\"E1\"}";
    let requests: [(&str, &[u8], Scope); 6] = [
        ("GET /api/v1/sessions", b"", Scope::Read),
        ("GET /metrics", b"", Scope::Read),
        ("GET /sessions/s", b"", Scope::Read),
        ("POST /api/v1/entries", line, Scope::Write),
        ("POST /api/v1/sessions/s/hold", b"", Scope::Admin),
        ("POST /api/v1/sessions/s/release", b"{}", Scope::Admin),
    ];
    for scope in [Scope::Read, Scope::Write, Scope::Admin] {
        let (name, token) = tokens.add(Some(&format!("my {scope}")), scope).unwrap();
        for (request, body, needed) in requests {
            let answer = with(&server, &token, request, body);
            if scope >= needed {
                assert_eq!(answer.status, 200, "{scope} {request}: {}", answer.text());
                continue;
            }
            assert_eq!(answer.status, 403, "{scope} {request}");
            let problem = answer.json();
            assert_eq!(problem["type"], "/errors/no_scope");
            let says = problem["detail"].as_str().unwrap();
            assert!(
                says.contains(&name) && says.contains(&format!("needs `{needed}`")),
                "{says}"
            );
        }
        let nothing = with(&server, &token, "GET /nothing", b"");
        assert_eq!(nothing.status, 404);
    }
}

#[test]
fn a_token_that_is_removed_opens_nothing_and_neither_do_its_logins() {
    let machine = Machine::new(Kind::Jsonl);
    let tokens = machine.tokens();
    let (name, token) = tokens.add(None, Scope::Read).unwrap();
    assert!(name.starts_with("read-"), "{name}");
    let server = machine.start();
    assert_eq!(with(&server, &token, "GET /stats", b"").status, 200);
    let own = format!("Origin: http://{}", server.address);
    let form = format!("token={token}");
    let logged_in = ask(server.address, "POST /login", &[&own], form.as_bytes());
    let cookie = logged_in.header("set-cookie").unwrap();
    let cookie = format!("Cookie: {}", cookie.split(';').next().unwrap());
    let seen = ask(server.address, "GET /about", &[&cookie], b"");
    assert!(seen.text().contains("who may read"), "{}", seen.text());
    let hold = ask(
        server.address,
        "POST /sessions/s/hold",
        &[&own, &cookie],
        b"",
    );
    assert_eq!(hold.status, 403);
    tokens.remove(&name).unwrap();
    assert_eq!(with(&server, &token, "GET /stats", b"").status, 401);
    assert_eq!(
        ask(server.address, "GET /about", &[&cookie], b"").status,
        401
    );
    assert_eq!(server.ask("GET /stats", &[]).status, 200);
}

#[test]
fn names_are_of_one_token_each_and_only_hashes_are_kept() {
    let machine = Machine::new(Kind::Jsonl);
    let tokens = machine.tokens();
    let (_, token) = tokens.add(Some("ci"), Scope::Write).unwrap();
    tokens.add(Some("board"), Scope::Read).unwrap();
    let listed = tokens.list().unwrap();
    let listed: Vec<_> = listed.iter().map(|one| (&*one.name, one.scope)).collect();
    let expected = [("board", Some(Scope::Read)), ("ci", Some(Scope::Write))];
    assert_eq!(listed, expected);
    for name in [
        "ci",
        "",
        " ",
        "a\nb",
        "login link",
        "token file",
        &"x".repeat(101),
    ] {
        let refused = tokens.add(Some(name), Scope::Admin).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::InvalidInput, "{name:?}");
    }
    let nobody = tokens.remove("nobody").unwrap_err();
    assert_eq!(nobody.kind(), ErrorKind::NotFound);
    for file in std::fs::read_dir(machine.state().join("server")).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        let mut windows = bytes.windows(16);
        assert!(!windows.any(|window| window == &token.as_bytes()[4..20]));
    }
}
