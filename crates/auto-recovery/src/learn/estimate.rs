//! The chance of a step and its time, by counts that are shrunk level by level.
//!
//! From coarse to fine: what is shipped, other projects, the class in this workspace, this very
//! failure in this workspace. Each level begins where the one above ends, which weighs as four
//! trials: a level without trials says what the one above says.

use crate::learn::evidence::Known;

/// What the level above weighs, in trials.
const ABOVE: f64 = 4.0;

/// The chance of a step that nothing is known about.
const SHIPPED_CHANCE: f64 = 0.3;

/// Share of a person's time that an unknown step takes: half a minute of ten. A share, so that
/// slower machines and persons together change no order.
const SHIPPED_SHARE: f64 = 0.05;

/// Standard deviations to either side that have 90 %.
const NINETY: f64 = 1.645;

/// What is thought of one step against one failure.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// Its chance, when it is tried.
    pub chance: f64,
    /// The standard deviation of that.
    pub deviation: f64,
    /// Its time.
    pub seconds: f64,
    /// Trials of the class here, aged.
    pub trials: f64,
    /// The same, with those of other projects.
    pub trials_of_all: f64,
}

impl Estimate {
    /// What is thought of a step that is `known` so, where somebody who has to look takes `person`
    /// seconds.
    pub(super) fn of(known: &Known, person: f64) -> Self {
        let mut chance = SHIPPED_CHANCE;
        let mut log = (SHIPPED_SHARE * person).max(0.001).ln();
        for level in [&known.others, &known.here, &known.this] {
            let weight = level.n() + ABOVE;
            chance = (level.s() + ABOVE * chance) / weight;
            log = (level.logs() + ABOVE * log) / weight;
        }
        let trials = known.here.n();
        Self {
            chance,
            deviation: (chance * (1.0 - chance) / (trials + 5.0)).sqrt(),
            seconds: log.exp(),
            trials,
            trials_of_all: trials + known.others.n(),
        }
    }

    /// The interval that has the chance with 90 %.
    pub fn interval(&self) -> (f64, f64) {
        let by = NINETY * self.deviation;
        ((self.chance - by).max(0.0), (self.chance + by).min(1.0))
    }
}

/// `value` with three places, as it is shown and recorded.
pub(super) fn rounded(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}
