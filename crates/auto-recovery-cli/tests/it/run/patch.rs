//! What a session changed, as a patch that `git apply` takes in a fresh clone.

use super::{Machine, Run};

fn shell(machine: &Machine, script: &str) -> Run {
    machine.run(&mut machine.shell(script))
}

/// A repository with one file of each sort, a clone of it, and a recovery that changes them all:
/// the second fix builds on the first.
fn recovered() -> Machine {
    let machine = Machine::new();
    let before = "mkdir sub; printf 'a\\nb\\n' > sub/text; printf 'x\\0y' > bin; echo > gone; \
                  echo 1 > 'old name'; ln -s bin link; echo '#!/bin/sh' > tool; git init -q; \
                  git add -A; git -c user.name=n -c user.email=e commit -qm c; \
                  git clone -q . ../fresh";
    let run = shell(&machine, before);
    assert_eq!(run.code, 0, "{run:?}");
    let one = "printf 'a\\nc\\n' > sub/text; printf 'z\\0y\\377' > bin; rm gone; touch step1";
    let two = "chmod +x tool; mv 'old name' 'new name'; ln -sf tool link; \
               printf '1\\0' > \"$(printf 'odd\\n\"\\\\name')\"; mkdir deep; echo x > deep/er; rm step1; \
               printf x > \"$(printf 'caf\\351')\"; touch ok";
    let script = "test -e ok && exit; test -e step1 && { echo 'error: second' >&2; exit 2; }; \
                  echo 'error: first' >&2; exit 1";
    let args = [
        "run",
        "--keep-progress",
        "--session",
        "s",
        "--fix",
        one,
        "--fix",
        two,
        "--max-attempts",
        "1",
        "--",
        "sh",
        "-c",
        script,
    ];
    let run = machine.recover(&args);
    assert_eq!(run.code, 0, "{run:?}");
    machine
}

#[test]
fn the_patch_of_a_session_makes_the_same_tree_of_a_fresh_clone() {
    let machine = recovered();
    let same = "diff -r --exclude=.git --no-dereference . ../project && test -x tool && \
                test ! -e gone && git diff --quiet";
    let script = format!(
        "$RECOVER show --diff s > ../patch && cd ../fresh && git apply --index --3way ../patch && {same}"
    );
    let run = shell(&machine, &script);
    assert_eq!(run.code, 0, "{run:?}");
    // Without an index, and taken back.
    let script = format!(
        "cd ../fresh && git reset -q --hard && git apply ../patch && git add -A && {same} && \
         git apply -R --index ../patch && git diff --quiet HEAD"
    );
    let run = shell(&machine, &script);
    assert_eq!(run.code, 0, "{run:?}");
}

#[test]
fn only_an_empty_directory_is_not_in_a_patch() {
    let machine = Machine::new();
    let run = shell(&machine, "mkdir old; touch old/file; mkdir hollow");
    assert_eq!(run.code, 0, "{run:?}");
    let fix = "mkdir -p d/e empty/deep; touch d/e/f; rm -r old; rmdir hollow";
    let args = [
        "run",
        "--session",
        "s",
        "--fix",
        fix,
        "--",
        "test",
        "-d",
        "d",
    ];
    let run = machine.recover(&args);
    assert_eq!(run.code, 0, "{run:?}");
    let patch = machine.recover(&["show", "--diff", "s"]);
    assert!(patch.stdout.contains("d/e/f"), "{patch:?}");
    let warned: Vec<_> = patch.stderr.lines().collect();
    let expected = [
        "recover: warning: not in the patch: empty: new directory",
        "recover: warning: not in the patch: empty/deep: new directory",
        "recover: warning: not in the patch: hollow: removed directory",
    ];
    assert_eq!(warned, expected, "{patch:?}");
}

