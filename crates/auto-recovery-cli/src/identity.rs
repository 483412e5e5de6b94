//! Who records, where, and on which machine.

use auto_recovery::audit::SessionStarted;

use crate::output::Escapes;
use crate::output::escape_bytes;
use crate::settings::{Settings, listed_name};

/// The journal's words about a session that begins in this process. `command` is the user's
/// command, if there is one.
pub(crate) fn session_started(settings: &Settings, command: Option<Vec<String>>) -> SessionStarted {
    let name = settings.workspace.file_name();
    SessionStarted {
        command,
        cwd: Some(settings.cwd.display().to_string()),
        workspace: Some(settings.workspace.display().to_string()),
        project: name.map(|name| name.to_string_lossy().into_owned()),
        host: Some(host_name()),
        user: Some(user_name(settings)),
        pid: std::process::id(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
    }
}

fn host_name() -> String {
    escape_bytes(rustix::system::uname().nodename().to_bytes(), Escapes::Line)
}

fn user_name(settings: &Settings) -> String {
    let user = settings.user.clone().or_else(listed_name);
    user.unwrap_or_else(|| format!("uid {}", rustix::process::geteuid().as_raw()))
}
