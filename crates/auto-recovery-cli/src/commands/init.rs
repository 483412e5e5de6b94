//! `recover init`.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::Path;

use auto_recovery::files::{Links, open_regular};
use auto_recovery::workspace::Workspace;
use auto_recovery::{Error, ErrorKind, Result};
use serde::Serialize;

use crate::context::Context;
use crate::exit::Exit;
use crate::settings::PROJECT_FILE;

/// What is written: every line is a comment, so that the file changes nothing until somebody takes
/// a `#` away. Lines that begin with `#` and no blank are settings.
const TEXT: &str = r#"# How `recover run` mends this project. Nothing here counts until you take the `#` before it away.
# `recover config` prints what counts and why, `recover plan CMD` what would be tried.

# What may mend the tree: one command, as text for `sh -c`. Of several, each is a list of words:
# [["./scripts/mend.sh"], ["./scripts/mend-more.sh", "--all"]], tried in this order.
#fix = "./scripts/mend.sh"

# A fix that touches such a path is undone.
#protect = ["tests/**"]

# Run the command again up to N times, whatever the failure.
#retry = 2

# Tries of each strategy, and the first and the longest wait between two.
#max_attempts = 3
#base_delay = "1s"
#max_delay = "60s"

# Limits: for each program that is started, and for the whole run.
#attempt_timeout = "10m"
#deadline = "30m"

# The riskiest built-in recipe that may run. A project can lower it: safe, moderate, network.
#allow = "safe"

# Prove that a cure is one: without it the command must fail again.
#confirm = true

# For one kind of failure: transient, code_quality, test_failure, dependency or unknown.
#[category.test_failure]
#retry = 1
"#;

/// The file that was written.
#[derive(Serialize)]
struct Written {
    path: String,
}

/// Writes `recover.toml` at the root of the workspace, unless there is one.
///
/// # Errors
/// If there is one, it cannot be written, or no project is there.
pub(crate) fn init(context: &Context) -> Result<Exit> {
    let settings = &context.settings;
    let root = &settings.workspace;
    let workspace = Workspace::find_for(root, settings.home.as_deref(), settings.sudo_uid)?;
    if let Some(what) = workspace.why_no_project() {
        let root = root.display();
        let says = format!("no {PROJECT_FILE} is made in {root}: it {what}; go into a project");
        return Err(Error::new(ErrorKind::Refused, says));
    }
    let path = root.join(PROJECT_FILE);
    let shown = path.display().to_string();
    let opened = OpenOptions::new().write(true).create_new(true).open(&path);
    let mut file = match opened {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            let says = format!("{shown} is there already{}", and_stays(context, &path));
            return Err(Error::new(ErrorKind::NotFound, says));
        }
        opened => opened.map_err(|error| Error::io("make", &path, error))?,
    };
    file.write_all(TEXT.as_bytes())
        .map_err(|error| Error::io("write", &path, error))?;
    if context.printer.json {
        context.printer.json(&Written { path: shown })?;
    } else {
        context.printer.text(&format!("{shown}\n"))?;
        context.printer.note(
            "it changes nothing yet: take the `#` away before what you want, `recover config` \
             shows what counts",
        );
    }
    Ok(Exit::OK)
}

/// The words for what stands at `path` already.
fn and_stays(context: &Context, path: &Path) -> String {
    let mut unread = context.settings.unread.iter();
    let why = match open_regular(path, Links::Follow) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => "a link to nothing".to_owned(),
        Err(error) => error.to_string(),
        // What is wrong in it was told before.
        Ok(_) if unread.any(|one| one.is_broken && *one.path == *path) => {
            return ", broken, and stays: mend it, or move it away and type `recover init` again"
                .to_owned();
        }
        Ok(_) => return " and stays; `recover config` shows what it sets".to_owned(),
    };
    format!(" and stays: {why}: move it away and type `recover init` again")
}
