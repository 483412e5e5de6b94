//! Twelve kinds of damage, each at every byte of a trail: what is whole is shown as it was, what is
//! not is told and kept, and doing it again changes nothing.
//!
//! What was damaged is decided here, from the bytes: a line that is as it was must be shown as it
//! was.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use auto_recovery::RecoveryAuditEntry;
use auto_recovery::audit::{AuditStore, Damage, Durability, Recorder};
use auto_recovery::jsonl::{JsonlOptions, JsonlStore};
use auto_recovery::testing::{
    Campaign, Effect, Fault, FaultyIo, Found, Operation, ScriptedHost, Wrong, quick_dir,
};

use crate::audit_support::{entry, given, read, store};

/// Makes damage at a byte of a trail.
type Harm = fn(&[u8], usize) -> Vec<u8>;

/// The kinds. The first three classes that people report (cut JSON, cut UTF-8, a whole object
/// without its line's end) are one here: the trail is cut at every byte, and some of those are
/// inside of characters.
const KINDS: [(&str, Harm); 9] = [
    ("cut, also inside of a character", |text, at| {
        text[..at].to_vec()
    }),
    ("zeros at the end", |text, at| {
        [&text[..at], &[0; 40]].concat()
    }),
    ("zeros in the middle", |text, at| {
        let mut text = text.to_vec();
        let end = (at + 16).min(text.len());
        text[at..end].fill(0);
        text
    }),
    ("the end twice", |text, at| [text, &text[at..]].concat()),
    ("two records in one line", |text, at| {
        let line = |from: usize| text[from..].split(|byte| *byte == b'\n').next().unwrap();
        [&text[..at], line(0), b"\n", &text[at..]].concat()
    }),
    ("a carriage return", |text, at| {
        [&text[..at], b"\r\n", &text[at..]].concat()
    }),
    ("a byte order mark", |text, at| {
        [&text[..at], b"\xef\xbb\xbf", &text[at..]].concat()
    }),
    ("one bit", |text, at| {
        let mut text = text.to_vec();
        if let Some(byte) = text.get_mut(at) {
            *byte ^= 1 << (at % 8);
        }
        text
    }),
    ("garbage of several lines", |text, at| {
        [&text[..at], b"}{\n\n[\xff\n", &text[at..]].concat()
    }),
];

/// Short entries, with characters of two and of four bytes.
fn entries() -> Vec<RecoveryAuditEntry> {
    let short = |number| RecoveryAuditEntry {
        changes_made: Vec::new(),
        files_modified: vec!["ä".to_owned()],
        error_message: "🦀".to_owned(),
        ..entry("s", number)
    };
    (1..=2).map(short).collect()
}

fn text_of(entries: &[RecoveryAuditEntry]) -> Vec<u8> {
    let lines: Vec<String> = entries.iter().map(|one| one.to_json() + "\n").collect();
    lines.concat().into_bytes()
}

/// What a directory holds.
fn contents(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let files = fs::read_dir(dir).unwrap().map(|file| file.unwrap().path());
    files
        .map(|path| (path.display().to_string(), fs::read(&path).unwrap()))
        .collect()
}

/// How many lines of `bytes` are the JSON of `entry`, a carriage return at their end aside.
fn lines_of(bytes: &[u8], entry: &RecoveryAuditEntry) -> usize {
    let json = entry.to_json();
    bytes
        .split(|byte| *byte == b'\n')
        .filter(|line| line.trim_ascii_end() == json.as_bytes())
        .count()
}

fn shown(store: &dyn AuditStore) -> (Vec<RecoveryAuditEntry>, Vec<Damage>) {
    let (entries, damage) = read(store, "s");
    let total = store.statistics("s").unwrap().total_attempts;
    assert_eq!(
        total,
        entries.len() as u64,
        "statistics count what is shown"
    );
    (entries, damage)
}

/// Whether `bytes` are nothing but whole lines that are shown.
fn is_undamaged(bytes: &[u8]) -> bool {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    bytes.split(|byte| *byte == b'\n').all(|line| {
        let text = std::str::from_utf8(line);
        line.trim_ascii().is_empty()
            || text.is_ok_and(|text| RecoveryAuditEntry::from_json(text).is_ok())
    })
}

/// A trail that holds `bytes`, which were `before`: read, appended to, read, appended to again.
fn check(bytes: &[u8], before: &[RecoveryAuditEntry], another_text: bool, found: &mut Found) {
    let dir = quick_dir();
    let path = dir.path().join("s_audit.jsonl");
    fs::write(&path, bytes).unwrap();
    let first = store(dir.path());
    let (entries, damage) = shown(&first);
    for one in before {
        let times = entries.iter().filter(|shown| *shown == one).count();
        if times < lines_of(bytes, one) {
            found.wrong(Wrong::Lost, || one.to_json());
        }
    }
    // A bit or a mark inside of a text makes another text: only a seal could tell.
    let known = |shown: &RecoveryAuditEntry| before.contains(shown);
    let strange = entries.iter().filter(|shown| !known(shown)).count();
    if strange > usize::from(another_text) {
        found.wrong(Wrong::Torn, || format!("{entries:?}"));
    }
    if damage.is_empty() != is_undamaged(bytes) && !glued_only(bytes, &damage) {
        found.wrong(Wrong::Other, || format!("told is {damage:?}"));
    }
    if fs::read(&path).unwrap() != bytes {
        found.wrong(Wrong::Other, || "reading changed the file".to_owned());
    }
    check_appending(dir.path(), bytes, &entries, found);
}

/// Whether `bytes` have no damage but whole records that share a line, which are read.
fn glued_only(bytes: &[u8], damage: &[Damage]) -> bool {
    let values = serde_json::Deserializer::from_slice(bytes).into_iter::<RecoveryAuditEntry>();
    damage.is_empty() && values.into_iter().all(|value| value.is_ok())
}

