//! Going back: restore, its own undoing, checkpoints, rollback, clearing.

use super::{Machine, read, write};

fn cured() -> Machine {
    let machine = Machine::new();
    write(&machine, "value", "broken\n");
    let fix = "echo mended > value; echo new > new";
    let args = [
        "--session",
        "s",
        "--fix",
        fix,
        "--",
        "grep",
        "-q",
        "mended",
        "value",
    ];
    let run = machine.recover(&[&["run"][..], &args].concat());
    assert_eq!(run.code, 0, "{run:?}");
    machine
}

#[test]
fn restore_goes_back_and_can_itself_be_taken_back() {
    let machine = cured();
    let back = machine.recover(&["restore", "s"]);
    assert_eq!(back.code, 0, "{back:?}");
    assert_eq!(back.stdout, "new\nvalue\n");
    assert_eq!(read(&machine, "value"), "broken\n");
    let command = back
        .stderr
        .split('`')
        .nth(1)
        .expect("the way back is printed");
    let words: Vec<_> = command.split(' ').skip(1).collect();
    assert_eq!(machine.recover(&words).code, 0, "{command}");
    assert_eq!(read(&machine, "value"), "mended\n");
    assert_eq!(read(&machine, "new"), "new\n");
}

#[test]
fn what_a_restore_replaced_is_named_by_a_piece_of_its_id() {
    let machine = cured();
    let whole = |run: &crate::harness::Run| {
        let told: serde_json::Value = serde_json::from_str(&run.stdout).expect("JSON");
        told["taken_back_by"].as_str().expect("an id").to_owned()
    };
    let first = whole(&machine.recover(&["restore", "s", "--json"]));
    let (piece, short) = (&first[first.len() - 12..], &first[first.len() - 8..]);
    let said = machine.recover(&["restore", "s"]).stderr;
    let expected = format!("`recover restore {short}` takes it back");
    assert!(said.contains(&expected), "{said}");
    let second = whole(&machine.recover(&["restore", piece, "--json"]));
    assert_eq!(read(&machine, "value"), "mended\n");
    let both = machine.recover(&["restore", "restore_"]);
    assert_eq!(both.code, 1, "{both:?}");
    for id in [&first, &second] {
        assert!(both.stderr.contains(&id[id.len() - 8..]), "{both:?}");
    }
    assert!(both.stderr.contains("several ids"), "{both:?}");
    assert_eq!(read(&machine, "value"), "mended\n");
    // From elsewhere it is named as it is shown.
    let elsewhere = machine.home().join("elsewhere");
    std::fs::create_dir(&elsewhere).unwrap();
    let from = |id: &str| machine.run(machine.command(&["restore", id]).current_dir(&elsewhere));
    let refused = from(&second[second.len() - 12..]);
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(
        refused.stderr.contains("of another workspace"),
        "{refused:?}"
    );
    assert_eq!(from(&second[second.len() - 8..]).code, 0);
    assert_eq!(read(&machine, "value"), "broken\n");
}

#[test]
fn restore_takes_back_what_the_session_did_and_not_what_came_later() {
    let machine = cured();
    write(&machine, "value", "edited later\n");
    write(&machine, "unrelated", "mine\n");
    let back = machine.recover(&["restore", "s"]);
    assert_eq!(back.code, 1, "one was left: {back:?}");
    assert_eq!(back.stdout, "new\n");
    assert!(
        back.stderr
            .contains("value was not changed by the session alone"),
        "{back:?}"
    );
    assert_eq!(read(&machine, "value"), "edited later\n");
    assert_eq!(read(&machine, "unrelated"), "mine\n");
    let whole = machine.recover(&["restore", "s", "--whole-tree"]);
    assert_eq!(whole.code, 0, "{whole:?}");
    assert_eq!(read(&machine, "value"), "broken\n");
    assert!(!machine.work().join("unrelated").exists());
}

