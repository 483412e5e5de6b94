//! `recover alerts` and `recover heartbeat`.

mod silences;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use auto_recovery::audit::encrypting::{OpenedStore, Opener, Unopened};
use auto_recovery::wording::counted;
use auto_recovery::{Error, ErrorKind, Result};
use auto_recovery_server::{Alert, Alerts, Fired, IncidentStory, beat, check, replay};
use serde_json::json;

use crate::args::{AlertsArgs, AlertsCommand, HeartbeatArgs};
use crate::context::Context;
use crate::exit::Exit;
use crate::identity;
use crate::output::{Column, Escapes, Table, escape_bytes, short_age};
use crate::settings::parse_moment;

/// What is to be done about alerts.
pub(crate) fn alerts(context: &Context, args: AlertsArgs) -> Result<Exit> {
    match args.command {
        AlertsCommand::Check => look(context),
        AlertsCommand::List => list(context),
        AlertsCommand::Show { incident } => show(context, &incident),
        AlertsCommand::Ack {
            incident,
            reason,
            end,
        } => acknowledge(context, &incident, (&reason, end)),
        AlertsCommand::Silence(args) => silences::silence(context, args),
        AlertsCommand::Test { rule, since } => test(context, &rule, &since),
    }
}

/// Says that a name was heard of.
pub(crate) fn heartbeat(context: &Context, args: HeartbeatArgs) -> Result<Exit> {
    let HeartbeatArgs { name } = args;
    let url = context.store()?.url();
    beat(
        &context.settings.state_dir.value,
        &url,
        &name,
        &*context.host,
    )?;
    Ok(Exit::OK)
}

/// Acknowledges `incident`, or ends that.
fn acknowledge(context: &Context, incident: &str, (reason, end): (&str, bool)) -> Result<Exit> {
    let (who, now) = (who(context), context.host.now());
    let alerts = opened(context)?;
    let printer = &context.printer;
    match end {
        true => {
            let id = alerts.end_acknowledgement(incident, &who, now)?;
            printer.note(format_args!("{id} is told again while it fires"));
        }
        false => {
            let id = alerts.acknowledge(incident, reason, &who, now)?;
            printer.note(format_args!("{id} is acknowledged: it is not told again"));
        }
    }
    record(context, &alerts);
    Ok(Exit::OK)
}

/// Records in the journal who said what. A store that is away keeps nobody from saying it: the
/// server records it later.
fn record(context: &Context, alerts: &Alerts) {
    let host = identity::session_started(&context.settings, None).host;
    let recorded = context
        .store()
        .and_then(|store| alerts.record_said(&*store, host.as_deref()));
    if let Err(error) = recorded {
        let why = error.chain();
        context
            .printer
            .warn(format_args!("the journal does not say so yet: {why}"));
    }
}

fn opened(context: &Context) -> Result<Alerts> {
    let url = context.store()?.url();
    Alerts::beside(&context.settings.state_dir.value, &url)
}

fn who(context: &Context) -> String {
    identity::session_started(&context.settings, None)
        .user
        .unwrap_or_default()
}

fn look(context: &Context) -> Result<Exit> {
    let alerting = context.alerting(None)?;
    if alerting.rules.is_empty() {
        let text = "nothing is watched for: write [alert.NAME] into your config.toml, see \
                    `recover config`";
        return Err(Error::new(ErrorKind::InvalidInput, text));
    }
    let state_dir = &context.settings.state_dir.value;
    let host = Arc::clone(&context.host);
    // As for a server: what is encrypted stays closed.
    let closed = Unopened::Words(context.settings.encryption.words());
    let opener = Arc::new(Opener::none().showing(closed));
    let store = Arc::new(OpenedStore::new(context.store()?, opener));
    let checked = check(store, host, state_dir, alerting)?;
    if checked.by_server {
        context
            .printer
            .note("a server decides and tells; this is what it says");
    }
    for name in &checked.failing {
        context.printer.warn(format_args!(
            "{name} has not taken what it was sent: the next check sends it again"
        ));
    }
    let stale = opened(context)?.stale()?;
    print(context, &checked.alerts, &stale)?;
    let is_firing = checked.alerts.iter().any(|alert| alert.state == "firing");
    Ok(if is_firing { Exit::NOT_FOUND } else { Exit::OK })
}

