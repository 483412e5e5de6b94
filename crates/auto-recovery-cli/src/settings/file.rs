//! Finding and opening configuration files.
//!
//! `recover.toml` comes with a project that somebody else may have written, so it is taken only
//! from the workspace, and it is noted whether the user or root owns it and nobody else can write
//! it. What stands at a file's place and is none, and what somebody else made so that it cannot be
//! read, is named and does not count: a name ends nobody's run.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use auto_recovery::files::{Links, open_regular};
use auto_recovery::{Error, ErrorKind, Result};
use rustix::io::Errno;

use crate::settings::{Doubt, Environment, ownership};

/// Name of the project's file.
pub(crate) const PROJECT_FILE: &str = "recover.toml";

/// The longest configuration file that is read: 1 MiB, some 20,000 lines.
const CONFIG_BYTES_MAX: u64 = 1024 * 1024;

/// A configuration file, read.
#[derive(Clone, Debug)]
pub(crate) struct SourceFile {
    /// Where it is, as shown to people.
    pub(crate) path: Arc<PathBuf>,
    /// What it says.
    pub(crate) text: String,
    /// Why somebody else may have written it, if so.
    pub(crate) doubt: Option<Doubt>,
}

/// What stands at a configuration file's place, and does not count.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Unread {
    /// Where it is.
    pub(crate) path: Arc<PathBuf>,
    /// Why it is not read.
    pub(crate) reason: String,
    /// Whether it is a file of the user's own or root's with a mistake in it, which `run` refuses.
    pub(crate) is_broken: bool,
}

impl Unread {
    /// A file at `path` with a mistake, which `error` names.
    pub(crate) fn broken(path: Arc<PathBuf>, error: &Error) -> Self {
        Self {
            path,
            reason: error.chain(),
            is_broken: true,
        }
    }
}

/// Which configuration files with a mistake end a command. A mistake in a file must not keep
/// anybody from looking at what a run did, or from taking it back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mistakes {
    /// Each does: what is tried depends on every setting.
    Refused,
    /// Those of the user's own file do: it may name the store that is written to.
    RefusedOfUser,
    /// None does. The file is left out and named.
    LeftOut,
}

impl fmt::Display for Unread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            path,
            reason,
            is_broken,
        } = self;
        if *is_broken {
            return write!(
                f,
                "{reason}; until you mend that, none of the file counts and `recover run` refuses"
            );
        }
        let path = path.display();
        write!(f, "{path} is not read and does not count: {reason}")
    }
}

/// The files that settings are read from.
#[derive(Debug, Default)]
pub(crate) struct Sources {
    /// `recover.toml` of the workspace.
    pub(crate) project: Option<SourceFile>,
    /// The user's own file, or the one named by `--config` or RECOVER_CONFIG.
    pub(crate) user: Option<SourceFile>,
    /// What stands where one of them could.
    pub(crate) unread: Vec<Unread>,
}

impl Sources {
    /// Reads the files that apply in `cwd`, which lies in `workspace`.
    ///
    /// # Errors
    /// If a file that exists cannot be read or is refused, unless `mistakes` leaves it out.
    pub(crate) fn read(
        named: Option<&Path>,
        environment: &Environment,
        cwd: &Path,
        workspace: &Path,
        mistakes: Mistakes,
    ) -> Result<Self> {
        let mut unread = Vec::new();
        if let Some(path) = named {
            // Whoever names one may mean a pipe, such as a shell's `<(...)`.
            let user = read(path, |path| File::open(path), |_| Ok(None));
            let user = user.map_err(|unusable| unusable.error)?.ok_or_else(|| {
                Error::new(
                    ErrorKind::InvalidInput,
                    format!("configuration file {} does not exist", path.display()),
                )
            })?;
            return Ok(Self {
                user: Some(user),
                ..Self::default()
            });
        }
        let project = find_project(cwd, workspace, mistakes, &mut unread)?;
        let user = match user_path(environment) {
            Some(path) => {
                let read = read(&path, open_at_once, |_| Ok(None));
                unless_left_out(read, &path, mistakes == Mistakes::LeftOut, &mut unread)?
            }
            None => None,
        };
        Ok(Self {
            project,
            user,
            unread,
        })
    }
}

impl Sources {
    /// Where the files are that were read.
    pub(crate) fn paths(&self) -> Vec<PathBuf> {
        let files = [&self.project, &self.user].into_iter().flatten();
        files.map(|file| file.path.to_path_buf()).collect()
    }
}

/// The user's own configuration file.
fn user_path(environment: &Environment) -> Option<PathBuf> {
    let directory = environment
        .xdg_config_home
        .clone()
        .or_else(|| Some(environment.home.as_ref()?.join(".config")))?;
    Some(directory.join("recover").join("config.toml"))
}

/// The nearest `recover.toml` from `cwd` up to `workspace`; what stands in its place goes to
/// `unread`.
///
/// # Errors
/// If one that exists cannot be read or is refused, unless `mistakes` leaves it out.
pub(crate) fn find_project(
    cwd: &Path,
    workspace: &Path,
    mistakes: Mistakes,
    unread: &mut Vec<Unread>,
) -> Result<Option<SourceFile>> {
    for directory in cwd.ancestors() {
        let path = directory.join(PROJECT_FILE);
        let leave_out = mistakes != Mistakes::Refused;
        if let Some(file) = unless_left_out(read_project(&path), &path, leave_out, unread)? {
            return Ok(Some(file));
        }
        if directory == workspace || unread.iter().any(|one| one.is_broken) {
            break;
        }
    }
    Ok(None)
}

