//! Texts that one thread finds and another one takes.

use std::mem;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;

use crate::error::Result;

/// Bytes of texts that are handed over at once. Fewer are taken on the thread that found them:
/// starting another would cost more.
const BATCH_BYTES: usize = 256 * 1024;

/// Batches that may wait.
const BATCHES_MAX: usize = 2;

/// Calls `take` with each text that `find` finds, in order, beside the search for the next ones.
///
/// # Errors
/// That of `find`; `take` has had what was found before it, or a part of that.
pub(crate) fn relay<T>(
    find: impl FnOnce(&mut dyn FnMut(&[u8]) -> Result<()>) -> Result<T>,
    take: impl FnMut(&[u8]) + Send,
) -> Result<T> {
    thread::scope(|scope| {
        let mut batch = Batch::default();
        let mut take = Some(take);
        let mut taker: Option<SyncSender<Batch>> = None;
        let found = find(&mut |text| {
            batch.push(text);
            if batch.texts.len() < BATCH_BYTES {
                return Ok(());
            }
            if let Some(mut take) = take.take() {
                let (sender, batches) = sync_channel::<Batch>(BATCHES_MAX);
                scope.spawn(move || batches.iter().for_each(|batch| batch.each(&mut take)));
                taker = Some(sender);
            }
            if let Some(taker) = &taker {
                // One that is gone panicked, and so does this scope at its end.
                drop(taker.send(mem::take(&mut batch)));
            }
            Ok(())
        })?;
        match (taker, take) {
            (Some(taker), _) => drop(taker.send(batch)),
            (None, Some(mut take)) => batch.each(&mut take),
            (None, None) => {}
        }
        Ok(found)
    })
}

/// Texts, one after the other.
#[derive(Default)]
struct Batch {
    texts: Vec<u8>,
    ends: Vec<usize>,
}

impl Batch {
    fn push(&mut self, text: &[u8]) {
        self.texts.extend_from_slice(text);
        self.ends.push(self.texts.len());
    }

    fn each(&self, take: &mut impl FnMut(&[u8])) {
        let mut from = 0;
        for end in &self.ends {
            take(&self.texts[from..*end]);
            from = *end;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{Error, ErrorKind};

    fn texts(count: usize) -> Vec<Vec<u8>> {
        let text = |number: usize| number.to_string().repeat(1 + number % 50).into_bytes();
        (0..count).map(text).collect()
    }

    fn relayed(all: &[Vec<u8>]) -> (Vec<Vec<u8>>, bool) {
        let here = thread::current().id();
        let (mut taken, mut was_elsewhere) = (Vec::new(), false);
        let find = |found: &mut dyn FnMut(&[u8]) -> Result<()>| {
            all.iter().try_for_each(|text| found(text))
        };
        relay(find, |text| {
            taken.push(text.to_vec());
            was_elsewhere |= thread::current().id() != here;
        })
        .unwrap();
        (taken, was_elsewhere)
    }

    #[test]
    fn all_are_taken_in_order() {
        for count in [0, 1, 1000, 40_000] {
            let all = texts(count);
            let (taken, was_elsewhere) = relayed(&all);
            assert_eq!(taken, all);
            assert_eq!(was_elsewhere, count == 40_000, "{count}");
        }
    }

    #[test]
    fn an_error_of_the_search_is_told() {
        let failed = relay(
            |found: &mut dyn FnMut(&[u8]) -> Result<()>| {
                for text in texts(40_000) {
                    found(&text)?;
                }
                Err::<(), _>(Error::new(ErrorKind::Damaged, "it ends here"))
            },
            |_| {},
        );
        assert_eq!(failed.unwrap_err().kind(), ErrorKind::Damaged);
    }

    #[test]
    #[should_panic(expected = "a scoped thread panicked")]
    fn a_panic_of_who_takes_is_one_of_who_finds() {
        let _ = relay(
            |found: &mut dyn FnMut(&[u8]) -> Result<()>| {
                texts(40_000).iter().try_for_each(|text| found(text))
            },
            |_| panic!("not this one"),
        );
    }
}
