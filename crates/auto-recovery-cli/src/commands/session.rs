//! Which session a command is about.

use std::collections::BTreeMap;
use std::path::Path;

use auto_recovery::audit::session_id::short;
use auto_recovery::audit::{
    AuditStore, Damage, FoundSession, JournalEvent, JournalSummary, PIECE_CHARS_MIN,
    SessionSummary, find_session, this_host,
};
use auto_recovery::wording::cut;
use auto_recovery::{Error, ErrorKind, Hint, Result};

use crate::commands::outcome::outcome_name;
use crate::exit::Exit;
use crate::output::{Printer, session_word, shell_words};

/// Characters of a command that is shown to tell its session from others.
const COMMAND_CHARS: usize = 40;

/// Which session a command was asked for.
pub(crate) struct Asked<'a> {
    /// The one that was named; none for the newest.
    pub(crate) named: Option<String>,
    /// The root of the workspace that the command stands in.
    pub(crate) workspace: &'a Path,
    /// Whose newest session counts.
    pub(crate) scope: Scope,
}

/// Whose newest session counts where none is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// That of the workspace.
    Workspace,
    /// That of the store, whichever project it is of.
    AnyProject,
}

/// The newest session, as far as its recorder said where it belongs.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Newest {
    /// It is what was asked for.
    Found(SessionSummary),
    /// The workspace has none of its own, and this one says of no workspace that it is its.
    OfNoWorkspace(SessionSummary),
    /// The workspace has none; others have.
    OnlyElsewhere,
    /// The store has no session at all.
    Nothing,
}

/// The session that was named, or else the newest, which is named on stderr.
///
/// # Errors
/// [`ErrorKind::NotFound`] if there is no such session, or none of this workspace.
pub(crate) fn asked_for(
    store: &dyn AuditStore,
    asked: Asked<'_>,
    printer: &Printer,
) -> Result<String> {
    let Asked {
        named,
        workspace,
        scope,
    } = asked;
    if let Some(session) = named {
        return existing(store, &session);
    }
    let context = match newest(store, workspace, scope)? {
        Newest::Found(session) => {
            let where_from = match (scope, &session.project) {
                (Scope::AnyProject, Some(project)) => format!(" (project {project})"),
                _ => String::new(),
            };
            printer.note(format_args!(
                "newest session: {}{where_from}",
                short(&session.session_id)
            ));
            return Ok(session.session_id);
        }
        Newest::OfNoWorkspace(session) => {
            printer.note(format_args!(
                "newest session: {} (no session of this workspace; this one names none)",
                short(&session.session_id)
            ));
            return Ok(session.session_id);
        }
        Newest::OnlyElsewhere => format!(
            "no session of this workspace, {}, in {}; `--any-project` takes the newest of another, \
             `recover sessions --all` lists them",
            workspace.display(),
            store.url()
        ),
        Newest::Nothing => none_yet(&store.url()),
    };
    Err(Error::new(ErrorKind::NotFound, context))
}

/// What is said where the store at `url` has no session.
pub(crate) fn none_yet(url: &str) -> String {
    format!("no sessions yet in {url}; `recover run -- CMD` records one when CMD fails")
}

/// What is said where a project was named by the path of its folder.
pub(crate) fn no_name_of_project(path: &str) -> String {
    let name = Path::new(path).file_name();
    let name = name.map_or("NAME".into(), |name| name.to_string_lossy());
    format!("no project {path}: one goes by its folder's name, as in `--project {name}`")
}

/// The newest session of `store` that `scope` lets count, for a command in `workspace`.
///
/// # Errors
/// If the store cannot be read.
pub(crate) fn newest(store: &dyn AuditStore, workspace: &Path, scope: Scope) -> Result<Newest> {
    if scope == Scope::Workspace
        && let Some(session) = newest_of(&store.sessions()?, workspace)
    {
        return Ok(Newest::Found(session.clone()));
    }
    Ok(newest_elsewhere(store.sessions()?, scope))
}

/// The newest of `sessions`, which are in that order, that belongs to `workspace`. A path is the
/// same on many machines that share a store, so those of this machine come first; a container has
/// a new name each time, so those of others count too. Never one of another workspace, nor one that
/// names none.
pub(crate) fn newest_of<'a>(
    sessions: &'a [SessionSummary],
    workspace: &Path,
) -> Option<&'a SessionSummary> {
    let (root, host) = (workspace.display().to_string(), this_host());
    let mut of_another_host = None;
    for session in sessions {
        if session.workspace.as_ref() != Some(&root) {
            continue;
        }
        if session.host.as_ref() == Some(&host) {
            return Some(session);
        }
        of_another_host.get_or_insert(session);
    }
    of_another_host
}

