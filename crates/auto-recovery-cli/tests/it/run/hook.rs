//! A cure in a hook of git's: what arrives in the commit, and what is named instead.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use super::{Machine, Run};

/// A repository with `a` and `b`, committed, and a hook that wants no line `bad` and mends them.
fn repository(flags: &str) -> Machine {
    let machine = Machine::new();
    let setup = "git init -q . && git config user.name n && git config user.email e@e && \
                 printf '1\\n2\\n3\\n4\\n5\\n6\\n' > a && cp a b && git add . && git commit -qm first";
    let run = machine.run(&mut machine.shell(setup));
    assert_eq!(run.code, 0, "{run:?}");
    machine.write(
        "mend",
        "#!/bin/sh\nfor f in *; do sed -i s/bad/good/ \"$f\"; done\n",
    );
    let recover = env!("CARGO_BIN_EXE_recover");
    let hook = format!(
        "#!/bin/sh\nexec {recover} run {flags} --fix 'sh ../mend' -- sh -c '! grep -q bad *'\n"
    );
    let hook = machine.write("project/.git/hooks/pre-commit", &hook);
    fs::set_permissions(hook, fs::Permissions::from_mode(0o755)).expect("make it executable");
    machine
}

fn shell(machine: &Machine, script: &str) -> Run {
    machine.run(&mut machine.shell(script))
}

#[test]
fn a_commit_fails_on_a_cure_that_stays() {
    let machine = repository("--fail-on-change");
    let run = shell(&machine, "echo bad >> a; git add a; git commit -qm second");
    assert_eq!(run.code, 1, "{run:?}");
    assert!(run.stderr.contains("exits 1: files changed"), "{run:?}");
    let seen = shell(&machine, "git log --oneline | wc -l; tail -n1 a");
    assert_eq!(seen.stdout, "1\ngood\n");
    // As with pre-commit: what was mended is staged by whoever looked at it.
    let again = shell(&machine, "git add a; git commit -qm second");
    assert_eq!(again.code, 0, "{again:?}");
}

#[test]
fn a_cure_outside_the_index_is_named() {
    let machine = repository("");
    let run = shell(&machine, "echo bad >> a; git add a; git commit -qm second");
    assert_eq!(run.code, 0, "{run:?}");
    let says = "warning: the commit takes what is staged, and the cure is not: a · ";
    assert!(run.stderr.contains(says), "{run:?}");
    let committed = shell(&machine, "git show HEAD:a | tail -n1; git diff --name-only");
    assert_eq!(committed.stdout, "bad\na\n");
}

#[test]
fn exactly_what_was_staged_before_is_staged() {
    let machine = repository("--stage");
    machine.write("project/new one", "bad\n");
    // `b` is mended too, and no part of this commit.
    let script = "echo bad >> a; echo bad >> b; git add a 'new one'; git commit -qm second";
    let run = shell(&machine, script);
    assert_eq!(run.code, 0, "{run:?}");
    assert!(run.stderr.contains("staged a, new one\n"), "{run:?}");
    let says = "not staged, for it was not staged before: b\n";
    assert!(run.stderr.contains(says), "{run:?}");
    let committed = shell(
        &machine,
        "git show HEAD:a | tail -n1; git show 'HEAD:new one'; git show HEAD:b | tail -n1; \
         git status --porcelain",
    );
    assert_eq!(committed.stdout, "good\ngood\n6\n M b\n", "{committed:?}");
}

#[test]
fn what_is_staged_in_part_is_named_and_not_swallowed() {
    let machine = repository("--stage");
    let script = "sed -i '1s/.*/bad/' a; git add a; sed -i '6s/.*/mine/' a; git commit -qm second";
    let run = shell(&machine, script);
    assert_eq!(run.code, 0, "{run:?}");
    let says = "not staged, for it is staged in part, and your other changes are not: a\n";
    assert!(run.stderr.contains(says), "{run:?}");
    let committed = shell(&machine, "git show HEAD:a; cat a");
    assert_eq!(
        committed.stdout,
        "bad\n2\n3\n4\n5\n6\ngood\n2\n3\n4\n5\nmine\n"
    );
}

#[test]
fn each_way_to_commit_has_the_cure_or_is_told_why_not() {
    let machine = repository("--stage");
    let run = shell(&machine, "echo bad >> a; git commit -qam second");
    assert_eq!(run.code, 0, "{run:?}");
    let all = shell(
        &machine,
        "git show HEAD:a | tail -n1; git status --porcelain",
    );
    assert_eq!(all.stdout, "good\n", "{all:?} {run:?}");
    let run = shell(&machine, "echo bad >> b; git commit -qm third -- b");
    assert_eq!(run.code, 0, "{run:?}");
    let says = "not staged: b · a commit of named paths has an index of its own";
    assert!(run.stderr.contains(says), "{run:?}");
    let run = shell(&machine, "git add b; git commit -qm fourth");
    assert_eq!(run.code, 0, "{run:?}");
    // A linked work tree has an index of its own.
    let linked = "git worktree add -q ../linked && cd ../linked && echo bad >> a && git add a && \
                  git commit -qm fifth; git show HEAD:a | tail -n1; git status --porcelain";
    let run = shell(&machine, linked);
    assert_eq!(run.stdout, "good\n", "{run:?}");
}

