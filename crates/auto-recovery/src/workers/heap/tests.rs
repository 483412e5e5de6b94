//! Any number of workers does all the work once.

use super::work_off;
use crate::error::{Error, ErrorKind};

/// Counts down from `first`, each job making two; counts the jobs done.
fn count(first: u32, workers: usize) -> usize {
    let done = work_off(first, vec![0; workers], |done, job, made| {
        *done += 1;
        made.extend((0..2).filter(|_| job > 0).map(|_| job - 1));
        Ok(())
    });
    done.unwrap().into_iter().sum()
}

#[test]
fn every_job_is_done_once_by_any_number_of_workers() {
    for workers in [1, 2, 5] {
        for first in [0, 1, 10] {
            assert_eq!(count(first, workers), (1 << (first + 1)) - 1);
        }
    }
}

#[test]
fn the_first_error_ends_the_work() {
    let result = work_off(12_u32, vec![(), ()], |(), job, made| {
        made.extend(
            [job; 2]
                .into_iter()
                .filter(|job| *job > 0)
                .map(|job| job - 1),
        );
        match job {
            0 => Err(Error::new(ErrorKind::Io, "no")),
            _ => Ok(()),
        }
    });
    assert_eq!(result.unwrap_err().to_string(), "no");
}