fn list(context: &Context) -> Result<Exit> {
    let alerts = opened(context)?;
    print(context, &alerts.active()?, &alerts.stale()?)?;
    Ok(Exit::OK)
}

fn print(context: &Context, alerts: &[Alert], stale: &BTreeMap<String, String>) -> Result<()> {
    let printer = &context.printer;
    for (rule, since) in stale {
        printer.warn(format_args!(
            "rule {rule} cannot be worked out since {since}: it keeps its state"
        ));
    }
    if printer.json {
        return printer.json_lines(alerts);
    }
    if alerts.is_empty() {
        printer.note("nothing is pending or fires");
        return Ok(());
    }
    let columns = [
        Column::whole("INCIDENT"),
        Column::whole("STATE"),
        Column::whole("FOR").number().rank(1),
        Column::whole("RULE").rank(2),
        Column::flexible("WHAT", 20),
    ];
    let mut table = Table::new(&columns, printer.columns);
    let now = context.host.now();
    for alert in alerts {
        let id = alert.incident.as_deref().unwrap_or("—");
        table.row([
            id.to_owned(),
            match &alert.held {
                Some(why) => format!("{}, {why}", alert.state),
                None => alert.state.to_owned(),
            },
            short_age(&alert.since, now),
            alert.rule.clone(),
            safe(&alert.summary),
        ]);
    }
    printer.text(&table.render())
}

fn safe(text: &str) -> String {
    escape_bytes(text.as_bytes(), Escapes::Line)
}

fn show(context: &Context, incident: &str) -> Result<Exit> {
    let story = opened(context)?.story(incident)?;
    let printer = &context.printer;
    if printer.json {
        printer.json(&story)?;
        return Ok(Exit::OK);
    }
    printer.text(&told(&story))?;
    Ok(Exit::OK)
}

fn told(story: &IncidentStory) -> String {
    let of = |name: &str| story.incident[name].as_str().map(safe).unwrap_or_default();
    let mut text = format!("{} {}\n", of("id"), story.state);
    for (name, label) in [
        ("summary", "what"),
        ("rule", "rule"),
        ("severity", "severity"),
        ("message", "failed"),
        ("command", "command"),
        ("started", "since"),
        ("ended", "until"),
    ] {
        let value = of(name);
        if !value.is_empty() {
            text.push_str(&format!("  {label:<9} {value}\n"));
        }
    }
    let sessions = story.incident["sessions"].as_array();
    for session in sessions
        .into_iter()
        .flatten()
        .filter_map(|session| session.as_str())
    {
        text.push_str(&format!("  look      recover show {}\n", safe(session)));
    }
    for one in &story.told {
        let why = one
            .why
            .as_deref()
            .map(|why| format!(", {why}"))
            .unwrap_or_default();
        let (to, change) = (safe(&one.destination), &one.change);
        text.push_str(&format!(
            "  told      {to}: {change}, {}{}\n",
            one.state,
            safe(&why)
        ));
    }
    text
}

fn test(context: &Context, name: &str, since: &str) -> Result<Exit> {
    let rules = &context.settings.served.alerts.rules;
    let Some(rule) = rules.iter().find(|rule| rule.value.name == name) else {
        let text = format!("there is no [alert.{name}] in your config.toml");
        return Err(Error::new(ErrorKind::NotFound, text));
    };
    let now = context.host.now();
    let since = parse_moment("--since", since, now)?;
    let since =
        SystemTime::UNIX_EPOCH + Duration::from_micros(u64::try_from(since).unwrap_or_default());
    let fired = replay(&*context.store()?, &rule.value, since, now)?;
    let printer = &context.printer;
    if printer.json {
        printer.json(&json!({"rule": name, "fired": fired}))?;
        return Ok(Exit::OK);
    }
    for one in &fired {
        printer.text(&fired_line(one))?;
    }
    let times = counted(fired.len() as u64, "time");
    printer.note(format_args!("{name} would have fired {times}"));
    Ok(Exit::OK)
}

fn fired_line(fired: &Fired) -> String {
    let until = fired.until.as_deref().unwrap_or("still firing");
    format!("{}  {until}  {}\n", fired.at, safe(&fired.summary))
}