#[test]
fn what_the_cure_removes_and_makes_is_staged_by_the_same_rule() {
    let machine = repository("--stage");
    machine.write("mend", "rm bad-name; echo x > made; sed -i s/bad/good/ a\n");
    let hook = machine.work().join(".git/hooks/pre-commit");
    let text = fs::read_to_string(&hook).expect("the hook");
    let text = text.replace("! grep -q bad *", "! grep -q bad a && test ! -e bad-name");
    fs::write(&hook, text).expect("write the hook");
    let script = "echo x > bad-name; echo bad >> a; git add .; git commit -qm second";
    let run = shell(&machine, script);
    assert_eq!(run.code, 0, "{run:?}");
    let seen = shell(&machine, "git ls-files; git status --porcelain");
    assert_eq!(seen.stdout, "a\nb\n?? made\n", "{seen:?} {run:?}");
}

#[test]
fn an_index_of_another_repository_is_left_alone() {
    let machine = repository("");
    let script = "git init -q ../other; echo bad >> a; git add a; \
                  GIT_INDEX_FILE=../other/.git/index $RECOVER run --stage --fix 'sh ../mend' -- \
                  sh -c '! grep -q bad *'";
    let run = shell(&machine, script);
    assert_eq!(run.code, 0, "{run:?}");
    assert!(run.stderr.contains("is not that of"), "{run:?}");
    let seen = shell(
        &machine,
        "test ! -e ../other/.git/index; git show :a | tail -n1",
    );
    assert_eq!(seen.stdout, "bad\n");
}

/// A check that mends what it finds and fails once for it, as formatters in hooks do.
const MENDS_ITSELF: &str = "if grep -q bad *; then sed -i s/bad/good/ a; exit 1; fi";

#[test]
fn what_the_check_itself_mended_is_named_and_fails_where_changes_do() {
    let check = |flags: &str, code: i32, says: &str| {
        let machine = repository(flags);
        let hook = machine.work().join(".git/hooks/pre-commit");
        let text = fs::read_to_string(&hook).expect("the hook");
        let text = text.replace("! grep -q bad *", MENDS_ITSELF);
        fs::write(&hook, text.replace("sh ../mend", "true")).expect("write the hook");
        // What differed before the check began is the person's own.
        let script = "echo mine >> b; echo bad >> a; git add a; git commit -qm second";
        let run = shell(&machine, script);
        assert_eq!(run.code, code, "{run:?}");
        assert!(run.stderr.contains(says), "{run:?}");
        let seen = shell(&machine, "tail -n1 a; git show :a | tail -n1");
        assert_eq!(seen.stdout, "good\nbad\n", "{seen:?}");
    };
    let named = "warning: the commit takes what is staged, and not what changed while the \
                 command ran: a · `git add` it\n";
    for flags in ["", "--stage", "--retry 1"] {
        check(flags, 0, named);
    }
    check("--fail-on-change", 1, named);
    let fails = "exits 1: files changed";
    check("--stage --fail-on-change", 1, fails);
}

#[test]
fn outside_of_a_hook_what_the_command_itself_changed_fails_where_changes_do() {
    let machine = repository("");
    let run = |flag: &str| {
        let script = format!(
            "git checkout -q . && echo bad >> a && $RECOVER run {flag} --fix true -- sh -c '{MENDS_ITSELF}'"
        );
        shell(&machine, &script)
    };
    let fails = run("--fail-on-change");
    assert_eq!(fails.code, 1, "{fails:?}");
    assert!(!fails.stderr.contains("the commit takes"), "{fails:?}");
    let passes = run("");
    assert_eq!(passes.code, 0, "{passes:?}");
}

#[test]
fn a_link_for_a_directory_and_a_directory_for_a_file_are_staged_or_named() {
    let machine = repository("--stage");
    machine.write(
        "mend",
        "rm -r d; ln -s e d; rm f; mkdir f; echo x > f/x; sed -i s/bad/good/ a\n",
    );
    let hook = machine.work().join(".git/hooks/pre-commit");
    let text = fs::read_to_string(&hook).expect("the hook");
    let text = text.replace("! grep -q bad *", "! grep -q bad a");
    fs::write(&hook, text).expect("write the hook");
    let script = "mkdir d e; touch d/x e/x f; echo bad >> a; git add .; git commit -qm second";
    let run = shell(&machine, script);
    assert_eq!(run.code, 0, "{run:?}");
    let says = "not staged, for a link stands where its directory was: d/x\n";
    assert!(run.stderr.contains(says), "{run:?}");
    let seen = shell(&machine, "git ls-files; git show HEAD:a | tail -n1");
    assert_eq!(seen.stdout, "a\nb\nd/x\ne/x\ngood\n", "{seen:?} {run:?}");
}

