//! The one thread that follows the store and writes the feed.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};
use std::hash::{BuildHasher as _, RandomState};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use auto_recovery::audit::{AuditStore, Claim, Followed, SessionKey, SessionSummary};
use auto_recovery::host::{Host, timestamp};
use auto_recovery::mutex::lock;
use auto_recovery::{Error, ErrorKind, Result};
use serde::Deserialize;
use serde_json::json;
use tokio::sync::watch;

use super::database::{self, Database};
use super::take_up::{TakingUp, Telling, hash_of, looks, millis, session_ids};
use crate::log::Log;

/// The longest wait for a notice: within it a server that is told to end does.
const WAIT: Duration = Duration::from_millis(250);

/// The pause between two looks at everything, which find notices that were lost: this long, or this
/// many times the length of the look, which is half a hundredth of a core.
const SWEEP: Duration = Duration::from_secs(10);
const REST: u32 = 200;

/// The first pause after the store could not be read; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const PAUSE_MAX: Duration = Duration::from_secs(15);

/// Sessions that are taken up in one transaction.
const BATCH: usize = 200;

/// Old rows are forgotten this often.
const FORGET: Duration = Duration::from_secs(3600);

/// How the feed stands to the store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It has not looked at all of the store yet.
    #[default]
    Beginning,
    /// It has all that the store has, but for what is being written.
    Current,
    /// The store or the feed cannot be used.
    Away {
        /// Since when, RFC 3339.
        since: String,
        /// The error.
        why: String,
    },
}

/// What the following thread shares with others.
pub(crate) struct Following {
    pub(crate) store: Arc<dyn AuditStore>,
    pub(crate) feed: Arc<Database>,
    pub(crate) host: Arc<dyn Host>,
    /// The number of the newest row, for those who wait for it.
    pub(crate) newest: watch::Sender<i64>,
    pub(crate) standing: Mutex<Standing>,
    /// When it last had all that the store has, on the monotonic clock.
    pub(crate) seen_at: Mutex<Duration>,
    /// That no other machine serves the store, where several have it; `None` while that is not so.
    pub(crate) claim: Mutex<Option<Box<dyn Claim>>>,
    /// Whether the thread is to end.
    pub(crate) is_over: AtomicBool,
    pub(crate) log: Log,
}

/// Follows until it is over.
pub(crate) fn follow(following: &Following) {
    let mut pause = FIRST_PAUSE;
    while !following.is_over() {
        match following.until_lost(&mut pause) {
            Ok(()) => {}
            Err(error) => following.lost(&error.chain()),
        }
        following.rest(pause);
        pause = (pause * 2).min(PAUSE_MAX);
    }
}

impl Following {
    /// A following of `store` into `feed`, which has not begun.
    ///
    /// # Errors
    /// [`ErrorKind::Busy`] if another machine serves the store; otherwise if the feed cannot be
    /// read.
    pub(crate) fn new(
        store: Arc<dyn AuditStore>,
        feed: Arc<Database>,
        host: Arc<dyn Host>,
    ) -> Result<Self> {
        // A store that is away is followed once it is back, by whoever comes first.
        let claim = match store.claim() {
            Err(error) if error.kind() == ErrorKind::Unreachable => None,
            claim => claim?,
        };
        let (_, newest) = feed.bounds()?;
        Ok(Self {
            store,
            feed,
            host,
            newest: watch::Sender::new(newest),
            standing: Mutex::new(Standing::default()),
            seen_at: Mutex::default(),
            claim: Mutex::new(claim),
            is_over: AtomicBool::new(false),
            log: Log::default(),
        })
    }

    /// Looks at all of the store once, and takes up what is new.
    pub(crate) fn once(&self) {
        let mut taking_up = TakingUp::new(&*self.store, &self.feed);
        match self.look_at_all(&mut taking_up) {
            Ok(()) => self.is_current(),
            Err(error) => self.lost(&error.chain()),
        }
    }

    pub(crate) fn is_over(&self) -> bool {
        self.is_over.load(Ordering::SeqCst) || self.host.is_interrupted()
    }

    /// Waits for `pause`, or until it is over.
    pub(crate) fn rest(&self, pause: Duration) {
        let begin = self.host.monotonic();
        while !self.is_over() && self.host.monotonic().saturating_sub(begin) < pause {
            self.host.sleep(WAIT.min(pause));
        }
    }

    fn is_current(&self) {
        let mut standing = lock(&self.standing);
        if let Standing::Away { since, .. } = &*standing {
            self.log.info("store_back", vec![("since", json!(since))]);
        }
        *standing = Standing::Current;
    }

    fn lost(&self, why: &str) {
        let mut standing = lock(&self.standing);
        let since = match &*standing {
            Standing::Away { since, .. } => since.clone(),
            _ => {
                self.log.warn("store_away", vec![("why", json!(why))]);
                timestamp(self.host.now())
            }
        };
        *standing = Standing::Away {
            since,
            why: why.to_owned(),
        };
    }

