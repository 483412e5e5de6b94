//! Heartbeats: one small file a name, overwritten whenever it is heard of. No record is written.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use auto_recovery::files::{self, Links, Purpose, Synced};
use auto_recovery::host::{Host, timestamp};
use auto_recovery::{Error, ErrorKind, Result};

use crate::feed::dir_of;

/// The longest name, in bytes.
const NAME_MAX: usize = 64;

/// Names of one store.
const NAMES_MAX: usize = 1000;

/// The end of the name of a file.
const SUFFIX: &str = ".beat";

/// The longest content of a file.
const SAID_MAX: u64 = 200;

/// Whether `name` is one.
pub(crate) fn is_name(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    !name.is_empty()
        && name.len() <= NAME_MAX
        && !name.starts_with('.')
        && name.bytes().all(is_plain)
}

/// Makes sure that `name` can be heard of.
///
/// # Errors
/// What names there are.
pub fn check_beat_name(name: &str) -> std::result::Result<(), String> {
    match is_name(name) {
        true => Ok(()),
        false => Err(format!(
            "{name:?} is no name of a heartbeat: letters, digits, `.`, `_` and `-`, at most \
             {NAME_MAX}, and no `.` first"
        )),
    }
}

/// Says that `name` was heard of now, of the store at `url`.
///
/// # Errors
/// [`ErrorKind::InvalidInput`] if that is no name; otherwise if the file cannot be written.
pub fn beat(state_dir: &Path, url: &str, name: &str, host: &dyn Host) -> Result<()> {
    beat_in(&dir_of(state_dir, url, "beats"), name, host)
}

/// The same, of the store whose heartbeats are in `dir`.
pub(crate) fn beat_in(dir: &Path, name: &str, host: &dyn Host) -> Result<()> {
    check_beat_name(name).map_err(|why| Error::new(ErrorKind::InvalidInput, why))?;
    files::make_own_dir(dir, Path::new(""), Purpose::State)
        .map_err(|error| Error::io("make the directory of heartbeats", dir, error))?;
    // What is random distinguishes two times that a clock does not.
    let said = format!("{} {:016x}\n", timestamp(host.now()), host.random());
    files::replace(
        &dir.join(format!("{name}{SUFFIX}")),
        Synced::No,
        said.as_bytes(),
    )
}

/// Looks at what was heard of.
pub(crate) struct Beats {
    dir: PathBuf,
    said: BTreeMap<String, String>,
}

impl Beats {
    pub(crate) fn of(dir: &Path) -> Self {
        Self {
            dir: dir.to_owned(),
            said: BTreeMap::new(),
        }
    }

    /// Puts `now` for each name into `heard` that was heard of since the last look. At the first
    /// look, that is what the file says anew. Returns what those files say.
    pub(crate) fn heard(
        &mut self,
        heard: &mut BTreeMap<String, i64>,
        now: i64,
    ) -> BTreeMap<String, String> {
        let mut news = BTreeMap::new();
        let Ok(found) = self.dir.read_dir() else {
            return news;
        };
        for file in found.take(NAMES_MAX).flatten() {
            let name = file.file_name();
            let name = name.to_str().and_then(|name| name.strip_suffix(SUFFIX));
            let Some(name) = name.map(str::to_owned) else {
                continue;
            };
            let said = files::read_small(&file.path(), Links::Refuse, SAID_MAX);
            let (true, Ok(said)) = (is_name(&name), said) else {
                continue;
            };
            let said = String::from_utf8_lossy(&said).into_owned();
            if self.said.get(&name) != Some(&said) {
                heard.insert(name.clone(), now);
                self.said.insert(name.clone(), said.clone());
                news.insert(name, said);
            }
        }
        news
    }

    /// What was known of before: files that say that are no news.
    pub(crate) fn know(&mut self, said: BTreeMap<String, String>) {
        self.said = said;
    }
}

/// The age of the oldest segment of the spool in `dir` that waits, in milliseconds.
pub(crate) fn oldest_age_ms(dir: &Path, now: SystemTime) -> Option<i64> {
    let waits = |name: &str| {
        let is_over = name.ends_with(".gone") || name.ends_with(".damaged");
        name.starts_with("segment_") && !is_over
    };
    let found = dir.read_dir().ok()?.take(NAMES_MAX).flatten();
    let waiting = found.filter(|one| one.file_name().to_str().is_some_and(waits));
    let began = waiting.filter_map(|one| {
        let metadata = one.metadata().ok()?;
        metadata.created().or_else(|_| metadata.modified()).ok()
    });
    let age = now.duration_since(began.min()?).unwrap_or_default();
    i64::try_from(age.as_millis()).ok()
}
