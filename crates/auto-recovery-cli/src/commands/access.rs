//! `recover access`: who can read and write the record, and what it rests on.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use auto_recovery::wording::shell_word;
use auto_recovery::{Error, Result};
use serde::Serialize;

use crate::args::AccessArgs;
use crate::context::Context;
use crate::exit::Exit;
use crate::output::{Column, Table};

/// The bits of a mode that say what the group and everybody else may do.
const GROUP_READ: u32 = 0o040;
const GROUP_WRITE: u32 = 0o020;
const GROUP_ENTER: u32 = 0o010;
const OTHERS_READ: u32 = 0o004;
const OTHERS_WRITE: u32 = 0o002;
const OTHERS_ENTER: u32 = 0o001;

/// What a place is of.
#[derive(Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
enum What {
    Store,
    State,
    Keys,
    Configuration,
}

impl What {
    fn as_str(self) -> &'static str {
        match self {
            Self::Store => "store",
            Self::State => "state",
            Self::Keys => "keys",
            Self::Configuration => "configuration",
        }
    }

    /// Whether others may read it: a configuration names no secret, what is recorded may hold some.
    fn may_be_read(self) -> bool {
        self == Self::Configuration
    }
}

/// Who can do what with one place.
#[derive(Serialize)]
struct Access {
    what: What,
    path: PathBuf,
    /// The number of its owner.
    owner: u32,
    mode: String,
    readers: Who,
    writers: Who,
    too_open: bool,
}

/// Who can.
#[derive(Clone, Copy, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
enum Who {
    Owner,
    Group,
    Everybody,
}

impl Who {
    fn as_str(self) -> &'static str {
        match self {
            Self::Owner => "its owner",
            Self::Group => "its group",
            Self::Everybody => "everybody",
        }
    }

    /// Who can, if these bits of `mode` let the group and everybody else.
    fn of(mode: u32, group: u32, others: u32) -> Self {
        match (mode & others != 0, mode & group != 0) {
            (true, _) => Self::Everybody,
            (false, true) => Self::Group,
            (false, false) => Self::Owner,
        }
    }
}

/// Prints who can read and write what, or the roles of a database.
///
/// # Errors
/// If a place cannot be looked at.
pub(crate) fn access(context: &Context, args: AccessArgs) -> Result<Exit> {
    if args.sql {
        return sql(context);
    }
    let settings = &context.settings;
    let state_dir = &settings.state_dir.value;
    let mut places: Vec<_> = settings.store.value.paths().into_iter().collect();
    places.dedup();
    let mut all: Vec<(What, PathBuf)> = Vec::new();
    all.extend(places.into_iter().map(|path| (What::Store, path)));
    all.push((What::State, state_dir.clone()));
    all.push((What::Keys, state_dir.join("seal-keys")));
    all.extend(
        settings
            .files
            .iter()
            .map(|path| (What::Configuration, path.clone())),
    );
    let mut found: Vec<Access> = Vec::new();
    for (what, path) in all {
        if found.iter().all(|one| one.path != path) {
            found.extend(look(what, &path)?);
        }
    }
    tell(context, &found)?;
    Ok(match found.iter().any(|one| one.too_open) {
        true => Exit::NOT_FOUND,
        false => Exit::OK,
    })
}

/// Looks at one place; `None` if nothing is there.
fn look(what: What, path: &Path) -> Result<Option<Access>> {
    let found = match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        found => found.map_err(|error| Error::io("look at", path, error))?,
    };
    let mode = found.mode() & 0o7777;
    let reach = reach(path);
    // Whoever can enter a directory can read what is in it that is not closed itself.
    let enter = match found.is_dir() {
        true => (GROUP_ENTER, OTHERS_ENTER),
        false => (0, 0),
    };
    let readers = Who::of(mode, GROUP_READ | enter.0, OTHERS_READ | enter.1);
    let writers = Who::of(mode, GROUP_WRITE, OTHERS_WRITE);
    let least = |one: Who| if one <= reach { one } else { reach };
    let (readers, writers) = (least(readers), least(writers));
    let us = rustix::process::geteuid().as_raw();
    let is_of_another = found.uid() != us && found.uid() != 0;
    let is_read = readers != Who::Owner && !what.may_be_read();
    Ok(Some(Access {
        what,
        path: path.to_owned(),
        owner: found.uid(),
        mode: format!("{mode:04o}"),
        readers,
        writers,
        too_open: is_read || writers != Who::Owner || is_of_another,
    }))
}

/// Who can come to `path` at all: who may enter each directory above it.
fn reach(path: &Path) -> Who {
    let above = path.ancestors().skip(1);
    let modes = above.filter_map(|dir| fs::metadata(dir).ok());
    let who = modes.map(|dir| Who::of(dir.mode(), GROUP_ENTER, OTHERS_ENTER));
    who.fold(
        Who::Everybody,
        |least, one| if one < least { one } else { least },
    )
}

fn tell(context: &Context, found: &[Access]) -> Result<()> {
    let printer = &context.printer;
    if printer.json {
        return printer.json_lines(found);
    }
    let columns = [
        Column::whole("WHAT"),
        Column::whole("MODE"),
        Column::whole("READ BY"),
        Column::whole("WRITTEN BY"),
        Column::flexible("PATH", 20),
    ];
    let mut table = Table::new(&columns, printer.columns);
    for one in found {
        let path = one.path.display().to_string();
        table.row([
            one.what.as_str(),
            &one.mode,
            one.readers.as_str(),
            one.writers.as_str(),
            &path,
        ]);
    }
    printer.long_text(&table.render())?;
    let us = rustix::process::geteuid().as_raw();
    for one in found.iter().filter(|one| one.too_open) {
        let path = one.path.display();
        match one.owner == us || one.owner == 0 {
            false => printer.warn(format_args!(
                "{path} belongs to user {}, who can do anything with it",
                one.owner
            )),
            true => {
                let word = shell_word(&path.to_string());
                let rights = match one.what.may_be_read() {
                    true => "go-w",
                    false => "go=",
                };
                printer.warn(format_args!(
                    "{path} is open to {}: `chmod {rights} {word}`",
                    match one.writers {
                        Who::Owner => one.readers.as_str(),
                        writers => writers.as_str(),
                    }
                ));
            }
        }
    }
    if context.settings.store.value.path().is_none() {
        printer.note(
            "the record is in a database, whose roles decide: `recover access --sql` prints three",
        );
    }
    Ok(())
}

#[cfg(feature = "postgres")]
fn sql(context: &Context) -> Result<Exit> {
    context.printer.text(auto_recovery_sql::postgres::ROLES)?;
    Ok(Exit::OK)
}

#[cfg(not(feature = "postgres"))]
fn sql(_: &Context) -> Result<Exit> {
    let text = crate::build::lacks("PostgreSQL", "postgres");
    Err(Error::new(auto_recovery::ErrorKind::InvalidInput, text))
}
