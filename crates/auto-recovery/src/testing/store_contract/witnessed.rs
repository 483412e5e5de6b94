//! Witnesses of a store: what they are sent proves what was there, and what they sign is kept.

use std::path::Path;
use std::sync::Arc;
use std::thread;

use ed25519_dalek::{Signer, SigningKey};
use sha2::{Digest, Sha256};

use super::seals::{begin, seal};
use super::{Place, entry};
use crate::audit::AuditStore;
use crate::audit::sealing::{
    Keys, Requirements, Sealer, VerifyRequest, add_checkpoint, keep_cosignatures, verify,
};
use crate::host::SystemHost;
use crate::integrity::{
    Hash, Range, Seal, Verdict, WitnessKey, base64, decode_hash, has_line_of, hex, is_consistent,
};
use crate::testing::quick_dir;

/// The witness.
const NAME: &str = "witness.example";

/// When it signs first.
const AT_S: u64 = 1_700_000_000;

pub(super) fn witnessed(place: &dyn Place) {
    if place.open().seals().unwrap().is_none() {
        return;
    }
    let state = quick_dir();
    begin(&*place.open(), "a", 1..9);
    let first = seal(place, state.path());
    make_known(&place.open(), state.path());
    let key = SigningKey::from_bytes(&[42; 32]);
    let witness: WitnessKey = verifier_key(&key).parse().unwrap();
    let nothing = Range::default().root();
    let mut known = (0, nothing);
    for round in 0..5 {
        let newest = seal(place, state.path());
        let store = place.open();
        let keys = Keys::in_state(state.path());
        let body = add_checkpoint(store.seals().unwrap().unwrap(), &keys, &newest, known.0);
        let text = checked(&body.unwrap(), known, &newest);
        known = (newest.size, newest.root);
        let answer = cosigned(&text, AT_S + round, &key);
        let witnesses = vec![witness.clone()];
        let kept = keep_cosignatures(&*store, &witnesses, &answer).unwrap();
        assert_eq!((kept.seal, kept.is_known), (newest.clone(), false));
        assert!(
            keep_cosignatures(&*store, &witnesses, &answer)
                .unwrap()
                .is_known
        );
        let outside = VerifyRequest {
            witnesses,
            require: Requirements {
                outside: true,
                ..Requirements::default()
            },
            ..VerifyRequest::default()
        };
        // Nobody else vouches here: the keys of this machine are left out.
        let found = verify(&*place.open(), &outside).unwrap();
        assert_eq!((found.verdict, found.findings), (Verdict::Proved, vec![]));
        let seen = found.witnessed.unwrap();
        assert_eq!(seen.seal, newest.short().to_string());
        assert_eq!(seen.witnesses.len(), 1);
        store.append(vec![entry("a", 9 + round)]).unwrap();
    }
    assert!(known.0 > first.size);
}

/// Makes the key by which witnesses know the store.
fn make_known(store: &Arc<dyn AuditStore>, state: &Path) {
    let sealer = Sealer::new(store.clone(), state, Arc::new(SystemHost::new()));
    // A program that another test is just starting holds every lock of this process.
    while sealer.log_key().unwrap().is_none() {
        thread::yield_now();
    }
}

/// The id of the witness, and its key with the type before it.
fn typed(key: &SigningKey) -> (Vec<u8>, Vec<u8>) {
    let typed = [&[4][..], key.verifying_key().as_bytes()].concat();
    let id = Sha256::digest([NAME.as_bytes(), b"\n", &typed].concat())[..4].to_vec();
    (id, typed)
}

fn verifier_key(key: &SigningKey) -> String {
    let (id, typed) = typed(key);
    format!("{NAME}+{}+{}", hex(&id), base64(&typed))
}

/// The line that signs `text` at this time.
fn cosigned(text: &str, at_s: u64, key: &SigningKey) -> String {
    let signature = key.sign(format!("cosignature/v1\ntime {at_s}\n{text}").as_bytes());
    let bytes = [
        &typed(key).0[..],
        &at_s.to_be_bytes(),
        &signature.to_bytes(),
    ]
    .concat();
    format!("\u{2014} {NAME} {}\n", base64(&bytes))
}

/// The text that a witness signs which is sent `body` and knows `known`.
fn checked(body: &str, known: (u64, Hash), newest: &Seal) -> String {
    let (head, note) = body.split_once("\n\n").unwrap();
    let mut lines = head.split('\n');
    assert_eq!(lines.next(), Some(&*format!("old {}", known.0)));
    let proof: Vec<_> = lines.map(|line| decode_hash(line).unwrap()).collect();
    let grew = ((known.0, &known.1), (newest.size, &newest.root));
    assert!(is_consistent(grew.0, grew.1, &proof));
    assert_eq!(Seal::read(note).as_ref(), Ok(newest));
    assert!(has_line_of(note, &newest.origin));
    let (text, _) = note.split_once("\n\n").unwrap();
    format!("{text}\n")
}
