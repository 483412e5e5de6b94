//! A run that is killed: the next one ends what it left and finishes its undo, or says what it
//! found.

use rustix::process::Signal;

use super::{Machine, is_running, read, signal, start, wait_for, write};

#[test]
fn killed_while_verifying_the_next_run_undoes_what_the_fix_changed() {
    let machine = Machine::new();
    write(&machine, "value", "broken\n");
    let script = "grep -q mended value || exit 1; touch ../verifying; exec sleep 61.25";
    let args = [
        "run",
        "--fix",
        "echo mended > value; echo x > new",
        "--",
        "sh",
        "-c",
        script,
    ];
    let mut run = start(&machine, &args);
    wait_for(&machine.root().join("verifying"));
    signal(&run, Signal::KILL);
    run.wait().expect("it ends");
    assert_eq!(read(&machine, "value"), "mended\n");
    let next = machine.recover(&["run", "--", "true"]);
    assert_eq!(next.code, 0, "{next:?}");
    assert!(next.stderr.contains("died here"), "{}", next.stderr);
    assert_eq!(read(&machine, "value"), "broken\n");
    assert!(!machine.work().join("new").exists());
    assert!(!is_running("sleep 61.25"), "what it started has ended");
    let sessions = machine.recover(&["sessions", "--json"]);
    assert!(
        sessions.stdout.contains("\"interrupted\""),
        "{}",
        sessions.stdout
    );
    assert_eq!(
        machine.recover(&["run", "--", "true"]).stderr,
        "",
        "once is enough"
    );
}

#[test]
fn killed_in_the_middle_of_a_fix_a_command_that_passes_passes() {
    let machine = Machine::new();
    write(&machine, "value", "broken\n");
    let fix = "echo half > value; touch ../started; exec sleep 62.25";
    let args = [
        "run",
        "--session",
        "dead",
        "--fix",
        fix,
        "--",
        "grep",
        "-q",
        "mended",
        "value",
    ];
    let mut run = start(&machine, &args);
    wait_for(&machine.root().join("started"));
    signal(&run, Signal::KILL);
    run.wait().expect("it ends");
    for _ in 0..2 {
        let next = machine.recover(&["run", "--", "true"]);
        assert_eq!(next.code, 0, "{next:?}");
        for part in ["value", "recover restore dead", "recover checkpoint"] {
            assert!(next.stderr.contains(part), "{part}\n{}", next.stderr);
        }
        assert_eq!(read(&machine, "value"), "half\n");
        assert!(!is_running("sleep 62.25"));
    }
    let restored = machine.recover(&["restore", "dead"]);
    assert_eq!(restored.code, 0, "{restored:?}");
    assert_eq!(read(&machine, "value"), "broken\n");
    assert_eq!(machine.recover(&["run", "--", "true"]).stderr, "");
}

#[test]
fn killed_after_a_kept_ground_the_next_run_undoes_it() {
    // In the wait after a try that was undone on the ground, and in the middle of that try.
    for (second, seen) in [
        ("echo half 2 > value", "seen-2"),
        ("touch ../second; exec sleep 61.75", "second"),
    ] {
        let machine = Machine::new();
        write(&machine, "value", "broken\n");
        let script = "! grep -q 'half 2' value || touch ../seen-2; \
                      grep -q half value && { echo 'error: two' >&2; exit 2; }; \
                      echo 'error: one' >&2; exit 1";
        let mend = format!("if grep -q half value; then {second}; else echo half > value; fi");
        let args = "run --keep-progress --no-jitter --base-delay 100s --max-delay 100s --fix";
        let args = args.split(' ').chain([&*mend, "--", "sh", "-c", script]);
        let mut run = start(&machine, &args.collect::<Vec<_>>());
        wait_for(&machine.root().join(seen));
        while read(&machine, "value") != "half\n" {
            std::thread::yield_now();
        }
        signal(&run, Signal::KILL);
        run.wait().expect("it ends");
        let next = machine.recover(&["run", "--", "true"]);
        assert_eq!(next.code, 0, "{next:?}");
        assert!(next.stderr.contains("undone: value"), "{next:?}");
        assert_eq!(read(&machine, "value"), "broken\n");
        assert_eq!(machine.recover(&["run", "--", "true"]).stderr, "");
    }
}

