//! Sessions by a piece of their ids.

use crate::harness::Machine;

const OURS: [&str; 3] = [
    "session_0192f0c1d2e37abc8def012345b2f01c",
    "session_0192f0c1d2e37abc8def0123aab2f01d",
    "session_0192f0c1d2e37abc8def01239c19e2aa",
];

/// A machine whose store has [`OURS`] and one of a name that somebody gave.
fn machine() -> Machine {
    let machine = Machine::new();
    let lines: Vec<_> = OURS
        .iter()
        .chain(&["job-10"])
        .map(|id| {
            format!(
                r#"{{"session_id":"{id}","strategy":"fix","success":true,"error_type":"E0308","timestamp":"2020-01-02T03:04:05Z"}}"#
            )
        })
        .collect();
    let run = machine.recover_with(&["log"], lines.join("\n"));
    assert_eq!(run.code, 0, "{run:?}");
    machine
}

#[test]
fn any_piece_of_one_id_names_its_session_on_every_command() {
    let machine = machine();
    for piece in ["45b2f01c", "5b2f0", OURS[0], "12345b2"] {
        for command in ["history", "show", "stats", "export", "report", "hold"] {
            let run = machine.recover(&[command, piece]);
            assert_eq!(run.code, 0, "{command} {piece}: {run:?}");
        }
        let json = machine.recover(&["stats", piece, "--json"]);
        assert!(json.stdout.contains(OURS[0]), "{json:?}");
    }
    let held = machine.recover(&["hold", "45b2f01c"]);
    let says = "recover: session 45b2f01c is held; `recover hold --release 45b2f01c` lets it go\n";
    assert_eq!(held.stderr, says);
    let shown = machine.recover(&["sessions"]);
    assert!(
        shown.stdout.contains("\n45b2f01c ") && !shown.stdout.contains("session_"),
        "{shown:?}"
    );
    let json = machine.recover(&["sessions", "--json"]);
    assert!(OURS.iter().all(|id| json.stdout.contains(id)), "{json:?}");
}

#[test]
fn a_piece_may_be_digits_and_has_four_characters() {
    let machine = machine();
    let run = machine.recover(&["history", "9c19"]);
    assert_eq!(run.code, 0, "{run:?}");
    for command in ["history", "show", "stats"] {
        let run = machine.recover(&[command, "0123"]);
        assert!(
            run.code == 1 && run.stderr.contains("part of several"),
            "{run:?}"
        );
    }
    let run = machine.recover(&["stats", "9c1"]);
    let says = "no session 9c1, and a piece of an id has at least 4 characters;";
    assert!(run.code == 1 && run.stderr.contains(says), "{run:?}");
}

#[test]
fn a_piece_of_several_ids_lists_them_and_one_of_none_says_what_was_meant() {
    let machine = machine();
    let several = machine.recover(&["show", "b2f01"]);
    assert_eq!(several.code, 1, "{several:?}");
    insta::assert_snapshot!(several.stderr, @r"
    recover: error: b2f01 is part of several sessions, give more of one:
    recover:   aab2f01d (2020-01-02 03:04, recovered, project)
    recover:   45b2f01c (2020-01-02 03:04, recovered, project)
    ");
    for (typed, says) in [
        ("9c19e2ab", "did you mean 9c19e2aa?"),
        ("jbo-10", "did you mean job-10?"),
        (
            "nothing",
            "no session nothing; `recover sessions --all` lists them",
        ),
        ("10", "no session 10; `recover show --last 10`"),
    ] {
        let run = machine.recover(&["show", typed]);
        assert_eq!(run.code, 1, "{run:?}");
        assert!(run.stderr.contains(says), "{run:?}");
    }
}

#[test]
fn what_is_gone_for_good_is_named_whole_where_nobody_is_asked() {
    let machine = machine();
    let run = machine.recover(&["clear", "job-1", "--yes"]);
    assert_eq!(run.code, 1, "{run:?}");
    let says = "recover: error: job-1 is a piece of an id, and --yes asks nobody: give the id as shown, job-10\n";
    assert_eq!(run.stderr, says);
    let run = machine.recover(&["clear", "9c19e2aa", "--yes"]);
    assert_eq!(
        (run.code, &*run.stderr),
        (0, "recover: removed 9c19e2aa (1 entry)\n")
    );
    assert_eq!(machine.recover(&["clear", "job-10", "--yes"]).code, 0);
}

#[test]
fn a_session_of_another_workspace_is_said_to_be_of_that() {
    let machine = machine();
    let elsewhere = machine.root().join("elsewhere");
    std::fs::create_dir(&elsewhere).expect("a directory");
    let there = |args: &[&str]| {
        let run = machine.run(machine.command(args).current_dir(&elsewhere));
        assert_eq!(run.code, 0, "{run:?}");
        run.stderr
    };
    let says = "recover: session 9c19e2aa of [ROOT]/project is held; `recover hold --release 9c19e2aa` \
                lets it go\n";
    assert_eq!(there(&["hold", "c19e2"]), says);
    let says = "recover: session 9c19e2aa of [ROOT]/project is not held any more\n";
    assert_eq!(there(&["hold", "--release", "c19e2"]), says);
    let says = "recover: removed 9c19e2aa of [ROOT]/project (1 entry)\n";
    assert_eq!(there(&["clear", "--yes", "9c19e2aa"]), says);
}