#[test]
fn a_second_restore_changes_nothing_and_says_how_to_redo() {
    let machine = cured();
    let back = machine.recover(&["restore", "s"]);
    write(&machine, "unrelated", "mine\n");
    let again = machine.recover(&["restore", "s"]);
    assert_eq!((again.code, again.stdout.as_str()), (0, ""), "{again:?}");
    let id = |run: &crate::harness::Run| {
        let id = run
            .stderr
            .split("`recover restore ")
            .nth(1)
            .map(str::to_owned);
        id.expect("the way back")
            .split('`')
            .next()
            .map(str::to_owned)
            .expect("an id")
    };
    assert_eq!(id(&again), id(&back));
    let redone = machine.recover(&["restore", &id(&again)]);
    assert_eq!(redone.code, 0, "{redone:?}");
    assert_eq!(read(&machine, "value"), "mended\n");
    assert_eq!(read(&machine, "new"), "new\n");
    assert_eq!(read(&machine, "unrelated"), "mine\n");
    // The same for a restore that was taken back.
    let again = machine.recover(&["restore", &id(&back)]);
    assert_eq!((again.code, again.stdout.as_str()), (0, ""), "{again:?}");
    assert_eq!(id(&again), id(&redone));
    assert_eq!(machine.recover(&["restore", &id(&again)]).code, 0);
    assert_eq!(read(&machine, "value"), "broken\n");
}

#[test]
fn a_preview_shows_what_would_change_and_changes_nothing() {
    let machine = cured();
    let before = machine.recover(&["sessions", "--json"]).stdout;
    let preview = machine.recover(&["restore", "s", "--preview"]);
    assert_eq!(preview.code, 0, "{preview:?}");
    assert_eq!(preview.stdout, " new   | 1 - (goes)\n value | 2 +-\n");
    assert_eq!(read(&machine, "value"), "mended\n");
    assert_eq!(read(&machine, "new"), "new\n");
    assert_eq!(machine.recover(&["sessions", "--json"]).stdout, before);
    write(&machine, "value", "edited later\n");
    let preview = machine.recover(&["restore", "s", "--preview", "--json"]);
    assert_eq!(preview.code, 1, "{preview:?}");
    let parsed: serde_json::Value = serde_json::from_str(&preview.stdout).expect("JSON");
    assert_eq!(parsed["foreign"], serde_json::json!(["value"]));
    let whole = machine.recover(&["restore", "s", "--preview", "--whole-tree"]);
    assert!(whole.stdout.contains("value | 2 +-"), "{whole:?}");
}

#[test]
fn what_later_attempts_changed_goes_back_to_how_an_attempt_left_it() {
    let machine = Machine::new();
    write(&machine, "value", "broken\n");
    let first = "echo one > value; echo one > first";
    let second = "echo two > value; echo two > second; echo mended >> value";
    let args = [
        "run",
        "--session",
        "s",
        "--max-attempts",
        "1",
        "--keep-progress",
    ];
    let fixes = ["--fix", first, "--fix", second];
    let check = "grep -q broken value && exit 1; grep -q mended value || exit 2";
    let run = machine.recover(&[&args[..], &fixes, &["--", "sh", "-c", check]].concat());
    assert_eq!(run.code, 0, "{run:?}");
    assert_eq!(machine.recover(&["restore", "s", "1"]).code, 0);
    assert_eq!(read(&machine, "value"), "one\n");
    assert_eq!(read(&machine, "first"), "one\n");
    assert!(!machine.work().join("second").exists());
    // The whole session can still be taken back from there.
    let back = machine.recover(&["restore", "s"]);
    let (code, paths) = (back.code, back.stdout.as_str());
    assert_eq!((code, paths), (0, "first\nvalue\n"), "{back:?}");
    assert_eq!(read(&machine, "value"), "broken\n");
}

