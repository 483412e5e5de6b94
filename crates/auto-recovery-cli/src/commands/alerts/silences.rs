//! `recover alerts silence`: makes, lists and ends silences.

use std::collections::BTreeMap;

use auto_recovery::{Error, ErrorKind, Result};
use auto_recovery_server::{NewSilence, Silence};

use super::{opened, record, safe, who};
use crate::args::{SilenceArgs, SilenceCommand};
use crate::context::Context;
use crate::exit::Exit;
use crate::output::{Column, Table};

/// Makes a silence, lists those that hold, or ends one.
///
/// # Errors
/// If it could match nothing, or the state cannot be used.
pub(super) fn silence(context: &Context, args: SilenceArgs) -> Result<Exit> {
    let SilenceArgs {
        what,
        matchers,
        duration,
        reason,
    } = args;
    let now = context.host.now();
    match what {
        None => {
            let new = NewSilence {
                matchers: read_matchers(&matchers)?,
                length: duration.unwrap_or_default(),
                reason,
                by: who(context),
            };
            check_rule(context, &new)?;
            let alerts = opened(context)?;
            let made = alerts.silence(&new, now)?;
            record(context, &alerts);
            tell(context, &made)?;
        }
        Some(SilenceCommand::List) => list(context, &opened(context)?.silences(now)?)?,
        Some(SilenceCommand::End { silence }) => {
            let alerts = opened(context)?;
            alerts.end_silence(silence, &who(context), now)?;
            record(context, &alerts);
            context.printer.note(format_args!(
                "silence {silence} is over: what still fires is told"
            ));
        }
    }
    Ok(Exit::OK)
}

/// Makes sure that there is the rule that is to be silent.
fn check_rule(context: &Context, new: &NewSilence) -> Result<()> {
    let rules = &context.settings.served.alerts.rules;
    let names: Vec<&str> = rules.iter().map(|rule| &*rule.value.name).collect();
    match new.matchers.get("rule") {
        Some(name) if !names.contains(&&**name) => {
            let there = match names.is_empty() {
                true => "your config.toml has none".to_owned(),
                false => format!("there are {}", names.join(", ")),
            };
            let text = format!("there is no [alert.{name}]: {there}");
            Err(Error::new(ErrorKind::InvalidInput, text))
        }
        _ => Ok(()),
    }
}

fn tell(context: &Context, made: &Silence) -> Result<()> {
    let printer = &context.printer;
    if printer.json {
        return printer.json(made);
    }
    let Silence { id, until, .. } = made;
    printer.note(format_args!(
        "silence {id}: nobody is told about incidents that match until {until}"
    ));
    Ok(())
}

fn list(context: &Context, silences: &[Silence]) -> Result<()> {
    let printer = &context.printer;
    if printer.json {
        return printer.json_lines(silences);
    }
    if silences.is_empty() {
        printer.note("no silence holds");
        return Ok(());
    }
    let columns = [
        Column::whole("SILENCE").number(),
        Column::whole("UNTIL").rank(1),
        Column::whole("BY").rank(2),
        Column::flexible("MATCHES", 20),
        Column::flexible("WHY", 10).rank(3),
    ];
    let mut table = Table::new(&columns, printer.columns);
    for one in silences {
        let pairs = one.matchers.iter();
        let pairs: Vec<String> = pairs
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        table.row([
            one.id.to_string(),
            one.until.clone(),
            safe(&one.by),
            safe(&pairs.join(" ")),
            safe(&one.reason),
        ]);
    }
    printer.text(&table.render())
}

fn read_matchers(texts: &[String]) -> Result<BTreeMap<String, String>> {
    let pairs = texts.iter().map(|text| {
        let pair = text.split_once('=').filter(|(name, _)| !name.is_empty());
        pair.map(|(name, value)| (name.to_owned(), value.to_owned()))
            .ok_or_else(|| {
                let what = format!("{text:?} matches nothing: write NAME=VALUE, like project=shop");
                Error::new(ErrorKind::InvalidInput, what)
            })
    });
    pairs.collect()
}
