//! A witness as the specification has it (C2SP tlog-witness), with nothing of ours but what it is
//! sent: it takes the request apart, follows the definition of the proof, and remembers one head.

use auto_recovery::integrity::{Hash, base64, decode_base64, hex};
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use sha2::{Digest, Sha256};

pub(super) const NAME: &str = "witness.example/w1";

/// Why a witness does not sign: its status, and what it answers.
pub(super) type Refused = (u16, String);

/// A witness of one log.
pub(super) struct Witness {
    key: SigningKey,
    /// The verifier key of the log, as its operator gave it.
    log: String,
    /// The size and the root that it signed last.
    pub(super) head: (u64, Hash),
    pub(super) now: u64,
}

impl Witness {
    pub(super) fn of(log: &str) -> Self {
        Self {
            key: SigningKey::from_bytes(&[42; 32]),
            log: log.to_owned(),
            head: (0, hash(&[])),
            now: 1_700_000_000,
        }
    }

    /// Its own verifier key.
    pub(super) fn verifier_key(&self) -> String {
        let public = self.key.verifying_key().to_bytes();
        let typed = [&[4][..], &public].concat();
        format!("{NAME}+{}+{}", hex(&id_of(NAME, &typed)), base64(&typed))
    }

    /// Its answer to the body of a request.
    pub(super) fn add_checkpoint(&mut self, body: &str) -> Result<String, Refused> {
        let refused = |status, why: &str| Err((status, why.to_owned()));
        let Some((head, checkpoint)) = body.split_once("\n\n") else {
            return refused(400, "no empty line");
        };
        let mut lines = head.split('\n');
        let old = lines.next().and_then(|line| line.strip_prefix("old "));
        let Some(old) = old.and_then(decimal) else {
            return refused(400, "no old size");
        };
        let proof: Option<Vec<Hash>> = lines.map(hash_of).collect();
        let Some(proof) = proof.filter(|proof| proof.len() <= 63) else {
            return refused(400, "no proof");
        };
        let Some((text, signatures)) = checkpoint.split_once("\n\n") else {
            return refused(400, "no checkpoint");
        };
        let text = format!("{text}\n");
        let mut fields = text.split('\n');
        let (origin, size) = (fields.next().unwrap(), fields.next().and_then(decimal));
        let (Some(size), Some(root)) = (size, fields.next().and_then(hash_of)) else {
            return refused(400, "no tree head");
        };
        let [name, id, key] = self.log.splitn(3, '+').collect::<Vec<_>>()[..] else {
            panic!("{}", self.log);
        };
        if origin != name {
            return refused(404, "another log");
        }
        if !signatures.ends_with('\n') || !is_signed(&text, signatures, (name, id, key)) {
            return refused(403, "not signed by the log");
        }
        if old > size {
            return refused(400, "old is larger");
        }
        if old != self.head.0 {
            return Err((409, format!("{}\n", self.head.0)));
        }
        if old == size && root != self.head.1 {
            return Err((409, format!("{}\n", self.head.0)));
        }
        if !proves(self.head, (size, root), &proof) {
            return refused(422, "the proof does not hold");
        }
        self.head = (size, root);
        Ok(self.cosign(&text))
    }

    /// The line that signs `text`.
    pub(super) fn cosign(&self, text: &str) -> String {
        let message = format!("cosignature/v1\ntime {}\n{text}", self.now);
        let typed = [&[4][..], self.key.verifying_key().as_bytes()].concat();
        let signature = self.key.sign(message.as_bytes()).to_bytes();
        let bytes = [
            &id_of(NAME, &typed)[..],
            &self.now.to_be_bytes(),
            &signature,
        ]
        .concat();
        format!("\u{2014} {NAME} {}\n", base64(&bytes))
    }
}

fn hash(parts: &[&[u8]]) -> Hash {
    Sha256::digest(parts.concat()).into()
}

fn id_of(name: &str, typed: &[u8]) -> [u8; 4] {
    let id = hash(&[name.as_bytes(), b"\n", typed]);
    [id[0], id[1], id[2], id[3]]
}

fn decimal(text: &str) -> Option<u64> {
    let number: u64 = text.parse().ok()?;
    (number.to_string() == text).then_some(number)
}

fn hash_of(text: &str) -> Option<Hash> {
    decode_base64(text)?.try_into().ok()
}

/// Whether a line of `signatures` signs `text` with the key of the log.
fn is_signed(text: &str, signatures: &str, (name, id, key): (&str, &str, &str)) -> bool {
    let typed = decode_base64(key).unwrap();
    let (algorithm, public) = typed.split_first().unwrap();
    assert_eq!((*algorithm, hex(&id_of(name, &typed)).as_str()), (1, id));
    let public = VerifyingKey::from_bytes(public.try_into().unwrap()).unwrap();
    signatures.lines().any(|line| {
        let line = line.strip_prefix(&format!("\u{2014} {name} "));
        let bytes = line.and_then(decode_base64).unwrap_or_default();
        let signature = bytes.strip_prefix(&id_of(name, &typed));
        let signature = signature.and_then(|rest| Signature::from_slice(rest).ok());
        signature.is_some_and(|one| public.verify_strict(text.as_bytes(), &one).is_ok())
    })
}

/// Whether `proof` leads from the one head to the other, by the definition (RFC 6962 §2.1.2): it
/// rebuilds both roots from the hashes; the last one is the topmost.
fn proves((old, old_root): (u64, Hash), (new, new_root): (u64, Hash), proof: &[Hash]) -> bool {
    if old == 0 {
        return proof.is_empty();
    }
    let mut rest = proof.to_vec();
    let roots = rebuilt(old, new, Some(old_root), &mut rest);
    rest.is_empty() && roots == Some((old_root, new_root))
}

/// The roots of the first `old` leaves of a tree of `new`, and of all of it; `whole` is the first
/// where these leaves begin with all of the old tree.
fn rebuilt(old: u64, new: u64, whole: Option<Hash>, rest: &mut Vec<Hash>) -> Option<(Hash, Hash)> {
    if old == new {
        let root = whole.or_else(|| rest.pop())?;
        return Some((root, root));
    }
    let mut left = 1;
    while left * 2 < new {
        left *= 2;
    }
    let beside = rest.pop()?;
    if old <= left {
        let (old_root, new_root) = rebuilt(old, left, whole, rest)?;
        Some((old_root, hash(&[&[1], &new_root, &beside])))
    } else {
        let (old_root, new_root) = rebuilt(old - left, new - left, None, rest)?;
        let both = |right: &Hash| hash(&[&[1], &beside, right]);
        Some((both(&old_root), both(&new_root)))
    }
}
