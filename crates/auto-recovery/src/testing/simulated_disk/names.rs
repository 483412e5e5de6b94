//! Which names a directory has, as far as that is durable, and what was done to them since.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::super::random::Random;

/// What a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Named {
    Nothing,
    Directory,
    /// The file of this number.
    File(usize),
}

/// What a name stood for, from what is durable on.
#[derive(Clone, Debug)]
struct History {
    durable: Named,
    /// What it was made to stand for since, each with the number of that change.
    since: Vec<(u64, Named)>,
}

/// All names.
#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    names: BTreeMap<PathBuf, History>,
    changes: u64,
}

impl Names {
    /// `path` stands for `named`, durably.
    pub(super) fn insert(&mut self, path: &Path, durable: Named) {
        let since = Vec::new();
        self.names
            .insert(path.to_owned(), History { durable, since });
    }

    /// `path` was made to stand for `named`.
    pub(super) fn change(&mut self, path: &Path, named: Named) {
        self.changes += 1;
        let history = self.names.entry(path.to_owned()).or_insert(History {
            durable: Named::Nothing,
            since: Vec::new(),
        });
        history.since.push((self.changes, named));
    }

    /// What `path` stands for.
    pub(super) fn get(&self, path: &Path) -> Named {
        self.names.get(path).map_or(Named::Nothing, History::now)
    }

    /// Names all that was done so far, for [`Names::settle`].
    pub(super) fn mark(&self) -> u64 {
        self.changes
    }

    /// What was done to the names in `directory` until `mark` is durable.
    pub(super) fn settle(&mut self, directory: &Path, mark: u64) {
        for (path, history) in &mut self.names {
            if path.parent() == Some(directory) {
                let count = history
                    .since
                    .iter()
                    .take_while(|(number, _)| *number <= mark)
                    .count();
                if let Some((_, last)) = history.since.drain(..count).next_back() {
                    history.durable = last;
                }
            }
        }
    }

    /// What may be found after a power cut: directories before what lies in them.
    pub(super) fn after_power_cut(&self, random: &mut Random) -> Vec<(PathBuf, Named)> {
        let how = random.below(4);
        let mut found: Vec<(PathBuf, Named)> = Vec::new();
        for (path, history) in &self.names {
            let named = match how {
                0 => history.durable,
                1 => history.now(),
                _ => history.any(random),
            };
            // What lies in a directory that is gone is gone too.
            let is_there = |parent: &Path| match self.names.contains_key(parent) {
                true => found
                    .iter()
                    .any(|(path, named)| path == parent && *named == Named::Directory),
                false => true,
            };
            if named != Named::Nothing && path.parent().is_none_or(is_there) {
                found.push((path.clone(), named));
            }
        }
        found
    }
}

impl History {
    fn now(&self) -> Named {
        self.since.last().map_or(self.durable, |(_, named)| *named)
    }

    fn any(&self, random: &mut Random) -> Named {
        match random.index(self.since.len() + 1) {
            0 => self.durable,
            count => self.since[count - 1].1,
        }
    }
}

#[cfg(test)]
mod tests {
    //! What the model allows, and what it must not.

    use super::*;

    fn may_be(names: &Names, path: &str) -> [bool; 3] {
        let mut random = Random::new(3);
        let mut seen = [false; 3];
        for _ in 0..200 {
            let found = names.after_power_cut(&mut random);
            let found = found.iter().find(|(found, _)| found == Path::new(path));
            match found {
                None => seen[0] = true,
                Some((_, Named::File(1))) => seen[1] = true,
                Some(_) => seen[2] = true,
            }
        }
        seen
    }

    #[test]
    fn a_name_is_found_as_after_any_change_since_its_directory_was_synced() {
        let mut names = Names::default();
        names.change(Path::new("/d"), Named::Directory);
        names.settle(Path::new("/"), names.mark());
        names.change(Path::new("/d/f"), Named::File(1));
        assert_eq!(may_be(&names, "/d/f"), [true, true, false]);
        let mark = names.mark();
        names.change(Path::new("/d/f"), Named::Nothing);
        names.change(Path::new("/d/f"), Named::File(2));
        assert_eq!(may_be(&names, "/d/f"), [true, true, true]);
        names.settle(Path::new("/d"), mark);
        assert_eq!(may_be(&names, "/d/f"), [true, true, true]);
        names.settle(Path::new("/"), names.mark());
        assert_eq!(
            may_be(&names, "/d/f"),
            [true, true, true],
            "another directory"
        );
        names.settle(Path::new("/d"), names.mark());
        assert_eq!(may_be(&names, "/d/f"), [false, false, true]);
    }

    #[test]
    fn what_lies_in_a_lost_directory_is_lost() {
        let mut names = Names::default();
        names.change(Path::new("/d"), Named::Directory);
        names.change(Path::new("/d/f"), Named::File(1));
        names.settle(Path::new("/d"), names.mark());
        assert_eq!(may_be(&names, "/d/f"), [true, true, false]);
    }
}
