//! The absence of a server, for the store that is on it: what waits meanwhile and where, how long
//! the server is left alone, and what callers are told of it.
//!
//! The first call that finds the server away, or waits for it in vain, decides for those after it.

use std::error::Error as StdError;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::notice::{Notice, OnNotice};
use super::rest::Rest;
use super::segments::Spool;
use crate::audit::Recorder;
use crate::error::{Error, ErrorKind, Result};
use crate::host::Host;
use crate::mutex::lock;
use crate::patience::over;
use crate::wording::counted;

/// A user who wants to stop after a wait of this length does not wait for the same once more.
const NOTICED: Duration = Duration::from_millis(100);

/// A server that may be away, and the spool for it.
pub struct Absence {
    host: Arc<dyn Host>,
    spool: Option<Spool>,
    on_notice: Option<OnNotice>,
    /// Whether something may wait in the spool.
    may_wait: AtomicBool,
    /// Whether readers were told what waits there.
    is_waiting_told: AtomicBool,
    now: Mutex<Now>,
}

/// What is known of an absence that has not ended.
#[derive(Default)]
struct Now {
    rest: Rest,
    /// Why the server could not be reached, with its address; empty if it could.
    reason: String,
    /// Whether callers were told that what they write goes to the spool.
    is_told: bool,
    /// Whether something was written to the spool since.
    has_kept: bool,
}

impl Absence {
    /// Nothing is known of the server yet. The spool is in `dir`; without one, what the server does
    /// not take is refused.
    ///
    /// # Errors
    /// If the spool cannot be used.
    pub fn new(
        dir: Option<&Path>,
        bytes_max: u64,
        on_notice: Option<OnNotice>,
        recorder: &Arc<Recorder>,
    ) -> Result<Self> {
        let spool = dir.map(|dir| Spool::new(dir, bytes_max, recorder.host()));
        Ok(Self {
            host: Arc::clone(recorder.host()),
            spool: spool.transpose()?,
            on_notice,
            may_wait: AtomicBool::new(true),
            is_waiting_told: AtomicBool::new(false),
            now: Mutex::default(),
        })
    }

    /// Where what the server did not take waits.
    pub fn spool(&self) -> Option<&Spool> {
        self.spool.as_ref()
    }

    /// The moment, for [`Absence::met`].
    pub fn moment(&self) -> Duration {
        self.host.monotonic()
    }

    /// That the server is left alone just now, if it is: for what can wait in the spool. If nothing
    /// waits there any more, somebody else has reached it.
    pub fn resting(&self) -> Option<Error> {
        let spool = self.spool.as_ref()?;
        let now = lock(&self.now);
        let is_resting =
            now.rest.is_early(self.host.monotonic()) && (!now.has_kept || spool.may_have_any());
        is_resting.then(|| now.error())
    }

    /// What `question` comes to; refused if the server kept somebody waiting in vain a moment ago.
    ///
    /// # Errors
    /// [`ErrorKind::Unreachable`] if it is away; otherwise what `question` says.
    pub fn ask<T>(&self, question: impl FnOnce() -> Result<T>) -> Result<T> {
        let silent = {
            let now = lock(&self.now);
            let is_silent = now.rest.is_silent(self.host.monotonic());
            is_silent.then(|| now.error())
        };
        if let Some(away) = silent {
            return Err(away);
        }
        let since = self.moment();
        question().inspect_err(|error| {
            if error.kind() == ErrorKind::Unreachable {
                self.begin(error, is_silence(error).then(|| self.waited(since)));
            }
        })
    }

    /// The spool, if what failed with `error` waits in it; callers are told. `since` is when it was
    /// begun.
    ///
    /// It waits if the server cannot be reached, if others keep it busy, and if the user does not
    /// wait for it any more. What the server refuses does not wait.
    pub fn met(&self, error: &Error, since: Duration) -> Option<&Spool> {
        let spool = self.passed_over(error, since)?;
        let mut now = lock(&self.now);
        now.has_kept = true;
        let is_new = error.kind() == ErrorKind::Unreachable && !now.is_told;
        now.is_told |= is_new;
        drop(now);
        if is_new {
            self.tell(&Notice::Spooling {
                reason: error.chain(),
                spool: spool.dir().to_owned(),
            });
        }
        Some(spool)
    }