#[test]
fn the_tree_after_an_attempt_can_be_had_although_it_was_undone() {
    let machine = Machine::new();
    write(&machine, "value", "broken\n");
    let args = [
        "--base-delay",
        "1ms",
        "--session",
        "s",
        "--fix",
        "echo try >> value",
    ];
    machine.recover(&[&["run"][..], &args, &["--", "false"]].concat());
    assert_eq!(read(&machine, "value"), "broken\n");
    assert_eq!(machine.recover(&["restore", "s", "2"]).code, 0);
    assert_eq!(read(&machine, "value"), "broken\ntry\n");
    assert_eq!(machine.recover(&["restore", "s", "9"]).code, 1);
}

#[test]
fn what_is_not_there_is_named_with_the_way_out() {
    let machine = cured();
    let run = machine.recover(&["restore", "nobody"]);
    assert_eq!(run.code, 1);
    assert!(
        run.stderr
            .contains("no session or checkpoint nobody; `recover sessions --all` and"),
        "{run:?}"
    );
}

#[test]
fn rollback_goes_to_the_tree_that_was_marked() {
    let machine = Machine::new();
    write(&machine, "value", "good\n");
    let marked = machine.recover(&["checkpoint"]);
    assert_eq!(marked.code, 0, "{marked:?}");
    write(&machine, "value", "bad\n");
    let run = machine.recover(&["run", "--rollback", "--", "grep", "-q", "good", "value"]);
    assert_eq!(run.code, 0, "{run:?}");
    assert!(run.stderr.contains("marked as good"), "{}", run.stderr);
    assert_eq!(read(&machine, "value"), "good\n");
}

#[test]
fn rollback_does_not_go_behind_commits_without_being_told_to() {
    let machine = Machine::new();
    let git = |args: &str| {
        let script = format!("git -c user.name=t -c user.email=t@t {args}");
        let done = machine.shell(&script).output().expect("run git");
        assert!(done.status.success(), "{args}: {done:?}");
    };
    git("init -q");
    write(&machine, "value", "good\n");
    git("add -A");
    git("commit -qm first");
    let marked = machine.recover(&["checkpoint"]);
    let id = marked.stdout.trim().to_owned();
    let check = ["--", "grep", "-q", "good", "value"];
    // On the same commit, a rollback needs no more.
    write(&machine, "value", "bad\n");
    let run = machine.recover(&[&["run", "--rollback"][..], &check].concat());
    assert_eq!(run.code, 0, "{run:?}");
    // From a later commit, it must be asked for by name.
    write(&machine, "value", "bad\n");
    write(&machine, "since", "work\n");
    git("add -A");
    git("commit -qm second");
    let run = machine.recover(&[&["run", "--rollback"][..], &check].concat());
    assert_eq!(run.code, 1, "{run:?}");
    assert_eq!(read(&machine, "since"), "work\n");
    assert_eq!(read(&machine, "value"), "bad\n");
    // The last good tree is the one on which the first rollback passed: the same as the mark.
    assert!(run.stderr.contains("HEAD was"), "{run:?}");
    assert!(run.stderr.contains("--rollback="), "{run:?}");
    let told = format!("--rollback={id}");
    let run = machine.recover(&[&["run", &told][..], &check].concat());
    assert_eq!(run.code, 0, "{run:?}");
    assert_eq!(read(&machine, "value"), "good\n");
}

#[test]
fn a_rollback_that_names_nothing_is_refused_before_the_command_runs() {
    let machine = Machine::new();
    for target in [
        "0123",
        "0123456789012345678901234567890123456789",
        "git:HEAD",
        "git:",
    ] {
        let flag = format!("--rollback={target}");
        let run = machine.recover(&["run", &flag, "--", "sh", "-c", "touch ran"]);
        assert_eq!(run.code, 125, "{target}: {run:?}");
        assert!(!machine.work().join("ran").exists(), "{target}");
    }
    assert!(!machine.state().exists());
}

