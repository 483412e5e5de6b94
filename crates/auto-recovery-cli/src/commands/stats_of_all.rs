//! `recover stats --all`: sessions summed up together, in groups.

use std::cmp::Ordering;
use std::time::SystemTime;

use auto_recovery::statistics::{
    AggregateGroup, AggregateQuery, AggregateStatistics, Aggregates, Dimension,
};
use auto_recovery::{Error, ErrorKind, Result};

use crate::args::{self, StatsArgs};
use crate::commands::session;
use crate::commands::stats_text::{counts, when};
use crate::context::Context;
use crate::exit::Exit;
use crate::output::{Column, Facts, Table, bar, human_seconds};
use crate::settings::parse_moment;

/// Sums up the sessions of the store that are asked for.
pub(super) fn stats_of_all(context: &Context, args: StatsArgs) -> Result<Exit> {
    let (store, printer, now) = (&*context.store()?, &context.printer, context.host.now());
    let query = query(args, now)?;
    let (aggregates, damage) = store.read_aggregate(&query)?;
    if printer.json {
        printer.json(&aggregates.document(&query)?)?;
        printer.damage(&damage);
        return Ok(Exit::OK);
    }
    if aggregates.total.sessions == 0 {
        let url = store.url();
        let chosen = AggregateQuery {
            by: Vec::new(),
            ..query.clone()
        };
        printer.note(
            match (chosen == AggregateQuery::default(), &query.project) {
                (true, _) => session::none_yet(&url),
                (_, Some(path)) if path.contains('/') => session::no_name_of_project(path),
                _ => format!("no such session in {url}; `recover sessions --all` lists every one"),
            },
        );
        printer.damage(&damage);
        return Ok(Exit::OK);
    }
    let mut text = String::new();
    if !query.by.is_empty() {
        text = groups(&query, &aggregates, printer.columns) + "\n";
    }
    text += &facts(&aggregates.total, now, printer.columns);
    printer.long_text(&text)?;
    printer.damage(&damage);
    Ok(Exit::OK)
}

fn query(args: StatsArgs, now: SystemTime) -> Result<AggregateQuery> {
    let StatsArgs {
        since,
        until,
        project,
        host,
        by,
        ..
    } = args;
    let moment = |flag: &str, text: Option<String>| {
        text.map(|text| parse_moment(flag, &text, now)).transpose()
    };
    let mut dimensions = Vec::new();
    for by in by {
        let by = dimension(by);
        if dimensions.contains(&by) {
            let text = format!("flag --by: {by} stands there twice: name it once");
            return Err(Error::new(ErrorKind::InvalidInput, text));
        }
        dimensions.push(by);
    }
    let (since_us, until_us) = (moment("--since", since)?, moment("--until", until)?);
    if let (Some(since), Some(until)) = (since_us, until_us)
        && since >= until
    {
        let text = "flag --since is not before --until: nothing is between them";
        return Err(Error::new(ErrorKind::InvalidInput, text));
    }
    Ok(AggregateQuery {
        since_us,
        until_us,
        project,
        host,
        by: dimensions,
    })
}

fn dimension(by: args::Dimension) -> Dimension {
    match by {
        args::Dimension::Strategy => Dimension::Strategy,
        args::Dimension::ErrorType => Dimension::ErrorType,
        args::Dimension::Recipe => Dimension::Recipe,
        args::Dimension::Category => Dimension::Category,
        args::Dimension::Source => Dimension::Source,
        args::Dimension::Project => Dimension::Project,
        args::Dimension::Host => Dimension::Host,
        args::Dimension::Day => Dimension::Day,
        args::Dimension::Hour => Dimension::Hour,
    }
}

/// A row for each group: by time where a time tells them apart, else most attempts first.
fn groups(query: &AggregateQuery, aggregates: &Aggregates, width: Option<u16>) -> String {
    let is_trend = query.by.iter().any(|by| by.is_time());
    let mut groups: Vec<&AggregateGroup> = aggregates.groups.iter().collect();
    if is_trend {
        groups.sort_by(|a, b| a.key.cmp(&b.key));
    }
    let heads = query.by.iter().map(|by| head(*by));
    let mut columns: Vec<Column> = heads.map(|head| Column::flexible(head, 14)).collect();
    columns.extend([
        Column::whole("ATTEMPTS").number(),
        Column::whole("CURED"),
        Column::whole("95 %").number().rank(3),
        Column::whole("SESSIONS").number().rank(4),
        Column::whole("RECOVERED").number().rank(5),
        Column::whole("HALF WITHIN").number().rank(6),
        Column::whole("95 % WITHIN").number().rank(7),
    ]);
    let changes = groups.iter().enumerate().map(|(index, group)| {
        let before = groups[..index]
            .iter()
            .rfind(|before| same_but_for_time(query, before, group));
        change(before.map(|one| &one.statistics), &group.statistics)
    });
    let changes: Vec<String> = changes.collect();
    let has_change = is_trend && changes.iter().any(|change| !change.is_empty());
    if has_change {
        columns.push(Column::whole("CHANGE").rank(2));
    }
    let mut table = Table::new(&columns, width).naming_left_out();
    for (group, change) in groups.iter().zip(changes) {
        let mut row = row(group);
        row.extend(has_change.then_some(change));
        table.row(row);
    }
    table.render()
}

