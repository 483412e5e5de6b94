//! The environment, read once and handed on as a value.
//!
//! Settings come from seven variables only; the rest are facts about the user and the terminal.
//! This is the only room of the product that reads the environment.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use auto_recovery::files::{Links, read_small};
use auto_recovery::redaction::is_secret_name;
use auto_recovery::run::login_dir;
use rustix::process::{geteuid, getuid};

use crate::output::ColorWish;
use crate::settings::SecretText;

/// The longest list of users that is read: 16 MiB, some 200,000.
const LIST_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// What the environment says.
#[derive(Clone, Debug, Default)]
pub(crate) struct Environment {
    /// RECOVER_STORE.
    pub(crate) store: Option<OsString>,
    /// RECOVER_STATE_DIR.
    pub(crate) state_dir: Option<PathBuf>,
    /// RECOVER_CONFIG.
    pub(crate) config: Option<PathBuf>,
    /// RECOVER_DURABILITY.
    pub(crate) durability: Option<OsString>,
    /// RECOVER_TOKEN: what proves to a server who we are.
    pub(crate) token: Option<SecretText>,
    /// SSL_CERT_FILE: the certificates that are trusted where a URL names none; a relative path is
    /// meant from the current directory.
    pub(crate) ssl_cert_file: Option<PathBuf>,
    /// NO_COLOR, CLICOLOR_FORCE and TERM: what is wished of colours.
    pub(crate) color: ColorWish,
    /// PAGER: what shows long output; an empty one is set, too.
    pub(crate) pager: Option<String>,
    /// LESS: how `less` shows it; the user's own.
    pub(crate) has_less: bool,
    /// The user's home directory: HOME where absolute, else what the system's list of users says.
    pub(crate) home: Option<PathBuf>,
    /// XDG_CONFIG_HOME, where absolute.
    pub(crate) xdg_config_home: Option<PathBuf>,
    /// XDG_STATE_HOME, where absolute.
    pub(crate) xdg_state_home: Option<PathBuf>,
    /// XDG_RUNTIME_DIR, where absolute and in memory: what this login has for itself.
    pub(crate) xdg_runtime_dir: Option<PathBuf>,
    /// SUDO_UID: who became root by `sudo`; only where this is root.
    pub(crate) sudo_uid: Option<u32>,
    /// The user's name.
    pub(crate) user: Option<String>,
    /// Columns of the terminal, where the user overrides what the terminal says.
    pub(crate) columns: Option<u16>,
    /// The recovery that this process is part of.
    pub(crate) parent_session: Option<String>,
    /// MAKEFLAGS: what `make` says to its jobs.
    pub(crate) makeflags: OsString,
    /// PATH: where programs are looked for.
    pub(crate) search_path: Option<OsString>,
    /// GIT_INDEX_FILE: what a commit under way is made from, in a hook of git's.
    pub(crate) git_index: Option<PathBuf>,
    /// Where GitHub Actions wants what a step says; used only where a report for it is asked for.
    pub(crate) github: GithubFiles,
}

/// The files that GitHub Actions gives to each step.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct GithubFiles {
    /// GITHUB_STEP_SUMMARY: Markdown that is shown with the run.
    pub(crate) summary: Option<PathBuf>,
    /// GITHUB_OUTPUT: what later steps are told.
    pub(crate) output: Option<PathBuf>,
}

impl Environment {
    /// The environment of this process. A variable that is set to nothing counts as not set.
    pub(crate) fn read() -> Self {
        let absolute = |name| {
            variable(name)
                .map(PathBuf::from)
                .filter(|path| path.is_absolute())
        };
        let text = |name| variable(name).and_then(|value| value.into_string().ok());
        Self {
            store: variable("RECOVER_STORE"),
            state_dir: variable("RECOVER_STATE_DIR").map(PathBuf::from),
            config: variable("RECOVER_CONFIG").map(PathBuf::from),
            durability: variable("RECOVER_DURABILITY"),
            token: text("RECOVER_TOKEN").map(SecretText::new),
            ssl_cert_file: variable("SSL_CERT_FILE").map(PathBuf::from),
            color: ColorWish {
                refused: variable("NO_COLOR").is_some(),
                forced: variable("CLICOLOR_FORCE").is_some_and(|value| value != "0"),
                is_dumb: variable("TERM").is_none_or(|term| term == "dumb"),
            },
            pager: set_variable("PAGER").and_then(|value| value.into_string().ok()),
            has_less: variable("LESS").is_some(),
            home: env::home_dir()
                .filter(|home| home.is_absolute())
                .or_else(listed_home),
            xdg_config_home: absolute("XDG_CONFIG_HOME"),
            xdg_state_home: absolute("XDG_STATE_HOME"),
            xdg_runtime_dir: login_dir(absolute("XDG_RUNTIME_DIR").as_deref()),
            sudo_uid: text("SUDO_UID")
                .and_then(|uid| uid.parse().ok())
                .filter(|_| geteuid().is_root()),
            user: text("USER").or_else(|| text("LOGNAME")),
            columns: text("COLUMNS").and_then(|columns| columns.parse().ok()),
            parent_session: text("RECOVER_SESSION_ID"),
            makeflags: variable("MAKEFLAGS").unwrap_or_default(),
            search_path: variable("PATH"),
            git_index: variable("GIT_INDEX_FILE").map(PathBuf::from),
            github: GithubFiles {
                summary: variable("GITHUB_STEP_SUMMARY").map(PathBuf::from),
                output: variable("GITHUB_OUTPUT").map(PathBuf::from),
            },
        }
    }
}

/// The value of the variable `name`, which somebody named as secret.
pub(crate) fn named_variable(name: &str) -> Option<OsString> {
    set_variable(name)
}

/// The variables of the environment whose names say that their values are secret.
pub(crate) fn secret_variables() -> Vec<(String, OsString)> {
    let named = env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value)));
    named.filter(|(name, _)| is_secret_name(name)).collect()
}

/// The home directory that the machine's own list has for this user.
pub(crate) fn listed_home() -> Option<PathBuf> {
    let (_, home) = listed(getuid().as_raw())?;
    Some(PathBuf::from(home)).filter(|home| home.is_absolute())
}

/// The name that the machine's own list has for this user.
pub(crate) fn listed_name() -> Option<String> {
    let (name, _) = listed(geteuid().as_raw())?;
    Some(name).filter(|name| !name.is_empty())
}

/// The name and the home directory of the user with the number `us` in the machine's own list.
fn listed(us: u32) -> Option<(String, String)> {
    let list = Path::new("/etc/passwd");
    let list = read_small(list, Links::Follow, LIST_BYTES_MAX).ok()?;
    String::from_utf8_lossy(&list).lines().find_map(|line| {
        let fields: Vec<_> = line.split(':').collect();
        let [name, _, uid, _, _, home, ..] = fields[..] else {
            return None;
        };
        (uid.parse() == Ok(us)).then(|| (name.to_owned(), home.to_owned()))
    })
}

fn variable(name: &str) -> Option<OsString> {
    set_variable(name).filter(|value| !value.is_empty())
}

/// The same, which may be empty.
#[expect(
    clippy::disallowed_methods,
    reason = "this is where the environment is read"
)]
fn set_variable(name: &str) -> Option<OsString> {
    env::var_os(name)
}