/// What `sessions`, the newest first, have where none is of the workspace or all are asked for.
fn newest_elsewhere(sessions: Vec<SessionSummary>, scope: Scope) -> Newest {
    let is_empty = sessions.is_empty();
    let counts = |one: &SessionSummary| scope == Scope::AnyProject || one.workspace.is_none();
    match (sessions.into_iter().find(counts), scope) {
        (Some(session), Scope::AnyProject) => Newest::Found(session),
        (Some(session), Scope::Workspace) => Newest::OfNoWorkspace(session),
        (None, _) if is_empty => Newest::Nothing,
        (None, _) => Newest::OnlyElsewhere,
    }
}

/// The session that `typed` is the id of, or the only one whose id has it as a piece.
///
/// # Errors
/// [`ErrorKind::NotFound`] if there is none, or more than one.
pub(crate) fn existing(store: &dyn AuditStore, typed: &str) -> Result<String> {
    let lists = "`recover sessions --all` lists them";
    existing_of(store, typed, ("session", lists))
}

/// The same where the name could have been that of a checkpoint, and is not.
///
/// # Errors
/// As [`existing`].
pub(crate) fn existing_or_checkpoint(store: &dyn AuditStore, typed: &str) -> Result<String> {
    let lists = "`recover sessions --all` and `recover checkpoints` list them";
    existing_of(store, typed, ("session or checkpoint", lists))
}

fn existing_of(store: &dyn AuditStore, typed: &str, (what, lists): (&str, &str)) -> Result<String> {
    let context = match find_session(store, typed)? {
        FoundSession::One(session) => return Ok(session),
        FoundSession::Several(matches, has_more) => {
            return Err(ambiguous(typed, &matches, Vec::new(), has_more));
        }
        FoundSession::Nothing(Some(nearest)) => format!(
            "no {what} {typed}: did you mean {}? {lists}",
            session_word(&nearest)
        ),
        FoundSession::Nothing(None) if typed.chars().count() < PIECE_CHARS_MIN => format!(
            "no {what} {typed}, and a piece of an id has at least {PIECE_CHARS_MIN} characters; \
             {lists}"
        ),
        FoundSession::Nothing(None) => {
            format!("no {what} {typed}; {lists}")
        }
    };
    Err(Error::new(ErrorKind::NotFound, context))
}

/// The refusal to choose among `sessions` and `others`, with what tells one from the other.
pub(crate) fn ambiguous(
    typed: &str,
    sessions: &[SessionSummary],
    others: Vec<String>,
    has_more: bool,
) -> Error {
    let names = distinct_ids(sessions);
    let told = sessions.iter().zip(names);
    let mut told: Vec<_> = told
        .map(|(session, name)| described(session, name))
        .collect();
    let what = match others.is_empty() {
        true => "sessions",
        false => "ids",
    };
    told.extend(others);
    told.extend(has_more.then(|| "and more".to_owned()));
    let context = format!("{typed} is part of several {what}, give more of one:");
    Error::new(ErrorKind::NotFound, context).with_hint(Hint::GiveMore { of: told })
}

/// `session` by its `name`, with what tells it from others.
fn described(session: &SessionSummary, name: &str) -> String {
    let minutes = "2026-01-02T03:04".len();
    let start = session.session_start.as_deref().unwrap_or_default();
    let start: String = start.chars().take(minutes).collect();
    let command = session.command.as_deref().map(shell_words);
    let command = command.map(|words| format!("`{}`", cut(&words, COMMAND_CHARS)));
    let facts = [
        start.replace('T', " "),
        outcome_name(session.outcome).to_owned(),
        command.unwrap_or_default(),
        session.project.clone().unwrap_or_default(),
    ];
    let facts: Vec<_> = facts.into_iter().filter(|fact| !fact.is_empty()).collect();
    format!("{name} ({})", facts.join(", "))
}

/// The ids of `sessions` as people see them, each whole where another looks the same.
pub(crate) fn distinct_ids(sessions: &[SessionSummary]) -> Vec<&str> {
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    for session in sessions {
        *seen.entry(short(&session.session_id)).or_default() += 1;
    }
    let ids = sessions.iter().map(|session| &*session.session_id);
    ids.map(|id| match seen.get(short(id)) {
        Some(1) => short(id),
        _ => id,
    })
    .collect()
}

/// What the journal says of `session`.
pub(crate) fn facts(store: &dyn AuditStore, session: &str) -> Result<JournalSummary> {
    let mut facts = JournalSummary::default();
    store.read_journal(Some(session), &mut |record| {
        facts.apply(&record.at, &record.event);
        Ok(())
    })?;
    Ok(facts)
}

