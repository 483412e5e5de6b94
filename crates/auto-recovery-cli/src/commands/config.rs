//! `recover config`: every setting and where its value comes from.

use std::path::Path;
use std::time::Duration;

use auto_recovery::Result;
use auto_recovery::wording::typed;
use serde_json::{Value, json};

use crate::commands::config_row::{Row, optional_row, row};
use crate::commands::config_served::{push_remote, push_served};
use crate::context::Context;
use crate::exit::Exit;
use crate::output::{Column, Table};
use crate::settings::{
    CHECKPOINTS, EncryptionSettings, FixerSetting, LearnSettings, Policy, PolicyLayer, Project,
    RecipeChange, RecipeSetting, RedactSettings, RetentionSettings, RollbackTarget, RuleSetting,
    RunSettings, Setting, Settings, StrategyCommand, Trusted, Unread, Untrusted, durability_name,
    human_size,
};

/// Prints every setting and where its value comes from. A file with a mistake, which was named
/// before, is a mistake of this command as well.
pub(crate) fn config(context: &Context) -> Result<Exit> {
    let Context {
        settings, printer, ..
    } = context;
    let rows = rows(settings);
    if printer.json {
        printer.json_lines(&rows)?;
    } else {
        let columns = [
            Column::whole("SETTING"),
            Column::flexible("VALUE", 12),
            Column::flexible("FROM", 20),
        ];
        let mut table = Table::new(&columns, printer.columns);
        for row in &rows {
            let (mut value, mut origin) = (for_people(&row.value), row.origin.clone());
            // A screen has no room for the same beginning in every line; a file has.
            if printer.columns.is_some() {
                (value, origin) = (
                    without_home(&value, settings),
                    origin_here(&origin, settings),
                );
            }
            table.wrapping_row([row.key.as_str(), &value, &origin]);
        }
        printer.text(&table.render())?;
    }
    Ok(match settings.unread.iter().any(|one| one.is_broken) {
        true => Exit::USAGE,
        false => Exit::OK,
    })
}

/// `text` with `~` for the user's home directory.
fn without_home(text: &str, settings: &Settings) -> String {
    match settings
        .home
        .as_deref()
        .filter(|home| *home != Path::new("/"))
    {
        Some(home) => text.replace(&format!("{}/", home.display()), "~/"),
        None => text.to_owned(),
    }
}

/// `origin`, a path in it from the workspace on where it is one of that.
fn origin_here(origin: &str, settings: &Settings) -> String {
    let root = format!("{}/", settings.workspace.display());
    match origin.strip_prefix(&root) {
        Some(below) => below.to_owned(),
        None => without_home(origin, settings),
    }
}

fn rows(settings: &Settings) -> Vec<Row> {
    let Settings {
        store,
        state_dir,
        durability,
        retention,
        served,
        redact,
        encryption,
        remote,
        color,
        run,
        project,
        untrusted,
        unread,
        cwd: _,
        workspace,
        user: _,
        parent_session: _,
        sudo_uid: _,
        makeflags: _,
        home: _,
        login_dir: _,
        search_path: _,
        git_index: _,
        files: _,
        github: _,
    } = settings;
    let mut rows = vec![
        row("store", store, |store| json!(store.to_string())),
        row("state_dir", state_dir, |path| {
            json!(path.display().to_string())
        }),
        row("durability", durability, |value| {
            json!(durability_name(*value))
        }),
        row("color", color, |value| json!(value.as_str())),
    ];
    push_retention(&mut rows, retention);
    push_served(&mut rows, served);
    push_redact(&mut rows, redact);
    push_encryption(&mut rows, encryption);
    push_remote(&mut rows, remote);
    push_run(&mut rows, run);
    let list = Trusted::of(&state_dir.value);
    rows.extend(
        project
            .as_ref()
            .map(|project| trust(project, &list, workspace)),
    );
    rows.extend(untrusted.as_ref().map(not_used));
    rows.extend(unread.iter().map(not_read));
    rows
}

