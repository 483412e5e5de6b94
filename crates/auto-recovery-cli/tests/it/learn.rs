//! Learning through the command: a project whose lock file breaks, again and again.

use std::fs;
use std::path::PathBuf;

use crate::harness::Machine;
use crate::serve::Serving;

/// A project whose build fails while its lock is broken. The first fix of the configuration is slow
/// and mends nothing; the second one mends it.
fn project() -> Machine {
    let machine = Machine::new();
    says(&machine, "on");
    machine.write(
        "project/build.sh",
        "grep -q good lock || { echo 'Error: the lock file is out of date' >&2; exit 1; }\n",
    );
    machine.write("project/slow.sh", "sleep 0.1; echo tried >attempted\n");
    machine.write("project/relock.sh", "echo good >lock\n");
    machine
}

/// The user says that learning is `mode`.
fn says(machine: &Machine, mode: &str) {
    machine.write(
        "user/.config/recover/config.toml",
        &format!(
            "max_attempts = 1\n\
             fix = [[\"sh\", \"slow.sh\"], [\"sh\", \"relock.sh\"]]\n\
             [learn]\nmode = \"{mode}\"\n"
        ),
    );
}

/// Breaks the lock, and recovers. Returns what was said, and how many attempts it took.
fn break_and_recover(machine: &Machine) -> (String, u64) {
    machine.write("project/lock", "bad\n");
    let result = machine.root().join("result.json");
    let file = result.to_str().expect("a path of ours is text");
    let run = machine.recover(&["run", "--result-file", file, "--", "sh", "build.sh"]);
    assert_eq!(run.code, 0, "{run:?}");
    let result: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(&result).expect("a result")).expect("JSON");
    let attempts = result["attempts"].as_array().map_or(0, Vec::len);
    (run.stderr, attempts as u64)
}

#[test]
fn what_cured_it_five_times_is_tried_first_and_the_run_says_so() {
    let machine = project();
    let (said, attempts) = break_and_recover(&machine);
    assert_eq!(attempts, 2, "{said}");
    assert!(!said.contains("order"), "{said}");
    for _ in 0..4 {
        break_and_recover(&machine);
    }
    let (said, attempts) = break_and_recover(&machine);
    assert_eq!(attempts, 1, "{said}");
    assert!(said.contains("sh relock.sh first"), "{said}");

    let sessions = machine.recover(&["sessions", "--json"]).json();
    let newest = sessions[0]["session_id"].as_str().unwrap();
    let again = machine.recover(&["advise", "--session", newest]);
    assert_eq!(again.code, 0, "{again:?}");
    assert!(again.stdout.contains("the same advice"), "{again:?}");

    what_history_says_is_a_table(&machine);
    a_plan_shows_both_orders(&machine);
    without_a_summary_the_shipped_order_stays(&machine);
    every_store_says_the_same(&machine);
    the_server_says_the_same(&machine);
    break_and_recover(&machine);

    // The user only wants to be told; then the project wants nothing of it.
    says(&machine, "advise");
    let (said, attempts) = break_and_recover(&machine);
    assert_eq!(attempts, 2, "{said}");
    assert!(said.contains("sh relock.sh first"), "{said}");
    says(&machine, "on");
    machine.write("project/recover.toml", "[learn]\nmode = \"off\"\n");
    let (said, attempts) = break_and_recover(&machine);
    assert_eq!(attempts, 2, "{said}");
    assert!(!said.contains("first"), "{said}");
}

fn every_store_says_the_same(machine: &Machine) {
    let advise = |store: &[&str]| {
        let args = ["advise", "--json"].iter().chain(store);
        let args: Vec<&str> = args.chain(&["--", "sh", "build.sh"]).copied().collect();
        machine.recover(&args).json()
    };
    let advice = advise(&[]);
    assert_eq!(advice["status"], "changed", "{advice}");
    assert_eq!(advice["shipped"][0], advice["order"][1], "{advice}");
    let from = format!("jsonl:{}", machine.state().display());
    for store in ["sqlite:{}.db", "jsonl:{}"] {
        let place = machine.root().join("trails").display().to_string();
        let store = store.replace("{}", &place);
        let copied = machine.recover(&["copy", &from, &store]);
        assert_eq!(copied.code, 0, "{copied:?}");
        assert_eq!(advise(&["--store", &store]), advice, "{store}");
    }
}

