//! Finding and opening configuration files.
//!
//! `recover.toml` comes with a project that somebody else may have written, so it is taken only
//! from the workspace, only when the user or root owns it, and only when nobody else can write it.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use auto_recovery::{Error, ErrorKind, Result};
use rustix::fs::OFlags;

use crate::settings::Environment;

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
            let user = read(path, File::options().read(true), |_| Ok(()))?.ok_or_else(|| {
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
            project: read_project(cwd, workspace)?,
            user: match user_path(environment) {
                Some(path) => read(&path, File::options().read(true), |_| Ok(()))?,
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
fn read_project(cwd: &Path, workspace: &Path) -> Result<Option<SourceFile>> {
    for directory in cwd.ancestors() {
        let path = directory.join(PROJECT_FILE);
        let check = |file: &File| {
            check_is_file(file, &path)?;
            check_owner(file, &path)
        };
        if let Some(file) = read(&path, &without_waiting(), check)? {
            return Ok(Some(file));
        }
        if directory == workspace {
            break;
        }
    }
    Ok(None)
}

/// Opens for reading, and never waits for whoever writes to a pipe.
fn without_waiting() -> OpenOptions {
    let mut options = File::options();
    options
        .read(true)
        .custom_flags(OFlags::NONBLOCK.bits().cast_signed());
    options
}

fn check_is_file(file: &File, path: &Path) -> Result<()> {
    let metadata = file.metadata();
    let metadata = metadata.map_err(|error| Error::io("look at", path, error))?;
    match metadata.is_file() {
        true => Ok(()),
        false => Err(Error::new(
            ErrorKind::InvalidInput,
            format!("configuration file {} is no file", path.display()),
        )),
    }
}

/// Reads `path`, opened as `options` say, if it exists and `check` lets it pass.
fn read(
    path: &Path,
    options: &OpenOptions,
    check: impl Fn(&File) -> Result<()>,
) -> Result<Option<SourceFile>> {
    let refused = |reason: &str| {
        Error::new(
            ErrorKind::InvalidInput,
            format!("configuration file {} {reason}", path.display()),
        )
    };
    let file = match options.open(path) {
        Ok(file) => file,
        Err(error) if is_absent(&error) => return Ok(None),
        Err(error) => return Err(Error::io("open", path, error)),
    };
    check(&file)?;
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
    }))
}

fn is_absent(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

/// Refuses an open file that somebody other than the user or root could have written. Asks the open
/// file, not its path, so that it cannot be swapped in between.
fn check_owner(file: &File, path: &Path) -> Result<()> {
    let metadata = file
        .metadata()
        .map_err(|error| Error::io("read the owner of", path, error))?;
    let user = rustix::process::geteuid().as_raw();
    let refused = |reason: String| {
        Err(Error::new(
            ErrorKind::InvalidInput,
            format!("refused to read {}: {reason}", path.display()),
        ))
    };
    if metadata.uid() != user && metadata.uid() != 0 {
        return refused(format!(
            "it belongs to user {}, not to you or root; pass `--config` to name a file you trust",
            metadata.uid()
        ));
    }
    if metadata.mode() & 0o022 != 0 {
        return refused(format!(
            "others can write it (mode {:04o}); run `chmod go-w` on it",
            metadata.mode() & 0o7777
        ));
    }
    Ok(())
}
