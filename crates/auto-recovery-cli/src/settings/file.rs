//! Finding and opening configuration files.
//!
//! `recover.toml` comes with a project that somebody else may have written, so it is taken only
//! from the workspace, and it is noted whether the user or root owns it and nobody else can write
//! it.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use auto_recovery::files::{Links, open_regular};
use auto_recovery::{Error, ErrorKind, Result};

use crate::settings::{Environment, ownership};

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
    pub(crate) doubt: Option<String>,
}

/// The files that settings are read from.
#[derive(Debug, Default)]
pub(crate) struct Sources {
    /// `recover.toml` of the workspace.
    pub(crate) project: Option<SourceFile>,
    /// The user's own file, or the one named by `--config` or RECOVER_CONFIG.
    pub(crate) user: Option<SourceFile>,
}

impl Sources {
    /// Reads the files that apply in `cwd`, which lies in `workspace`.
    ///
    /// # Errors
    /// If a file that exists cannot be read or is refused.
    pub(crate) fn read(
        named: Option<&Path>,
        environment: &Environment,
        cwd: &Path,
        workspace: &Path,
    ) -> Result<Self> {
        if let Some(path) = named {
            // Whoever names one may mean a pipe, such as a shell's `<(...)`.
            let user = read(path, |path| File::open(path), |_| Ok(None))?.ok_or_else(|| {
                Error::new(
                    ErrorKind::InvalidInput,
                    format!("configuration file {} does not exist", path.display()),
                )
            })?;
            return Ok(Self {
                project: None,
                user: Some(user),
            });
        }
        Ok(Self {
            project: find_project(cwd, workspace)?,
            user: match user_path(environment) {
                Some(path) => read(&path, open_at_once, |_| Ok(None))?,
                None => None,
            },
        })
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

/// The nearest `recover.toml` from `cwd` up to `workspace`.
///
/// # Errors
/// If one that exists cannot be read or is refused.
pub(crate) fn find_project(cwd: &Path, workspace: &Path) -> Result<Option<SourceFile>> {
    for directory in cwd.ancestors() {
        if let Some(file) = read_project_file(&directory.join(PROJECT_FILE))? {
            return Ok(Some(file));
        }
        if directory == workspace {
            break;
        }
    }
    Ok(None)
}

/// The project's file at `path`, if there is one.
///
/// # Errors
/// If it cannot be read or is refused.
pub(crate) fn read_project_file(path: &Path) -> Result<Option<SourceFile>> {
    read(path, open_at_once, |file: &File| {
        ownership::doubt(file, path)
    })
}

/// Opens a regular file, and never waits for whoever writes to a pipe.
fn open_at_once(path: &Path) -> io::Result<File> {
    open_regular(path, Links::Follow)
}

/// Reads `path`, which `open` opens, if it exists and `check` lets it pass, which says what is
/// in doubt.
fn read(
    path: &Path,
    open: impl Fn(&Path) -> io::Result<File>,
    check: impl Fn(&File) -> Result<Option<String>>,
) -> Result<Option<SourceFile>> {
    let refused = |reason: &str| {
        Error::new(
            ErrorKind::InvalidInput,
            format!("configuration file {} {reason}", path.display()),
        )
    };
    let file = match open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
            return Err(refused("is no file"));
        }
        Err(error) if is_absent(&error) => return Ok(None),
        Err(error) => return Err(Error::io("open", path, error)),
    };
    let doubt = check(&file)?;
    let mut bytes = Vec::new();
    file.take(CONFIG_BYTES_MAX + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| Error::io("read", path, error))?;
    if bytes.len() as u64 > CONFIG_BYTES_MAX {
        return Err(refused("is longer than 1 MiB"));
    }
    let text = String::from_utf8(bytes).map_err(|_| refused("is not UTF-8"))?;
    Ok(Some(SourceFile {
        path: Arc::new(path.to_path_buf()),
        text,
        doubt,
    }))
}

fn is_absent(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}