fn the_server_says_the_same(machine: &Machine) {
    let command = ["advise", "--json", "--", "sh", "build.sh"];
    let advice = machine.recover(&command).json();
    let server = Serving::start(machine);
    let answer = server.get("/api/v1/advice");
    let body = answer.split_once("\r\n\r\n").expect("an answer").1;
    let told: serde_json::Value = serde_json::from_str(body).expect("JSON");
    assert_eq!(told["items"][0]["advice"], advice, "{answer}");
    assert_eq!(told["items"].as_array().map(Vec::len), Some(1), "{answer}");
    assert_eq!(told["mode"], "on");
    let page = server.get("/advice");
    for piece in [
        "<th scope=\"row\" class=\"failure\">sh relock.sh</th>",
        "1 of 1",
        "0 of 1",
    ] {
        assert!(page.contains(piece), "{piece}: {page}");
    }
}

fn a_plan_shows_both_orders(machine: &Machine) {
    let plan = machine.recover(&["plan", "--", "sh", "build.sh"]).stdout;
    let (advised, shipped) = (
        "is tried: sh relock.sh · sh slow.sh\n",
        "shipped: sh slow.sh · sh relock.sh\n",
    );
    assert!(plan.contains(advised) && plan.contains(shipped), "{plan}");
    let advice = advice_of_plan(machine).expect("a summary is there");
    assert_eq!(advice["status"], "changed", "{advice}");
}

/// The advice in the plan of the one category that has some.
fn advice_of_plan(machine: &Machine) -> Option<serde_json::Value> {
    let plan = machine.recover(&["plan", "--json", "--", "sh", "build.sh"]);
    let plan = plan.json();
    let mut all = plan.as_array().expect("a list").iter();
    all.find_map(|one| one.get("advice").cloned())
}

/// Damaged, newer, and removed; from the journal, all is counted anew.
fn without_a_summary_the_shipped_order_stays(machine: &Machine) {
    let learned = machine.state().join("learned");
    let is_one = |path: &PathBuf| {
        path.extension().is_some_and(|end| end == "json") && !path.ends_with("others.json")
    };
    let summary = kept(machine).into_iter().find(is_one);
    let summary = summary.expect("a run left a summary");
    let whole = fs::read_to_string(&summary).expect("a summary");
    let newer = whole.replacen("\"v\":3", "\"v\":4", 1);
    assert_ne!(newer, whole);
    for text in [&whole[..whole.len() / 2], &newer] {
        fs::write(&summary, text).expect("written");
        assert_eq!(advice_of_plan(machine), None, "{text}");
    }
    machine.recover(&["advise", "--forget"]);
    assert!(!learned.exists());
    assert_eq!(advice_of_plan(machine), None);
    let (said, attempts) = break_and_recover(machine);
    assert_eq!(attempts, 2, "{said}");
    let advice = advice_of_plan(machine).expect("counted anew from the journal");
    assert_eq!(advice["status"], "changed", "{advice}");
}

/// The files of the counts of each store.
fn kept(machine: &Machine) -> Vec<PathBuf> {
    let names = |dir: PathBuf| fs::read_dir(dir).into_iter().flatten().flatten();
    let stores = names(machine.state().join("learned")).map(|store| store.path());
    let files = stores.flat_map(|store| names(store).map(|file| file.path()));
    files.collect()
}

/// What a session was advised comes out again from the journal.
fn agrees(machine: &Machine, store: &[&str]) {
    let sessions = [&["sessions", "--json"], store].concat();
    let sessions = machine.recover(&sessions).json();
    let newest = sessions[0]["session_id"].as_str().expect("an id");
    let again = machine.recover(&[&["advise", "--session", newest], store].concat());
    assert!(again.stdout.contains("the same advice"), "{again:?}");
}

