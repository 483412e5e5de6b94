//! A seal has one form, and no bit of it can be changed.

use proptest::prelude::*;

use super::*;

fn seal(number: u64, next: Option<Hash>) -> (Seal, String) {
    let seed = [number as u8 + 1; 32];
    let key = public_key(&seed);
    let seal = Seal {
        origin: "0123456789abcdef0123456789abcdef".to_owned(),
        chain: chain_of(&public_key(&[1; 32])),
        number,
        size: 412,
        root: [9; 32],
        key,
        next,
    };
    let note = seal.sign(&seed);
    (seal, note)
}

#[test]
fn a_seal_is_read_as_it_was_signed() {
    for number in [0, 1, 17] {
        for next in [None, Some(public_key(&[number as u8 + 2; 32]))] {
            let (seal, note) = seal(number, next);
            assert_eq!(Seal::read(&note), Ok(seal.clone()));
            assert_eq!(seal.short().to_string(), "412:0909090909090909");
        }
    }
}

#[test]
fn a_seal_has_the_lines_of_its_format() {
    let (seal, note) = seal(0, None);
    let lines: Vec<_> = note.split('\n').collect();
    assert_eq!(
        lines[0],
        "auto-recovery/store/0123456789abcdef0123456789abcdef"
    );
    assert_eq!(lines[1], "412");
    assert_eq!(lines[2], "CQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQk=");
    assert_eq!(lines[3], "seal 0");
    assert_eq!(lines[4], format!("key {}", base64::encode(&seal.key)));
    assert_eq!(lines[5..7], ["next none", ""]);
    let name = format!("\u{2014} {}/{} ", lines[0], seal.chain);
    assert!(lines[7].starts_with(&name));
    assert_eq!(lines[8..], [""]);
}

#[test]
fn every_flipped_bit_of_a_seal_is_refused() {
    for number in [0, 3] {
        let (_, note) = seal(number, Some([5; 32]));
        for at in 0..note.len() * 8 {
            let mut bytes = note.clone().into_bytes();
            bytes[at / 8] ^= 1 << (at % 8);
            let read = String::from_utf8(bytes).map(|text| Seal::read(&text));
            let is_refused = match read {
                // The name of a chain is bound to the key of its seal 0, and by that to the others.
                Ok(Ok(seal)) => number > 0 && seal.chain != chain_of(&public_key(&[1; 32])),
                Ok(Err(_)) | Err(_) => true,
            };
            assert!(is_refused, "bit {at}");
        }
    }
}

#[test]
fn lines_that_are_missing_doubled_or_swapped_are_refused() {
    let (_, note) = seal(3, Some([5; 32]));
    let lines: Vec<_> = note.split_inclusive('\n').collect();
    for at in 0..lines.len() {
        let mut missing = lines.clone();
        missing.remove(at);
        let mut doubled = lines.clone();
        doubled.insert(at, lines[at]);
        let mut swapped = lines.clone();
        swapped.swap(at, (at + 1) % lines.len());
        for changed in [missing, doubled, swapped] {
            assert!(Seal::read(&changed.concat()).is_err(), "{at}: {changed:?}");
        }
        assert!(Seal::read(&lines[..at].concat()).is_err());
    }
}

#[test]
fn further_signatures_may_stand_beside_ours() {
    let (seal, note) = seal(3, None);
    let other = note::sign("x\n", "witness.example", &[8; 32]);
    let line = other.lines().last().unwrap();
    assert_eq!(Seal::read(&format!("{note}{line}\n")), Ok(seal));
}

#[test]
fn a_short_form_is_of_the_roots_that_begin_so() {
    let short: ShortSeal = "412:9f3c1a2b44d0e7c1".parse().unwrap();
    let mut root = [0; 32];
    root[..8].copy_from_slice(&0x9f3c_1a2b_44d0_e7c1_u64.to_be_bytes());
    assert!(short.is_of(&root));
    root[7] ^= 1;
    assert!(!short.is_of(&root));
    for text in [
        "412",
        "412:",
        "412:9f",
        "0412:9f3c1a2b44d0e7c1",
        "-1:9f3c1a2b44d0e7c1",
        "1:9f3c1a2b44d0e7cg",
    ] {
        assert!(text.parse::<ShortSeal>().is_err(), "{text}");
    }
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text: String) {
        prop_assert!(Seal::read(&text).is_err());
    }
}