#[test]
fn commits_that_an_attempt_made_are_named_with_the_way_back() {
    let machine = Machine::new();
    let git = "git -c user.name=t -c user.email=t@t";
    let script = format!("git init -q; echo 1 > value; git add -A; {git} commit -qm first");
    assert!(machine.shell(&script).status().expect("run git").success());
    let head = || {
        let log = machine
            .shell("git log --format=%s")
            .output()
            .expect("run git");
        String::from_utf8(log.stdout).expect("UTF-8")
    };
    let fix = format!("echo 2 > value; {git} commit -qam 'an agent was here'");
    let run = machine.recover(&["run", "--max-attempts", "1", "--fix", &fix, "--", "false"]);
    assert_eq!(run.code, 1, "{run:?}");
    assert!(run.stderr.contains("an agent was here"), "{run:?}");
    assert!(!run.stderr.contains("the tree is as it was"), "{run:?}");
    assert_eq!(read(&machine, "value"), "1\n");
    let way_back = run
        .stderr
        .split('`')
        .find(|text| text.starts_with("git reset --soft"));
    let way_back = way_back.expect("the way back");
    assert!(machine.shell(way_back).status().expect("run git").success());
    assert_eq!(head(), "first\n");
    let staged = machine
        .shell("git diff --cached")
        .output()
        .expect("run git");
    assert!(String::from_utf8_lossy(&staged.stdout).contains("+2"));
}

#[test]
fn stashes_that_an_attempt_made_or_took_away_are_named_with_the_way_back() {
    let machine = Machine::new();
    let git = "git -c user.name=t -c user.email=t@t";
    let script = format!(
        "git init -q; echo 1 > value; git add -A; {git} commit -qm first; \
         echo kept > value; {git} stash -q; echo 2 > value; git add value; echo 3 > value"
    );
    assert!(machine.shell(&script).status().expect("run git").success());
    let seen = |command: &str| {
        let done = machine.shell(command).output().expect("run git");
        assert!(done.status.success(), "{command}: {done:?}");
        String::from_utf8(done.stdout).expect("UTF-8")
    };
    let state = || [seen("git diff --cached"), seen("git diff")];
    let before = state();
    let way_back = |fix: &str, begins: &str| {
        let args = ["run", "--max-attempts", "1", "--fix", fix, "--", "false"];
        let run = machine.recover(&args);
        assert_eq!(run.code, 1, "{run:?}");
        assert!(!run.stderr.contains("the tree is as it was"), "{run:?}");
        assert_eq!(read(&machine, "value"), "3\n", "{run:?}");
        let found = run.stderr.split('`').find(|text| text.starts_with(begins));
        found
            .unwrap_or_else(|| panic!("no way back: {run:?}"))
            .to_owned()
    };
    let back = way_back(&format!("{git} stash -q"), "git read-tree");
    assert_ne!(state(), before);
    seen(&back);
    assert_eq!(state(), before);
    seen("git stash drop -q");
    let kept = seen("git rev-parse stash@{0}");
    let back = way_back("git stash drop -q", "git stash store");
    seen(&back);
    assert_eq!(seen("git rev-parse stash@{0}"), kept);
}

#[test]
fn clearing_a_session_removes_its_outputs_and_checkpoints() {
    let machine = cured();
    let outputs = machine.state().join("outputs/s");
    assert!(outputs.join("000.log").exists());
    assert_eq!(machine.recover(&["clear", "s", "--yes"]).code, 0);
    assert!(!outputs.exists());
    assert_eq!(machine.recover(&["restore", "s"]).code, 1);
    assert_eq!(read(&machine, "value"), "mended\n");
}

