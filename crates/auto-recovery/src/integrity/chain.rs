//! A chain of seals: key n signs seal n and names key n + 1.

use super::{Hash, Seal};

/// A chain as far as its seals were followed.
#[derive(Clone, Debug)]
pub struct Chain {
    newest: Seal,
}

/// Why a seal does not continue its chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Broken {
    /// A seal before it is missing, stands elsewhere, or its key is not the one that was named.
    Link,
    /// There is another seal of the same number that says something else.
    Fork,
    /// The chain was closed.
    Closed,
}

impl Chain {
    /// The chain that `seal` begins.
    ///
    /// # Errors
    /// If it is not its seal 0.
    pub fn begin(seal: Seal) -> Result<Self, Broken> {
        match seal.number {
            0 => Ok(Self { newest: seal }),
            _ => Err(Broken::Link),
        }
    }

    /// Adds the next seal, of the same chain by its name.
    ///
    /// # Errors
    /// If it does not follow.
    pub fn follow(&mut self, seal: Seal) -> Result<(), Broken> {
        let newest = &self.newest;
        if seal.number == newest.number && seal.key == newest.key && seal != *newest {
            return Err(Broken::Fork);
        }
        let Some(next) = newest.next else {
            return Err(Broken::Closed);
        };
        let follows = seal.number == newest.number + 1
            && seal.key == next
            && seal.origin == newest.origin
            && seal.chain == newest.chain
            && seal.size >= newest.size;
        match follows {
            true => {
                self.newest = seal;
                Ok(())
            }
            false => Err(Broken::Link),
        }
    }

    /// Its newest seal.
    pub fn newest(&self) -> &Seal {
        &self.newest
    }

    /// The key that signs the next seal; `None` once it is closed.
    pub fn next(&self) -> Option<&Hash> {
        self.newest.next.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::integrity::{chain_of, public_key};

    fn seal(number: u64, size: u64) -> Seal {
        let key = |number: u64| public_key(&[number as u8; 32]);
        Seal {
            origin: "0123456789abcdef0123456789abcdef".to_owned(),
            chain: chain_of(&key(0)),
            number,
            size,
            root: [size as u8; 32],
            key: key(number),
            next: Some(key(number + 1)),
        }
    }

    #[test]
    fn seals_follow_each_other_by_number_key_and_size() {
        let mut chain = Chain::begin(seal(0, 3)).unwrap();
        chain.follow(seal(1, 3)).unwrap();
        chain.follow(seal(2, 9)).unwrap();
        let mut other_key = seal(3, 9);
        other_key.key = public_key(&[9; 32]);
        let mut other_store = seal(3, 9);
        other_store.origin = "f".repeat(32);
        let mut same_number = seal(2, 9);
        same_number.root = [0; 32];
        let cases = [
            (seal(2, 9), Broken::Link),
            (seal(4, 9), Broken::Link),
            (seal(3, 8), Broken::Link),
            (other_key, Broken::Link),
            (other_store, Broken::Link),
            (same_number, Broken::Fork),
        ];
        for (seal, expected) in cases {
            assert_eq!(chain.follow(seal), Err(expected));
        }
        let mut last = seal(3, 9);
        last.next = None;
        chain.follow(last).unwrap();
        assert_eq!((chain.newest().number, chain.next()), (3, None));
        assert_eq!(chain.follow(seal(4, 9)), Err(Broken::Closed));
        assert_eq!(Chain::begin(seal(1, 1)).unwrap_err(), Broken::Link);
    }
}
