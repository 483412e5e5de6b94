//! Getting in: migrations, versions, passwords, encryption.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use auto_recovery::ErrorKind;
use auto_recovery::audit::{AuditStore, Recorder, Removal, Removed};
use auto_recovery::host::{Host, SystemHost};
use auto_recovery::testing::store_contract::entry;
use auto_recovery_sql::postgres::ROLES;
use auto_recovery_sql::{PostgresOptions, PostgresStore};

use crate::postgres_server::{Database, Server, own, shared};

fn open(url: &str) -> PostgresStore {
    PostgresStore::open(
        url,
        PostgresOptions::default(),
        Recorder::new(Arc::new(SystemHost::new())),
    )
    .unwrap()
}

#[test]
fn two_may_make_the_tables_at_once() {
    for _ in 0..4 {
        let database = shared().database();
        thread::scope(|scope| {
            for number in 0..6 {
                let store = open(&database.url);
                scope.spawn(move || store.append(vec![entry("s", number)]).unwrap());
            }
        });
        assert_eq!(
            database.ask("SELECT count(*) FROM auto_recovery.entries"),
            "6"
        );
        assert_eq!(
            database.ask("SELECT count(*) FROM auto_recovery.migration"),
            "4"
        );
    }
}

#[test]
fn tables_of_an_older_release_are_brought_up_to_date() {
    let database = shared().database();
    open(&database.url).append(vec![entry("s", 1)]).unwrap();
    database.ask(
        "DROP TABLE auto_recovery.spool_delivered, auto_recovery.seal, auto_recovery.journal_leaf, \
         auto_recovery.session_key; DROP INDEX auto_recovery.session_listed; \
         DELETE FROM auto_recovery.migration WHERE version >= 2",
    );
    let store = open(&database.url);
    store.append(vec![entry("s", 2)]).unwrap();
    assert_eq!(store.statistics("s").unwrap().total_attempts, 2);
    for table in ["spool_delivered", "seal", "journal_leaf", "session_key"] {
        let count = format!("SELECT count(*) FROM auto_recovery.{table}");
        assert_eq!(database.ask(&count), "0", "{table}");
    }
}

#[test]
fn newer_tables_are_refused() {
    let database = shared().database();
    let before = open(&database.url);
    before.append(vec![entry("s", 1)]).unwrap();
    database.ask("INSERT INTO auto_recovery.migration (version, name) VALUES (999, 'later')");
    let store = open(&database.url);
    for error in [
        store.append(vec![entry("s", 2)]).map(drop).unwrap_err(),
        store.sessions().map(drop).unwrap_err(),
        // So it is for whoever was at work before.
        before.append(vec![entry("s", 2)]).map(drop).unwrap_err(),
        before.sessions().map(drop).unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::NewerFormat, "{error}");
        assert!(error.to_string().contains("999"), "{error}");
    }
    assert_eq!(
        database.ask("SELECT count(*) FROM auto_recovery.entries"),
        "1"
    );
}

#[test]
fn databases_that_not_every_text_fits_into_are_refused() {
    let database = shared().database();
    database.ask("CREATE DATABASE narrow ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0");
    let narrow = database.url.replace(&database.name, "narrow");
    let error = open(&narrow).append(vec![entry("s", 1)]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused, "{}", error.chain());
    assert!(error.to_string().contains("LATIN1"), "{error}");
}

