//! What a witness is sent so that it signs a seal: the body of an `add-checkpoint` request (C2SP
//! tlog-witness).

use std::fmt::Write as _;

use super::keys::Keys;
use super::store::{Log, SealStore};
use super::told::last_seal;
use crate::error::{Error, ErrorKind, Hint, Result};
use crate::integrity::{Grown, Growth, Seal, base64, is_consistent};

/// The body of the request that asks a witness, which signed a seal of `old` records last, to sign
/// `seal` of `store`; 0 is for one that never signed any. `keys` has the key by which witnesses
/// know the store.
///
/// # Errors
/// [`ErrorKind::Refused`] if the seal has fewer records, or there is no such key;
/// [`ErrorKind::Damaged`] if the journal is not what was sealed: nothing is signed then.
pub fn add_checkpoint(store: &dyn SealStore, keys: &Keys, seal: &Seal, old: u64) -> Result<String> {
    let refused = |text: String| Error::new(ErrorKind::Refused, text);
    let size = seal.size;
    let growth = Growth::new(old, size).ok_or_else(|| {
        refused(format!(
            "the newest seal has {size} records, and the witness says {old}: either it means \
             another store, or an older state of this one was put back"
        ))
    })?;
    let Some(seed) = keys.identity(&seal.origin)? else {
        let error =
            refused("no witness can know this store, for it has no key that stays".to_owned());
        return Err(error.with_hint(Hint::WitnessKey));
    };
    let grown = read_growth(store, growth, seal)?;
    let found = last_seal(store, |one| one == seal)?;
    let (_, mut note) = found.ok_or_else(|| {
        let text = format!("seal {} is gone from {}", seal.short(), store.seals_place());
        Error::new(ErrorKind::Damaged, text).with_hint(Hint::Verify)
    })?;
    let line = seal.identity_line(&seed);
    if !note.contains(&line) {
        // It was sealed before there was that key.
        note += &line;
    }
    let mut body = format!("old {old}\n");
    for hash in &grown.proof {
        // Writing to a text cannot fail.
        let _written = writeln!(body, "{}", base64(hash));
    }
    body.push('\n');
    body.push_str(&note);
    Ok(body)
}

/// The proof that the journal under `seal` grew as `growth` says.
fn read_growth(store: &dyn SealStore, mut growth: Growth, seal: &Seal) -> Result<Grown> {
    let sizes = growth.sizes();
    let mut place = "the journal".to_owned();
    if let Some(journal) = store.open_log(Log::Journal)? {
        place = journal.place();
        journal.read(journal.start(), journal.end()?, &mut |leaf| {
            growth.push(leaf);
            Ok(())
        })?;
    }
    let holds = |grown: &Grown| {
        let (old, new) = (&grown.old_root, &grown.new_root);
        *new == seal.root && is_consistent((sizes.0, old), (sizes.1, new), &grown.proof)
    };
    growth.finish().filter(holds).ok_or_else(|| {
        let text = format!("{place} is not what was sealed");
        Error::new(ErrorKind::Damaged, text).with_hint(Hint::Verify)
    })
}