#[test]
fn the_patches_of_the_attempts_make_it_too_one_after_the_other() {
    let machine = recovered();
    let script = "for n in 1 2; do $RECOVER show --diff s $n | git -C ../fresh apply --index || exit; \
                  done; cd ../fresh && diff -r --exclude=.git --no-dereference . ../project";
    let run = shell(&machine, script);
    assert_eq!(run.code, 0, "{run:?}");
    let stat = machine.recover(&["show", "--stat", "s", "1"]);
    assert!(stat.stdout.contains("sub/text"), "{stat:?}");
    assert!(stat.stdout.contains("4 files changed"), "{stat:?}");
}

#[test]
fn what_others_change_in_between_is_not_in_it() {
    let machine = Machine::new();
    let run = shell(&machine, "git init -q; echo 1 > mine; touch theirs");
    assert_eq!(run.code, 0, "{run:?}");
    // Somebody else writes while it is waited between two tries of the second fix.
    let script = "test -e ok && exit; test -e step1 && { echo 'error: second' >&2; exit 2; }; \
                  echo 'error: first' >&2; exit 1";
    let outside = "echo 2 > mine; touch step1";
    let other = "test -e ../other || { touch ../other; exit 1; }; touch ok";
    let between = "while ! test -e ../other; do sleep 0.01; done; sleep 0.2; echo theirs > theirs";
    let run = shell(
        &machine,
        &format!(
            "{{ {between}; }} & $RECOVER run --session s --keep-progress --no-jitter --base-delay 1s \
             --fix '{outside}' --fix '{other}' --max-attempts 2 -- sh -c \"{script}\"; wait"
        ),
    );
    assert_eq!(run.code, 0, "{run:?}");
    let stat = machine.recover(&["show", "--stat", "s"]);
    assert!(stat.stdout.contains("mine"), "{stat:?}");
    assert!(!stat.stdout.contains("theirs"), "{stat:?}");
}

#[test]
fn the_patch_of_two_cures_is_both_or_says_which_it_is() {
    let machine = Machine::new();
    let run = shell(&machine, "git init -q");
    assert_eq!(run.code, 0, "{run:?}");
    let cure = |file: &str| {
        let fix = format!("echo cured >> {file}");
        let mends = format!("grep -q cured {file}");
        let args = [
            "run",
            "--session",
            "my run/1",
            "--fix",
            &fix,
            "--",
            "sh",
            "-c",
            &mends,
        ];
        let run = machine.recover(&args);
        assert_eq!(run.code, 0, "{run:?}");
        run
    };
    let run = cure("one");
    assert!(run.stderr.contains("recover show 'my run/1'"), "{run:?}");
    cure("two");
    let show = || machine.recover(&["show", "--stat", "my run/1"]);
    let both = show();
    assert!(both.stdout.contains("2 files changed"), "{both:?}");
    assert_eq!(both.stderr, "");
    // What somebody else did to the same file in between is not ours.
    machine.write("project/one", "theirs\n");
    cure("one");
    let last = show();
    assert!(last.stdout.contains("1 file changed"), "{last:?}");
    for number in [1, 2] {
        let hint = format!("`recover show --stat 'my run/1' {number}` has");
        assert!(last.stderr.contains(&hint), "{last:?}");
    }
}

#[test]
fn a_number_alone_means_an_attempt() {
    let machine = recovered();
    let hint = "no session 1; `recover show --last 1` shows attempt 1 of the newest session here, \
                `recover sessions --all` lists the sessions";
    machine.recover(&["show", "1"]).fails(1, hint);
    machine.recover(&["show", "--diff", "1"]).fails(1, hint);
}