/// Has the hook look at `sub/q` too, which is in a repository of its own, and mend it.
fn with_one_inside(machine: &Machine, is_submodule: bool) {
    let make = "git init -q sub && cd sub && echo fine > q && git add q && \
                git -c user.name=n -c user.email=e commit -qm inside && cd ..";
    let add = match is_submodule {
        true => " && git -c advice.addEmbeddedRepo=false add sub && git commit -qm sub --no-verify",
        false => "",
    };
    let run = shell(machine, &format!("{make}{add}"));
    assert_eq!(run.code, 0, "{run:?}");
    machine.write("mend", "sed -i s/bad/good/ a sub/q\n");
    let hook = machine.work().join(".git/hooks/pre-commit");
    let text = fs::read_to_string(&hook).expect("the hook");
    fs::write(&hook, text.replace("bad *", "bad a sub/q")).expect("write the hook");
}

#[test]
fn what_a_cure_changes_in_a_repository_inside_is_named() {
    let stays = "the commit goes on without what the cure changed in a repository of its own: \
                 sub/q · commit it there\n";
    for (flags, code, is_submodule) in [
        ("", 0, true),
        ("--stage", 0, true),
        ("--stage", 0, false),
        ("--fail-on-change", 1, false),
    ] {
        let machine = repository(flags);
        with_one_inside(&machine, is_submodule);
        let run = shell(
            &machine,
            "echo bad > sub/q; echo bad >> a; git add a; git commit -qm second",
        );
        assert_eq!(run.code, code, "{run:?}");
        assert!(run.stderr.contains(stays), "{flags} {run:?}");
        let seen = shell(&machine, "cat sub/q; tail -n1 a");
        assert_eq!(seen.stdout, "good\ngood\n", "{seen:?}");
    }
    // Outside of a hook as well, where changes fail.
    let machine = repository("");
    with_one_inside(&machine, true);
    let run = shell(
        &machine,
        "echo bad > sub/q; $RECOVER run --fail-on-change --fix 'sh ../mend' -- sh -c '! grep -q bad a sub/q'",
    );
    assert_eq!(run.code, 1, "{run:?}");
    let says = "the cure changed what is in a repository of its own: sub/q · commit it there\n";
    assert!(run.stderr.contains(says), "{run:?}");
}

#[test]
fn what_the_check_itself_mended_in_a_repository_inside_is_named() {
    for (flags, code) in [("--stage", 0), ("--fail-on-change", 1)] {
        let machine = repository(flags);
        with_one_inside(&machine, true);
        machine.write("mend", "true\n");
        let hook = machine.work().join(".git/hooks/pre-commit");
        let text = fs::read_to_string(&hook).expect("the hook");
        let check = "if grep -q bad sub/q; then sed -i s/bad/good/ sub/q; exit 1; fi";
        let text = text.replace("! grep -q bad a sub/q", check);
        fs::write(&hook, text).expect("write the hook");
        let script = "echo bad > sub/q; echo x >> a; git add a; git commit -qm second";
        let run = shell(&machine, script);
        assert_eq!(run.code, code, "{run:?}");
        let says = "not what changed while the command ran, in a repository of its own: sub/q · \
                    commit it there\n";
        assert!(run.stderr.contains(says), "{flags} {run:?}");
    }
}

#[test]
fn what_git_is_told_not_to_look_at_is_named() {
    for (flags, how) in [("--stage", "--assume-unchanged"), ("", "--skip-worktree")] {
        let machine = repository(flags);
        let script =
            format!("echo bad >> a; git add a; git update-index {how} a; git commit -qm second");
        let run = shell(&machine, &script);
        assert_eq!(run.code, 0, "{run:?}");
        let says = "not staged, for the index says that git is not to look at it: a · ";
        assert!(run.stderr.contains(says), "{run:?}");
        let seen = shell(&machine, "tail -n1 a; git show HEAD:a | tail -n1");
        assert_eq!(seen.stdout, "good\nbad\n", "{seen:?}");
    }
}

#[test]
fn what_git_reads_in_a_push_keeps_no_command_from_being_run_again() {
    let machine = repository("");
    let recover = env!("CARGO_BIN_EXE_recover");
    let hook =
        format!("#!/bin/sh\nexec {recover} run --fix 'echo good > state' -- grep -q good state\n");
    let hook = machine.write("project/.git/hooks/pre-push", &hook);
    fs::set_permissions(hook, fs::Permissions::from_mode(0o755)).expect("make it executable");
    let push = "git init -q --bare ../there && git push -q ../there HEAD:main";
    let run = shell(&machine, push);
    assert_eq!(run.code, 0, "{run:?}");
    assert!(run.stderr.contains("recovered by fix"), "{run:?}");
    // A pipe of whoever calls the hook is one that the first run empties.
    let piped = format!("{recover} run --fix 'echo good > state' -- grep -q bad state");
    let run = shell(
        &machine,
        &format!("echo x | {{ exec 5<&0 </dev/null; {piped}; }}"),
    );
    assert!(run.stderr.contains("close it with `5<&-`"), "{run:?}");
}
