//! The chance of a step and its time, by counts that are shrunk level by level.
//!
//! From coarse to fine: what is shipped, the other classes of the category in this workspace, the
//! class in other projects, the class in this workspace, this very failure in this workspace. Each
//! level begins where the one above ends, which weighs as a few trials: a level without trials says
//! what the one above says.

use crate::learn::evidence::Known;

/// What the level above weighs for a chance, in trials.
const ABOVE: f64 = 4.0;

/// The same for this very failure: those of one class differ less than classes do.
const CLASS_ABOVE: f64 = 8.0;

/// The same for a time: the trials of a step take much the same time, unlike steps and projects.
const ABOVE_FOR_TIME: f64 = 1.0;

/// The chance of a step that nothing is known about.
const SHIPPED_CHANCE: f64 = 0.3;

/// The most trials of other failures of the class that make the chance of this one surer: however
/// many there are, this one may differ.
const CLASS_TRIALS_MAX: f64 = 20.0;

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
        let levels = [
            (&known.category, ABOVE),
            (&known.others, ABOVE),
            (&known.here, ABOVE),
            (&known.this, CLASS_ABOVE),
        ];
        for (level, above) in levels {
            chance = (level.s() + above * chance) / (level.n() + above);
            log = (level.logs() + ABOVE_FOR_TIME * log) / (level.n() + ABOVE_FOR_TIME);
        }
        let trials = known.here.n();
        Self {
            chance,
            deviation: deviation(chance, trials_of(known) + 5.0),
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

/// The trials that speak for this very failure: its own, and some of the others of its class.
fn trials_of(known: &Known) -> f64 {
    let own = known.this.n();
    own + (known.here.n() - own).clamp(0.0, CLASS_TRIALS_MAX)
}

/// The standard deviation of a `chance` that `trials` speak for. One more trial that helped and one
/// that did not are added, for a chance near nought or one is never that sure (Agresti and Coull,
/// "Approximate is better than 'exact'", 1998).
fn deviation(chance: f64, trials: f64) -> f64 {
    let nearer = (chance * trials + 1.0) / (trials + 2.0);
    (nearer * (1.0 - nearer) / trials).sqrt()
}

/// `value` with three places, as it is shown and recorded.
pub(super) fn rounded(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}