/// What holds for the commands of the project's file.
fn trust(project: &Project, list: &Trusted, workspace: &Path) -> Row {
    let sha256 = project.sha256();
    let said = list.said_of(&project.path, &sha256);
    let value = match said {
        Some(true) => "as it is now",
        _ if list.has(workspace) => "the workspace",
        Some(false) => "refused",
        None if project.commands.is_empty() => "no commands",
        None => "not yet",
    };
    Row {
        key: "trusted".to_owned(),
        value: json!(value),
        origin: format!("{}, SHA-256 {sha256}", project.path.display()),
    }
}

/// What is not used of a file that is not trusted, and why.
fn not_used(untrusted: &Untrusted) -> Row {
    Row {
        key: "not used".to_owned(),
        value: json!(untrusted.unused),
        origin: format!("{}: {}", untrusted.path.display(), untrusted.doubt),
    }
}

/// What stands where a configuration file could, and why it is not read.
fn not_read(unread: &Unread) -> Row {
    Row {
        key: "not read".to_owned(),
        value: json!(unread.path.display().to_string()),
        origin: unread.reason.clone(),
    }
}

fn push_retention(rows: &mut Vec<Row>, retention: &RetentionSettings) {
    let RetentionSettings {
        older_than,
        keep_last,
        max_size,
        archive,
    } = retention;
    rows.push(optional_row("retention.older_than", older_than, duration));
    rows.push(optional_row("retention.keep_last", keep_last, |count| {
        json!(count)
    }));
    rows.push(optional_row("retention.max_size", max_size, |bytes| {
        json!(human_size(*bytes))
    }));
    rows.push(optional_row("retention.archive", archive, |path| {
        json!(path.display().to_string())
    }));
}

fn push_redact(rows: &mut Vec<Row>, redact: &RedactSettings) {
    let RedactSettings {
        env,
        values_file,
        fixers,
        off,
        rules,
    } = redact;
    rows.push(or_default_row("redact.off", off, |off| json!(off)));
    rows.push(or_default_row("redact.fixers", fixers, |what| {
        json!(what.as_str())
    }));
    rows.push(optional_row("redact.values_file", values_file, |path| {
        json!(path.display().to_string())
    }));
    for name in env {
        rows.push(row("redact.env", name, |name| json!(name)));
    }
    for rule in rules {
        let pattern = rule.pattern.as_ref().map(|(pattern, _)| pattern.as_str());
        rows.push(Row {
            key: format!("redact.rule.{}", rule.name),
            value: json!(pattern.unwrap_or("off")),
            origin: rule.origin.to_string(),
        });
    }
}

fn push_encryption(rows: &mut Vec<Row>, encryption: &EncryptionSettings) {
    let EncryptionSettings {
        recipients,
        identity,
        identity_command,
        checkpoints: _,
    } = encryption;
    if let Some(Setting { value, origin }) = recipients {
        rows.extend(value.iter().map(|recipient| Row {
            key: "encryption.recipients".to_owned(),
            value: json!(recipient.to_string()),
            origin: origin.to_string(),
        }));
    }
    if identity.is_some() {
        rows.push(optional_row("encryption.identity", identity, |path| {
            json!(path.display().to_string())
        }));
    }
    if identity_command.is_some() {
        rows.push(optional_row(
            "encryption.identity_command",
            identity_command,
            |command| json!(command.to_string()),
        ));
    }
    if let Some(checkpoints) = &encryption.checkpoints {
        let word = CHECKPOINTS
            .iter()
            .find(|(_, one)| *one == checkpoints.value)
            .map(|(word, _)| *word);
        rows.push(Row {
            key: "encryption.checkpoints".to_owned(),
            value: json!(word),
            origin: checkpoints.origin.to_string(),
        });
    }
}

/// A setting that nobody need set.
fn or_default_row<T: Clone + Default>(
    key: &'static str,
    setting: &Option<Setting<T>>,
    show: impl FnOnce(&T) -> Value,
) -> Row {
    let setting = setting.clone();
    row(
        key,
        &setting.unwrap_or_else(|| Setting::default(T::default())),
        show,
    )
}

