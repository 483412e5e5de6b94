//! Classes of failures, and the salted hashes that stand for all names in summaries.

use sha2::{Digest as _, Sha256};

use crate::failure::{Category, Failure};

/// A class of failures: what is counted together in a project.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Class {
    /// The category.
    pub category: Category,
    /// The tool that reported it.
    pub tool: String,
    /// The type of the failure.
    pub error_type: String,
}

impl Class {
    /// The class of `failure`, which is of `category`.
    pub fn of(category: Category, failure: &Failure) -> Self {
        Self {
            category,
            tool: failure.source.clone(),
            error_type: failure.error_type.clone(),
        }
    }

    /// It in words: `dependency · cargo · LockOutOfDate`.
    pub fn in_words(&self) -> String {
        let parts = [self.category.as_str(), &self.tool, &self.error_type];
        let parts: Vec<_> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        parts.join(" · ")
    }

    pub(super) fn key(&self, salt: Salt) -> Key {
        let Self {
            category,
            tool,
            error_type,
        } = self;
        salt.key(&["class", category.as_str(), tool, error_type])
    }

    /// What stands for the category.
    pub(super) fn category_key(&self, salt: Salt) -> Key {
        salt.key(&["category", self.category.as_str()])
    }
}

/// What a name is hashed with, so that nobody can tell from a summary which names it has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Salt(pub u64);

/// What stands for a name in a summary.
pub(super) type Key = u64;

impl Salt {
    /// The key that stands for the name that `parts` are together.
    pub(super) fn key(self, parts: &[&str]) -> Key {
        let hash = hash_of(&self.0.to_be_bytes(), parts);
        u64::from_be_bytes(hash[..8].try_into().expect("a SHA-256 has 32 bytes"))
    }

    /// What stands for the name that `parts` are together in the names of files.
    pub fn name(self, parts: &[&str]) -> String {
        format!("{:016x}", self.key(parts))
    }
}

/// SHA-256 of `parts`; the length of each goes first, so that no two lists are one text.
pub(super) fn hash_of(salt: &[u8], parts: &[&str]) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(salt);
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    hash.finalize().into()
}
