//! The user's identity, which opens the keys of sessions: a file, or a command.
//!
//! Nothing of it comes from the environment, and nobody is waited for: the command has no
//! terminal, and a few seconds.

use std::ffi::OsString;
use std::io::Write as _;
use std::os::fd::AsFd as _;
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use auto_recovery::audit::encrypting::Unlocked;
use auto_recovery::encryption::Identity;
use auto_recovery::encryption::age::{self, AgeRefused};
use auto_recovery::files::{Links, read_small};
use auto_recovery::host::Host;
use auto_recovery::interrupt::Interrupt;
use auto_recovery::process::{
    CommandSpec, Completion, Discard, Leftovers, ReplayedInput, Stdin, Stream, run,
};
use auto_recovery::{Error, ErrorKind, Result};

use crate::settings::{EncryptionSettings, Setting, StrategyCommand};

/// The longest file of identities that is read.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// What a pipe holds: the file of a key for 600 recipients.
const PIPE_BYTES: usize = 64 * 1024;

/// How long the command may take to open one key: a touch of a security key fits in.
const COMMAND_LIMIT: Duration = Duration::from_secs(15);

/// What opens the files of keys, as `settings` say; `None` if they say nothing.
pub(crate) fn unlocking(
    settings: &EncryptionSettings,
    host: &Arc<dyn Host>,
) -> Option<impl Fn(&[u8]) -> Result<Unlocked> + Send + Sync + 'static> {
    let EncryptionSettings {
        recipients: _,
        identity,
        identity_command,
        checkpoints: _,
    } = settings.clone();
    if identity.is_none() && identity_command.is_none() {
        return None;
    }
    let (read, host) = (OnceLock::new(), Arc::clone(host));
    Some(move |file: &[u8]| match (&identity, &identity_command) {
        (Some(identity), _) => {
            if read.get().is_none() {
                let _set_before = read.set(identities(&identity.value)?);
            }
            Ok(opened(read.get().map_or(&[][..], Vec::as_slice), file))
        }
        (None, Some(command)) => by_command(command, file, &*host),
        (None, None) => Ok(Unlocked::ForOthers),
    })
}

/// The identities in the file at `path`.
///
/// # Errors
/// If it cannot be read, or has none.
pub(crate) fn identities(path: &Path) -> Result<Vec<Identity>> {
    let text = read_small(path, Links::Follow, FILE_BYTES_MAX)
        .map_err(|error| Error::io("read the identity", path, error))?;
    let text = String::from_utf8_lossy(&text);
    Identity::parse_file(&text).map_err(|refused| {
        let text = format!("{} is no file of identities: {refused}", path.display());
        Error::new(ErrorKind::Refused, text)
    })
}

fn opened(identities: &[Identity], file: &[u8]) -> Unlocked {
    match age::open(identities, file) {
        Ok(text) => Unlocked::Text(text),
        Err(AgeRefused::ForOthers) => Unlocked::ForOthers,
        Err(AgeRefused::NotAge | AgeRefused::Changed) => Unlocked::Changed,
    }
}

/// Opens `file` by `command`. One that refuses is taken for one whose identity is another.
fn by_command(
    command: &Setting<StrategyCommand>,
    file: &[u8],
    host: &dyn Host,
) -> Result<Unlocked> {
    let argv: Vec<OsString> = match &command.value {
        StrategyCommand::Shell(text) => ["sh", "-c", text].map(OsString::from).into(),
        StrategyCommand::Argv(words) => words.iter().map(OsString::from).collect(),
        StrategyCommand::Agent(_) => {
            let text = "identity_command is an agent: name a program that opens age files";
            return Err(Error::new(ErrorKind::InvalidInput, text));
        }
    };
    let failed = |error| Error::os("give the key of a session to identity_command", error);
    if file.len() > PIPE_BYTES {
        return Ok(Unlocked::Changed);
    }
    let (input, mut end) = std::io::pipe().map_err(failed)?;
    end.write_all(file).map_err(failed)?;
    drop(end);
    let input = ReplayedInput::new(input.as_fd(), &std::env::temp_dir()).map_err(failed)?;
    let spec = CommandSpec {
        stdin: Stdin::Replay(Arc::new(input)),
        timeout: Some(COMMAND_LIMIT),
        grace: Duration::from_secs(1),
        leftovers: Leftovers::End,
        ..CommandSpec::new(argv)
    };
    let ran = run(&spec, &mut Discard, &Interrupt::none(), host)
        .map_err(|error| error.context(format!("identity_command ({})", command.origin)))?;
    if ran.timed_out {
        let text = format!(
            "identity_command ({}) did not open a key within {} s: nobody can be asked here",
            command.origin,
            COMMAND_LIMIT.as_secs()
        );
        return Err(Error::new(ErrorKind::TimedOut, text));
    }
    match ran.is_success() {
        true => Ok(Unlocked::Text(
            ran.capture.stream(Stream::Stdout).into_owned().into(),
        )),
        false => Err(refusal(command, &ran)),
    }
}

fn refusal(command: &Setting<StrategyCommand>, ran: &Completion) -> Error {
    let said = ran.capture.stream(Stream::Stderr);
    let said = String::from_utf8_lossy(&said);
    let said = said.lines().next().unwrap_or("nothing");
    let text = format!(
        "identity_command ({}) opened no key, and said: {said}",
        command.origin
    );
    Error::new(ErrorKind::Refused, text)
}
