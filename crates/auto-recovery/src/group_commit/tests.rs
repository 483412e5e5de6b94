//! Callers that share a leader.

use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;

/// How many callers wait behind the one that leads.
fn waiting<Work>(group: &GroupCommit<Work>) -> usize {
    let queue = lock(&group.queue);
    queue.batches.iter().map(|batch| batch.waiting.len()).sum()
}

/// How many callers the batch has that is written.
fn joined<Work>(group: &GroupCommit<Work>) -> usize {
    lock(&group.queue).batches[0].callers
}

const CALLERS: usize = 32;
const EACH: usize = 200;

#[test]
fn every_caller_is_told_of_its_own_work_and_each_ones_order_is_kept() {
    [Pace::Gather, Pace::AtOnce].into_iter().for_each(many);
}

fn many(pace: Pace) {
    let group = GroupCommit::<(usize, usize)>::new(1024, |_| 1, pace);
    let written = Mutex::new(Vec::new());
    let writing = AtomicUsize::new(0);
    thread::scope(|scope| {
        for caller in 0..CALLERS {
            let (group, written, writing) = (&group, &written, &writing);
            scope.spawn(move || {
                for number in 0..EACH {
                    let done = group.commit((caller, number), |work| {
                        assert_eq!(writing.fetch_add(1, Ordering::SeqCst), 0, "one at a time");
                        let work: Vec<_> = work.collect();
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

/// The result of a caller, unless its thread panicked.
type Told = thread::Result<Result<u32>>;

/// Has one caller lead, another join its batch, and a third come after that, and ends the leader's
/// write with `end`. Returns the result of each.
fn led(end: impl Fn() -> Result<Vec<Result<u32>>> + Sync) -> [Told; 3] {
    let group = &GroupCommit::<u32>::new(1024, |_| 1, Pace::Gather);
    let (leading, closed) = (&Barrier::new(2), &Barrier::new(2));
    let write = |work: &mut dyn Iterator<Item = u32>| Ok(work.map(Ok).collect());
    let until_waiting = |count| {
        while waiting(group) < count {
            thread::yield_now();
        }
    };
    thread::scope(|scope| {
        let leader = scope.spawn(|| {
            group.commit(1, |work| {
                leading.wait();
                until_waiting(2);
                assert!(work.eq([1, 2]));
                closed.wait();
                until_waiting(1);
                end()
            })
        });
        leading.wait();
        let joined = scope.spawn(move || group.commit(2, write));
        closed.wait();
        let after = scope.spawn(move || group.commit(3, write));
        [leader, joined, after].map(thread::ScopedJoinHandle::join)
    })
}

#[test]
fn a_leader_that_panics_leaves_the_lead_to_the_next() {
    let [leader, joined, after] = led(|| panic!("as if"));
    assert!(leader.is_err());
    assert_eq!(
        joined.unwrap().unwrap_err().to_string(),
        abandoned().to_string()
    );
    assert_eq!(after.unwrap().unwrap(), 3);
}

#[test]
fn a_failure_is_of_all_who_shared_it_and_of_nobody_else() {
    let [leader, joined, after] = led(|| Err(Error::new(ErrorKind::NoSpace, "as if")));
    for told in [leader, joined] {
        let error = told.unwrap().unwrap_err();
        assert_eq!(
            (error.kind(), error.to_string().as_str()),
            (ErrorKind::NoSpace, "as if")
        );
    }
    assert_eq!(after.unwrap().unwrap(), 3);
}

#[test]
fn who_comes_while_a_leader_writes_is_written_with_the_others() {
    let group = &GroupCommit::<u32>::new(1024, |_| 1, Pace::Gather);
    let batches = AtomicUsize::new(0);
    let write = |work: &mut dyn Iterator<Item = u32>| {
        batches.fetch_add(1, Ordering::SeqCst);
        let mut written = Vec::new();
        for (already, number) in work.enumerate() {
            written.push(Ok(number));
            while already < 3 && joined(group) < already + 2 {
                thread::yield_now();
            }
        }
        Ok(written)
    };
    thread::scope(|scope| {
        for number in 0..4 {
            let write = &write;
            scope.spawn(move || assert_eq!(group.commit(number, write).unwrap(), number));
        }
    });
    assert_eq!(batches.into_inner(), 1);
}

#[test]
fn a_leader_writes_no_more_at_once_than_fits_and_never_nothing() {
    let group = &GroupCommit::<Vec<u32>>::new(10, Vec::len, Pace::Gather);
    let sizes = &Mutex::new(Vec::new());
    let held = &Barrier::new(2);
    let write = |work: &mut dyn Iterator<Item = Vec<u32>>| {
        let work: Vec<_> = work.collect();
        lock(sizes).push(work.iter().map(Vec::len).collect::<Vec<_>>());
        Ok(work.into_iter().map(Ok).collect())
    };
    thread::scope(|scope| {
        scope.spawn(|| {
            group.commit(vec![0; 3], |work| {
                held.wait();
                while waiting(group) < 5 {
                    thread::yield_now();
                }
                write(work)
            })
        });
        held.wait();
        for (before, size) in [6, 4, 1, 30].into_iter().enumerate() {
            scope.spawn(move || group.commit(vec![0; size], write));
            while waiting(group) < before + 2 && lock(sizes).is_empty() {
                thread::yield_now();
            }
        }
    });
    assert_eq!(*lock(sizes), [vec![3, 6], vec![4, 1], vec![30]]);
}

#[test]
fn callers_whose_batches_never_merge_lead_for_each_other_and_all_are_told() {
    [Pace::Gather, Pace::AtOnce].into_iter().for_each(unmerged);
}

fn unmerged(pace: Pace) {
    let group = &GroupCommit::<usize>::new(1, |_| 1, pace);
    thread::scope(|scope| {
        for caller in 0..4 {
            scope.spawn(move || {
                for number in 0..5000 {
                    let write = |work: &mut dyn Iterator<Item = usize>| Ok(work.map(Ok).collect());
                    let done = group.commit(caller + number, write);
                    assert_eq!(done.unwrap(), caller + number);
                }
            });
        }
    });
}

/// Has `callers` callers write batches of `batch` each, all queued before the first is written, and
/// returns the thread that wrote each batch.
fn leaders(
    callers: usize,
    batch: usize,
    end: impl Fn() -> Result<()> + Copy + Send + Sync,
) -> Vec<thread::ThreadId> {
    let group = &GroupCommit::<()>::new(batch, |()| 1, Pace::Gather);
    let leaders = &Mutex::new(Vec::new());
    let write = |work: &mut dyn Iterator<Item = ()>| {
        while lock(leaders).is_empty() && waiting(group) < callers {
            thread::yield_now();
        }
        lock(leaders).push(thread::current().id());
        end()?;
        Ok(work.map(Ok).collect())
    };
    thread::scope(|scope| {
        for _ in 0..callers {
            scope.spawn(move || drop(group.commit((), write)));
        }
    });
    std::mem::take(&mut lock(leaders))
}

#[test]
fn a_leader_goes_on_with_what_many_wait_for_but_not_for_ever() {
    let callers = LED_CALLERS_MIN * (LED_MAX + 1);
    let leaders = leaders(callers, LED_CALLERS_MIN, || Ok(()));
    let first = leaders.iter().take_while(|leader| **leader == leaders[0]);
    assert_eq!((first.count(), leaders.len()), (LED_MAX, LED_MAX + 1));
}

#[test]
fn a_leader_does_not_go_on_for_few_or_after_a_failure() {
    let failed = || Err(Error::new(ErrorKind::Io, "as if"));
    for leaders in [
        leaders(2, 1, || Ok(())),
        leaders(2 * LED_CALLERS_MIN, LED_CALLERS_MIN, failed),
    ] {
        assert_eq!(leaders.len(), 2);
        assert_ne!(leaders[0], leaders[1]);
    }
}

/// Has one caller write alone and end like this while two others come, who are then written
/// together. Returns what each was told.
fn alone(end: impl Fn() -> Result<()> + Sync) -> [Told; 3] {
    let group = &GroupCommit::<u32>::new(1024, |_| 1, Pace::AtOnce);
    let leading = &Barrier::new(2);
    let batches = &AtomicUsize::new(0);
    let write = move |work: &mut dyn Iterator<Item = u32>| {
        batches.fetch_add(1, Ordering::SeqCst);
        Ok(work.map(Ok).collect())
    };
    let told = thread::scope(|scope| {
        let alone = scope.spawn(|| {
            group.commit(1, |work| {
                leading.wait();
                while waiting(group) < 2 {
                    thread::yield_now();
                }
                assert!(work.eq([1]), "who comes meanwhile does not join");
                end()?;
                Ok(vec![Ok(1)])
            })
        });
        leading.wait();
        let others = [2, 3].map(|number| scope.spawn(move || group.commit(number, write)));
        let [second, third] = others;
        [alone, second, third].map(thread::ScopedJoinHandle::join)
    });
    assert_eq!(batches.load(Ordering::SeqCst), 1);
    told
}

#[test]
fn who_writes_alone_leaves_the_lead_to_those_who_came_meanwhile_however_it_ends() {
    let failed = || Err(Error::new(ErrorKind::NoSpace, "as if"));
    let [good, bad] = [alone(|| Ok(())), alone(failed)];
    let panicked = alone(|| panic!("as if"));
    for [_, second, third] in [&good, &bad, &panicked] {
        for (told, number) in [(second, 2), (third, 3)] {
            assert_eq!(*told.as_ref().unwrap().as_ref().unwrap(), number);
        }
    }
    let [good, bad, panicked] = [good, bad, panicked].map(|[first, ..]| first);
    assert_eq!(good.unwrap().unwrap(), 1);
    assert_eq!(bad.unwrap().unwrap_err().kind(), ErrorKind::NoSpace);
    assert!(panicked.is_err());
}
