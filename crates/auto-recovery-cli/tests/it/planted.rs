//! Secrets planted wherever a run takes a text from: none is in what it keeps and tells.
//!
//! Each round plants one secret in one channel of a recovery, and looks for pieces of it, plain and
//! encoded, in every file outside of the project and in every line of ours. The same with masking
//! turned off must find it, so that a round which plants nothing is seen.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use auto_recovery::testing::{Campaign, Found, Random, Rounds, SAMPLES, Sample, Wrong, sample};
use memchr::memmem;

use crate::harness::Machine;

/// Bytes of a piece of a secret that tells it.
const PIECE_BYTES: usize = 12;

/// Where a secret is planted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Channel {
    /// A word of the command.
    Argument,
    /// A variable whose name says it, and whose value is printed.
    Environment,
    Stdout,
    Stderr,
    /// Stdout in two writes, with another on stderr between them.
    Split,
    /// The message of the failure.
    Message,
    /// What a fix prints.
    Fixer,
    /// What a fix that does not help writes into a file.
    Undone,
    /// What a cure writes into a file, kept as a patch.
    Cure,
    /// The name of a file that a cure makes.
    FileName,
    /// The text of a command that mends.
    Action,
    /// An entry that `recover log` takes.
    Log,
}

use Channel as C;

const CHANNELS: [Channel; 12] = [
    C::Argument,
    C::Environment,
    C::Stdout,
    C::Stderr,
    C::Split,
    C::Message,
    C::Fixer,
    C::Undone,
    C::Cure,
    C::FileName,
    C::Action,
    C::Log,
];

#[test]
fn no_planted_secret_is_kept_or_told() {
    let campaign = Campaign::begin("40-planted", "secrets planted in each channel of a run");
    let rounds = Rounds {
        ordinary: 36,
        long: (SAMPLES.len() * CHANNELS.len()) as u64,
    };
    let mut random = Random::new(40);
    let mut found = Found::default();
    let first = random.index(SAMPLES.len());
    for round in 0..rounds.count() {
        let number = round as usize;
        let channel = CHANNELS[number % CHANNELS.len()];
        // Each kind in turn, another in each channel; in the long campaign each meets each.
        let (kind, template) = SAMPLES
            [(first + number / CHANNELS.len() + number % CHANNELS.len() * 9) % SAMPLES.len()];
        let planted = sample(template, &mut random);
        found.round = format!("{kind} in {channel:?}");
        found.rounds += 1;
        if !fits(channel, &planted) {
            continue;
        }
        for place in places(&planted, channel, true) {
            found.wrong(Wrong::Other, || format!("{place}: {planted:?}"));
        }
    }
    campaign.end(&found);
}

#[test]
fn without_masking_each_channel_shows_what_is_planted() {
    let mut random = Random::new(41);
    let (_, template) = SAMPLES[0];
    let planted = sample(template, &mut random);
    for channel in CHANNELS {
        let places = places(&planted, channel, false);
        assert!(!places.is_empty(), "{channel:?}");
    }
}

/// Whether a secret can be planted there.
fn fits(channel: Channel, planted: &Sample) -> bool {
    let is_line = !planted.text.contains('\n');
    match channel {
        // A context says it, and a value alone is none; a value of a variable is one line here.
        C::Environment => is_line && planted.secret.len() >= 8,
        C::FileName => {
            is_line
                && planted.text == planted.secret
                && !planted.text.contains('/')
                && planted.text.len() < 200
        }
        C::Argument | C::Action => is_line && !planted.text.contains('\''),
        _ => true,
    }
}

/// The places where pieces of `planted` are found once it went through `channel`.
fn places(planted: &Sample, channel: Channel, masked: bool) -> Vec<String> {
    let machine = Machine::new();
    if !masked {
        machine.write("user/.config/recover/config.toml", "[redact]\noff = true\n");
    }
    machine.write("project/planted", &format!("{}\n", planted.text));
    machine.write("out/.keep", "");
    let mut said = plant(&machine, planted, channel);
    for args in [
        &["show", "--json", "--last"][..],
        &["history", "--json", "--last"],
        &["report", "--last", "-o", "../out/report.md"],
        &["report", "--last", "-o", "../out/report.html"],
        &["export", "--last", "-o", "../out/export.json"],
        &["show", "--last", "--diff"],
    ] {
        let run = machine.recover(args);
        said.push((args.join(" "), run.stdout));
        said.push((args.join(" "), run.stderr));
    }
    let pieces = pieces(&planted.secret);
    let mut found: Vec<_> = said
        .into_iter()
        .filter(|(_, text)| has_any(text.as_bytes(), &pieces))
        .map(|(place, _)| place)
        .collect();
    for dir in ["user", "out"] {
        look_below(&machine.root().join(dir), &mut |path, bytes| {
            let name = path.to_string_lossy();
            // Checkpoints hold what was there, names too: an undo puts them back.
            if channel == C::FileName && name.contains("/checkpoints/") {
                return;
            }
            if has_any(bytes, &pieces) || has_any(name.as_bytes(), &pieces) {
                found.push(name.into_owned());
            }
        });
    }
    found
}

