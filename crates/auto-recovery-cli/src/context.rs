//! What every command may use: settings, the store, the printer, the host.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use auto_recovery::audit::encrypting::{Encryption, OpenedStore, Opener, Unopened};
use auto_recovery::audit::{AuditStore, Recorder, redaction_key};
use auto_recovery::host::{Host, SystemHost};
use auto_recovery::interrupt::Interrupt;
use auto_recovery::redaction::Redactor;
use auto_recovery::run::{Learning, Place};
use auto_recovery::{Error, ErrorKind, Result};

use crate::args::GlobalArgs;
use crate::commands::{Asked, Scope};
use crate::lazy_store::LazyStore;
use crate::output::{Printer, decide_colours, know_own_places, mask_with};
use crate::settings::{Environment, Layer, Mistakes, Settings};
use crate::store;
use crate::unlocking::unlocking;

/// What the commands work with.
pub(crate) struct Context {
    /// The settings that apply here.
    pub(crate) settings: Settings,
    /// Where to write to.
    pub(crate) printer: Printer,
    /// Clock, sleep and randomness.
    pub(crate) host: Arc<dyn Host>,
    /// Masks secrets in what is kept and told.
    pub(crate) redactor: Arc<Redactor>,
    /// Encrypts private texts, if somebody is named to read them.
    pub(crate) encryption: Option<Arc<Encryption>>,
}

impl Context {
    /// Resolves the settings. `mistakes` says what becomes of files with a mistake.
    ///
    /// # Errors
    /// If they cannot be used.
    pub(crate) fn new(
        global: &GlobalArgs,
        flags: Layer,
        environment: &Environment,
        printer: Printer,
        mistakes: Mistakes,
    ) -> Result<Self> {
        let settings =
            Settings::resolve(global, flags, environment, current_directory()?, mistakes)?;
        decide_colours(settings.color.value, environment.color);
        let state_dir = settings.state_dir.value.clone();
        know_own_places(settings.store.value.paths().into_iter().chain([state_dir]));
        printer.explain(format_args!(
            "store {} ({})",
            settings.store.value, settings.store.origin
        ));
        let host = SystemHost::new().telling(waiting_told_by(&printer));
        let redactor = Arc::new(redactor(&settings, &host, &printer, mistakes)?);
        mask_with(redactor.clone());
        let host: Arc<dyn Host> = Arc::new(host);
        let encryption = encryption(&settings, &host)?;
        Ok(Self {
            settings,
            host,
            printer,
            redactor,
            encryption,
        })
    }

    /// What is watched for and who is told; `link` is the address of the server.
    ///
    /// # Errors
    /// If a secret of a destination cannot be read.
    #[cfg(feature = "serve")]
    pub(crate) fn alerting(&self, link: Option<&str>) -> Result<auto_recovery_server::Alerting> {
        let state_dir = &self.settings.state_dir.value;
        let spool = store::spool_of(&self.settings.store.value, state_dir);
        self.settings.served.alerts.alerting(spool, link)
    }

    /// What makes the text of all that a store keeps.
    fn recorder(&self) -> Arc<Recorder> {
        let (host, redactor) = (self.host.clone(), self.redactor.clone());
        match &self.encryption {
            None => Recorder::with_redactor(host, redactor),
            Some(encryption) => Recorder::encrypting(host, redactor, encryption.clone()),
        }
    }

    /// The same, its waits ended by `interrupt`.
    pub(crate) fn interrupted_by(self, interrupt: Arc<Interrupt>) -> Self {
        let host = SystemHost::with_interrupt(interrupt).telling(waiting_told_by(&self.printer));
        Self {
            host: Arc::new(host),
            ..self
        }
    }

    /// Says which configuration files have a mistake, and do not count.
    pub(crate) fn tell_broken(&self) {
        for broken in self.settings.unread.iter().filter(|one| one.is_broken) {
            self.printer.warn(broken);
        }
    }

    /// Says which other configuration files do not count, or not whole.
    pub(crate) fn tell_left_out(&self) {
        if let Some(untrusted) = &self.settings.untrusted {
            self.printer.warn(untrusted);
        }
        for unread in self.settings.unread.iter().filter(|one| !one.is_broken) {
            self.printer.warn(unread);
        }
    }

    /// Counts anew what is learned from the journal, after something was taken from it or came to
    /// it from elsewhere. Where that cannot be, the next recovery does it.
    pub(crate) fn count_anew(&self) {
        let settings = self.settings.run.learn.settings();
        let counted = self.store().and_then(|store| {
            let state_dir = &self.settings.state_dir.value;
            Learning::new(state_dir, &store.url(), settings).count_anew(&*store)
        });
        if let Err(error) = counted {
            let context = format_args!("count anew what was learned: {}", error.chain());
            self.printer.warn(context);
        }
    }

    /// Where trees and records are.
    pub(crate) fn place(&self) -> Result<Place> {
        self.place_of(self.store())
    }

    /// The same where records are in `store`.
    pub(crate) fn place_of(&self, store: Result<Arc<dyn AuditStore>>) -> Result<Place> {
        let settings = &self.settings;
        Ok(Place {
            sudo_uid: self.settings.sudo_uid,
            state_dir: settings.state_dir.value.clone(),
            store: store?,
            store_paths: settings.store.value.paths(),
            home: settings.home.clone(),
            host: Arc::clone(&self.host),
            redactor: Arc::clone(&self.redactor),
        })
    }

    /// Opens the store that the settings name.
    pub(crate) fn store(&self) -> Result<Arc<dyn AuditStore>> {
        let store = &self.settings.store;
        store::open(&self.settings, store, self.recorder(), &self.printer)
    }

