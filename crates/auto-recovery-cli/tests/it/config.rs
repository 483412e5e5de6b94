//! Where settings come from, and what is refused.

use serde_json::{Value, json};

use crate::harness::{Machine, Run, keys};

/// The value of `key` and where `recover config` says that it came from.
fn setting(run: &Run, key: &str) -> (Value, String) {
    let rows = run.json();
    let row = rows
        .as_array()
        .expect("an array")
        .iter()
        .find(|row| row["key"] == key)
        .unwrap_or_else(|| panic!("no setting {key} in {rows}"))
        .clone();
    assert_eq!(keys(&row), ["key", "value", "origin"]);
    (
        row["value"].clone(),
        row["origin"].as_str().expect("text").to_owned(),
    )
}

fn config(machine: &Machine) -> Run {
    machine.recover(&["config", "--json"])
}

#[test]
fn a_fresh_machine_has_only_defaults() {
    let machine = Machine::new();
    let run = machine.run(
        machine
            .command(&["config"])
            .env("RECOVER_STATE_DIR", "/state"),
    );
    insta::assert_snapshot!(run.quiet(), @r"
    SETTING               VALUE         FROM
    store                 jsonl:/state  default
    state_dir             /state        environment RECOVER_STATE_DIR
    durability            sync          default
    color                 auto          default
    retention.older_than  none          default
    retention.keep_last   none          default
    retention.max_size    none          default
    retention.archive     none          default
    redact.off            false         default
    redact.fixers         masked        default
    redact.values_file    none          default
    fix                   none          default
    alternative           none          default
    retry                 none          default
    retry_for             none          default
    max_attempts          3             default
    base_delay            1s            default
    max_delay             1m            default
    jitter                true          default
    attempt_timeout       none          default
    deadline              none          default
    grace                 10s           default
    protect               none          default
    allow                 safe          default
    approve               none          default
    on_escalate           none          default
    rollback              none          default
    keep_progress         false         default
    keep_failed_changes   false         default
    checkpoint            true          default
    pty                   true          default
    hold_stdout           false         default
    hold_output           false         default
    fail_on_flaky         false         default
    fail_on_change        false         default
    stage                 false         default
    confirm               false         default
    on_leftover           none          default
    on_audit_failure      stop          default
    seal.when             attempts      default
    seal.publish          none          default
    seal.witnesses        none          default
    learn.mode            advise        default
    learn.scope           user          default
    learn.person          10m           default
    learn.control         0%            default
    ");
}

#[test]
fn the_strongest_place_wins() {
    let machine = Machine::new();
    machine.write(
        "user/.config/recover/config.toml",
        "durability = \"flush\"\n\nmax_attempts = 7\ngrace = \"1m30s\"\n",
    );
    machine.write("project/recover.toml", "# the project\nmax_attempts = 5\n");
    let run = config(&machine);
    let root = machine.root().display();
    assert_eq!(
        setting(&run, "max_attempts"),
        (json!(5), format!("{root}/project/recover.toml:2"))
    );
    assert_eq!(
        setting(&run, "grace"),
        (
            json!("1m30s"),
            format!("{root}/user/.config/recover/config.toml:4")
        )
    );
    assert_eq!(
        setting(&run, "base_delay"),
        (json!("1s"), "default".to_owned())
    );

    let run = machine.run(
        machine
            .command(&["config", "--json"])
            .env("RECOVER_DURABILITY", "sync"),
    );
    assert_eq!(
        setting(&run, "durability"),
        (json!("sync"), "environment RECOVER_DURABILITY".to_owned())
    );
}

#[test]
fn the_store_is_named_by_flag_then_environment_then_file() {
    let machine = Machine::new();
    machine.write(
        "user/.config/recover/config.toml",
        "store = \"jsonl:trails\"\n",
    );
    let root = machine.root().display().to_string();
    assert_eq!(
        setting(&config(&machine), "store"),
        (
            json!(format!("jsonl:{root}/user/.config/recover/trails")),
            format!("{root}/user/.config/recover/config.toml:1")
        )
    );
    let run = machine.run(
        machine
            .command(&["config", "--json"])
            .env("RECOVER_STORE", "jsonl:/e"),
    );
    assert_eq!(
        setting(&run, "store"),
        (json!("jsonl:/e"), "environment RECOVER_STORE".to_owned())
    );
    let run = machine.run(
        machine
            .command(&["config", "--json", "--store", "jsonl:f"])
            .env("RECOVER_STORE", "jsonl:/e"),
    );
    assert_eq!(
        setting(&run, "store"),
        (
            json!(format!("jsonl:{root}/project/f")),
            "flag --store".to_owned()
        )
    );
}

#[test]
fn the_state_follows_the_environment() {
    let machine = Machine::new();
    let run = machine.run(
        machine
            .command(&["config", "--json"])
            .env("XDG_STATE_HOME", "/x"),
    );
    assert_eq!(setting(&run, "state_dir").0, json!("/x/auto-recovery"));
    assert_eq!(setting(&run, "store").0, json!("jsonl:/x/auto-recovery"));
    let run = machine.run(
        machine
            .command(&["config", "--json"])
            .env("XDG_STATE_HOME", "relative"),
    );
    assert_eq!(setting(&run, "state_dir").0, json!(machine.state()));
    let run = machine.run(
        machine
            .command(&["config", "--json"])
            .env("RECOVER_STATE_DIR", "/y"),
    );
    assert_eq!(
        setting(&run, "state_dir"),
        (json!("/y"), "environment RECOVER_STATE_DIR".to_owned())
    );
    // Set to nothing counts as not set.
    let run = machine.run(
        machine
            .command(&["config", "--json"])
            .env("RECOVER_STATE_DIR", ""),
    );
    assert_eq!(setting(&run, "state_dir").1, "default");
}

#[test]
fn no_color_is_the_only_other_variable() {
    let machine = Machine::new();
    let run = machine.run(machine.command(&["config", "--json"]).env("NO_COLOR", "1"));
    assert_eq!(
        setting(&run, "color"),
        (json!("never"), "environment NO_COLOR".to_owned())
    );
    // What the user wrote counts after that.
    machine.write("user/.config/recover/config.toml", "color = \"never\"\n");
    assert_eq!(setting(&config(&machine), "color").0, "never");
    let forced = machine.recover(&["config", "--json", "--color", "always"]);
    assert_eq!(
        setting(&forced, "color"),
        (json!("always"), "flag --color".to_owned())
    );
    machine.write("user/.config/recover/config.toml", "color = \"red\"\n");
    let refused = config(&machine);
    assert!(
        refused.stderr.contains("use auto, always or never"),
        "{refused:?}"
    );
    machine.write("user/.config/recover/config.toml", "");
    let plain = config(&machine).stdout;
    let run = machine.run(
        machine
            .command(&["config", "--json"])
            .env("RECOVER_MAX_ATTEMPTS", "9")
            .env("RECOVER_ALLOW", "network")
            .env("RECOVER_JSON", "1"),
    );
    assert_eq!(run.stdout, plain);
}

#[test]
fn the_project_file_is_found_upwards_to_the_workspace_and_no_further() {
    let machine = Machine::new();
    machine.write("project/.git/HEAD", "ref: refs/heads/main\n");
    machine.write("project/recover.toml", "max_attempts = 5\n");
    machine.write("project/a/b/file", "");
    let from = |directory: &str| {
        machine.run(
            machine
                .command(&["config", "--json"])
                .current_dir(machine.root().join(directory)),
        )
    };
    assert_eq!(setting(&from("project/a/b"), "max_attempts").0, json!(5));
    machine.write("project/a/recover.toml", "max_attempts = 6\n");
    assert_eq!(setting(&from("project/a/b"), "max_attempts").0, json!(6));

    // Without a repository the workspace is the directory itself.
    machine.write("plain/recover.toml", "max_attempts = 5\n");
    machine.write("plain/below/file", "");
    assert_eq!(setting(&from("plain"), "max_attempts").0, json!(5));
    assert_eq!(setting(&from("plain/below"), "max_attempts").0, json!(3));

    // A repository below ends the search.
    machine.write("project/sub/.git", "gitdir: ../.git/modules/sub\n");
    assert_eq!(setting(&from("project/sub"), "max_attempts").0, json!(3));
}

#[test]
fn a_project_cannot_set_what_is_the_users_alone() {
    let machine = Machine::new();
    for (key, value) in [
        ("store", "jsonl:/elsewhere"),
        ("state_dir", "/elsewhere"),
        ("durability", "flush"),
        ("on_audit_failure", "continue"),
    ] {
        machine.write("project/recover.toml", &format!("\n{key} = \"{value}\"\n"));
        machine.recover(&["plan", "true"]).fails(
            2,
            &format!(
                "[ROOT]/project/recover.toml:2: `{key}` cannot be set by a project: set it in your own \
                 config.toml"
            ),
        );
    }
}

#[test]
fn a_project_can_lower_what_is_allowed_and_not_raise_it() {
    let machine = Machine::new();
    machine.write("project/recover.toml", "allow = \"moderate\"\n");
    machine.recover(&["plan", "true"]).fails(
        2,
        "[ROOT]/project/recover.toml:1: a project cannot raise `allow` from safe to moderate: pass \
         `--allow moderate`, or set it in your own config.toml",
    );
    machine.write("user/.config/recover/config.toml", "allow = \"network\"\n");
    assert_eq!(setting(&config(&machine), "allow").0, json!("moderate"));
}

#[test]
fn a_named_file_is_read_alone_and_may_set_everything() {
    let machine = Machine::new();
    machine.write("user/.config/recover/config.toml", "max_attempts = 7\n");
    machine.write("project/recover.toml", "base_delay = \"7s\"\n");
    machine.write(
        "ci.toml",
        "allow = \"network\"\non_audit_failure = \"continue\"\n",
    );
    let run = machine.recover(&["config", "--json", "--config", "../ci.toml"]);
    assert_eq!(
        setting(&run, "allow"),
        (json!("network"), "../ci.toml:1".to_owned())
    );
    assert_eq!(setting(&run, "on_audit_failure").0, json!("continue"));
    assert_eq!(setting(&run, "max_attempts").0, json!(3));
    assert_eq!(setting(&run, "base_delay").0, json!("1s"));
    let run = machine.run(
        machine
            .command(&["config", "--json"])
            .env("RECOVER_CONFIG", "../ci.toml"),
    );
    assert_eq!(setting(&run, "allow").0, json!("network"));
    machine
        .recover(&["config", "--config", "none.toml"])
        .fails(2, "configuration file none.toml does not exist");
}

/// What a `recover.toml` says, and what is said of it.
const MISTAKES: &[(&str, &str)] = &[
    (
        "max_atempts = 3\n",
        "1: unknown key `max_atempts`: did you mean `max_attempts`?",
    ),
    (
        "\n[category.transient]\nretries = 3\n",
        "3: unknown key `retries` in [category.transient]: did you mean `retry`?",
    ),
    (
        "[categories.transient]\n",
        "1: unknown key `categories`: did you mean `category`?",
    ),
    (
        "[category.flaky]\nretry = 1\n",
        "1: [category.flaky] names no category: unknown category \"flaky\": use transient, code_quality, test_failure, dependency or unknown",
    ),
    (
        "category = 3\n",
        "1: `category` must be a table, like [category.NAME]",
    ),
    (
        "category.transient = 3\n",
        "1: `category.transient` must be a table, like [category.NAME]",
    ),
    (
        "base_delay = 5\n",
        "1: `base_delay`: a duration needs its unit: write `5s`, `5m`, `5h` or `5d`",
    ),
    (
        "base_delay = true\n",
        "1: `base_delay`: must be a duration in quotes, like \"5m30s\"",
    ),
    ("jitter = \"no\"\n", "1: `jitter`: must be true or false"),
    (
        "max_attempts = 0\n",
        "1: `max_attempts`: must be a whole number from 1 to 4294967295",
    ),
    (
        "fix = \"\"\n",
        "1: `fix`: must be a command: \"text for sh -c\", or [\"program\", \"argument\"]",
    ),
    (
        "fix = [1]\n",
        "1: `fix`: must be a command: \"text for sh -c\", or [\"program\", \"argument\"]",
    ),
    (
        "fix = [\"cargo fmt\", \"make fix\"]\n",
        "1: `fix`: starts no program: a list of texts is one program and its arguments, \
         [\"cargo\", \"fmt\"]; several commands are a list of lists, \
         [[\"sh\", \"-c\", \"cargo fmt\"], …]",
    ),
    (
        "allow = \"all\"\n",
        "1: `allow`: `all` is no tier: use safe, moderate or network",
    ),
    (
        "protect = \"tests/**\"\n",
        "1: `protect`: must be a list of texts, like [\"a\", \"b\"]",
    ),
    ("a = 1\na = 2\n", "2: not valid TOML: duplicate key"),
    (
        "[recipe.x]\noff = true\nfix = \"y\"\n",
        "1: [recipe.x] is off and has a command: remove one of the two",
    ),
    (
        "\n[recipe.x]\ntier = \"safe\"\n",
        "2: [recipe.x] needs either `fix` or `alternative`, or `off = true`",
    ),
    (
        "[recipe.x]\nfx = \"y\"\n",
        "2: unknown key `fx` in [recipe.x]: did you mean `fix`?",
    ),
    (
        "[rule.x]\npattern = \"y\"\n",
        "1: [rule.x] needs a `category`",
    ),
    (
        "[rule.x]\ncategory = \"transient\"\n",
        "1: [rule.x] needs a `pattern` or `exit_codes`",
    ),
];

#[test]
fn mistakes_name_file_line_and_way_out() {
    let machine = Machine::new();
    for (text, says) in MISTAKES {
        machine.write("project/recover.toml", text);
        let run = machine.recover(&["plan", "true"]);
        run.fails(2, &format!("[ROOT]/project/recover.toml:{says}"));
    }
}

#[test]
fn policies_recipes_and_rules_are_all_shown() {
    let machine = Machine::new();
    machine.write(
        "project/recover.toml",
        r#"
fix = "./mend.sh"
alternative = [["make", "slow"], "make other"]
protect = ["tests/**"]

[category.transient]
retry = 8
fix = ["cargo", "update"]

[error_type.ECONNREFUSED]
max_delay = "5m"

[recipe.mine]
tools = ["just"]
fix = ["just", "fmt"]

[recipe.rustfmt]
off = true

[rule.quota]
pattern = "quota exceeded"
category = "transient"
"#,
    );
    machine.write(
        "user/.config/recover/config.toml",
        "protect = [\"docs/**\"]\n[category.transient]\nretry = 2\nmax_attempts = 9\n",
    );
    let run = config(&machine);
    assert_eq!(setting(&run, "fix").0, json!(["./mend.sh"]));
    assert_eq!(
        setting(&run, "alternative").0,
        json!([["make", "slow"], "make other"])
    );
    assert_eq!(setting(&run, "category.transient.retry").0, json!(8));
    assert_eq!(setting(&run, "category.transient.max_attempts").0, json!(9));
    assert_eq!(
        setting(&run, "category.transient.fix").0,
        json!([["cargo", "update"]])
    );
    assert_eq!(
        setting(&run, "error_type.ECONNREFUSED.max_delay").0,
        json!("5m")
    );
    assert_eq!(setting(&run, "recipe.mine").0, json!("on"));
    assert_eq!(setting(&run, "recipe.rustfmt").0, json!("off"));
    assert_eq!(setting(&run, "rule.quota").0, json!("transient"));
    // What is protected adds up: no place can take another's protection away.
    let globs: Vec<_> = run
        .json()
        .as_array()
        .expect("an array")
        .iter()
        .filter(|row| row["key"] == "protect")
        .map(|row| row["value"].clone())
        .collect();
    assert_eq!(globs, [json!("tests/**"), json!("docs/**")]);
}

#[test]
fn the_store_must_be_one_that_there_is() {
    let machine = Machine::new();
    for (url, says) in [
        (
            "/var/audit",
            "the store has no scheme: write it like jsonl:DIR, sqlite:FILE, https://HOST or postgres://USER@HOST/DATABASE",
        ),
        (
            "jsonl:",
            "the jsonl store names no path: write it like jsonl:/var/lib/audit",
        ),
        (
            "sqlite:",
            "the sqlite store names no path: write it like sqlite:/var/lib/audit.db",
        ),
        (
            "jsonl:~/audit",
            "`~` is not expanded in the path of the jsonl store: write the whole path",
        ),
        (
            "mysql://me:hunt/er2@x@h/db?sslpassword=hunter2&x=1",
            "there is no such kind of store: use jsonl:DIR, sqlite:FILE, https://HOST or postgres://USER@HOST/DATABASE",
        ),
        (
            "postgres:db",
            "the postgres store names no database: write it like postgres://USER@HOST/DATABASE",
        ),
    ] {
        machine
            .recover(&["sessions", "--store", url])
            .fails(2, &format!("flag --store: {says}"));
    }
    machine.recover(&["copy", "here", "jsonl:there"]).fails(
        2,
        "argument FROM: the store has no scheme: write it like jsonl:DIR, sqlite:FILE, https://HOST or postgres://USER@HOST/DATABASE",
    );
    let shown = machine.recover(&["config", "--store", "postgres://me:hunter2@h/db", "-v"]);
    assert_eq!(shown.code, 0);
    assert!(!format!("{shown:?}").contains("hunter2"));
}

#[test]
fn the_state_needs_no_home_where_its_place_is_named() {
    let machine = Machine::new();
    let run = machine.run(
        machine
            .command(&["sessions"])
            .env("HOME", "relative")
            .env("RECOVER_STATE_DIR", machine.state()),
    );
    assert_eq!(run.code, 0, "{run:?}");
}

#[test]
fn a_recipe_needs_every_program_that_it_requires() {
    let machine = Machine::new();
    for (requires, expected) in [
        ("\"sh\", \"true\"", true),
        ("\"sh\", \"no-such-tool\"", false),
    ] {
        let recipe = format!(
            "[recipe.own]\nargv = [\"false\"]\nfix = [\"true\"]\nrequires = [{requires}]\n"
        );
        machine.write("project/recover.toml", &recipe);
        let plan = machine.recover(&["plan", "--", "false"]);
        let is_missing = plan.stdout.contains("no-such-tool is not installed");
        assert_eq!(is_missing, !expected, "{plan:?}");
    }
}