fn push_flags<const N: usize>(rows: &mut Vec<Row>, flags: [(&'static str, &Setting<bool>); N]) {
    rows.extend(flags.map(|(key, flag)| row(key, flag, |flag| json!(flag))));
}

fn push_kinds(rows: &mut Vec<Row>, run: &RunSettings) {
    for (category, layer) in &run.categories {
        push_layer(rows, &format!("category.{category}"), layer);
    }
    for (error_type, layer) in &run.error_types {
        push_layer(rows, &format!("error_type.{error_type}"), layer);
    }
}

fn push_run(rows: &mut Vec<Row>, run: &RunSettings) {
    let RunSettings {
        policy,
        categories: _,
        error_types: _,
        grace,
        protect,
        allow,
        approve,
        on_escalate,
        rollback,
        keep_progress,
        keep_failed_changes,
        checkpoint,
        pty,
        hold_stdout,
        fail_on_flaky,
        hold_output,
        fail_on_change,
        stage,
        confirm,
        on_leftover: _,
        on_audit_failure: _,
        seal_when: _,
        seal_publish: _,
        seal_witnesses: _,
        learn,
        recipes,
        rules,
        fixers,
    } = run;
    push_policy(rows, policy);
    rows.push(row("grace", grace, duration));
    if protect.is_empty() {
        rows.push(row("protect", &Setting::default(()), |()| json!([])));
    }
    for glob in protect {
        rows.push(row("protect", glob, |glob| json!(glob)));
    }
    rows.push(row("allow", allow, |tier| json!(tier.as_str())));
    for (key, hook) in [("approve", approve), ("on_escalate", on_escalate)] {
        rows.push(row(key, hook, |hook| {
            hook.as_ref().map_or(Value::Null, command)
        }));
    }
    rows.push(row("rollback", rollback, |to| {
        to.as_ref().map_or(Value::Null, target)
    }));
    push_flags(
        rows,
        [
            ("keep_progress", keep_progress),
            ("keep_failed_changes", keep_failed_changes),
            ("checkpoint", checkpoint),
            ("pty", pty),
            ("hold_stdout", hold_stdout),
            ("hold_output", hold_output),
            ("fail_on_flaky", fail_on_flaky),
            ("fail_on_change", fail_on_change),
            ("stage", stage),
            ("confirm", confirm),
        ],
    );
    push_ends(rows, run);
    push_learn(rows, learn);
    push_kinds(rows, run);
    rows.extend(recipes.iter().map(recipe));
    rows.extend(rules.iter().map(rule));
    rows.extend(fixers.iter().map(fixer));
}

fn push_learn(rows: &mut Vec<Row>, learn: &LearnSettings) {
    let LearnSettings {
        mode,
        scope,
        person,
        control,
    } = learn;
    rows.push(row("learn.mode", mode, |mode| json!(mode.as_str())));
    rows.push(row("learn.scope", scope, |scope| json!(scope.as_str())));
    rows.push(row("learn.person", person, duration));
    rows.push(row("learn.control", control, |control| {
        json!(format!("{control}%"))
    }));
}

/// What becomes of a run that died, of one that cannot be recorded, and of its record.
fn push_ends(rows: &mut Vec<Row>, run: &RunSettings) {
    let RunSettings {
        on_leftover,
        on_audit_failure,
        seal_when,
        seal_publish,
        seal_witnesses,
        ..
    } = run;
    rows.push(row("on_leftover", on_leftover, |what| {
        what.map_or(Value::Null, |what| json!(what.as_str()))
    }));
    rows.push(row("on_audit_failure", on_audit_failure, |what| {
        json!(what.as_str())
    }));
    rows.push(row("seal.when", seal_when, |when| json!(when.as_str())));
    rows.push(row("seal.publish", seal_publish, |command| {
        command
            .as_ref()
            .map_or(Value::Null, |command| json!(command.to_string()))
    }));
    rows.push(row("seal.witnesses", seal_witnesses, |witnesses| {
        json!(
            witnesses
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
        )
    }));
}

/// An agent that is called otherwise, or another one.
fn fixer(fixer: &FixerSetting) -> Row {
    let argv = fixer.change.argv.as_ref();
    Row {
        key: format!("fixer.{}", fixer.change.name),
        value: argv.map_or(json!("changed"), |argv| json!(argv)),
        origin: fixer.origin.to_string(),
    }
}

fn recipe(recipe: &RecipeSetting) -> Row {
    let what = match &recipe.change {
        RecipeChange::Off => "off",
        RecipeChange::Define(_) => "on",
    };
    Row {
        key: format!("recipe.{}", recipe.name),
        value: json!(what),
        origin: recipe.origin.to_string(),
    }
}

fn rule(rule: &RuleSetting) -> Row {
    Row {
        key: format!("rule.{}", rule.name),
        value: json!(rule.category.as_str()),
        origin: rule.origin.to_string(),
    }
}

fn push_policy(rows: &mut Vec<Row>, policy: &Policy) {
    let Policy {
        fix,
        alternative,
        retry,
        retry_for,
        max_attempts,
        base_delay,
        max_delay,
        jitter,
        attempt_timeout,
        deadline,
    } = policy;
    rows.push(row("fix", fix, |list| commands(list)));
    rows.push(row("alternative", alternative, |list| commands(list)));
    rows.push(row("retry", retry, |retry| json!(retry)));
    rows.push(row("retry_for", retry_for, optional_duration));
    rows.push(row("max_attempts", max_attempts, |count| json!(count)));
    rows.push(row("base_delay", base_delay, duration));
    rows.push(row("max_delay", max_delay, duration));
    rows.push(row("jitter", jitter, |flag| json!(flag)));
    rows.push(row("attempt_timeout", attempt_timeout, optional_duration));
    rows.push(row("deadline", deadline, optional_duration));
}

fn push_layer(rows: &mut Vec<Row>, prefix: &str, layer: &PolicyLayer) {
    let PolicyLayer {
        fix,
        alternative,
        retry,
        retry_for,
        max_attempts,
        base_delay,
        max_delay,
        jitter,
        attempt_timeout,
        deadline,
    } = layer;
    let key = |name: &str| format!("{prefix}.{name}");
    rows.extend(
        fix.as_ref()
            .map(|list| row(&key("fix"), list, |list| commands(list))),
    );
    rows.extend(
        alternative
            .as_ref()
            .map(|list| row(&key("alternative"), list, |list| commands(list))),
    );
    rows.extend(
        retry
            .as_ref()
            .map(|count| row(&key("retry"), count, |count| json!(count))),
    );
    rows.extend(
        retry_for
            .as_ref()
            .map(|time| row(&key("retry_for"), time, duration)),
    );
    rows.extend(
        max_attempts
            .as_ref()
            .map(|count| row(&key("max_attempts"), count, |count| json!(count))),
    );
    rows.extend(
        base_delay
            .as_ref()
            .map(|delay| row(&key("base_delay"), delay, duration)),
    );
    rows.extend(
        max_delay
            .as_ref()
            .map(|delay| row(&key("max_delay"), delay, duration)),
    );
    rows.extend(
        jitter
            .as_ref()
            .map(|flag| row(&key("jitter"), flag, |flag| json!(flag))),
    );
    rows.extend(
        attempt_timeout
            .as_ref()
            .map(|limit| row(&key("attempt_timeout"), limit, duration)),
    );
    rows.extend(
        deadline
            .as_ref()
            .map(|limit| row(&key("deadline"), limit, duration)),
    );
}

fn duration(duration: &Duration) -> Value {
    json!(typed(*duration))
}

fn optional_duration(limit: &Option<Duration>) -> Value {
    limit.as_ref().map_or(Value::Null, duration)
}

fn commands(list: &[StrategyCommand]) -> Value {
    list.iter().map(command).collect()
}

/// A command as a file would say it: text for `sh -c`, or a list of words.
fn command(command: &StrategyCommand) -> Value {
    match command {
        StrategyCommand::Shell(text) => json!(text),
        StrategyCommand::Agent(_) => json!(command.to_string()),
        StrategyCommand::Argv(words) => json!(words),
    }
}

fn target(target: &RollbackTarget) -> Value {
    match target {
        RollbackTarget::LastGood => json!("last-good"),
        RollbackTarget::Checkpoint(id) => json!(id),
        RollbackTarget::GitRevision(revision) => json!(format!("git:{revision}")),
    }
}

/// `value` without the quotes that only programs need.
fn for_people(value: &Value) -> String {
    match value {
        Value::Null => "none".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(items) if items.is_empty() => "none".to_owned(),
        other => other.to_string(),
    }
}