    /// The same for a question on the way to a write, whose author goes on without the answer:
    /// nothing is kept yet, and nobody is told.
    pub fn passed_over(&self, error: &Error, since: Duration) -> Option<&Spool> {
        let spool = self.spool.as_ref()?;
        let is_over = match error.kind() {
            ErrorKind::Unreachable | ErrorKind::Busy => false,
            kind if over(&*self.host) == Some(kind) => true,
            _ => return None,
        };
        self.may_wait.store(true, Ordering::Release);
        let waited = self.waited(since);
        if error.kind() == ErrorKind::Unreachable {
            self.begin(error, is_silence(error).then_some(waited));
        } else if is_over && waited >= NOTICED {
            self.begin(error, Some(waited));
        }
        Some(spool)
    }

    fn begin(&self, error: &Error, waited: Option<Duration>) {
        let mut now = lock(&self.now);
        now.rest.begin(self.moment(), waited);
        now.reason = error.chain();
    }

    fn waited(&self, since: Duration) -> Duration {
        self.moment().saturating_sub(since)
    }

    /// The server answered: the absence is over.
    pub fn is_back(&self) {
        *lock(&self.now) = Now::default();
    }

    /// Whether something may wait that is to be delivered before anything else is written.
    pub fn may_wait(&self) -> bool {
        self.may_wait.load(Ordering::Acquire)
    }

    /// All that waited is delivered.
    pub fn is_delivered(&self) {
        self.may_wait.store(false, Ordering::Release);
    }

    /// Tells whoever reads what waits in the spool, and is not in what they read.
    pub fn tell_waiting(&self) {
        let Some(spool) = &self.spool else {
            return;
        };
        if self.is_waiting_told.swap(true, Ordering::AcqRel) {
            return;
        }
        let entries = spool.waiting();
        if entries > 0 {
            let spool = spool.dir().to_owned();
            self.tell(&Notice::Waiting { entries, spool });
        }
    }

    /// `error` of a reader, saying what waits in the spool if that is why it may matter.
    pub fn with_waiting(&self, error: Error) -> Error {
        let (ErrorKind::Unreachable, Some(spool)) = (error.kind(), &self.spool) else {
            return error;
        };
        let waiting = spool.waiting();
        if waiting == 0 {
            return error.context("read the audit trail");
        }
        let text = format!(
            "read the audit trail: {} {} in {} until the server is back",
            counted(waiting, "entry"),
            if waiting == 1 { "waits" } else { "wait" },
            spool.dir().display()
        );
        error.context(text)
    }

    /// Tells `notice` to who wants to know.
    pub fn tell(&self, notice: &Notice) {
        if let Some(on_notice) = &self.on_notice {
            on_notice(notice);
        }
    }
}