/// A machine on which a run was killed in the middle of a fix of `value`.
fn killed_in_a_fix(mark: &str) -> Machine {
    let machine = Machine::new();
    write(&machine, "value", "broken\n");
    let fix = format!("echo half > value; touch ../started; exec {mark}");
    let args = ["run", "--session", "dead", "--fix", &fix, "--"];
    let mut run = start(&machine, &[&args[..], &["false"]].concat());
    wait_for(&machine.root().join("started"));
    signal(&run, Signal::KILL);
    run.wait().expect("it ends");
    machine
}

#[test]
fn killed_in_the_middle_of_a_fix_a_command_that_fails_is_tried_on_the_tree_as_it_was() {
    let machine = killed_in_a_fix("sleep 62.5");
    write(&machine, "later", "by a person\n");
    // It fails on what the killed fix left, and passes on the tree as it was.
    let run = machine.recover(&["run", "--", "grep", "-q", "broken", "value"]);
    assert_eq!(run.code, 0, "{run:?}");
    assert!(
        run.stderr.contains("put back as it was before: "),
        "{run:?}"
    );
    assert_eq!(read(&machine, "value"), "broken\n");
    // Nobody can say what is later than the kill: it is kept, and can be had again.
    let way_back = run
        .stderr
        .split("`recover restore ")
        .nth(1)
        .expect("a way back");
    let id = way_back.split('`').next().expect("an id");
    assert_eq!(machine.recover(&["restore", id]).code, 0);
    assert_eq!(read(&machine, "value"), "half\n");
    assert_eq!(read(&machine, "later"), "by a person\n");
}

#[test]
fn killed_in_the_middle_of_a_fix_a_person_may_want_to_decide() {
    let machine = killed_in_a_fix("sleep 62.75");
    machine.write(
        "user/.config/recover/config.toml",
        "on_leftover = \"stop\"\n",
    );
    let run = machine.recover(&["run", "--fix", "touch fixed", "--", "false"]);
    assert_eq!(run.code, 125, "{run:?}");
    for part in ["value", "recover restore dead", "nothing was changed"] {
        assert!(run.stderr.contains(part), "{part}\n{}", run.stderr);
    }
    assert_eq!(read(&machine, "value"), "half\n");
    assert!(!machine.work().join("fixed").exists());
    assert_eq!(machine.recover(&["run", "--", "true"]).code, 0);
}

#[test]
fn a_restore_ends_what_would_change_the_tree_once_more() {
    let machine = Machine::new();
    write(&machine, "value", "broken\n");
    let fix = "echo half > value; touch ../started; sleep 63.25; echo late > value";
    let mut run = start(&machine, &["run", "--fix", fix, "--", "false"]);
    wait_for(&machine.root().join("started"));
    signal(&run, Signal::KILL);
    run.wait().expect("it ends");
    let restored = machine.recover(&["restore", "--last"]);
    assert_eq!(restored.code, 0, "{restored:?}");
    assert!(!is_running("sleep 63.25"));
    assert_eq!(read(&machine, "value"), "broken\n");
}

#[test]
fn an_attempt_in_which_recover_died_is_told() {
    let machine = Machine::new();
    let args = ["run", "--session", "dead", "--fix", "kill -9 $PPID", "--"];
    let mut run = start(&machine, &[&args[..], &["false"]].concat());
    run.wait().expect("it ends");
    let words = "it is under way, or recover died in it";
    let history = machine.recover(&["history", "dead"]);
    assert!(history.stderr.contains(words), "{history:?}");
    assert!(history.stderr.contains("attempt 1, fix `kill -9 $PPID`"));
    let shown = machine.recover(&["show", "dead"]);
    assert!(shown.stdout.contains(words), "{shown:?}");
    let shown = machine.recover(&["show", "dead", "--json"]);
    let shown = shown.json();
    assert_eq!(shown["entry"], serde_json::Value::Null);
    let events = shown["journal"].as_array().expect("the journal");
    assert!(events.len() >= 3, "{shown}");
}

#[test]
fn a_tree_that_cannot_be_put_back_is_not_called_as_it_was() {
    let machine = Machine::new();
    write(&machine, "value", "broken\n");
    let fix = "cd ..; cp -r project other; mv project moved; mv other project; \
               echo half > project/value";
    let args = ["run", "--session", "s", "--max-attempts", "1", "--fix", fix];
    let run = machine.recover(&[&args[..], &["--", "false"]].concat());
    assert_eq!(run.code, 125, "{run:?}");
    assert!(run.stderr.contains("`recover restore` puts it back"));
    let history = machine.recover(&["history", "s"]);
    assert!(history.stdout.contains("failed"), "{history:?}");
    let next = machine.recover(&["run", "--", "true"]);
    assert_eq!(next.code, 0, "{next:?}");
    let way_back = "`recover restore --whole-tree s`";
    assert!(next.stderr.contains(way_back), "{next:?}");
    let whole = machine.recover(&["restore", "s", "--whole-tree"]);
    assert_eq!(whole.code, 0, "{whole:?}");
    assert_eq!(read(&machine, "value"), "broken\n");
    assert_eq!(machine.recover(&["run", "--", "true"]).code, 0);
}