#[test]
fn refusals_are_clear_and_keep_the_password() {
    let database = shared().database();
    let spool = tempfile::tempdir().unwrap();
    let options = || PostgresOptions {
        spool: Some(spool.path().to_owned()),
        ..PostgresOptions::default()
    };
    let open = |url: &str| {
        PostgresStore::open(url, options(), Recorder::new(Arc::new(SystemHost::new()))).unwrap()
    };
    let wrong = database.url.replace("the%20secret", "hunter2");
    let store = open(&wrong);
    assert!(
        store.url().contains("postgres:***@127.0.0.1"),
        "{}",
        store.url()
    );
    assert!(!format!("{store:?}").contains("hunter2"));
    let error = store.append(vec![entry("s", 1)]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused, "{}", error.chain());
    assert!(
        !format!("{error:?} {}", error.chain()).contains("hunter2"),
        "{error:?}"
    );
    let nowhere = database.url.replace(&database.name, "nowhere");
    let error = open(&nowhere).append(vec![entry("s", 1)]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{}", error.chain());
    database.ask("CREATE USER nobody_much PASSWORD 'the secret'");
    let poor = database.url.replace("//postgres:", "//nobody_much:");
    let error = open(&poor).append(vec![entry("s", 1)]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused, "{}", error.chain());
    assert!(error.to_string().contains("grant"), "{error}");
    assert_eq!(
        open(&database.url).waiting(),
        0,
        "none of it is kept for later"
    );
}

#[test]
fn people_can_ask_the_views() {
    let database = shared().database();
    let store = open(&database.url);
    store
        .append((1..=7).map(|n| entry("s", n)).collect())
        .unwrap();
    let asked = database.ask(
        "SELECT session_id, total_attempts, successful_attempts, outcome, session_start FROM auto_recovery.sessions",
    );
    assert_eq!(asked, "s|7|2|unknown|2026-01-02T03:00:01.000Z");
    let asked = database.ask(
        "SELECT entry_id, files_modified[2], duration_seconds, at AT TIME ZONE 'UTC' FROM auto_recovery.entries \
         WHERE attempt_number = 3",
    );
    assert_eq!(
        asked,
        "entry_00000000000000000000000000000003|same.rs|0.125|2026-01-02 03:00:03"
    );
    let statistics = store.statistics("s").unwrap();
    let asked = database.ask(
        "SELECT success_rate, strategies_used, total_duration_seconds, average_duration_seconds, \
         files_modified_count, rollback_count FROM auto_recovery.session_statistics",
    );
    let expected = format!(
        "{}|{{\"fix\": 4, \"retry\": 3}}|{}|{}|{}|{}",
        statistics.success_rate,
        statistics.total_duration_seconds,
        statistics.average_duration_seconds,
        statistics.files_modified_count,
        statistics.rollback_count
    );
    assert_eq!(asked, expected);
}

#[test]
fn what_a_remover_left_is_deleted_by_the_next() {
    let database = shared().database();
    let store = open(&database.url);
    store
        .append((0..25_000).map(|n| entry("s", n)).collect())
        .unwrap();
    store.append(vec![entry("t", 1)]).unwrap();
    let entries = || database.ask("SELECT count(*) FROM auto_recovery.stored_entry");
    // It died after the session was gone.
    database.ask(
        "WITH gone AS (DELETE FROM auto_recovery.stored_session WHERE session_id = 's' RETURNING id, entries) \
         INSERT INTO auto_recovery.removed_trail SELECT id, entries FROM gone",
    );
    assert_eq!(store.statistics("s").unwrap().total_attempts, 0);
    assert_eq!(entries(), "25001");
    let removed = store.remove("t", &Removal::Cleared).unwrap();
    assert_eq!(removed, Removed::Gone { entries: 1 });
    assert_eq!(entries(), "0");
    assert_eq!(
        database.ask("SELECT count(*) FROM auto_recovery.removed_trail"),
        "0"
    );
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the test needs a certificate")]
fn connections_are_encrypted_as_far_as_is_asked() {
    let dir = tempfile::tempdir().unwrap();
    let (key, certificate) = (dir.path().join("key"), dir.path().join("certificate"));
    let made = std::process::Command::new("openssl")
        .args([
            "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
        ])
        .args([
            "-subj",
            "/CN=localhost",
            "-addext",
            "subjectAltName=DNS:localhost",
        ])
        .arg("-keyout")
        .arg(&key)
        .arg("-out")
        .arg(&certificate)
        .output()
        .unwrap();
    crate::postgres_server::assert_done("openssl", &made);
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    own(&key);
    own(&certificate);
    let files = format!(
        "ssl_cert_file = '{}'\nssl_key_file = '{}'",
        certificate.display(),
        key.display()
    );
    let server = Server::start(false, &["ssl = on", &files]);
    let database = server.own_database();
    let by_name = database.url.replace("127.0.0.1", "localhost");
    let try_with = |url: &str, parameters: &str| {
        let store = open(&format!("{url}?{parameters}"));
        store.append(vec![entry("s", 1)]).map(drop)
    };
    let root = format!("sslrootcert={}", certificate.display());
    for (url, parameters, is_let_in) in [
        (&database.url, "sslmode=disable".to_owned(), true),
        (&database.url, "sslmode=prefer".to_owned(), true),
        (&database.url, "sslmode=require".to_owned(), true),
        (&database.url, "sslmode=verify-ca".to_owned(), false),
        (&database.url, format!("sslmode=verify-ca&{root}"), true),
        (&database.url, format!("sslmode=verify-full&{root}"), false),
        (&by_name, format!("sslmode=verify-full&{root}"), true),
        (&by_name, "sslmode=verify-full".to_owned(), false),
    ] {
        let result = try_with(url, &parameters);
        assert_eq!(result.is_ok(), is_let_in, "{parameters}: {result:?}");
        if let Err(error) = result {
            assert_eq!(error.kind(), ErrorKind::Refused, "{}", error.chain());
        }
    }
    // Who asks for it does not go without.
    let plain = shared().database();
    let error = try_with(&plain.url, "sslmode=require").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused, "{}", error.chain());
}

#[test]
fn a_locked_table_is_waited_for_no_longer_than_the_user_waits() {
    let database = shared().database();
    let spool = tempfile::tempdir().unwrap();
    let told = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&told);
    let host = SystemHost::new().telling(move |what| kept.lock().unwrap().push(what.to_owned()));
    let host = Arc::new(host);
    let open = |spool| {
        let options = PostgresOptions {
            spool,
            ..PostgresOptions::default()
        };
        PostgresStore::open(&database.url, options, Recorder::new(host.clone())).unwrap()
    };
    let (plain, spooling) = (open(None), open(Some(spool.path().to_owned())));
    plain.append(vec![entry("s", 1)]).unwrap();
    spooling.append(vec![entry("s", 2)]).unwrap();
    thread::scope(|scope| {
        // Who holds it gives it back by itself: it may not be ended at the right moment from here.
        let holder = scope.spawn(|| {
            database
                .ask("BEGIN; LOCK TABLE auto_recovery.stored_session; SELECT pg_sleep(12); COMMIT")
        });
        while database.ask("SELECT count(*) FROM pg_locks WHERE mode = 'AccessExclusiveLock'")
            == "0"
        {
            thread::yield_now();
        }
        host.set_deadline(Some(host.monotonic() + Duration::from_secs(3)));
        let error = plain.append(vec![entry("s", 3)]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut, "{}", error.chain());
        assert!(
            error.to_string().contains("the database at 127.0.0.1"),
            "{error}"
        );
        spooling.append(vec![entry("s", 4)]).unwrap();
        assert_eq!(spooling.waiting(), 1, "it is kept for later");
        assert!(!holder.is_finished(), "neither waited for whoever holds it");
    });
    let told = told.lock().unwrap();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(
        told[0].starts_with("waiting for the database at 127.0.0.1"),
        "{told:?}"
    );
}