/// `session` as people see it, with its workspace where that is not the `workspace` here: a piece
/// of an id may mean another project's.
///
/// # Errors
/// If the store cannot be read.
pub(crate) fn told_of(store: &dyn AuditStore, session: &str, workspace: &Path) -> Result<String> {
    let started = facts(store, session)?.started.unwrap_or_default();
    let elsewhere = started
        .workspace
        .filter(|root| Path::new(root) != workspace);
    let of = elsewhere.map(|root| format!(" of {root}"));
    Ok(short(session).to_owned() + &of.unwrap_or_default())
}

/// What the end of a trail tells of it.
pub(crate) enum Trail {
    /// It has entries.
    HasEntries,
    /// It has none: nothing was tried.
    Empty,
    /// Nothing of it can be read; this is why.
    Unreadable(Damage),
}

/// What the trail of `session` is, found out by reading its end only.
pub(crate) fn trail(store: &dyn AuditStore, session: &str) -> Result<Trail> {
    let mut found = false;
    let damage = store.read_last(session, 1, &mut |_| {
        found = true;
        Ok(())
    })?;
    let first = damage.into_iter().find(|damage| !damage.is_aside);
    Ok(match (found, first) {
        (true, _) => Trail::HasEntries,
        (false, None) => Trail::Empty,
        (false, Some(damage)) => Trail::Unreadable(damage),
    })
}

/// Whether `session` is on record, has ended and tried nothing.
pub(crate) fn tried_nothing(store: &dyn AuditStore, session: &str) -> Result<bool> {
    if !store.is_known(session)? || !matches!(trail(store, session)?, Trail::Empty) {
        return Ok(false);
    }
    let (mut has_ended, mut has_tried) = (false, false);
    store.read_journal(Some(session), &mut |record| {
        match record.event {
            JournalEvent::SessionFinished(_) => has_ended = true,
            JournalEvent::AttemptStarted(_) => has_tried = true,
            _ => {}
        }
        Ok(())
    })?;
    Ok(has_ended && !has_tried)
}

/// The refusal to say anything about a trail that cannot be read at all.
pub(crate) fn nothing_readable(session: &str, damage: &Damage) -> Error {
    Error::new(
        ErrorKind::NotFound,
        format!(
            "nothing of the attempts of session {} can be read: {damage}",
            short(session)
        ),
    )
}

/// Tells what of `session` could not be read, and what to exit with: 1 if none of its attempts
/// could be.
pub(crate) fn told(
    store: &dyn AuditStore,
    session: &str,
    attempts: u64,
    damage: &[Damage],
    printer: &Printer,
) -> Result<Exit> {
    printer.damage(damage);
    if attempts > 0 || damage.is_empty() {
        return Ok(Exit::OK);
    }
    Ok(match trail(store, session)? {
        Trail::Unreadable(_) => Exit::NOT_FOUND,
        Trail::HasEntries | Trail::Empty => Exit::OK,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A session of `host` in `workspace`.
    fn session(id: &str, host: &str, workspace: Option<&str>) -> SessionSummary {
        SessionSummary {
            session_id: id.to_owned(),
            host: Some(host.to_owned()),
            workspace: workspace.map(str::to_owned),
            ..SessionSummary::default()
        }
    }

    #[test]
    fn the_newest_is_one_of_this_workspace_and_rather_of_this_machine() {
        let here = this_host();
        let own = session("own", &here, Some("/w"));
        let container = session("container", "elsewhere", Some("/w"));
        let below = session("below", &here, Some("/w/below"));
        let unnamed = session("unnamed", &here, None);
        let cases: [(&[&SessionSummary], Option<&SessionSummary>); 5] = [
            (&[&below, &unnamed, &container, &own], Some(&own)),
            (&[&below, &unnamed, &container], Some(&container)),
            (&[&below, &unnamed], None),
            (&[&unnamed, &own], Some(&own)),
            (&[], None),
        ];
        for (sessions, expected) in cases {
            let sessions: Vec<_> = sessions.iter().map(|one| (*one).clone()).collect();
            assert_eq!(newest_of(&sessions, Path::new("/w")), expected);
        }
        let (all, none) = (Scope::AnyProject, Scope::Workspace);
        let cases: [(&[&SessionSummary], Scope, Newest); 5] = [
            (&[&below, &unnamed], all, Newest::Found(below.clone())),
            (
                &[&below, &unnamed],
                none,
                Newest::OfNoWorkspace(unnamed.clone()),
            ),
            (&[&below], none, Newest::OnlyElsewhere),
            (&[], none, Newest::Nothing),
            (&[], all, Newest::Nothing),
        ];
        for (sessions, scope, expected) in cases {
            let sessions = sessions.iter().map(|one| (*one).clone()).collect();
            assert_eq!(newest_elsewhere(sessions, scope), expected);
        }
    }
}