#[test]
fn an_ignore_file_that_the_fix_wrote_hides_nothing_from_a_restore() {
    let machine = Machine::new();
    write(&machine, "value", "broken\n");
    let fix = "echo mended > value; echo '*' > .gitignore; mkdir d; touch d/new hidden";
    let args = [
        "run",
        "--session",
        "s",
        "--fix",
        fix,
        "--",
        "grep",
        "-q",
        "mended",
        "value",
    ];
    assert_eq!(machine.recover(&args).code, 0);
    let back = machine.recover(&["restore", "s"]);
    assert_eq!(back.code, 0, "{back:?}");
    assert_eq!(back.stdout, ".gitignore\nd\nd/new\nhidden\nvalue\n");
    let left = std::fs::read_dir(machine.work()).expect("list the project");
    assert_eq!(left.flatten().count(), 1);
    let id = back
        .stderr
        .split("`recover restore ")
        .nth(1)
        .expect("the way back");
    let id = id.split('`').next().expect("an id");
    assert_eq!(machine.recover(&["restore", id]).code, 0);
    assert!(machine.work().join("d/new").exists());
    // Of a whole tree, what is ignored by now may be anybody's.
    let whole = machine.recover(&["restore", "s", "--whole-tree"]);
    assert_eq!(whole.code, 1, "{whole:?}");
    assert!(whole.stderr.contains("ignored by now"), "{whole:?}");
    assert!(machine.work().join("hidden").exists());
}

#[test]
fn what_a_restore_left_is_the_sessions_too() {
    let machine = Machine::new();
    write(&machine, "value", "base\n");
    let fix = "echo t$RECOVER_ATTEMPT >> value; touch made$RECOVER_ATTEMPT";
    let args = [
        "run",
        "--session",
        "s",
        "--base-delay",
        "1ms",
        "--max-attempts",
        "2",
    ];
    let run = machine.recover(&[&args[..], &["--fix", fix, "--", "false"]].concat());
    assert_eq!(run.code, 1, "{run:?}");
    let made = || ["made1", "made2"].map(|name| machine.work().join(name).exists());
    for (tree, value, is_made) in [
        ("1", "base\nt1\n", [true, false]),
        ("2", "base\nt2\n", [false, true]),
        ("1", "base\nt1\n", [true, false]),
        ("", "base\n", [false, false]),
    ] {
        let args = ["restore", "s", tree];
        let args = args.into_iter().filter(|arg| !arg.is_empty());
        let restored = machine.recover(&args.collect::<Vec<_>>());
        assert_eq!(restored.code, 0, "{tree}: {restored:?}");
        assert_eq!(
            (&*read(&machine, "value"), made()),
            (value, is_made),
            "{tree}"
        );
    }
    // A person's own edit remains a person's.
    write(&machine, "value", "mine\n");
    assert_eq!(machine.recover(&["restore", "s", "2"]).code, 1);
    assert_eq!(read(&machine, "value"), "mine\n");
}

#[test]
fn a_session_that_worked_in_two_workspaces_is_taken_back_in_each() {
    let machine = Machine::new();
    let elsewhere = machine.root().join("elsewhere");
    std::fs::create_dir(&elsewhere).expect("make a directory");
    let places = [machine.work(), elsewhere];
    let recover = |place: &std::path::Path, args: &[&str]| {
        machine.run(machine.command(args).current_dir(place))
    };
    let mend = |place: &std::path::Path| {
        std::fs::write(place.join("value"), "broken\n").expect("write");
        // Equal trees within one second would be one checkpoint.
        std::fs::write(place.join("where"), place.as_os_str().as_encoded_bytes()).expect("write");
        let fix = [
            "run",
            "--session",
            "s",
            "--fix",
            "echo mended > value",
            "--",
        ];
        let run = recover(
            place,
            &[&fix[..], &["grep", "-q", "mended", "value"]].concat(),
        );
        assert_eq!(run.code, 0, "{run:?}");
    };
    let value =
        |place: &std::path::Path| std::fs::read_to_string(place.join("value")).expect("read");
    for (here, there) in [(0, 1), (1, 0)] {
        let (here, there): (&std::path::Path, &std::path::Path) = (&places[here], &places[there]);
        places.iter().for_each(|place| mend(place));
        let back = recover(here, &["restore", "--last"]);
        assert_eq!(
            (back.code, back.stdout.as_str()),
            (0, "value\n"),
            "{back:?}"
        );
        let name = there.file_name().expect("a name").to_string_lossy();
        let other = format!("worked in [ROOT]/{name} too");
        assert!(back.stderr.contains(&other), "{back:?}");
        assert_eq!(value(here), "broken\n");
        assert_eq!(value(there), "mended\n");
        let back = recover(there, &["undo"]);
        assert_eq!(
            (back.code, back.stdout.as_str()),
            (0, "value\n"),
            "{back:?}"
        );
        assert_eq!(value(there), "broken\n");
        machine.recover(&["clear", "s", "--yes"]);
    }
    places.iter().for_each(|place| mend(place));
    let back = recover("/".as_ref(), &["restore", "s"]);
    assert_eq!(back.code, 0, "{back:?}");
    assert!(
        back.stderr.contains(" too: `recover restore s` there"),
        "{back:?}"
    );
    machine.recover(&["clear", "s", "--yes"]);
    // An attempt belongs to the workspace it was made in, whatever the current directory is.
    places.iter().for_each(|place| mend(place));
    std::fs::write(places[1].join("value"), "mended\nmore\n").expect("write");
    let back = recover(&places[0], &["restore", "s", "2", "--whole-tree"]);
    assert_eq!(
        (back.code, back.stdout.as_str()),
        (0, "value\n"),
        "{back:?}"
    );
    assert_eq!(value(&places[1]), "mended\n");
}

