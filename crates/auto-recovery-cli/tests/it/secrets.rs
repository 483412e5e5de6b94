//! The password in a store's URL is nobody's to see.

use std::fs;

use crate::harness::{Machine, Run};

/// URLs of databases, most of them mistyped, each with the password `hunter2`.
const WITH_PASSWORD: [&str; 22] = [
    "postgres://me:hunter2@h.invalid/db",
    "postgres://h.invalid/db?user=me&pass%77ord=hunter2",
    "postgres://h.invalid/db?options=-c%20hunter2",
    "postgres://me:hunter2",
    "postgres://me:hunter2#h/db",
    "postgres://me:hun@hunter2@h/db",
    "postgres://me%3Ahunter2@h/db",
    "postgres:me:hunter2@h/db",
    "postgres:/me:hunter2@h/db",
    "postgresql//me:hunter2@h/db",
    "POSTGRES://me:hunter2@h/db",
    " postgres://me:hunter2@h/db",
    "'postgres://me:hunter2@h/db'",
    "jdbc:postgresql://me:hunter2@h/db",
    "jsonl:postgres://me:hunter2@h/db",
    "sqlite:host=h password=hunter2",
    "host=h user=me password=hunter2 port:1",
    "host=h user=me password=hunter2",
    "me:hunter2@h/db",
    "postgres://h/db?sslpassword=hunter2",
    "postgres://h/db?hunter2=1",
    "mysql://me:hunter2@h/db",
];

#[test]
fn a_password_in_a_store_url_is_repeated_nowhere_however_it_is_mistyped() {
    let machine = Machine::new();
    let mut said = Vec::new();
    for url in WITH_PASSWORD {
        let flag = format!("--store={url}");
        let mut tell = |how: &str, run: Run| said.push((how.to_owned(), url, run));
        for args in [
            &["config", "--json", "-v", "--store", url][..],
            &["sessions", "-v", "--store", url],
            &["run", "--json", "-v", "--store", url, "--", "true"],
            &["copy", url, "jsonl:there"],
            &["copy", "jsonl:here", url, "more", url],
            &["sessions", url],
            &["session", &flag],
            &[&flag, "sesions"],
            &["run", "--store", url, "false", "-x"],
            &["run", &flag, "false"],
        ] {
            tell(&format!("{args:?}"), machine.recover(args));
        }
        let mut command = machine.command(&["config", "-v"]);
        tell(
            "RECOVER_STORE",
            machine.run(command.env("RECOVER_STORE", url)),
        );
        for (how, text) in [
            ("quoted", format!("store = \"{url}\"\n")),
            ("unquoted", format!("store = {url}\n")),
            ("alone", format!("{url}\n")),
            ("alone, quoted", format!("\"{url}\"\n")),
            ("a key", format!("\"{url}\" = 1\n")),
            ("half quoted", format!("store = \"{url}\n")),
            ("another key", format!("stor = \"{url}\"\n")),
            ("a list", format!("store = [\"{url}\"]\n")),
            ("a table", format!("[store]\nurl = \"{url}\"\n")),
            ("a name", format!("[\"{url}\"]\nx = 1\n")),
        ] {
            let file = machine.write("own.toml", &text);
            let file = file.to_str().expect("UTF-8");
            tell(how, machine.recover(&["config", "-v", "--config", file]));
            tell(how, machine.recover(&["sessions", "--config", file]));
            let file = machine.write("project/recover.toml", &text);
            tell(how, machine.recover(&["config", "-v"]));
            fs::remove_file(file).expect("remove it");
        }
    }
    for (how, url, run) in said {
        let text = format!("{}{}", run.stdout, run.stderr);
        assert!(!text.contains("hunter2"), "{how}: {url}: {run:?}");
        // Nothing is lost over it: it is still said what is wrong.
        assert!(
            run.code == 0 || !run.stderr.is_empty(),
            "{how}: {url}: {run:?}"
        );
    }
}