#[test]
fn after_a_death_the_tree_can_be_accepted_as_it_is() {
    let machine = Machine::new();
    write(&machine, "value", "broken\n");
    let fix = "echo half > value; touch ../started; exec sleep 63.25";
    let mut run = start(&machine, &["run", "--fix", fix, "--", "false"]);
    wait_for(&machine.root().join("started"));
    signal(&run, Signal::KILL);
    run.wait().expect("it ends");
    assert_eq!(machine.recover(&["checkpoint"]).code, 0);
    assert_eq!(machine.recover(&["run", "--", "true"]).code, 0);
    assert_eq!(read(&machine, "value"), "half\n");
}

/// What a run leaves that dies between the copy of itself and the program it starts: its lock, held
/// a moment longer than its life.
#[test]
fn a_lock_that_outlives_its_run_for_a_moment_is_waited_for() {
    let machine = Machine::new();
    write(&machine, "value", "broken\n");
    let script = "grep -q mended value || exit 1; touch ../verifying; exec sleep 64.25";
    let fix = "echo mended > value";
    let mut run = start(&machine, &["run", "--fix", fix, "--", "sh", "-c", script]);
    wait_for(&machine.root().join("verifying"));
    signal(&run, Signal::KILL);
    run.wait().expect("it ends");
    let locks = std::fs::read_dir(machine.state().join("locks")).expect("list the locks");
    let lock = locks.flatten().next().expect("one lock").path();
    let lock = std::fs::File::open(lock).expect("open the lock");
    lock.lock().expect("lock it");
    let next = start(&machine, &["run", "--", "true"]);
    super::until("the next run waits, or has ended", || {
        let name = std::fs::read_to_string(format!("/proc/{}/comm", next.id()));
        name.is_ok_and(|name| name.trim_end() == "recover") && is_at_rest(next.id())
    });
    lock.unlock().expect("unlock it");
    let next = next.wait_with_output().expect("it ends");
    assert!(
        String::from_utf8_lossy(&next.stderr).contains("died here"),
        "{next:?}"
    );
    assert_eq!(read(&machine, "value"), "broken\n");
}

/// Whether a process sleeps or has ended.
fn is_at_rest(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat.rsplit(')').next().unwrap_or_default().trim_start();
    state.starts_with(['S', 'Z'])
}

#[test]
fn what_a_run_left_in_another_tree_is_none_of_this_one() {
    let remade = "cd ..; rm -rf project; mkdir project; cd project; git init -q; echo new > value; \
                  git add .; git commit -qm new";
    let later = [
        "git stash -q; git switch -q other",
        "git commit -qam half",
        remade,
        "rm -rf .git; git init -q; git add .; git commit -qm again",
    ];
    for what in later {
        let machine = Machine::new();
        machine.write("user/.gitconfig", "[user]\nname = n\nemail = n@e\n");
        let shell = |script: &str| {
            let done = machine.run(&mut machine.shell(script));
            assert_eq!(done.code, 0, "{script}: {done:?}");
        };
        write(&machine, "value", "as it is\n");
        shell("git init -q; git add .; git commit -qm first; git switch -qc other");
        shell("echo changed > value; git commit -qam second; git switch -q -");
        let fix = "echo half > value; touch ../started; exec sleep 64.5";
        let args = ["run", "--session", "dead", "--fix", fix, "--", "false"];
        let mut run = start(&machine, &args);
        wait_for(&machine.root().join("started"));
        signal(&run, Signal::KILL);
        run.wait().expect("it ends");
        shell(what);
        let before = read(&machine, "value");
        // It fails here, and passed where the run died.
        let next = machine.recover(&["run", "--", "grep", "-q", "as it is", "value"]);
        assert_eq!(next.code, 1, "{what}: {next:?}");
        assert_eq!(read(&machine, "value"), before, "{what}: {next:?}");
        assert!(
            next.stderr.contains("what it left is left as it is"),
            "{what}: {next:?}"
        );
        let again = machine.recover(&["run", "--", "true"]);
        assert_eq!((again.code, again.stderr.as_str()), (0, ""), "{what}");
    }
}

