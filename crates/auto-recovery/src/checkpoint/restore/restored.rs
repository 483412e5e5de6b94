//! What a restore says that it did.

use crate::checkpoint::restore::plan::Beside;
use crate::checkpoint::tree::path::is_within;
use crate::checkpoint::tree::watch::Uncovered;

/// What a restore did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RestoreReport {
    /// Paths that were put back, as records name them, sorted.
    pub restored: Vec<String>,
    /// Paths that somebody else changed meanwhile: kept as they are, sorted.
    pub foreign: Vec<String>,
    /// Paths that differ and that no checkpoint holds: left as they are, sorted.
    pub not_covered: Vec<Uncovered>,
    /// Directories that stay because they hold what is not covered, sorted.
    pub holding: Vec<String>,
    /// Directories that hold what is not covered and stood where something covered belongs, each
    /// with the name that it has now.
    pub moved_aside: Vec<(String, String)>,
    /// Paths that are not covered, had another name, and have theirs back: that other name first.
    pub renamed_back: Vec<(String, String)>,
    /// Those of `restored` at which an attempt had made a file that no checkpoint holds: it is
    /// gone.
    pub removed: Vec<String>,
    /// Paths that could not be put back, sorted, each with the reason.
    pub refused: Vec<Refused>,
    /// Paths that a run beside may have changed, sorted: kept as they are, each with that run.
    pub beside: Vec<Beside>,
    /// Those of `restored` whose content no checkpoint holds: their permission bits are as they
    /// were.
    pub bits_back: Vec<String>,
}

/// A path that the system would not let us change.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Refused {
    /// The path as records name it.
    pub display: String,
    /// Why, in the system's words.
    pub reason: String,
}

impl RestoreReport {
    /// Whether the tree is now what was asked for, in everything that checkpoints cover.
    pub fn is_exact(&self) -> bool {
        self.foreign.is_empty()
            && self.not_covered.is_empty()
            && self.refused.is_empty()
            && self.holding.is_empty()
            && self.moved_aside.is_empty()
            && self.beside.is_empty()
    }

    /// This and what `next` did, of the same tree: what that put back was not foreign.
    pub(in crate::checkpoint) fn followed_by(mut self, next: Self) -> Self {
        self.foreign.retain(|path| next.foreign.contains(path));
        add(&mut self.restored, next.restored);
        add(&mut self.not_covered, next.not_covered);
        add(&mut self.holding, next.holding);
        add(&mut self.removed, next.removed);
        add(&mut self.refused, next.refused);
        add(&mut self.bits_back, next.bits_back);
        self.moved_aside.extend(next.moved_aside);
        self.renamed_back.extend(next.renamed_back);
        for one in next.beside {
            if !self.beside.contains(&one) {
                self.beside.push(one);
            }
        }
        self
    }

    /// Whether `path`, as records name it, is or lies in a directory that got another name.
    pub(in crate::checkpoint) fn is_moved_aside(&self, path: &str) -> bool {
        let mut asides = self.moved_aside.iter();
        asides.any(|(_, aside)| is_within(path.as_bytes(), aside.as_bytes()))
    }
}

/// Adds `more` to `list`, each once.
fn add<T: Ord>(list: &mut Vec<T>, more: Vec<T>) {
    list.extend(more);
    list.sort_unstable();
    list.dedup();
}