fn check_appending(dir: &Path, bytes: &[u8], entries: &[RecoveryAuditEntry], found: &mut Found) {
    let path = dir.join("s_audit.jsonl");
    let news = [entry("s", 91), entry("s", 92)];
    store(dir).append(vec![given(news[0].clone())]).unwrap();
    let after_first = contents(dir);
    let again = store(dir);
    let (with_first, damage_first) = shown(&again);
    if contents(dir) != after_first {
        found.wrong(Wrong::Other, || {
            "a second open changed something".to_owned()
        });
    }
    again.append(vec![given(news[1].clone())]).unwrap();
    let (with_both, damage_both) = shown(&again);
    let expected = |count: usize| [entries, &news[..count]].concat();
    if with_first != expected(1) || with_both != expected(2) {
        found.wrong(Wrong::Lost, || format!("{with_both:?}"));
    }
    if damage_first != damage_both {
        found.wrong(Wrong::Other, || {
            format!("{damage_first:?}, then {damage_both:?}")
        });
    }
    // No byte is gone: those moved aside are beside the file, and a line may have got its end.
    let now = contents(dir);
    let file = &now[&path.display().to_string()];
    let kept = file.strip_suffix(&text_of(&news)[..]).unwrap_or(file);
    let aside = now.iter().filter(|(name, _)| name.contains(".torn-"));
    let aside: Vec<u8> = aside.flat_map(|(_, bytes)| bytes.clone()).collect();
    let ended = kept.strip_suffix(b"\n").unwrap_or(kept);
    if [kept, &aside].concat() != bytes && [ended, &aside].concat() != bytes {
        found.wrong(Wrong::Lost, || "bytes of the damage".to_owned());
    }
}

#[test]
fn damage_at_every_byte_hides_nothing_and_is_kept() {
    let campaign = Campaign::begin("40-damage", "nine kinds of damage at every byte of a trail");
    let before = entries();
    let text = text_of(&before);
    let mut found = Found::default();
    for (kind, harm) in KINDS {
        for at in 0..=text.len() {
            found.round = format!("{kind} at {at}");
            let bytes = harm(&text, at);
            let another_text = ["one bit", "a byte order mark"].contains(&kind);
            check(&bytes, &before, another_text, &mut found);
            found.rounds += 1;
        }
    }
    campaign.end(&found);
}

#[test]
fn a_trail_of_no_bytes_is_one_without_entries() {
    let mut found = Found::default();
    check(b"", &entries(), false, &mut found);
    found.assert_nothing();
}

/// The store in `dir`, whose process dies at its n-th operation.
fn dies_at(dir: &Path, operation: Operation, nth: u64) -> (JsonlStore, Arc<FaultyIo>) {
    let io = Arc::new(FaultyIo::new());
    io.fail(Fault {
        operation,
        nth,
        and_all_after: true,
        errno: libc::EIO,
        effect: Effect::Half,
    });
    let options = JsonlOptions {
        durability: Durability::Sync,
        ..JsonlOptions::default()
    };
    let host = Arc::new(ScriptedHost::new());
    let store = JsonlStore::open_with_io(dir, options, Recorder::new(host), io.clone()).unwrap();
    (store, io)
}

/// Repairs the trail at `dir` with a process that dies at each step in turn, again and again; then
/// with one that lives.
fn repair(dir: &Path, cut: &[u8], whole: &[RecoveryAuditEntry], found: &mut Found) {
    let path = dir.join("s_audit.jsonl");
    for operation in Operation::ALL {
        for nth in 0.. {
            for file in fs::read_dir(dir).unwrap() {
                fs::remove_file(file.unwrap().path()).unwrap();
            }
            fs::write(&path, cut).unwrap();
            let (dying, io) = dies_at(dir, operation, nth);
            let acknowledged = dying.append(vec![given(entry("s", 91))]).is_ok();
            drop(dying);
            found.round = format!("cut at {}, {operation:?} {nth}", cut.len());
            found.rounds += 1;
            store(dir).append(vec![given(entry("s", 92))]).unwrap();
            let (shown, damage) = shown(&store(dir));
            let numbers: Vec<u64> = shown.iter().map(|one| one.attempt_number).collect();
            let (mut least, mut most) = (whole.to_vec(), whole.to_vec());
            most.push(entry("s", 91));
            least.push(entry("s", 92));
            most.push(entry("s", 92));
            if shown != most && (acknowledged || shown != least) {
                found.wrong(Wrong::Lost, || format!("{numbers:?}"));
            }
            let is_torn = text_of(whole).len() < cut.len();
            let kept = contents(dir).into_values().any(|bytes| {
                bytes == cut[text_of(whole).len().min(cut.len())..] || bytes.starts_with(cut)
            });
            if is_torn && (damage.is_empty() || !kept) {
                found.wrong(Wrong::Other, || format!("{damage:?}"));
            }
            if io.hits() == 0 {
                break;
            }
        }
    }
}

#[test]
fn a_repair_that_dies_at_any_step_is_done_again() {
    let campaign = Campaign::begin(
        "41-repair",
        "a repair dies at each step, trail cut at every byte",
    );
    let before = entries();
    let text = text_of(&before);
    let first = text_of(&before[..1]).len();
    let dir = quick_dir();
    let mut found = Found::default();
    // Every seventh byte in ordinary runs: all of them take as many seconds.
    let step = auto_recovery::testing::Rounds {
        ordinary: 13,
        long: 1,
    };
    for cut in (first..text.len() - 1).step_by(step.count() as usize) {
        repair(dir.path(), &text[..cut], &before[..1], &mut found);
    }
    campaign.end(&found);
}