#[test]
fn what_was_cured_inside_since_a_run_died_stays() {
    let machine = Machine::new();
    write(&machine, "inner/value", "broken\n");
    let done = machine.run(&mut machine.shell("git init -q; git -C inner init -q"));
    assert_eq!(done.code, 0, "{done:?}");
    write(&machine, "value", "broken\n");
    let fix = "echo half > value; touch ../started; exec sleep 65.5";
    let args = ["run", "--session", "dead", "--fix", fix, "--", "false"];
    let mut run = start(&machine, &args);
    wait_for(&machine.root().join("started"));
    signal(&run, Signal::KILL);
    run.wait().expect("it ends");
    let cure = "cd inner && recover run --fix 'echo cured > value' -- grep cured value";
    let cure = cure.replace("recover", env!("CARGO_BIN_EXE_recover"));
    let cured = machine.run(&mut machine.shell(&cure));
    assert_eq!(cured.code, 0, "{cured:?}");
    let run = machine.recover(&["run", "--", "grep", "-q", "broken", "value"]);
    assert_eq!(run.code, 0, "{run:?}");
    assert_eq!(read(&machine, "value"), "broken\n", "{run:?}");
    assert_eq!(read(&machine, "inner/value"), "cured\n", "{run:?}");
    assert!(run.stderr.contains("left as it is now: inner"), "{run:?}");
}

#[test]
fn checkpoints_that_are_gone_or_damaged_are_told_once_and_begun_anew() {
    let machine = killed_in_a_fix("sleep 66.5");
    let checkpoints = machine.state().join("checkpoints");
    let repository = || {
        let dirs = std::fs::read_dir(&checkpoints).expect("list").flatten();
        let mut found = dirs.map(|dir| dir.path().join("git"));
        found.find(|path| path.is_dir()).expect("a repository")
    };
    std::fs::remove_dir_all(repository()).expect("remove the checkpoints");
    let run = machine.recover(&["run", "--", "true"]);
    assert_eq!(run.code, 0, "{run:?}");
    assert!(
        run.stderr
            .contains("are gone: what it left is left as it is"),
        "{run:?}"
    );
    let run = machine.recover(&["run", "--", "true"]);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    let cure = |file: &str| {
        let fix = format!("echo x > {file}");
        machine.recover(&["run", "--fix", &fix, "--", "test", "-e", file])
    };
    assert_eq!(cure("first").code, 0);
    std::fs::write(repository().join("HEAD"), "garbage").expect("damage it");
    std::fs::write(repository().join("config"), "[core").expect("damage it");
    let run = cure("second");
    assert_eq!(run.code, 0, "{run:?}");
    assert!(run.stderr.contains("damaged, and set aside as"), "{run:?}");
    let run = cure("third");
    assert_eq!(run.code, 0, "{run:?}");
    assert!(!run.stderr.contains("set aside"), "{run:?}");
    assert_eq!(machine.recover(&["restore", "--last"]).code, 0);
    assert!(!machine.work().join("third").exists());
}

#[test]
fn however_our_repository_is_damaged_it_is_told_once_and_begun_anew() {
    let damages = [
        "rm -rf git; echo x > git",
        "rm -rf git; ln -s nowhere git",
        "rm -rf git; mkfifo git",
        "rm git/config; mkdir git/config",
        "rm git/HEAD; mkfifo git/HEAD",
        "mkfifo git/packed-refs",
        "rm -rf git/objects; echo x > git/objects",
        "rm root; mkdir root",
        "rm root; mkfifo root",
        ": > root",
        "echo garbage > root",
    ];
    for damage in damages {
        let machine = Machine::new();
        let cure = |file: &str| {
            let fix = format!("echo x > {file}");
            machine.recover(&[
                "run",
                "--deadline",
                "30s",
                "--fix",
                &fix,
                "--",
                "test",
                "-e",
                file,
            ])
        };
        assert_eq!(cure("first").code, 0, "{damage}");
        let script =
            format!("cd ../user/.local/state/auto-recovery/checkpoints/*/ && {{ {damage}; }}");
        assert_eq!(machine.run(&mut machine.shell(&script)).code, 0, "{damage}");
        let told = cure("second");
        assert_eq!(told.code, 0, "{damage}: {told:?}");
        let after = cure("third");
        assert_eq!(after.code, 0, "{damage}: {after:?}");
        assert!(!after.stderr.contains("set aside"), "{damage}: {after:?}");
        assert_eq!(machine.recover(&["restore", "--last"]).code, 0, "{damage}");
        assert!(!machine.work().join("third").exists(), "{damage}");
    }
}
