//! Putting many files back by a few threads: those that stand as a snapshot saw them, or are gone.
//!
//! Making a file and letting one go is the file system's work, and it does several at once. What is
//! not a plain file then and now, has other names, or meets a full disk is left to the one thread
//! that goes on after it, in order.

use crate::checkpoint::crew;
use crate::checkpoint::manifest::Node;
use crate::checkpoint::plan::{Expect, Item};
use crate::checkpoint::restorer::{ORDERED_MAX, Restorer};
use crate::checkpoint::temp;
use crate::error::{Error, ErrorKind, Result};

/// Fewer files than this are put back sooner than another git is started.
const FILES_MIN: usize = 1_000;

/// One of the crew: what it put back, what it left to others, and why it could not go on.
struct Worker<'a, 'i> {
    restorer: Restorer<'a>,
    left: Vec<&'i Item>,
    error: Option<Error>,
}

impl<'a> Restorer<'a> {
    /// Puts back those of `items` that are plain files, if they are many, and gives what is left to
    /// do, in its order.
    pub(super) fn put_many<'i>(&mut self, items: Vec<&'i Item>) -> Result<Vec<&'i Item>> {
        let is_plain = |item: &Item| self.is_plain_file(item) && !self.is_settled(&item.path);
        let (plain, mut left): (Vec<&Item>, Vec<&Item>) =
            items.iter().copied().partition(|item| is_plain(item));
        if plain.len() < FILES_MIN || crew::size() < 2 {
            return Ok(items);
        }
        let workers = (0..crew::size()).map(|number| self.worker(number));
        // Where no more processes may be started, or nothing noted, one thread does it all.
        let Ok(workers) = workers.collect::<Result<Vec<_>>>() else {
            return Ok(items);
        };
        let done = crew::run(&plain[..], workers, |worker, job, made| {
            match job.len() > ORDERED_MAX {
                true => made.extend(job.chunks(ORDERED_MAX).rev()),
                false => worker.put(job),
            }
            Ok(())
        })?;
        let mut result = Ok(());
        for worker in done {
            left.extend(worker.left);
            result = result.and(worker.error.map_or(Ok(()), Err));
            result = result.and(self.take_over(worker.restorer));
        }
        result?;
        left.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        Ok(left)
    }

    /// Whether `item` replaces a file of one name, or one that is gone, by a file.
    fn is_plain_file(&self, item: &Item) -> bool {
        let is_file = |node: &Option<Node>| matches!(node, Some(Node::File { .. }));
        let is_one = || self.seen(&item.path).is_some_and(|stamp| stamp.links < 2);
        let was_plain = match &item.from {
            Expect::Node(None) => true,
            Expect::Node(from) => is_file(from) && is_one(),
            Expect::Any => false,
        };
        was_plain && is_file(&item.to)
    }

    fn worker<'i>(&self, number: usize) -> Result<Worker<'a, 'i>> {
        let mut restorer = Restorer::new(self.store, self.to, self.seen)?;
        restorer.temp = temp::name_of_worker(&self.to.id(), number);
        temp::begin(&self.store.dir, &restorer.temp)?;
        Ok(Worker {
            restorer,
            left: Vec::new(),
            error: None,
        })
    }

    /// Takes what another one did for its own, and the directories that it opened.
    fn take_over(&mut self, other: Restorer<'a>) -> Result<()> {
        let Restorer {
            put,
            rewritten,
            had_names,
            hands,
            blobs,
            foreign,
            acted,
            not_covered,
            refused,
            ..
        } = other;
        self.put.extend(put);
        self.rewritten.extend(rewritten);
        self.had_names.extend(had_names);
        self.hands.take_over(hands);
        self.foreign.extend(foreign);
        self.acted.extend(acted);
        self.not_covered.extend(not_covered);
        self.refused.extend(refused);
        blobs.finish()
    }
}

impl<'i> Worker<'_, 'i> {
    fn put(&mut self, items: &[&'i Item]) {
        if self.error.is_some() {
            return;
        }
        let Self {
            restorer,
            left,
            error,
        } = self;
        if let Err(broken) = restorer.order(items) {
            *error = Some(broken);
            return;
        }
        for item in items {
            match restorer.put(item, &[]) {
                Err(full) if full.kind() == ErrorKind::NoSpace => left.push(item),
                put => {
                    if let Err(broken) = restorer.unless_refused(item, put) {
                        *error = Some(broken);
                        return;
                    }
                }
            }
        }
    }
}
