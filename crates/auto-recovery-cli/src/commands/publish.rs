//! What becomes of a seal outside: the command of `[seal] publish` is given it, and people sign it.

use std::ffi::OsString;
use std::io::{Read as _, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use auto_recovery::audit::sealing::newest_seal;
use auto_recovery::audit::{AuditStore, JournalEvent, SealNotPublished, SealSigned};
use auto_recovery::host::{Host, Wait};
use auto_recovery::integrity::Seal;
use auto_recovery::{Error, ErrorKind, Result};
use rustix::process::{Pid, Signal, kill_process_group};

use crate::context::Context;
use crate::settings::{Origin, StrategyCommand};

/// How long the command that publishes may take.
const PUBLISH_TIME_MAX: Duration = Duration::from_secs(10);

/// How long a person may take to unlock a key, or to touch it.
const SIGN_TIME_MAX: Duration = Duration::from_secs(60);

/// Time between two looks at a program.
const LOOK: Duration = Duration::from_millis(20);

/// What signatures are for, so that none can be taken for one of something else.
const NAMESPACE: &str = "auto-recovery-seal";

/// The most that is read of a signature or a key.
const TEXT_BYTES_MAX: u64 = 64 * 1024;

/// Hands the newest seal of `store` to the command of the configuration, if there is one. That it
/// is not taken is a warning, and on record.
///
/// # Errors
/// If the store cannot be read or written.
pub(super) fn publish(context: &Context, store: &dyn AuditStore) -> Result<()> {
    let Some(command) = &context.settings.run.seal_publish.value else {
        return Ok(());
    };
    let Some((seal, note)) = newest_seal(store)? else {
        return Ok(());
    };
    let program = Program {
        argv: argv(command),
        limit: PUBLISH_TIME_MAX,
        is_apart: true,
    };
    if let Err(error) = program.give(&note, &*context.host) {
        let reason = error.chain();
        let seal = seal.short().to_string();
        context
            .printer
            .warn(format_args!("seal {seal} is not published: {reason}"));
        let event = SealNotPublished { seal, reason };
        store.record(None, JournalEvent::SealNotPublished(event))?;
    }
    Ok(())
}

/// Has the newest seal published by a process of its own, which nobody waits for.
pub(crate) fn publish_by_itself(context: &Context) {
    let publish = &context.settings.run.seal_publish;
    if publish.value.is_none() {
        return;
    }
    if let Err(error) = leave(context, &publish.origin) {
        let why = error.chain();
        context
            .printer
            .warn(format_args!("the seal is not published: {why}"));
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "it outlives this process, which ends now"
)]
fn leave(context: &Context, origin: &Origin) -> Result<()> {
    let failed = |error| Error::os("start what publishes the seal", error);
    let mut command = Command::new(std::env::current_exe().map_err(failed)?);
    command
        .args(["seal", "--publish-newest"])
        .env("RECOVER_STORE", context.settings.store.value.typed())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0);
    if let Origin::File { path, .. } = origin {
        command.env("RECOVER_CONFIG", &**path);
    }
    command.spawn().map(drop).map_err(failed)
}

fn argv(command: &StrategyCommand) -> Vec<OsString> {
    match command {
        StrategyCommand::Argv(words) => words.iter().map(OsString::from).collect(),
        text => ["sh", "-c", &text.to_string()].map(OsString::from).to_vec(),
    }
}

/// Has `ssh-keygen` sign `seal` with the key that belongs to the public key in `key`, and puts the
/// signature on record.
///
/// # Errors
/// If there is no such key, it does not sign in time, or the store cannot be written.
pub(super) fn sign_as(
    context: &Context,
    store: &dyn AuditStore,
    key: &Path,
    (seal, note): (&Seal, &str),
) -> Result<()> {
    let public =
        auto_recovery::files::read_small(key, auto_recovery::files::Links::Follow, TEXT_BYTES_MAX);
    let public = public.map_err(|error| Error::io("read", key, error))?;
    let words = ["ssh-keygen", "-q", "-Y", "sign", "-n", NAMESPACE, "-f"];
    let mut argv: Vec<OsString> = words.map(OsString::from).to_vec();
    argv.push(key.into());
    let program = Program {
        argv,
        limit: SIGN_TIME_MAX,
        is_apart: false,
    };
    let signature = program.give(note, &*context.host)?;
    let event = SealSigned {
        seal: seal.short().to_string(),
        key: String::from_utf8_lossy(&public).trim().to_owned(),
        signature: String::from_utf8_lossy(&signature).into_owned(),
    };
    let signed = event.seal.clone();
    store.record(None, JournalEvent::SealSigned(event))?;
    context.printer.note(format_args!(
        "seal {signed} is signed with {}, which is on record",
        key.display()
    ));
    Ok(())
}

/// A program that is given a seal.
struct Program {
    argv: Vec<OsString>,
    limit: Duration,
    /// Whether it has nothing to do with the terminal: then all that it starts is ended with it,
    /// and nobody reads what it writes.
    is_apart: bool,
}

impl Program {
    /// Gives it `note`, and returns what it wrote.
    fn give(&self, note: &str, host: &dyn Host) -> Result<Vec<u8>> {
        let name = self.argv[0].to_string_lossy();
        let failed = |error| Error::os(format!("run `{name}`"), error);
        let mut child = self.start().map_err(failed)?;
        if let Some(mut stdin) = child.stdin.take() {
            // One that reads nothing may do its work all the same. A seal fits into a pipe.
            stdin.write_all(note.as_bytes()).ok();
        }
        let until = host.monotonic() + self.limit;
        let status = loop {
            if let Some(status) = child.try_wait().map_err(failed)? {
                break status;
            }
            let is_interrupted = host.sleep(LOOK) == Wait::Interrupted;
            if is_interrupted || host.monotonic() >= until {
                self.end(&mut child);
                let (kind, why) = match is_interrupted {
                    true => (ErrorKind::Interrupted, "it was interrupted".to_owned()),
                    false => {
                        let limit = self.limit.as_secs();
                        (
                            ErrorKind::TimedOut,
                            format!("it took longer than {limit} s"),
                        )
                    }
                };
                return Err(Error::new(kind, format!("`{name}`: {why}")));
            }
        };
        let mut wrote = Vec::new();
        if let Some(stdout) = child.stdout.take() {
            let read = stdout.take(TEXT_BYTES_MAX).read_to_end(&mut wrote);
            read.map_err(failed)?;
        }
        match status.success() {
            true => Ok(wrote),
            false => Err(Error::new(
                ErrorKind::Refused,
                format!("`{name}` ended with {status}"),
            )),
        }
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "the program is the user's own, is given a seal and is waited for here"
    )]
    fn start(&self) -> std::io::Result<Child> {
        let mut command = Command::new(&self.argv[0]);
        command.args(&self.argv[1..]).stdin(Stdio::piped());
        match self.is_apart {
            true => command.stdout(Stdio::null()).process_group(0),
            false => command.stdout(Stdio::piped()),
        };
        command.spawn()
    }

    fn end(&self, child: &mut Child) {
        if self.is_apart {
            let group = Pid::from_child(child);
            // It may have ended by now.
            kill_process_group(group, Signal::KILL).ok();
        }
        drop(child.kill());
        drop(child.wait());
    }
}
