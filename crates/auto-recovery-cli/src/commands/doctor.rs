//! `recover doctor`.

use std::path::{Path, PathBuf};

use auto_recovery::audit::session_id::short;
use auto_recovery::files::check_room;
use auto_recovery::process::are_seen;
use auto_recovery::run::Health;
use auto_recovery::{Error, Result};
use serde::Serialize;

use crate::build::VERSION;
use crate::context::Context;
use crate::exit::Exit;
use crate::hints;
use crate::output::{counted, escape_text, session_argument};
use crate::settings::Settings;

/// Free space below which a checkpoint may not find room: the most that one may add.
const FREE_BYTES_MIN: u64 = 500 * MIB;

const MIB: u64 = 1 << 20;

/// The oldest git that does what checkpoints ask of it: `config --show-scope` came with it.
const GIT_MIN: (u64, u64) = (2, 26);

/// Columns before what is said of each thing.
const SAYS_COLUMN: usize = 18;

/// How one thing is.
#[derive(Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Finding {
    Ok,
    Notice,
    Wrong,
}

/// One thing that was looked at.
#[derive(Serialize)]
struct Check {
    what: &'static str,
    finding: Finding,
    says: String,
    /// What to type, or to do.
    way_out: Option<String>,
}

impl Check {
    fn ok(what: &'static str, says: String) -> Self {
        Self {
            what,
            finding: Finding::Ok,
            says,
            way_out: None,
        }
    }

    fn wrong(what: &'static str, says: String, way_out: &str) -> Self {
        Self {
            finding: Finding::Wrong,
            way_out: Some(way_out.to_owned()),
            ..Self::ok(what, says)
        }
    }

    fn notice(what: &'static str, says: String, way_out: &str) -> Self {
        Self {
            finding: Finding::Notice,
            ..Self::wrong(what, says, way_out)
        }
    }
}

/// Looks at what recoveries need, says what is wrong and what to do. Changes nothing.
///
/// # Errors
/// If stdout cannot be written.
pub(crate) fn doctor(context: &Context) -> Result<Exit> {
    let checks = checks(context);
    let is_wrong = checks.iter().any(|one| one.finding == Finding::Wrong);
    if context.printer.json {
        context.printer.json(&checks)?;
    } else {
        for check in &checks {
            let mark = match check.finding {
                Finding::Ok => "ok",
                Finding::Notice => "note",
                Finding::Wrong => "WRONG",
            };
            let (what, says) = (check.what, escape_text(&check.says));
            let line = format!("{mark:<5}  {what:<9}  {says}");
            context.printer.line(&line, SAYS_COLUMN)?;
            if let Some(way) = &check.way_out {
                let line = format!("{:SAYS_COLUMN$}{}", "", escape_text(way));
                context.printer.line(&line, SAYS_COLUMN)?;
            }
        }
    }
    Ok(match is_wrong {
        true => Exit::NOT_FOUND,
        false => Exit::OK,
    })
}

fn checks(context: &Context) -> Vec<Check> {
    let settings = &context.settings;
    let mut checks = vec![Check::ok("version", format!("recover {VERSION}"))];
    let store = store(context);
    let is_usable = store.finding == Finding::Ok;
    checks.push(store);
    let state_dir = &settings.state_dir.value;
    checks.push(space(
        state_dir,
        "name another place with RECOVER_STATE_DIR",
    ));
    // Elsewhere there may be room, or none.
    let path = settings.store.value.path().filter(|_| is_usable);
    let elsewhere = path.filter(|path| !path.starts_with(state_dir));
    let elsewhere = elsewhere.map(|path| space(path, "name another store with --store"));
    checks.extend(elsewhere.filter(|one| one.finding != Finding::Ok));
    if let Ok(place) = context.place_of(context.store_when_needed()) {
        let mut health = place.health(&settings.cwd);
        if let (true, Err(error)) = (health.state.is_empty(), check_room(state_dir)) {
            health.state.push(hints::chain(&error));
        }
        checks.extend(tree(health, home_that_is_none(settings)));
    }
    checks.extend(processes());
    checks.extend(files(settings));
    checks
}

/// Whether what commands leave running can be seen.
fn processes() -> Option<Check> {
    (!are_seen()).then(|| {
        let says = "there is no /proc to read: what a command leaves running is not seen";
        Check::wrong(
            "processes",
            says.to_owned(),
            "mount it: mount -t proc proc /proc",
        )
    })
}

/// The configuration files that do not count, or not whole.
fn files(settings: &Settings) -> impl Iterator<Item = Check> {
    let (broken, others): (Vec<_>, Vec<_>) = settings.unread.iter().partition(|one| one.is_broken);
    let broken = broken.into_iter().map(|one| {
        let says = one.reason.clone();
        let way = "mend that: until then `recover run` and `recover plan` refuse";
        Check::wrong("settings", says, way)
    });
    let untrusted = settings.untrusted.iter().map(ToString::to_string);
    let others = others.into_iter().map(ToString::to_string);
    let way = "`recover config` shows what counts and why";
    let notices = untrusted.chain(others);
    broken.chain(notices.map(move |says| Check::notice("settings", says, way)))
}

