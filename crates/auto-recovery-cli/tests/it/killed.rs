//! `kill -9` at any instant: of `recover log`, of `recover run`, of `recover restore`, of
//! `recover prune`.
//!
//! The instants are spread over what a run takes that is not killed, by a seeded generator; which
//! phase each kill met is found out from what the run left, and told by the long campaign.

mod log;
mod prune;
mod restore;
mod run;
mod tree;

use std::collections::BTreeMap;
use std::process::Child;
use std::time::{Duration, Instant};

use auto_recovery::testing::Random;

/// How often each phase was met.
#[derive(Default)]
struct Phases(BTreeMap<&'static str, u64>);

impl Phases {
    fn met(&mut self, phase: &'static str) {
        *self.0.entry(phase).or_default() += 1;
    }

    /// As a line for the page.
    fn in_words(&self, what: &str) -> String {
        let each: Vec<String> = self
            .0
            .iter()
            .map(|(phase, count)| format!("{phase} {count}"))
            .collect();
        format!("- {what}: {}\n", each.join(", "))
    }
}

/// How long `run` takes.
#[expect(clippy::disallowed_methods, reason = "kills are spread over this time")]
fn duration_of(run: impl FnOnce()) -> Duration {
    let began = Instant::now();
    run();
    began.elapsed()
}

/// An instant within `whole` and a little after it.
fn instant(random: &mut Random, whole: Duration) -> Duration {
    let micros = u64::try_from(whole.as_micros()).expect("not so long");
    Duration::from_micros(random.below(micros + micros / 20 + 1))
}

/// Kills `child` after `delay`, and waits for its end. Whether it was still running.
#[expect(clippy::disallowed_methods, reason = "the kill comes at an instant")]
fn kill_after(child: &mut Child, delay: Duration) -> bool {
    std::thread::sleep(delay);
    // Fails if it has ended and was waited for, which it was not.
    child.kill().expect("kill recover");
    child.wait().expect("wait for recover").code().is_none()
}