    /// The store that the settings name, for whoever reads texts: boxes are open as far as they
    /// can be. `unopened` stands for the others, and a note says why.
    pub(crate) fn readable_store(&self, unopened: Unopened) -> Result<Arc<dyn AuditStore>> {
        let opened = OpenedStore::new(self.store()?, self.opener(unopened));
        Ok(Arc::new(opened))
    }

    /// The same as a place, for people or for programs as they are printed for, and what opens the
    /// outputs there.
    pub(crate) fn readable_place(&self) -> Result<(Place, Arc<Opener>)> {
        let opener = self.opener(self.unopened());
        let store = OpenedStore::new(self.store()?, Arc::clone(&opener));
        Ok((self.place_of(Ok(Arc::new(store)))?, opener))
    }

    /// What stands for texts that stay closed: words for people, the box for programs.
    pub(crate) fn unopened(&self) -> Unopened {
        match self.printer.json {
            true => Unopened::Box,
            false => Unopened::Words(self.settings.encryption.words()),
        }
    }

    /// Opens boxes with the user's identity, if there is one.
    pub(crate) fn opener(&self, unopened: Unopened) -> Arc<Opener> {
        let opener = match unlocking(&self.settings.encryption, &self.host) {
            Some(unlock) => Opener::new(unlock),
            None => Opener::none(),
        };
        let printer = self.printer.clone();
        let tell = move |why: &str| printer.note(why);
        Arc::new(opener.showing(unopened).telling(tell))
    }

    /// The store that the settings name, opened when it is first needed: a command that passes
    /// needs none. A URL that cannot be used is refused here, whatever becomes of the command.
    ///
    /// # Errors
    /// If nothing could ever be recorded there.
    pub(crate) fn store_when_needed(&self) -> Result<Arc<dyn AuditStore>> {
        let store = self.settings.store.clone();
        let (settings, printer) = (&self.settings, &self.printer);
        let recorder = self.recorder();
        if store.value.path().is_none() {
            // A server: it connects when it is first used, and until then only looks at its URL.
            return store::open(settings, &store, recorder, printer);
        }
        let (settings, printer) = (settings.clone(), printer.clone());
        Ok(Arc::new(LazyStore::new(
            store.value.to_string(),
            Box::new(move || store::open(&settings, &store, recorder.clone(), &printer)),
        )))
    }

    /// The session `named`, or else the newest: of this workspace, or of `any_project`.
    pub(crate) fn asked(&self, named: Option<String>, any_project: bool) -> Asked<'_> {
        Asked {
            named,
            workspace: &self.settings.workspace,
            scope: match any_project {
                true => Scope::AnyProject,
                false => Scope::Workspace,
            },
        }
    }

    /// Opens the store that an argument names. Returns what makes the text of all that is kept in
    /// it, too.
    pub(crate) fn store_at(
        &self,
        argument: &'static str,
        url: &OsString,
    ) -> Result<(Arc<dyn AuditStore>, Arc<Recorder>)> {
        let store = self.settings.store_at(argument, url)?;
        let recorder = self.recorder();
        let opened = store::open(&self.settings, &store, recorder.clone(), &self.printer)?;
        Ok((opened, recorder))
    }

    /// Opens such a store if it is there: of a name that was mistyped, nothing would be copied, and
    /// that would look like success.
    pub(crate) fn existing_store_at(
        &self,
        argument: &'static str,
        url: &OsString,
    ) -> Result<Arc<dyn AuditStore>> {
        let store = self.settings.store_at(argument, url)?;
        match store.value.path() {
            Some(path) if !path.exists() => Err(Error::new(
                ErrorKind::NotFound,
                format!("there is no store at {}", path.display()),
            )),
            _ => store::open(&self.settings, &store, self.recorder(), &self.printer),
        }
    }
}

/// The current directory, which may have been removed under whoever stands in it.
fn current_directory() -> Result<PathBuf> {
    std::env::current_dir().map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => Error::new(
            ErrorKind::Io,
            "the current directory is no more: go into one that is there",
        ),
        _ => Error::os("find the current directory", error),
    })
}

/// What masks secrets, as `settings` say. Values that cannot be read are an error, unless
/// `mistakes` leaves them out: then `printer` tells.
fn redactor(
    settings: &Settings,
    host: &dyn Host,
    printer: &Printer,
    mistakes: Mistakes,
) -> Result<Redactor> {
    if settings.redact.is_off() {
        return Ok(Redactor::off());
    }
    let redactor = settings.redact.redactor(redaction_key(host));
    for what in settings.redact.learn_named(&redactor) {
        printer.warn(what);
    }
    match settings.redact.values() {
        Ok(values) => redactor.learn_when_needed(values),
        Err(error) if mistakes == Mistakes::Refused => return Err(error),
        Err(error) => printer.warn(error.chain()),
    }
    Ok(redactor)
}

/// Encryption to those that `settings` name; `None` if they name nobody.
fn encryption(settings: &Settings, host: &Arc<dyn Host>) -> Result<Option<Arc<Encryption>>> {
    let Some(recipients) = &settings.encryption.recipients else {
        return Ok(None);
    };
    let login_dir = settings.login_dir.clone();
    Encryption::new(Arc::clone(host), recipients.value.clone(), login_dir).map(Some)
}

/// What tells a person by `printer` what is waited for.
fn waiting_told_by(printer: &Printer) -> impl Fn(&str) + Send + Sync + 'static {
    let printer = printer.clone();
    move |what| printer.note(what)
}