/// How the store is. One that is not there yet is not made.
fn store(context: &Context) -> Check {
    let store = &context.settings.store;
    let shown = format!("{} ({})", store.value, store.origin);
    let state_dir = &context.settings.state_dir.value;
    let path = store.value.path();
    let is_in_state =
        check_room(state_dir).is_err() && path.is_some_and(|path| path.starts_with(state_dir));
    let wrong = |error: &Error| {
        let says = format!("{shown}: {}", hints::chain(error));
        let way = match is_in_state {
            true => "it lies in the state directory: mend that, below",
            false => {
                "name another one with --store, RECOVER_STORE or `store` in your own config.toml"
            }
        };
        Check::wrong("store", says, way)
    };
    if let Some(path) = path {
        let dir = match path.is_file() {
            true => path.parent().unwrap_or(path),
            false => path,
        };
        match check_room(dir) {
            Err(error) => return wrong(&error.context("nothing can be recorded there")),
            Ok(()) if !path.exists() => {
                let says = format!("{shown}: not there yet, the first recovery makes it");
                return Check::ok("store", says);
            }
            Ok(()) => {}
        }
    }
    let read = context.store().and_then(|store| {
        let (sessions, mut damage) = store.read_sessions()?;
        damage.extend(store.read_journal(None, &mut |_| Ok(()))?);
        Ok((sessions, damage))
    });
    let found = read.map(|(sessions, mut damage)| {
        damage.sort_by_key(ToString::to_string);
        damage.dedup_by_key(|one| one.to_string());
        (counted(sessions.len() as u64, "session"), damage)
    });
    let (count, damage) = match found {
        Ok(found) => found,
        Err(error) => return wrong(&error),
    };
    match damage.first() {
        None => Check::ok("store", format!("{shown}: {count}")),
        Some(first) => {
            let places = counted(damage.len() as u64, "damaged place");
            let says = format!("{shown}: {count}, and {places}: {first}");
            let way = "what is damaged is kept and passed over: look at it, or move it away";
            Check::wrong("store", says, way)
        }
    }
}

/// How much room there is at `dir`, and how to do without it: `elsewhere`.
fn space(dir: &Path, elsewhere: &str) -> Check {
    let there = dir.ancestors().find(|dir| dir.exists());
    let there = there.map_or_else(|| PathBuf::from("/"), Path::to_owned);
    let shown = dir.display();
    match rustix::fs::statvfs(&there) {
        Ok(disk) => {
            let free = disk.f_bavail.saturating_mul(disk.f_frsize);
            let says = format!("{} MiB free for {shown}", free / MIB);
            let way =
                format!("make room there, or {elsewhere}; `recover prune` removes old sessions");
            match free < FREE_BYTES_MIN {
                true => Check::wrong("space", says, &way),
                false => Check::ok("space", says),
            }
        }
        Err(error) => {
            let says = format!("the disk of {shown} cannot be measured: {error}");
            Check::wrong("space", says, elsewhere)
        }
    }
}

/// The home directory that is not there, where the state would be below it.
fn home_that_is_none(settings: &Settings) -> Option<String> {
    let home = settings.home.as_deref().filter(|home| !home.exists())?;
    let is_below = settings.state_dir.value.starts_with(home);
    is_below.then(|| home.display().to_string())
}

/// Whether the tree can be checkpointed, and is whole.
fn tree(health: Health, no_home: Option<String>) -> Vec<Check> {
    let Health {
        state,
        git,
        workspace,
        died,
    } = health;
    let is_usable = state.is_empty();
    let state = state.into_iter().map(|says| match &no_home {
        Some(home) => {
            let says = format!("{says}; HOME is {home}, which is not there");
            let way = "set HOME right, or name another place with RECOVER_STATE_DIR";
            Check::wrong("state", says, way)
        }
        None => {
            let way = "make that a directory that you can write, or move it away, or name \
                           another place with RECOVER_STATE_DIR";
            Check::wrong("state", says, way)
        }
    });
    let git = match git {
        Ok(version) if is_old(&version) => {
            let (major, minor) = GIT_MIN;
            Check::wrong(
                "git",
                format!("{version}: checkpoints need {major}.{minor} or later"),
                "install a newer git: with this one nothing that may change files is tried",
            )
        }
        Ok(version) => Check::ok("git", version),
        Err(error) => Check::wrong(
            "git",
            hints::chain(&error),
            "install git: without it nothing that may change files is tried",
        ),
    };
    let workspace = match workspace {
        Ok(root) => Check::ok("workspace", root.display().to_string()),
        Err(error) => Check::notice(
            "workspace",
            hints::chain(&error),
            "go into a project: here nothing that may change files is tried",
        ),
    };
    let died = match died {
        // That was named as the state's.
        Err(_) if !is_usable => None,
        died => Some(leftovers(died)),
    };
    state.chain([git, workspace]).chain(died).collect()
}

/// Whether a run died here.
fn leftovers(died: Result<Option<String>>) -> Check {
    match died {
        Ok(None) => Check::ok("leftovers", "no run died here".to_owned()),
        Ok(Some(session)) => Check::wrong(
            "leftovers",
            format!(
                "session {} died here in the middle of an attempt",
                short(&session)
            ),
            &format!(
                "`recover restore {}` puts the tree back, `recover checkpoint` accepts it as it is",
                session_argument(&session)
            ),
        ),
        Err(error) => Check::wrong(
            "leftovers",
            hints::chain(&error),
            "`recover checkpoint` accepts the tree as it is",
        ),
    }
}

/// Whether git, which says `version` of itself, is older than what checkpoints need. One that says
/// something else is taken to be new.
fn is_old(version: &str) -> bool {
    let numbers = version.split(|c: char| !c.is_ascii_digit());
    let mut numbers = numbers.filter(|part| !part.is_empty()).map(str::parse);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => (major, minor) < GIT_MIN,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::is_old;

    #[test]
    fn a_git_is_old_by_its_two_first_numbers() {
        for (version, expected) in [
            ("git version 1.8.3.1", true),
            ("git version 2.25.1", true),
            ("git version 2.26.0", false),
            ("git version 2.47.3 (Apple Git-146)", false),
            ("git version 3.0.0", false),
            ("git version unknown", false),
        ] {
            assert_eq!(is_old(version), expected, "{version}");
        }
    }
}