/// Whether `error` came of a server that said nothing for as long as somebody waited: nobody waits
/// for the same again. A connection that ended says something, after however long.
pub fn is_silence(error: &Error) -> bool {
    let mut next: Option<&(dyn StdError + 'static)> = Some(error);
    while let Some(error) = next {
        let ours = error.downcast_ref::<Error>();
        let of_system = error.downcast_ref::<io::Error>();
        if ours.is_some_and(|error| error.kind() == ErrorKind::TimedOut)
            || of_system.is_some_and(|error| error.kind() == io::ErrorKind::TimedOut)
        {
            return true;
        }
        next = error.source();
    }
    false
}

impl Now {
    /// That the server is away, for the reason for which it was found to be.
    fn error(&self) -> Error {
        Error::new(ErrorKind::Unreachable, self.reason.clone())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use tempfile::TempDir;

    use super::*;
    use crate::audit::JournalEvent;
    use crate::spool::Waiting;
    use crate::testing::ScriptedHost;

    /// A host, the absence of a server, and what was told.
    struct Case {
        host: Arc<ScriptedHost>,
        absence: Absence,
        recorder: Arc<Recorder>,
        told: Arc<Mutex<Vec<String>>>,
        _dir: TempDir,
    }

    impl Case {
        fn new() -> Self {
            let dir = TempDir::new().unwrap();
            let host = Arc::new(ScriptedHost::new());
            let told: Arc<Mutex<Vec<String>>> = Arc::default();
            let shared = Arc::clone(&told);
            let tell: OnNotice = Arc::new(move |notice| lock(&shared).push(notice.to_string()));
            let recorder = Recorder::new(Arc::clone(&host) as Arc<dyn Host>);
            let spool = dir.path().join("spool");
            Self {
                absence: Absence::new(Some(&spool), 1 << 20, Some(tell), &recorder).unwrap(),
                host,
                recorder,
                told,
                _dir: dir,
            }
        }

        /// Puts something into the spool.
        fn keep(&self) {
            let event = JournalEvent::SessionStarted(Default::default());
            let line = self.recorder.record(Some("s"), event).unwrap();
            let spool = self.absence.spool().unwrap();
            let mut waiting = [Waiting::Record(&line)];
            spool
                .keep(&mut waiting, None, &HashMap::new(), "server")
                .unwrap();
        }

        /// Whether a question that is asked now, takes `seconds` and fails with `error` is asked.
        fn is_asked(&self, seconds: u64, error: fn() -> Error) -> bool {
            let mut is_asked = false;
            let answer = self.absence.ask(|| -> Result<()> {
                is_asked = true;
                self.host.advance(Duration::from_secs(seconds));
                Err(error())
            });
            assert_eq!(answer.unwrap_err().kind(), ErrorKind::Unreachable);
            is_asked
        }

        /// Whether a write goes to the spool at once; what it meets is told.
        fn is_spooled(&self) -> bool {
            let since = self.absence.moment();
            let resting = self.absence.resting();
            if let Some(away) = &resting {
                assert!(self.absence.met(away, since).is_some());
                self.keep();
            }
            resting.is_some()
        }
    }

    fn silent() -> Error {
        let silent = Error::new(ErrorKind::TimedOut, "it said nothing");
        Error::new(ErrorKind::Unreachable, "server").with_source(silent)
    }

    fn closed() -> Error {
        let closed = io::Error::from(io::ErrorKind::ConnectionReset);
        Error::new(ErrorKind::Unreachable, "server").with_source(closed)
    }

    #[test]
    fn the_first_question_that_is_not_answered_decides_for_all_that_follows() {
        let case = Case::new();
        assert!(!case.is_spooled());
        assert!(case.is_asked(5, silent));
        assert!(case.is_spooled() && !case.is_asked(5, silent));
        let told = lock(&case.told).clone();
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(
            told[0].starts_with("server: it said nothing; kept in "),
            "{told:?}"
        );
        // Questions are asked again after half a minute; what can wait does so for five.
        case.host.advance(Duration::from_secs(31));
        assert!(case.is_asked(0, closed) && case.is_spooled());
        assert_eq!(lock(&case.told).len(), 1);
        // Somebody else delivered what waited, so the server is there.
        std::fs::remove_dir_all(case.absence.spool().unwrap().dir()).unwrap();
        assert!(!case.is_spooled());
    }

    #[test]
    fn a_server_that_says_at_once_that_it_is_away_is_asked_again_soon() {
        let case = Case::new();
        // However long it worked before the connection ended.
        assert!(case.is_asked(60, closed));
        assert!(case.is_asked(0, closed) && case.is_spooled());
        case.host.advance(Duration::from_secs(2));
        assert!(!case.is_spooled());
    }

    #[test]
    fn a_question_on_the_way_to_a_write_waits_for_it_too() {
        let case = Case::new();
        let since = case.absence.moment();
        let refused = Error::new(ErrorKind::Refused, "server");
        assert!(case.absence.passed_over(&refused, since).is_none());
        assert!(case.absence.passed_over(&silent(), since).is_some());
        assert!(lock(&case.told).is_empty(), "nothing is kept yet");
        // Nothing waits, and nobody reached the server all the same.
        assert!(case.is_spooled());
        assert_eq!(lock(&case.told).len(), 1);
    }

    #[test]
    fn what_is_refused_does_not_wait_and_what_is_interrupted_does() {
        let case = Case::new();
        let since = case.absence.moment();
        let refused = Error::new(ErrorKind::Refused, "server");
        assert!(case.absence.met(&refused, since).is_none());
        let interrupted = Error::new(ErrorKind::Interrupted, "server");
        assert!(
            case.absence.met(&interrupted, since).is_none(),
            "nobody did"
        );
        case.host.interrupt();
        assert!(case.absence.met(&interrupted, since).is_some());
        assert!(case.absence.resting().is_none(), "it was not waited for");
        case.host.advance(Duration::from_secs(1));
        assert!(case.absence.met(&interrupted, since).is_some());
        case.keep();
        assert!(case.absence.resting().is_some());
    }
}
