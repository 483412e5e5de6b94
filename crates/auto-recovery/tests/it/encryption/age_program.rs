//! Our age files and the program `age`, each reading what the other wrote.

use std::io::Write as _;
use std::process::{Command, Stdio};

use auto_recovery::encryption::{Identity, Recipient, SessionKey, age};
use auto_recovery::testing::Random;
use tempfile::TempDir;

/// Runs the program `name` on `input`; nothing if it fails.
#[expect(clippy::disallowed_methods, reason = "it ends before the test does")]
fn run(name: &str, args: &[&str], input: &[u8]) -> Option<Vec<u8>> {
    let mut child = Command::new(name)
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("`{name}` is needed, `scripts/test` installs it: {error}"));
    let mut stdin = child.stdin.take().unwrap();
    let output = std::thread::scope(|scope| {
        // Whoever refuses the head of a file does not read the rest.
        scope.spawn(move || stdin.write_all(input).ok());
        child.wait_with_output().unwrap()
    });
    output.status.success().then_some(output.stdout)
}

/// An identity that `age-keygen` made, and the file that it is in.
fn keygen(dir: &TempDir, name: &str) -> (Identity, String) {
    let file = dir.path().join(name);
    let file = file.to_str().unwrap();
    run("age-keygen", &["-o", file], b"").unwrap();
    let text = std::fs::read_to_string(file).unwrap();
    let identity = Identity::parse_file(&text).unwrap().remove(0);
    assert!(text.contains(&identity.recipient().to_string()), "{text}");
    (identity, file.to_owned())
}

fn drawing(seed: u64) -> impl FnMut() -> [u8; 32] {
    let mut random = Random::new(seed);
    move || {
        let mut bytes = [0; 32];
        bytes.fill_with(|| u8::try_from(random.below(256)).unwrap());
        bytes
    }
}

/// Lengths at the borders of chunks.
const LENGTHS: [usize; 7] = [0, 1, 100, 65_535, 65_536, 65_537, 200_000];

#[test]
fn the_program_age_opens_what_we_close() {
    let dir = TempDir::new().unwrap();
    let (first, first_file) = keygen(&dir, "first");
    let (second, second_file) = keygen(&dir, "second");
    let (_, other_file) = keygen(&dir, "other");
    let draw = &mut drawing(1);
    for length in LENGTHS {
        let text: Vec<u8> = (0..length).map(|at| (at % 251) as u8).collect();
        let recipients: Vec<Recipient> = vec![first.recipient(), second.recipient()];
        let file = age::close(&recipients, &text, draw);
        for identity in [&first_file, &second_file] {
            let opened = run("age", &["-d", "-i", identity], &file);
            assert!(opened.as_ref() == Some(&text), "{length}");
        }
        assert_eq!(run("age", &["-d", "-i", &other_file], &file), None);
    }
}

#[test]
fn we_open_what_the_program_age_closes() {
    let dir = TempDir::new().unwrap();
    let (first, _) = keygen(&dir, "first");
    let (second, _) = keygen(&dir, "second");
    let (other, _) = keygen(&dir, "other");
    let recipients = [
        first.recipient().to_string(),
        second.recipient().to_string(),
    ];
    for length in LENGTHS {
        let text: Vec<u8> = (0..length).map(|at| (at % 249) as u8).collect();
        let file = run("age", &["-r", &recipients[0], "-r", &recipients[1]], &text).unwrap();
        for identity in [&first, &second] {
            let opened = age::open(std::slice::from_ref(identity), &file).unwrap();
            assert!(*opened == text, "{length}");
        }
        let refused = age::open(std::slice::from_ref(&other), &file).unwrap_err();
        assert_eq!(refused, age::AgeRefused::ForOthers);
    }
}

#[test]
fn the_program_age_reads_the_key_of_a_session_and_our_identities() {
    let dir = TempDir::new().unwrap();
    let draw = &mut drawing(2);
    let identity = Identity::new(draw);
    let file = dir.path().join("identity");
    std::fs::write(&file, identity.secret_text().as_bytes()).unwrap();
    let file = file.to_str().unwrap();
    let recipient = run("age-keygen", &["-y", file], b"").unwrap();
    let recipient = String::from_utf8(recipient).unwrap();
    assert_eq!(recipient.trim(), identity.recipient().to_string());

    let key = SessionKey::new(draw);
    let closed = key.file(&[identity.recipient()], draw);
    assert!(closed.len() < 300, "{}", closed.len());
    let opened = run("age", &["-d", "-i", file], &closed).unwrap();
    assert_eq!(opened, key.text().as_bytes());
    assert_eq!(SessionKey::parse(&opened).unwrap().kid(), key.kid());
}

#[test]
fn both_refuse_what_was_changed() {
    let dir = TempDir::new().unwrap();
    let (identity, file) = keygen(&dir, "identity");
    let closed = age::close(&[identity.recipient()], b"a text", &mut drawing(3));
    let mut random = Random::new(4);
    for _ in 0..40 {
        let mut changed = closed.clone();
        let at = random.index(changed.len());
        changed[at] ^= 1 << random.below(8);
        age::open(std::slice::from_ref(&identity), &changed).unwrap_err();
        assert_eq!(run("age", &["-d", "-i", &file], &changed), None, "{at}");
    }
}