/// Runs a recovery with `planted` in `channel`; what it said, by the place.
fn plant(machine: &Machine, planted: &Sample, channel: Channel) -> Vec<(String, String)> {
    let mut options: Vec<String> = [
        "--result-file=../out/result.json",
        "--report=junit=../out/junit.xml",
        "--report=sarif=../out/recover.sarif",
        "--report=gitlab=../out/gitlab.json",
        "--report=github=../out/summary.md",
        "--base-delay=1ms",
        "--max-attempts=1",
        "--retry=0",
    ]
    .map(str::to_owned)
    .into();
    let mut words: Vec<String> = Vec::new();
    let mut script = "exit 3".to_owned();
    match channel {
        C::Argument => words.push(planted.text.clone()),
        C::Environment => script = "echo \"so: $DEPLOY_SECRET\"; exit 3".to_owned(),
        C::Stdout => script = "cat planted; exit 3".to_owned(),
        C::Stderr => script = "cat planted >&2; exit 3".to_owned(),
        C::Split => {
            let half = planted.text.len() / 2;
            script = format!(
                "head -c {half} planted; sleep 0.05; echo between >&2; sleep 0.05; tail -c +{} planted; \
                 exit 3",
                half + 1
            );
        }
        C::Message => script = "printf 'error: refused: '; cat planted; exit 3".to_owned(),
        C::Fixer => options.push("--fix=cat planted; exit 1".to_owned()),
        C::Undone => options.push("--fix=cat planted > made.txt".to_owned()),
        C::Cure => {
            script = "test -e cured || exit 3".to_owned();
            options.push("--fix=cat planted > made.txt; touch cured".to_owned());
        }
        C::FileName => {
            script = "test -e cured || exit 3".to_owned();
            options.push("--fix=touch cured \"made $(cat planted)\"".to_owned());
        }
        C::Action => options.push(format!("--fix=: '{}'", planted.text)),
        C::Log => {
            let entry = serde_json::json!({
                "session_id": "logged", "strategy": "fix", "success": false,
                "error_type": "E1", "error_message": planted.text,
                "recovery_message": format!("tried: {}", planted.text),
                "changes_made": [planted.text],
            });
            let run = machine.recover_with(&["log"], format!("{entry}\n"));
            assert_eq!(run.code, 0, "{run:?}");
            return vec![("log".to_owned(), run.stderr)];
        }
    }
    let mut args = vec!["run".to_owned()];
    args.extend(options);
    args.extend(["--", "sh", "-c", &script, "sh"].map(str::to_owned));
    args.extend(words);
    let mut command = machine.command(&args);
    if channel == C::Environment {
        command.env("DEPLOY_SECRET", &planted.secret);
    }
    let run = machine.run(&mut command);
    // What the command itself writes passes through; lines of ours say what was done.
    let ours = run
        .stderr
        .lines()
        .filter(|line| line.starts_with("recover: "));
    let ours: Vec<_> = ours.collect();
    assert!(!ours.is_empty(), "{channel:?}: {run:?}");
    vec![("a line of ours".to_owned(), ours.join("\n"))]
}

/// Pieces of `secret`, plain and encoded.
fn pieces(secret: &str) -> Vec<Vec<u8>> {
    // Of several lines each is one; what frames them is none.
    let lines = secret
        .lines()
        .filter(|line| !line.starts_with("-----") && line.len() >= 8);
    let mut pieces = BTreeMap::new();
    for line in lines {
        let size = PIECE_BYTES.min(line.len());
        for piece in line.as_bytes().windows(size).step_by(size / 2) {
            pieces.insert(piece.to_vec(), ());
            let encoded = url_encoded(piece);
            pieces.insert(encoded, ());
        }
        for skipped in 0..3 {
            // Three bytes are four letters, wherever the first stands.
            let whole = (line.len() - skipped) / 3 * 3;
            let encoded = base64(&line.as_bytes()[skipped..skipped + whole]);
            pieces.insert(encoded, ());
        }
    }
    pieces.into_keys().collect()
}

fn url_encoded(bytes: &[u8]) -> Vec<u8> {
    let each = bytes.iter().map(|byte| match byte {
        b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'-' | b'_' | b'.' | b'~' => {
            (*byte as char).to_string()
        }
        other => format!("%{other:02X}"),
    });
    each.collect::<String>().into_bytes()
}

fn base64(bytes: &[u8]) -> Vec<u8> {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = Vec::new();
    for three in bytes.chunks_exact(3) {
        let bits = u32::from(three[0]) << 16 | u32::from(three[1]) << 8 | u32::from(three[2]);
        out.extend([18, 12, 6, 0].map(|shift| LETTERS[(bits >> shift & 63) as usize]));
    }
    out
}

fn has_any(text: &[u8], pieces: &[Vec<u8>]) -> bool {
    pieces
        .iter()
        .any(|piece| memmem::find(text, piece).is_some())
}

fn look_below(dir: &Path, look: &mut impl FnMut(&Path, &[u8])) {
    for entry in fs::read_dir(dir).expect("a directory") {
        let path = entry.expect("an entry").path();
        let metadata = fs::symlink_metadata(&path).expect("its metadata");
        if metadata.is_dir() {
            look_below(&path, look);
        } else if metadata.is_file() {
            look(&path, &fs::read(&path).expect("its bytes"));
        }
    }
}
