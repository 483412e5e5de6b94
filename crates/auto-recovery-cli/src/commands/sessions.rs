//! `recover sessions`: the recoveries so far, newest first.

use std::time::SystemTime;

use auto_recovery::Result;
use auto_recovery::audit::{AuditStore, Damage, SessionOutcome, SessionQuery, SessionSummary};

use crate::args::{OutcomeWord, SessionsArgs};
use crate::commands::outcome::{outcome_name, outcome_tone};
use crate::commands::session::{self, distinct_ids};
use crate::context::Context;
use crate::exit::Exit;
use crate::output::{Column, Printer, Table, shell_words, short_age};
use crate::settings::parse_moment;

/// Sessions that a terminal shows unless more are asked for: one screen.
const ROWS_DEFAULT: usize = 20;

/// Sessions that are read together.
const PAGE: usize = 100;

/// Which sessions are listed.
struct Listing {
    query: SessionQuery,
    /// Only those of the workspace at this path.
    workspace: Option<String>,
    /// No more than these.
    limit: Option<usize>,
}

/// What was found.
#[derive(Default)]
struct Found {
    sessions: Vec<SessionSummary>,
    /// Whether there are older ones.
    has_more: bool,
    damage: Vec<Damage>,
}

/// Lists the sessions that `args` ask for.
pub(crate) fn sessions(context: &Context, args: SessionsArgs) -> Result<Exit> {
    let (store, printer) = (&*context.store()?, &context.printer);
    let now = context.host.now();
    let is_all = args.all;
    let listing = listing(context, args, now)?;
    let found = find(store, &listing)?;
    if printer.json {
        printer.json_lines(&found.sessions)?;
    } else if found.sessions.is_empty() && found.damage.is_empty() {
        printer.note(nothing_found(store, &listing)?);
    } else {
        printer.text(&table(&found.sessions, now, printer))?;
        if found.has_more {
            let more = 2 * found.sessions.len();
            let all = match is_all {
                true => "leave `-n` out for all",
                false => "`--all` all of the store",
            };
            printer.note(format_args!(
                "older ones are not shown; `-n {more}` shows more, {all}"
            ));
        }
    }
    printer.damage(&found.damage);
    Ok(Exit::OK)
}

fn listing(context: &Context, args: SessionsArgs, now: SystemTime) -> Result<Listing> {
    let SessionsArgs {
        number,
        here,
        all,
        project,
        since,
        outcome,
    } = args;
    let is_screen = context.printer.is_terminal && !context.printer.json;
    let is_here = here || (is_screen && !all && project.is_none());
    let number = number.map(|number| usize::try_from(number).unwrap_or(usize::MAX));
    let default = (is_screen && !all).then_some(ROWS_DEFAULT);
    let since = since.map(|text| parse_moment("--since", &text, now));
    Ok(Listing {
        query: SessionQuery {
            since_us: since.transpose()?,
            project,
            outcome: outcome.map(|word| match word {
                OutcomeWord::Recovered => SessionOutcome::Recovered,
                OutcomeWord::NotRecovered => SessionOutcome::Escalated,
                OutcomeWord::Interrupted => SessionOutcome::Interrupted,
                OutcomeWord::Running => SessionOutcome::Running,
                OutcomeWord::Unknown => SessionOutcome::Unknown,
            }),
            ..SessionQuery::default()
        },
        workspace: is_here.then(|| context.settings.workspace.display().to_string()),
        limit: number.or(default),
    })
}

/// Reads page after page of `store` until `listing` is full.
fn find(store: &dyn AuditStore, listing: &Listing) -> Result<Found> {
    let mut found = Found::default();
    let Some(limit) = listing.limit else {
        (found.sessions, found.damage) = match listing.query == SessionQuery::default() {
            true => store.read_sessions()?,
            false => {
                let page = store.read_session_page(&listing.query, None, usize::MAX)?;
                (page.sessions, page.damage)
            }
        };
        found.sessions.retain(|session| listing.has(session));
        return Ok(found);
    };
    let mut after = None;
    loop {
        let page = store.read_session_page(&listing.query, after.as_ref(), PAGE)?;
        Damage::join(&mut found.damage, page.damage);
        for session in page.sessions {
            if !listing.has(&session) {
                continue;
            }
            if found.sessions.len() == limit {
                found.has_more = true;
                return Ok(found);
            }
            found.sessions.push(session);
        }
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok(found),
        }
    }
}

impl Listing {
    fn has(&self, session: &SessionSummary) -> bool {
        self.workspace.is_none() || self.workspace == session.workspace
    }
}

fn nothing_found(store: &dyn AuditStore, listing: &Listing) -> Result<String> {
    let url = store.url();
    let any = store.read_session_page(&SessionQuery::default(), None, 1)?;
    let project = listing.query.project.as_deref().unwrap_or_default();
    Ok(match (&listing.workspace, any.sessions.is_empty()) {
        (_, true) => session::none_yet(&url),
        _ if project.contains('/') => session::no_name_of_project(project),
        (Some(workspace), false) if listing.query.outcome.is_none() => format!(
            "no session of this workspace, {workspace}, in {url}; `recover sessions --all` lists \
             those of others"
        ),
        _ => format!("no such session in {url}; `recover sessions --all` lists every one"),
    })
}

fn table(sessions: &[SessionSummary], now: SystemTime, printer: &Printer) -> String {
    let columns = [
        Column::flexible("SESSION", 12),
        Column::whole("AGE").number().rank(1),
        Column::whole("OUTCOME").rank(2),
        Column::whole("CURED").number().rank(4),
        Column::flexible("COMMAND", 12).rank(3),
        Column::flexible("PROJECT", 12).rank(5),
    ];
    let mut table = Table::new(&columns, printer.columns);
    for (session, name) in sessions.iter().zip(distinct_ids(sessions)) {
        table.row(row(session, name, now));
        table.tone(outcome_tone(session.outcome), outcome_name(session.outcome));
    }
    table.render()
}

fn row(session: &SessionSummary, name: &str, now: SystemTime) -> [String; 6] {
    let last = session
        .last_attempt_timestamp
        .as_ref()
        .or(session.session_start.as_ref());
    [
        name.to_owned(),
        last.map(|last| short_age(last, now)).unwrap_or_default(),
        match session.held {
            Some(_) => format!("{}, held", outcome_name(session.outcome)),
            None => outcome_name(session.outcome).to_owned(),
        },
        format!("{}/{}", session.successful_attempts, session.total_attempts),
        session
            .command
            .as_deref()
            .map(shell_words)
            .unwrap_or_default(),
        session.project.clone().unwrap_or_default(),
    ]
}