/// The project's file at `path`, which somebody named, if there is one.
///
/// # Errors
/// If it cannot be read or is refused.
pub(crate) fn read_project_file(path: &Path) -> Result<Option<SourceFile>> {
    read_project(path).map_err(|unusable| unusable.error)
}

fn read_project(path: &Path) -> Result<Option<SourceFile>, Unusable> {
    read(path, open_at_once, |file: &File| {
        ownership::doubt(file, path)
    })
}

/// Opens a regular file, and never waits for whoever writes to a pipe.
fn open_at_once(path: &Path) -> io::Result<File> {
    open_regular(path, Links::Follow)
}

/// A file that is there and cannot be used.
struct Unusable {
    error: Error,
    /// What to say where it is left out, if it may be: it is no file, or somebody else's.
    left_out: Option<Unread>,
}

impl Unusable {
    fn left_out(path: &Path, error: Error, reason: String) -> Self {
        let path = Arc::new(path.to_path_buf());
        Self {
            error,
            left_out: Some(Unread {
                path,
                reason,
                is_broken: false,
            }),
        }
    }
}

impl From<Error> for Unusable {
    fn from(error: Error) -> Self {
        Self {
            error,
            left_out: None,
        }
    }
}

/// What was `read` from `path`, where that is not to be left out: then it goes to `unread`. So does
/// a file with a mistake where those are to `leave_out`.
fn unless_left_out(
    read: Result<Option<SourceFile>, Unusable>,
    path: &Path,
    leave_out: bool,
    unread: &mut Vec<Unread>,
) -> Result<Option<SourceFile>> {
    match read {
        Ok(file) => Ok(file),
        Err(Unusable {
            left_out: Some(left_out),
            ..
        }) => {
            unread.push(left_out);
            Ok(None)
        }
        Err(Unusable { error, .. }) if leave_out => {
            unread.push(Unread::broken(Arc::new(path.to_path_buf()), &error));
            Ok(None)
        }
        Err(Unusable { error, .. }) => Err(error),
    }
}

/// Reads `path`, which `open` opens, if it exists; `check` says what is in doubt about it.
fn read(
    path: &Path,
    open: impl Fn(&Path) -> io::Result<File>,
    check: impl Fn(&File) -> Result<Option<Doubt>>,
) -> Result<Option<SourceFile>, Unusable> {
    let file = match open(path) {
        Ok(file) => file,
        Err(error) if is_absent(&error) && path.is_symlink() => {
            return Err(refused_place(path, "it is a link to nothing".to_owned()));
        }
        Err(error) if is_absent(&error) => return Ok(None),
        Err(error) => return Err(unopened(path, error)),
    };
    let doubt = check(&file)?;
    match text_of(path, file) {
        Ok(text) => Ok(Some(SourceFile {
            path: Arc::new(path.to_path_buf()),
            text,
            doubt,
        })),
        Err(error) => Err(match doubt {
            Some(doubt @ Doubt::IsAnothers(_)) => {
                let reason = format!("{doubt}, and {error}");
                Unusable::left_out(path, error, reason)
            }
            _ => error.into(),
        }),
    }
}

/// What could not be opened: a file of the user's own or root's that is closed is to be seen to.
fn unopened(path: &Path, error: io::Error) -> Unusable {
    let user = rustix::process::geteuid().as_raw();
    let is_ours = |uid| uid == user || uid == 0;
    let reason = match error.kind() {
        _ if error.raw_os_error() == Some(Errno::LOOP.raw_os_error()) => {
            "it is a link that goes in circles".to_owned()
        }
        io::ErrorKind::InvalidInput => error.to_string(),
        io::ErrorKind::PermissionDenied => match path.metadata() {
            Ok(found) if is_ours(found.uid()) => return Error::io("open", path, error).into(),
            Ok(found) => format!("it belongs to user {}, and is closed to you", found.uid()),
            Err(_) => "where it would be is closed to you".to_owned(),
        },
        _ => return Error::io("open", path, error).into(),
    };
    refused_place(path, reason)
}

/// That `reason` keeps what stands at `path` from being read; it may be left out.
fn refused_place(path: &Path, reason: String) -> Unusable {
    let what = format!("configuration file {}: {reason}", path.display());
    let error = Error::new(ErrorKind::InvalidInput, what);
    Unusable::left_out(path, error, reason)
}

fn text_of(path: &Path, file: File) -> Result<String> {
    let refused = |reason: &str| {
        let path = path.display();
        let what = format!("configuration file {path} {reason}");
        Error::new(ErrorKind::InvalidInput, what)
    };
    if file.metadata().is_ok_and(|found| found.is_dir()) {
        return Err(refused("is a directory: name a file in it"));
    }
    let mut bytes = Vec::new();
    file.take(CONFIG_BYTES_MAX + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| Error::io("read", path, error))?;
    if bytes.len() as u64 > CONFIG_BYTES_MAX {
        return Err(refused("is longer than 1 MiB"));
    }
    String::from_utf8(bytes).map_err(|_| refused("is not UTF-8"))
}

fn is_absent(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}