#[test]
fn a_workspace_that_was_moved_is_named_with_the_way_out() {
    let machine = cured();
    let (old, new) = (machine.work(), machine.root().join("moved"));
    std::fs::rename(&old, &new).expect("move it");
    let back = machine.run(machine.command(&["restore", "s"]).current_dir(&new));
    assert_eq!(back.code, 1, "{back:?}");
    let told = "[ROOT]/project, is not there any more";
    assert!(back.stderr.contains(told), "{back:?}");
    assert!(back.stderr.contains("`mv NEW_PLACE "), "{back:?}");
    std::fs::rename(&new, &old).expect("do as told");
    let back = machine.recover(&["restore", "s"]);
    assert_eq!(back.code, 0, "{back:?}");
    assert_eq!(read(&machine, "value"), "broken\n");
}

#[test]
fn what_no_checkpoint_holds_of_a_cure_is_named_by_the_undo() {
    let machine = Machine::new();
    let setup = "git init -q . && echo '*.env' > .gitignore && echo K > gone.env && \
                 echo K > changed.env && echo bad > state && git add -A";
    assert_eq!(machine.run(&mut machine.shell(setup)).code, 0);
    let fix = "rm gone.env; echo L > changed.env; echo N > new.env; echo good > state";
    let args = ["run", "--fix", fix, "--", "grep", "-q", "good", "state"];
    let run = machine.recover(&args);
    assert_eq!(run.code, 0, "{run:?}");
    let undone = machine.recover(&["undo"]);
    assert_eq!(undone.code, 1, "{undone:?}");
    for says in [
        "gone.env is gone since attempt 1: ignored, and no checkpoint holds it",
        "changed.env was left by attempt 1 and stays: ignored, and no checkpoint holds it",
    ] {
        assert!(undone.stderr.contains(says), "{undone:?}");
    }
    assert_eq!(read(&machine, "state"), "bad\n");
    // Whoever mended it by hand is told no more of it.
    machine.write("project/gone.env", "K\n");
    let again = machine.recover(&["undo"]);
    assert!(!again.stderr.contains("gone.env"), "{again:?}");
}

#[test]
fn a_git_directory_that_has_its_name_again_is_not_told_to_be_gone() {
    let machine = Machine::new();
    let setup = "git init -q . && echo x > a && git add a && \
                 git -c user.name=n -c user.email=e@e commit -qm first";
    assert_eq!(machine.run(&mut machine.shell(setup)).code, 0);
    let args = [
        "run",
        "--max-attempts",
        "1",
        "--fix",
        "mv .git .git_off",
        "--",
        "false",
    ];
    let run = machine.recover(&args);
    assert_eq!(run.code, 1, "{run:?}");
    assert!(run.stderr.contains("renamed back: .git"), "{run:?}");
    assert!(!run.stderr.contains("is gone"), "{run:?}");
    assert!(machine.work().join(".git/HEAD").exists());
}
