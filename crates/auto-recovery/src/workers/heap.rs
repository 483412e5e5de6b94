//! A heap of jobs for a few threads; a job may add more.
//!
//! Small heaps stay on the calling thread: starting another would cost more.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use super::cores::cores;
use crate::error::Result;
use crate::mutex;

#[cfg(test)]
mod tests;

/// More threads than this gain little: they wait for the same file system.
const THREADS_MAX: usize = 4;

/// Jobs that must be waiting before helpers are started.
const HELPERS_FROM: usize = 16;

/// Number of workers that are of use on this machine.
pub(crate) fn size() -> usize {
    cores().min(THREADS_MAX)
}

/// Works off `first` and every job made meanwhile, and gives the workers back. `work` does one job
/// with a worker and adds the jobs that it makes. The first error ends the work.
pub(crate) fn work_off<J: Send, W: Send>(
    first: J,
    mut workers: Vec<W>,
    work: impl Fn(&mut W, J, &mut Vec<J>) -> Result<()> + Sync,
) -> Result<Vec<W>> {
    let mut jobs = vec![first];
    let Some((own, helpers)) = workers.split_first_mut() else {
        return Ok(workers);
    };
    while jobs.len() < HELPERS_FROM || helpers.is_empty() {
        match jobs.pop() {
            Some(job) => work(own, job, &mut jobs)?,
            None => return Ok(workers),
        }
    }
    let heap = Heap::new(jobs);
    thread::scope(|scope| {
        for helper in helpers {
            scope.spawn(|| heap.work_off(helper, &work));
        }
        heap.work_off(own, &work);
    });
    heap.into_result().map(|()| workers)
}

/// The waiting jobs, and the number of jobs being done.
struct Heap<J> {
    state: Mutex<State<J>>,
    changed: Condvar,
}

struct State<J> {
    jobs: Vec<J>,
    busy: usize,
    result: Result<()>,
}

impl<J> Heap<J> {
    fn new(jobs: Vec<J>) -> Self {
        Self {
            state: Mutex::new(State {
                jobs,
                busy: 0,
                result: Ok(()),
            }),
            changed: Condvar::new(),
        }
    }

    fn work_off<W>(
        &self,
        worker: &mut W,
        work: &(impl Fn(&mut W, J, &mut Vec<J>) -> Result<()> + Sync),
    ) {
        let mut made = Vec::new();
        while let Some(job) = self.take() {
            let busy = Busy(self);
            let result = work(worker, job, &mut made);
            busy.0.give(&mut made, result);
        }
    }

    /// The next job; `None` when there is none and no worker is left that could add one.
    fn take(&self) -> Option<J> {
        let mut state = self.lock();
        loop {
            if state.result.is_err() {
                return None;
            }
            if let Some(job) = state.jobs.pop() {
                state.busy += 1;
                return Some(job);
            }
            if state.busy == 0 {
                return None;
            }
            state = self
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn give(&self, made: &mut Vec<J>, result: Result<()>) {
        let mut state = self.lock();
        state.jobs.append(made);
        if state.result.is_ok() {
            state.result = result;
        }
    }

    fn into_result(self) -> Result<()> {
        let state = self.state.into_inner();
        state.unwrap_or_else(PoisonError::into_inner).result
    }

    fn lock(&self) -> MutexGuard<'_, State<J>> {
        mutex::lock(&self.state)
    }
}

/// A job being done; when it ends, also by a panic, waiting threads look again.
struct Busy<'a, J>(&'a Heap<J>);

impl<J> Drop for Busy<'_, J> {
    fn drop(&mut self) {
        self.0.lock().busy -= 1;
        self.0.changed.notify_all();
    }
}