#[test]
fn a_session_without_a_cure_has_no_patch_and_has_its_output() {
    let machine = Machine::new();
    let args = [
        "run",
        "--session",
        "s",
        "--fix",
        "touch x; echo tried",
        "--max-attempts",
        "1",
    ];
    let failing = ["--", "sh", "-c", "echo the first words; exit 3"];
    let run = machine.recover(&[&args[..], &failing].concat());
    assert_eq!(run.code, 3, "{run:?}");
    let run = machine.recover(&["show", "--diff", "s"]);
    assert_eq!((run.code, run.stdout.as_str()), (1, ""), "{run:?}");
    assert!(run.stderr.contains("`recover show --diff s N`"), "{run:?}");
    let run = machine.recover(&["show", "--diff", "s", "1"]);
    assert!(run.stdout.contains("new file mode 100644"), "{run:?}");
    let first = machine.recover(&["show", "--output", "s"]);
    assert!(first.stdout.contains("\nthe first words\n"), "{first:?}");
    assert!(!first.stdout.contains("tried"), "{first:?}");
    let attempt = machine.recover(&["show", "--output", "s", "1"]);
    assert!(attempt.stdout.contains("\ntried\n"), "{attempt:?}");
    let shown = machine.recover(&["show", "s"]);
    let (session, attempts) = shown.stdout.split_once("\nattempt 1").expect("an attempt");
    assert!(session.contains("│ the first words\n"), "{shown:?}");
    assert!(attempts.contains("│ tried\n"), "{shown:?}");
    let run = machine.recover(&["show", "--json", "--diff", "s", "1"]);
    assert_eq!(run.code, 2, "{run:?}");
}

#[test]
fn the_result_is_the_last_line_of_stdout_and_the_same_by_either_name() {
    let machine = Machine::new();
    let told = |args: &[&str]| {
        let run = machine.recover(&[&["run"], args, &["--", "printf", "no end"]].concat());
        assert_eq!(run.code, 0, "{run:?}");
        let lines: Vec<_> = run.stdout.lines().collect();
        assert_eq!((lines.len(), lines[0]), (2, "no end"), "{run:?}");
        let mut result: serde_json::Value = serde_json::from_str(lines[1]).expect("JSON");
        result["timestamp"].take();
        result
    };
    let dash = told(&["--result-file", "-"]);
    assert_eq!(dash["outcome"], "passed");
    assert_eq!(dash, told(&["--json"]));
    assert_eq!(dash, told(&["--json", "--result-file", "-"]));
    assert_eq!(dash, told(&["--hold-output", "--json"]));
    let file = machine.work().join("-");
    assert!(!file.exists());
}

#[test]
fn what_is_in_a_repository_inside_is_left_out_and_named() {
    let says = "not in the patch: sub/q: it is in a repository of its own";
    for (add, apply) in [
        ("git add a sub", "--index --3way"),
        ("git add a", "--index"),
    ] {
        let machine = Machine::new();
        let id = "-c user.name=n -c user.email=e -c advice.addEmbeddedRepo=false";
        let before = format!(
            "git init -q; git init -q sub; echo bad > sub/q; git -C sub add q; \
             git -C sub {id} commit -qm i; echo bad > a; git {id} -c core.x=y {}; \
             git {id} commit -qm c; git clone -q . ../fresh",
            add.trim_start_matches("git ")
        );
        let run = shell(&machine, &before);
        assert_eq!(run.code, 0, "{run:?}");
        let run = shell(
            &machine,
            "$RECOVER run --session s --result-file ../result --fix 'sed -i s/bad/good/ a sub/q' \
             -- sh -c '! grep -q bad a sub/q'",
        );
        assert_eq!(run.code, 0, "{run:?}");
        assert!(run.stderr.contains(says), "{run:?}");
        let shown = shell(&machine, "$RECOVER show --diff s > ../patch");
        assert_eq!(shown.code, 0, "{shown:?}");
        assert!(shown.stderr.contains(says), "{shown:?}");
        let result = std::fs::read_to_string(machine.root().join("result")).expect("a result");
        let result: serde_json::Value = serde_json::from_str(&result).expect("JSON");
        let kept = result["patch"].as_str().expect("a patch");
        let script =
            format!("cmp {kept} ../patch && cd ../fresh && git apply {apply} ../patch && cat a");
        let run = shell(&machine, &script);
        assert_eq!((run.code, &*run.stdout), (0, "good\n"), "{run:?}");
        let stat = machine.recover(&["show", "--stat", "s"]);
        assert!(stat.stdout.contains("sub/q"), "{stat:?}");
    }
}
