//! Items that are shared out: each thread takes the next until there is none.

use std::panic::resume_unwind;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use super::cores::cores;
use crate::error::Result;

/// More threads than this gain little: they wait for the same memory.
const THREADS_MAX: usize = 8;

/// Number of threads that are of use here.
pub(crate) fn threads() -> usize {
    cores().min(THREADS_MAX)
}

/// Returns the results of `work` for `items`, in their order. The first error ends the work.
pub(crate) fn map_all<I: Sync, T: Send>(
    items: &[I],
    work: impl Fn(&I) -> Result<T> + Sync,
) -> Result<Vec<T>> {
    let shares = share_out(items, |share: &mut Vec<(usize, T)>, index, item| {
        share.push((index, work(item)?));
        Ok(())
    })?;
    let mut made: Vec<_> = shares.into_iter().flatten().collect();
    made.sort_unstable_by_key(|(index, _)| *index);
    Ok(made.into_iter().map(|(_, made)| made).collect())
}

/// Shares `items` out among threads; each adds the results of `work` to a state of its own. The
/// first error ends the work.
pub(crate) fn share_out<I: Sync, S: Default + Send>(
    items: &[I],
    work: impl Fn(&mut S, usize, &I) -> Result<()> + Sync,
) -> Result<Vec<S>> {
    let helpers = threads().min(items.len()).saturating_sub(1);
    let next = AtomicUsize::new(0);
    let share = || {
        let mut state = S::default();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(index) else {
                return Ok(state);
            };
            if let Err(error) = work(&mut state, index, item) {
                next.store(items.len(), Ordering::Relaxed);
                return Err(error);
            }
        }
    };
    thread::scope(|scope| {
        let others: Vec<_> = (0..helpers).map(|_| scope.spawn(share)).collect();
        let mut states = vec![share()];
        for other in others {
            states.push(other.join().unwrap_or_else(|panic| resume_unwind(panic)));
        }
        states.into_iter().collect()
    })
}
