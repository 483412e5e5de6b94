//! Keys and cosignatures in the format of the C2SP, and every change of them.

use ed25519_dalek::{Signer, SigningKey};

use super::*;
use crate::integrity::{Seal, chain_of, public_key};

const NAME: &str = "witness.example/w1";

fn key_of(name: &str, seed: u8) -> WitnessKey {
    let key = public_key(&[seed; 32]);
    let name = name.to_owned();
    WitnessKey { name, key }
}

/// A cosignature, made as the specification says.
fn cosigned(text: &str, (name, seed): (&str, u8), at_s: u64) -> String {
    let message = format!("cosignature/v1\ntime {at_s}\n{text}");
    let key = SigningKey::from_bytes(&[seed; 32]);
    let id = key_id(name, 4, key.verifying_key().as_bytes());
    let signature = key.sign(message.as_bytes()).to_bytes();
    let bytes = [&id[..], &at_s.to_be_bytes(), &signature].concat();
    format!("\u{2014} {name} {}\n", base64::encode(&bytes))
}

fn seal() -> (Seal, String) {
    let key = public_key(&[1; 32]);
    let seal = Seal {
        origin: "0123456789abcdef0123456789abcdef".to_owned(),
        chain: chain_of(&key),
        number: 0,
        size: 412,
        root: [9; 32],
        key,
        next: None,
    };
    let note = seal.sign(&[1; 32]);
    (seal, note)
}

fn text_of(note: &str) -> &str {
    &note[..note.find("\n\n").unwrap() + 1]
}

#[test]
fn a_line_of_the_stores_own_key_stands_beside_the_seals() {
    let (seal, note) = seal();
    assert!(!has_line_of(&note, &seal.origin));
    let both = note + &seal.identity_line(&[7; 32]);
    assert_eq!(Seal::read(&both), Ok(seal.clone()));
    assert!(has_line_of(&both, &seal.origin));
    assert!(!has_line_of(&both, &"0".repeat(32)));
    let read = Note::read(&both).unwrap();
    assert!(read.signatures[1].signs(read.text, &public_key(&[7; 32])));
    let shown = LogKey::new(&seal.origin, public_key(&[7; 32])).to_string();
    let [name, id, key] = shown.splitn(3, '+').collect::<Vec<_>>()[..] else {
        panic!("{shown}");
    };
    assert_eq!(name, read.text.lines().next().unwrap());
    assert_eq!(id, hex(&read.signatures[1].bytes[..4]));
    let key = base64::decode(key).unwrap();
    assert_eq!((key[0], &key[1..]), (1, &public_key(&[7; 32])[..]));
}

#[test]
fn the_key_of_a_witness_has_one_form() {
    let key = key_of(NAME, 3);
    let text = key.to_string();
    assert_eq!(text.parse(), Ok(key.clone()));
    // That of the store is none.
    let log = LogKey::new(&"0".repeat(32), public_key(&[3; 32])).to_string();
    let [name, id, bytes] = text.splitn(3, '+').collect::<Vec<_>>()[..] else {
        panic!("{text}");
    };
    for (wrong, says) in [
        (log.as_str(), "the key of a log"),
        ("", "name+id+key"),
        (name, "name+id+key"),
        (&format!("{name}+{id}"), "name+id+key"),
        (&format!("+{id}+{bytes}"), "name+id+key"),
        (&format!("a b+{id}+{bytes}"), "name+id+key"),
        (&format!("{name}x+{id}+{bytes}"), "its id is not"),
        (&format!("{name}+00000000+{bytes}"), "its id is not"),
        (&format!("{name}+{id}+{}", &bytes[1..]), "name+id+key"),
        (&format!("{name}+{id}+BAAA"), "2 bytes, not 32"),
        (&format!("{name}+{id}+BgAA"), "of type 04"),
    ] {
        let refused = wrong.parse::<WitnessKey>().unwrap_err();
        assert!(refused.contains(says), "{wrong}: {refused}");
    }
}

#[test]
fn the_signatures_of_known_witnesses_are_checked_and_others_named() {
    let (_, note) = seal();
    let text = text_of(&note);
    let known = [key_of(NAME, 3), key_of("other.example", 4)];
    let lines = [
        cosigned(text, (NAME, 3), 1_700_000_000),
        cosigned(text, ("other.example", 4), 0),
        cosigned(text, ("stranger.example", 5), 1),
        // The name alone does not make one known.
        cosigned(text, (NAME, 5), 1),
    ];
    let said = Testimony::read(&format!("{note}{}", lines.concat()), &known).unwrap();
    let names: Vec<_> = said
        .holding
        .iter()
        .map(|one| (&*one.name, one.at_s))
        .collect();
    assert_eq!(names, [(NAME, 1_700_000_000), ("other.example", 0)]);
    assert_eq!(said.lines, lines[..2].concat());
    assert!(said.failing.is_empty());
    assert_eq!(said.unknown[1..], ["stranger.example", NAME]);
    for wrong in [
        cosigned(&text.replace("412", "413"), (NAME, 3), 1),
        cosigned(text, (NAME, 3), TIME_MAX + 1),
    ] {
        let said = Testimony::read(&format!("{note}{wrong}"), &known).unwrap();
        assert_eq!(
            (said.failing, said.holding),
            (vec![NAME.to_owned()], vec![])
        );
    }
}

#[test]
fn no_bit_of_a_cosignature_can_be_changed() {
    let (_, note) = seal();
    let line = cosigned(text_of(&note), (NAME, 3), 1_700_000_000);
    let known = [key_of(NAME, 3)];
    for at in 0..line.len() * 8 {
        let mut bytes = line.clone().into_bytes();
        bytes[at / 8] ^= 1 << (at % 8);
        let Ok(changed) = String::from_utf8(bytes) else {
            continue;
        };
        let said = Testimony::read(&format!("{note}{changed}"), &known);
        assert!(said.is_none_or(|said| said.holding.is_empty()), "bit {at}");
    }
}