    /// Follows until the store cannot be read, or it is over.
    fn until_lost(&self, pause: &mut Duration) -> Result<()> {
        self.stay_alone()?;
        let mut follower = self.store.follower()?;
        let mut taking_up = TakingUp::new(&*self.store, &self.feed);
        let mut next_sweep = Duration::ZERO;
        let mut forgotten: Option<Duration> = None;
        // Sessions that were named and not taken up yet.
        let mut named: BTreeSet<String> = BTreeSet::new();
        let mut is_all_named = true;
        while !self.is_over() {
            match follower.wait(WAIT)? {
                Followed::Sessions(sessions) => named.extend(sessions),
                Followed::Anything => is_all_named = true,
                Followed::Nothing => {}
            }
            let now = self.host.monotonic();
            if is_all_named || now >= next_sweep {
                self.stay_alone()?;
                self.look_at_all(&mut taking_up)?;
                let end = self.host.monotonic();
                next_sweep = end + SWEEP.max(end.saturating_sub(now) * REST);
                is_all_named = false;
                named.clear();
            }
            let batch = std::mem::take(&mut named).into_iter().map(|id| (id, None));
            self.take_up(&mut taking_up, batch.collect())?;
            self.is_current();
            *lock(&self.seen_at) = self.host.monotonic();
            *pause = FIRST_PAUSE;
            if forgotten.is_none_or(|at| now.saturating_sub(at) >= FORGET) {
                self.feed.forget_old(millis(self.host.now()))?;
                forgotten = Some(now);
            }
        }
        Ok(())
    }

    /// Makes sure that no other machine serves the store.
    fn stay_alone(&self) -> Result<()> {
        let mut claim = lock(&self.claim);
        if let Some(held) = &mut *claim {
            match held.check() {
                Ok(()) => return Ok(()),
                Err(_) => *claim = None,
            }
        }
        *claim = self.store.claim()?;
        Ok(())
    }

    /// Tells those who wait which row is the newest.
    fn tell(&self) -> Result<()> {
        let (_, newest) = self.feed.bounds()?;
        self.newest
            .send_if_modified(|known| std::mem::replace(known, newest) != newest);
        Ok(())
    }

    /// What is found becomes rows once the feed has seen all that was there before it.
    fn telling(&self) -> Result<Telling> {
        Ok(match self.feed.has_begun()? {
            true => Telling::Rows,
            false => Telling::Nothing,
        })
    }

    /// Takes up every session that is not as it was when the feed had all of it.
    ///
    /// Of each session, hashes are held and no text: a store may have very many. Each look has
    /// another key: nobody can bring a collision about, and the next look sees what one hid.
    fn look_at_all(&self, taking_up: &mut TakingUp<'_>) -> Result<()> {
        let telling = self.telling()?;
        let keys = RandomState::new();
        let journals = journals(&*self.store, &keys)?;
        let mut known = self.feed.read(|feed| looks(feed, &keys))?;
        let mut changed = Vec::new();
        self.store.visit_sessions(&mut |one| {
            let id = keys.hash_one(&*one.session_id);
            let look = look(&one, journals.get(&id));
            if known.remove(&id).flatten() != Some(keys.hash_one(&*look)) {
                changed.push((SessionKey::of(&one), look));
            }
            Ok(())
        })?;
        let begin = self.host.now();
        // The oldest first, as they would have been told.
        changed.sort_unstable();
        let changed = changed.into_iter();
        let mut changed: Vec<(String, Option<String>)> = changed
            .map(|(key, look)| (key.session_id, Some(look)))
            .collect();
        // Those that are left are not listed any more.
        let gone = |id: &u64| format!("gone {:?}", journals.get(id));
        known.retain(|id, look| *look != Some(keys.hash_one(gone(id))));
        if !known.is_empty() {
            let mut ids = self.feed.read(session_ids)?;
            ids.retain(|id| known.contains_key(&keys.hash_one(&**id)));
            changed.extend(ids.into_iter().map(|id| {
                let look = gone(&keys.hash_one(&*id));
                (id, Some(look))
            }));
        }
        self.take_up(taking_up, changed)?;
        if telling == Telling::Nothing {
            self.feed
                .write(|feed| database::set_meta(feed, "begun", &timestamp(begin)))?;
        }
        self.tell()
    }

    /// Takes up `sessions`, some at a time.
    fn take_up(
        &self,
        taking_up: &mut TakingUp<'_>,
        sessions: Vec<(String, Option<String>)>,
    ) -> Result<()> {
        if sessions.is_empty() {
            return Ok(());
        }
        let telling = self.telling()?;
        for batch in sessions.chunks(BATCH) {
            if self.is_over() {
                // The next server takes the rest up.
                return Err(Error::new(ErrorKind::Interrupted, "the server ends"));
            }
            if taking_up.sessions(batch.to_vec(), telling, self.host.now())? {
                self.tell()?;
            }
        }
        Ok(())
    }
}

/// Number and sum of the hashes of the journal's records of each session, by the hash of its id:
/// they are others once one is added.
fn journals(store: &dyn AuditStore, keys: &RandomState) -> Result<HashMap<u64, (u64, u64)>> {
    #[derive(Deserialize)]
    struct Header<'j> {
        #[serde(borrow)]
        session_id: Option<Cow<'j, str>>,
    }
    let mut journals: HashMap<u64, (u64, u64)> = HashMap::new();
    store.read_records_raw(None, &mut |raw| {
        if let Ok(Header {
            session_id: Some(id),
        }) = serde_json::from_slice(raw)
        {
            let (count, sum) = journals.entry(keys.hash_one(&*id)).or_default();
            *count += 1;
            *sum = sum.wrapping_add(hash_of(raw));
        }
        Ok(())
    })?;
    Ok(journals)
}

/// The session as the store lists it, in few letters.
fn look(session: &SessionSummary, journal: Option<&(u64, u64)>) -> String {
    let SessionSummary {
        total_attempts,
        bytes,
        last_attempt_timestamp,
        ..
    } = session;
    format!("{total_attempts} {bytes} {last_attempt_timestamp:?} {journal:?}")
}
