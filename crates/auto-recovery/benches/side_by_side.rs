//! Times of ours and of a rival, taken in turn so that a busy machine slows both.

use std::io::{self, Write};
use std::time::{Duration, Instant};

/// Two things that do the same.
#[derive(Default)]
pub(crate) struct Pair {
    ours: Vec<Duration>,
    rival: Vec<Duration>,
}

impl Pair {
    /// Both, `rounds` times in turn.
    pub(crate) fn take(rounds: usize, mut rival: impl FnMut(), mut ours: impl FnMut()) -> Self {
        let mut pair = Self::default();
        for _ in 0..rounds {
            pair.rival(&mut rival);
            pair.ours(&mut ours);
        }
        pair
    }

    /// One more time of ours.
    pub(crate) fn ours(&mut self, act: impl FnOnce()) {
        self.ours.push(time(act));
    }

    /// One more time of the rival.
    pub(crate) fn rival(&mut self, act: impl FnOnce()) {
        self.rival.push(time(act));
    }

    /// The median of ours and of the rival.
    pub(crate) fn medians(self) -> (Duration, Duration) {
        (median(self.ours), median(self.rival))
    }
}

/// Prints a line.
pub(crate) fn say(line: &str) {
    writeln!(io::stdout(), "{line}").expect("told");
}

fn time(act: impl FnOnce()) -> Duration {
    let began = Instant::now();
    act();
    began.elapsed()
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}