fn head(by: Dimension) -> &'static str {
    match by {
        Dimension::Strategy => "STRATEGY",
        Dimension::ErrorType => "ERROR TYPE",
        Dimension::Recipe => "RECIPE",
        Dimension::Category => "CATEGORY",
        Dimension::Source => "SOURCE",
        Dimension::Project => "PROJECT",
        Dimension::Host => "HOST",
        Dimension::Day => "DAY",
        Dimension::Hour => "HOUR",
    }
}

fn row(group: &AggregateGroup) -> Vec<String> {
    let of = &group.statistics;
    let named = |value: &Option<String>| value.clone().unwrap_or_else(|| "—".to_owned());
    let time = |seconds: Option<f64>| seconds.map(human_seconds).unwrap_or_default();
    // Of nothing there is no share.
    let rate = |shown: String| match of.total_attempts {
        0 => "—".to_owned(),
        _ => shown,
    };
    let mut row: Vec<String> = group.key.iter().map(named).collect();
    row.extend([
        of.total_attempts.to_string(),
        rate(format!(
            "{} {:>5.1} %",
            bar(of.success_rate),
            of.success_rate
        )),
        rate(format!(
            "{:.0}–{:.0}",
            of.success_rate_low, of.success_rate_high
        )),
        of.sessions.to_string(),
        of.recovered_sessions.to_string(),
        time(of.duration_p50_seconds),
        time(of.duration_p95_seconds),
    ]);
    row
}

fn same_but_for_time(query: &AggregateQuery, one: &AggregateGroup, other: &AggregateGroup) -> bool {
    let both = one.key.iter().zip(&other.key);
    let mut values = query.by.iter().zip(both);
    values.all(|(by, (one, other))| by.is_time() || one == other)
}

/// How the success rate differs from the time before, and whether that is more than chance.
fn change(before: Option<&AggregateStatistics>, now: &AggregateStatistics) -> String {
    let Some(before) = before.filter(|before| before.total_attempts > 0) else {
        return String::new();
    };
    if now.total_attempts == 0 {
        return String::new();
    }
    let points = now.success_rate - before.success_rate;
    let sign = match points.partial_cmp(&0.0) {
        Some(Ordering::Greater) => "▲",
        Some(Ordering::Less) => "▼",
        _ => "=",
    };
    let verdict = if now.success_rate_low > before.success_rate_high {
        " better"
    } else if now.success_rate_high < before.success_rate_low {
        " worse"
    } else {
        ""
    };
    format!("{sign} {:>4.1}{verdict}", points.abs())
}

fn facts(of: &AggregateStatistics, now: SystemTime, columns: Option<u16>) -> String {
    let mut facts = Facts::new(columns);
    facts.add("sessions", sessions(of));
    facts.add("first attempt", when(&of.first_attempt_timestamp, now));
    facts.add("last attempt", when(&of.last_attempt_timestamp, now));
    facts.add(
        "attempts",
        format!(
            "{}: {} cured, {} failed, {} flaky",
            of.total_attempts, of.successful_attempts, of.failed_attempts, of.flaky_attempts
        ),
    );
    if of.total_attempts > 0 {
        let rate = format!(
            "{:.2} %, with 95 % confidence from {:.2} to {:.2} %",
            of.success_rate, of.success_rate_low, of.success_rate_high
        );
        facts.add("success rate", rate);
    }
    facts.add("strategies", counts(&of.strategies_used));
    facts.add("error types", counts(&of.error_type_distribution));
    facts.add(
        "spent",
        format!(
            "{} in all, {} on average",
            human_seconds(of.total_duration_seconds),
            human_seconds(of.average_duration_seconds)
        ),
    );
    let shares = [
        (of.duration_p50_seconds, "half"),
        (of.duration_p95_seconds, "95 %"),
        (of.duration_p99_seconds, "99 %"),
    ];
    facts.add("an attempt", within(&shares));
    let shares = [
        (of.recovery_p50_seconds, "half"),
        (of.recovery_p95_seconds, "95 %"),
    ];
    facts.add("a recovery", within(&shares));
    facts.add("undone", of.rollback_count.to_string());
    facts.add("files", files(of));
    facts.render()
}

/// How many sessions, by how they ended.
fn sessions(of: &AggregateStatistics) -> String {
    let (recovered, not_recovered) = (of.recovered_sessions, of.escalated_sessions);
    let others = of.sessions.saturating_sub(recovered + not_recovered);
    let others = match others {
        0 => String::new(),
        others => format!(", {others} interrupted or unknown"),
    };
    format!(
        "{}: {recovered} recovered, {not_recovered} not recovered{others}",
        of.sessions
    )
}

/// How many files, and those that were modified most.
fn files(of: &AggregateStatistics) -> String {
    let most = of.most_modified_files.iter();
    let most: Vec<_> = most
        .map(|(file, times)| format!("{file} × {times}"))
        .collect();
    match most.is_empty() {
        true => of.files_modified_count.to_string(),
        false => format!(
            "{}: most often {}",
            of.files_modified_count,
            most.join(", ")
        ),
    }
}

/// What share took how long at most.
fn within(shares: &[(Option<f64>, &str)]) -> String {
    let parts: Vec<_> = shares
        .iter()
        .filter_map(|(time, share)| Some(format!("{share} within {}", human_seconds((*time)?))))
        .collect();
    match parts.is_empty() {
        true => "none".to_owned(),
        false => parts.join(", "),
    }
}