#[test]
fn no_run_is_missed_and_none_is_counted_that_is_not_on_record() {
    let machine = project();
    let missed = |machine: &Machine| kept(machine).iter().any(|path| path.ends_with("missed"));
    for _ in 0..5 {
        break_and_recover(&machine);
    }
    // One that learns nothing says that it was there, and the next one counts it.
    says(&machine, "off");
    break_and_recover(&machine);
    assert!(missed(&machine));
    says(&machine, "on");
    let (said, _) = break_and_recover(&machine);
    assert!(!said.contains("relock.sh first"), "{said}");
    assert!(!missed(&machine));
    let (said, _) = break_and_recover(&machine);
    assert!(said.contains("sh relock.sh first"), "{said}");
    agrees(&machine, &[]);
    // What is taken back is counted at once, and the next run goes by it.
    let undone = machine.recover(&["undo"]);
    assert_eq!(undone.code, 0, "{undone:?}");
    assert!(!missed(&machine));
    break_and_recover(&machine);
    agrees(&machine, &[]);
    // Another store has a history of its own.
    let other = format!("sqlite:{}/other.db", machine.root().display());
    let other = ["--store", &other];
    machine.write("project/lock", "bad\n");
    let run = [&["run"], &other[..], &["--", "sh", "build.sh"]].concat();
    let run = machine.recover(&run);
    assert!(!run.stderr.contains("relock.sh first"), "{run:?}");
    let told = machine.recover(&[&["advise"], &other[..]].concat());
    assert!(told.stdout.contains("too few"), "{told:?}");
}

#[test]
fn advice_is_for_the_command_that_failed_and_options_are_not_its_words() {
    let machine = project();
    for _ in 0..5 {
        break_and_recover(&machine);
    }
    let bare = machine.recover(&["advise", "--json"]).json();
    let typed = machine.recover(&["advise", "--json", "--", "sh", "build.sh"]);
    assert_eq!(bare, typed.json());
    for option in ["--reprot", "--asof=2020-01-01", "--max-attempts"] {
        let refused = machine.recover(&["advise", option]);
        assert_eq!(refused.code, 2, "{refused:?}");
        assert!(refused.stderr.contains("is no option of"), "{refused:?}");
    }
    // On a day before all of it, nothing was known.
    let then = machine.recover(&["advise", "--as-of", "2020-01-01"]);
    assert!(then.stdout.contains("too few"), "{then:?}");
    let failure = r#"{"error_type":"Error","message":"no such thing","source":"sh"}"#;
    let piped = machine.recover_with(&["advise", "--failure", "-"], failure);
    assert!(piped.stdout.contains("sh · Error"), "{piped:?}");
    for wrong in ["[1]", "{", "7"] {
        let refused = machine.recover_with(&["advise", "--failure", "-"], wrong);
        assert_eq!(refused.code, 2, "{refused:?}");
        assert!(refused.stderr.contains("is no failure"), "{refused:?}");
    }
}

#[test]
fn a_project_can_turn_it_off_and_nothing_else() {
    let machine = project();
    machine.write("project/recover.toml", "[learn]\nmode = \"off\"\n");
    let (said, attempts) = break_and_recover(&machine);
    assert_eq!(attempts, 2, "{said}");
    assert!(!machine.state().join("learned").exists());
    for text in ["[learn]\nmode = \"on\"\n", "[learn]\nperson = \"1h\"\n"] {
        machine.write("project/recover.toml", text);
        let run = machine.recover(&["run", "--", "true"]);
        assert_eq!(run.code, 125, "{text}: {run:?}");
    }
}

/// The counts, one a day, in the order in which the steps would be tried.
fn what_history_says_is_a_table(machine: &Machine) {
    let told = machine.recover(&["advise"]);
    let rows: Vec<Vec<&str>> = told
        .stdout
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    let head = "STEP CURED HERE ELSEWHERE CHANCE 90 % TAKES NOW WOULD BE";
    assert_eq!(rows[1].join(" "), head, "{told:?}");
    assert_eq!(
        rows[2][..5],
        ["sh", "relock.sh", "1", "of", "1"],
        "{told:?}"
    );
    assert_eq!(rows[2][rows[2].len() - 2..], ["2", "1"], "{told:?}");
    assert_eq!(rows[3][..5], ["sh", "slow.sh", "0", "of", "1"], "{told:?}");
    let typed = machine.recover(&["advise", "--fix", "sh relock.sh", "--", "sh", "build.sh"]);
    assert!(typed.stdout.contains("sh relock.sh"), "{typed:?}");
}
