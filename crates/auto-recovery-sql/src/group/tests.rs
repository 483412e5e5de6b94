//! Callers that share a leader.

use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;

const CALLERS: usize = 32;
const EACH: usize = 200;

#[test]
fn every_caller_is_told_of_its_own_work_and_each_ones_order_is_kept() {
    let group = Group::<(usize, usize), (usize, usize)>::new(1024, |_| 1);
    let written = Mutex::new(Vec::new());
    let writing = AtomicUsize::new(0);
    thread::scope(|scope| {
        for caller in 0..CALLERS {
            let (group, written, writing) = (&group, &written, &writing);
            scope.spawn(move || {
                for number in 0..EACH {
                    let done = group.commit((caller, number), |work| {
                        assert_eq!(writing.fetch_add(1, Ordering::SeqCst), 0, "one at a time");
                        lock(written).extend(&work);
                        writing.fetch_sub(1, Ordering::SeqCst);
                        Ok(work.into_iter().map(Ok).collect())
                    });
                    assert_eq!(done.unwrap(), (caller, number));
                }
            });
        }
    });
    let written = lock(&written);
    assert_eq!(written.len(), CALLERS * EACH);
    for caller in 0..CALLERS {
        let of_caller = written.iter().filter(|(of, _)| *of == caller);
        assert!(of_caller.map(|(_, number)| *number).eq(0..EACH));
    }
}

/// Has one caller lead until another waits, and then end like this. Returns what each was told.
fn led(
    first: impl FnOnce() -> Result<Vec<Result<u32>>> + Send,
    second: impl FnOnce(Vec<u32>) -> Result<Vec<Result<u32>>> + Send,
) -> (thread::Result<Result<u32>>, thread::Result<Result<u32>>) {
    let group = Group::<u32, u32>::new(1024, |_| 1);
    let leading = Barrier::new(2);
    thread::scope(|scope| {
        let one = scope.spawn(|| {
            group.commit(1, |_| {
                leading.wait();
                while lock(&group.queue).waiting.is_empty() {
                    thread::yield_now();
                }
                first()
            })
        });
        leading.wait();
        let two = scope.spawn(|| group.commit(2, second));
        (one.join(), two.join())
    })
}

#[test]
fn a_leader_that_panics_leaves_the_lead_to_the_next() {
    let (one, two) = led(
        || panic!("as if"),
        |work| Ok(work.into_iter().map(Ok).collect()),
    );
    assert!(one.is_err());
    assert_eq!(two.unwrap().unwrap(), 2);
}

#[test]
fn a_failure_is_of_all_who_shared_it_and_of_nobody_else() {
    let failed = || Err(Error::new(ErrorKind::NoSpace, "as if"));
    let (one, two) = led(failed, |work| Ok(work.into_iter().map(Ok).collect()));
    assert_eq!(one.unwrap().unwrap_err().kind(), ErrorKind::NoSpace);
    assert_eq!(two.unwrap().unwrap(), 2);
    let shared = shared::<u32>(Error::new(ErrorKind::NoSpace, "as if"), 3);
    for result in shared {
        let error = result.unwrap_err();
        assert_eq!(
            (error.kind(), error.to_string().as_str()),
            (ErrorKind::NoSpace, "as if")
        );
    }
}

#[test]
fn a_leader_writes_no_more_at_once_than_fits_and_never_nothing() {
    let group = &Group::<Vec<u32>, ()>::new(10, Vec::len);
    let sizes = &Mutex::new(Vec::new());
    let held = &Barrier::new(2);
    let write = |work: Vec<Vec<u32>>| {
        lock(sizes).push(work.iter().map(Vec::len).collect::<Vec<_>>());
        Ok(work.iter().map(|_| Ok(())).collect())
    };
    thread::scope(|scope| {
        scope.spawn(|| {
            group.commit(Vec::new(), |work| {
                held.wait();
                while lock(&group.queue).waiting.len() < 4 {
                    thread::yield_now();
                }
                write(work)
            })
        });
        held.wait();
        for (waiting, size) in [6, 4, 1, 30].into_iter().enumerate() {
            scope.spawn(move || group.commit(vec![0; size], write));
            while lock(&group.queue).waiting.len() <= waiting && lock(sizes).is_empty() {
                thread::yield_now();
            }
        }
    });
    assert_eq!(*lock(sizes), [vec![0], vec![6, 4], vec![1], vec![30]]);
}