/// Makes the roles, which are of the whole server: one test at a time.
pub(crate) fn make_roles(database: &Database) {
    static TURN: Mutex<()> = Mutex::new(());
    let _turn = TURN.lock().unwrap();
    database.ask(ROLES);
}

#[test]
fn roles_let_each_do_what_it_is_for() {
    let database = shared().database();
    open(&database.url).append(vec![entry("s", 1)]).unwrap();
    for _ in 0..2 {
        make_roles(&database);
    }
    let of = |role: &str| {
        database.ask(&format!(
            "CREATE USER a_{role} PASSWORD 'the secret'; GRANT recover_{role} TO a_{role}"
        ));
        let url = database.url.replace("//postgres:", &format!("//a_{role}:"));
        let store: Arc<dyn AuditStore> = Arc::new(open(&url));
        store
    };
    let (reader, writer, keeper) = (of("reader"), of("writer"), of("keeper"));
    let state = tempfile::tempdir().unwrap();
    writer
        .append((2..20).map(|number| entry("s", number)).collect())
        .unwrap();
    writer.append(vec![entry("t", 1)]).unwrap();
    let seal = crate::seal_mutants::seal(&writer, state.path());
    assert_eq!(seal.size, 3);
    assert_eq!(reader.statistics("s").unwrap().total_attempts, 19);
    assert_eq!(crate::seal_mutants::found(&*reader, state.path()), []);
    for refused in [
        reader.append(vec![entry("s", 20)]).map(drop).unwrap_err(),
        reader.clear("s").map(drop).unwrap_err(),
        writer.clear("s").map(drop).unwrap_err(),
    ] {
        assert_eq!(refused.kind(), ErrorKind::Refused, "{}", refused.chain());
    }
    assert_eq!(keeper.clear("s").unwrap(), Some(19));
    let left = "SELECT count(*) FROM auto_recovery.stored_entry";
    assert_eq!(database.ask(left), "1");
    keeper.append(vec![entry("s", 21)]).unwrap();
    let rights = |role: &str, right: &str| {
        database.ask(&format!(
            "SELECT string_agg(table_name, ' ' ORDER BY table_name) \
             FROM information_schema.role_table_grants \
             WHERE grantee = 'recover_{role}' AND privilege_type = '{right}'"
        ))
    };
    assert_eq!(rights("writer", "DELETE"), "");
    assert_eq!(rights("writer", "TRUNCATE"), "");
    assert_eq!(rights("writer", "UPDATE"), "spool_delivery stored_session");
    assert_eq!(rights("reader", "INSERT"), "");
    assert_eq!(crate::seal_mutants::found(&*reader, state.path()), []);
}
