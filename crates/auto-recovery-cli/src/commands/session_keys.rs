//! `recover key init | identity | rotate | shred`: the keys that texts are encrypted with.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::Path;

use auto_recovery::audit::encrypting::{KeyFile, KeyStore, Unlocked};
use auto_recovery::audit::{AuditStore, JournalEvent, KeysDestroyed};
use auto_recovery::encryption::{Identity, Recipient, SessionKey, draw_with};
use auto_recovery::files::open_own;
use auto_recovery::{Error, ErrorKind, Result};

use crate::artifacts;
use crate::commands::clear::confirmed;
use crate::commands::session;
use crate::context::Context;
use crate::exit::Exit;
use crate::identity::session_started;
use crate::output::{counted, session_argument};
use crate::unlocking::{identities, unlocking};

/// Makes an identity, and says how texts are encrypted to it.
pub(super) fn init(context: &Context, output: &Path) -> Result<Exit> {
    let printer = &context.printer;
    let identity = Identity::new(&mut draw_with(|| context.host.random()));
    let recipient = identity.recipient();
    let mut file =
        open_own(output, OpenOptions::new().write(true).create_new(true)).map_err(|error| {
            match error.kind() {
                io::ErrorKind::AlreadyExists => {
                    let text = format!("{} is there already: it stays", output.display());
                    Error::new(ErrorKind::Busy, text)
                }
                _ => Error::io("create", output, error),
            }
        })?;
    let secret = identity.secret_text();
    let written = writeln!(file, "# public key: {recipient}\n{}", *secret);
    written
        .and_then(|()| file.sync_data())
        .map_err(|error| Error::io("write", output, error))?;
    if printer.json {
        let recipient = recipient.to_string();
        printer.json(&serde_json::json!({"recipient": recipient, "identity": output}))?;
        return Ok(Exit::OK);
    }
    printer.text(&format!("[encryption]\nrecipients = [\"{recipient}\"]\n"))?;
    printer.note(format_args!(
        "these lines in your own config.toml encrypt what is recorded from then on; {} opens it: keep \
         it elsewhere, and a copy, for without it nobody reads the texts again",
        output.display()
    ));
    Ok(Exit::OK)
}

/// Shows whose texts the user's identity opens.
pub(super) fn identity(context: &Context) -> Result<Exit> {
    let (printer, settings) = (&context.printer, &context.settings.encryption);
    let Some(file) = &settings.identity else {
        let text = match settings.identity_command {
            Some(_) => "`identity_command` opens keys here: only it knows its recipient",
            None => "no identity is set here: nothing that is encrypted is opened",
        };
        return Err(Error::new(ErrorKind::NotFound, text));
    };
    let named = settings.recipients.as_ref().map(|all| all.value.as_slice());
    let found = identities(&file.value)?;
    let recipients: Vec<_> = found.iter().map(Identity::recipient).collect();
    let texts: Vec<_> = recipients.iter().map(ToString::to_string).collect();
    if printer.json {
        printer.json_lines(&texts)?;
    } else {
        printer.text(&(texts.join("\n") + "\n"))?;
    }
    let opens = |named: &[Recipient]| named.iter().any(|one| recipients.contains(one));
    if named.is_some_and(|named| !opens(named)) {
        printer.warn(
            "what is recorded from now on is for other recipients: this identity will not open it",
        );
    }
    Ok(Exit::OK)
}

/// Wraps the keys of every session for `to` and nobody else.
pub(super) fn rotate(context: &Context, to: &[Recipient]) -> Result<Exit> {
    let store = &*context.store()?;
    let keys = kept_in(store)?;
    let Some(unlock) = unlocking(&context.settings.encryption, &context.host) else {
        let text = "keys are opened to be wrapped anew: set `identity` in [encryption] of your \
                    config.toml";
        return Err(Error::new(ErrorKind::NotFound, text));
    };
    let draw = &mut draw_with(|| context.host.random());
    let (sessions, mut files) = (keys.key_sessions()?, Vec::new());
    for session in &sessions {
        for KeyFile { number, file } in keys.read_keys(session)? {
            let why = match unlock(&file)? {
                Unlocked::Text(text) => match SessionKey::parse(&text) {
                    Some(key) => {
                        let file = key.file(to, draw);
                        files.push((session.clone(), KeyFile { number, file }));
                        continue;
                    }
                    None => "it is no key of a session",
                },
                Unlocked::ForOthers => "your identity does not open it",
                Unlocked::Changed => "it is damaged",
            };
            let text = format!(
                "no key was touched: key {number} of session {session} stays as it is, for {why}; \
                 `recover key shred {}` destroys it",
                session_argument(session)
            );
            return Err(Error::new(ErrorKind::Refused, text));
        }
    }
    keys.replace_keys(&files)?;
    let printer = &context.printer;
    printer.note(format_args!(
        "wrapped {} of {}; destroy the old identity, and backups that have old keys open nothing \
         any more",
        counted(files.len() as u64, "key"),
        counted(sessions.len() as u64, "session"),
    ));
    let named = context.settings.encryption.recipients.as_ref();
    if named.is_some_and(|named| named.value != to) {
        printer.warn(
            "`recipients` in your config.toml names others: what is recorded from now on is for those",
        );
    }
    Ok(Exit::OK)
}

/// Destroys the keys of a session, whose texts nobody reads from then on. The rest of it stays.
pub(super) fn shred(context: &Context, session: &str, yes: bool) -> Result<Exit> {
    let (store, printer) = (&*context.store()?, &context.printer);
    let keys = kept_in(store)?;
    let session = session::existing(store, session)?;
    if let Some(held) = store.held(&session)? {
        return Err(held.refusal(&session));
    }
    let name = session::told_of(store, &session, &context.settings.workspace)?;
    let count = keys.read_keys(&session)?.len() as u64;
    if count == 0 {
        printer.note(format_args!(
            "session {name} has no key: nothing was destroyed"
        ));
        return Ok(Exit::NOT_FOUND);
    }
    let question = format!("destroy the texts of session {name} for good, here and in every copy?");
    if !yes && !confirmed(&question)? {
        printer.note("nothing was destroyed");
        return Ok(Exit::NOT_FOUND);
    }
    let started = session_started(&context.settings, None);
    let event = KeysDestroyed {
        keys: count,
        user: started.user,
        host: started.host,
    };
    store.record(Some(&session), JournalEvent::KeysDestroyed(event))?;
    keys.destroy_keys(&session)?;
    artifacts::remove_from_memory(context.encryption.as_deref(), Some(keys), &session)?;
    printer.note(format_args!(
        "destroyed {} of session {name}: its texts and outputs open for nobody; `recover key \
         rotate` makes that so for backups too",
        counted(count, "key"),
    ));
    Ok(Exit::OK)
}

/// What the keys of `store` are kept in.
fn kept_in(store: &dyn AuditStore) -> Result<&dyn KeyStore> {
    store.keys()?.ok_or_else(|| {
        let text = format!("{} keeps no keys: nothing in it is encrypted", store.url());
        Error::new(ErrorKind::NotFound, text)
    })
}
