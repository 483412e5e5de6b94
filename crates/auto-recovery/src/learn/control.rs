//! Controls: sessions that keep the shipped order, for they alone say what the advice saves.

use serde_json::{Value, json};

use crate::learn::class::hash_of;
use crate::learn::history::Run;
use crate::wording::long;

/// Controls without which nothing is said of a saving.
const CONTROLS_MIN: usize = 20;
/// Standard errors to either side that have 95 %.
const NINETY_FIVE: f64 = 1.96;

/// Whether the session `session_id` is a control, where `percent` of all are. Decided by the id
/// alone, so that nobody draws, and everybody can tell afterwards.
pub fn is_control(session_id: &str, percent: u32) -> bool {
    let hash = hash_of(b"control", &[session_id]);
    let number = u64::from_be_bytes(hash[..8].try_into().expect("a SHA-256 has 32 bytes"));
    number % 100 < u64::from(percent)
}

/// A session in the comparison.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ReportedSession {
    /// Whether it kept the shipped order though another was advised.
    pub control: bool,
    /// Seconds to its end.
    pub seconds: f64,
}

/// The times of those that followed the advice, and of the controls.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ControlReport {
    /// How many followed it.
    pub advised: usize,
    /// How many did not.
    pub controls: usize,
    /// Mean seconds with advice.
    pub with: f64,
    /// Mean seconds without.
    pub without: f64,
    /// Standard error of the difference.
    pub error: f64,
    /// Seconds that a person takes who has to look, which each that was not recovered has more.
    pub person: f64,
}

impl ControlReport {
    /// The comparison of those of `runs` for which another order than the shipped was advised,
    /// where somebody who has to look takes `person` seconds.
    pub fn of(runs: &[Run], person: f64) -> Self {
        let sessions: Vec<ReportedSession> = runs
            .iter()
            .filter_map(|run| {
                let advised = run.advised.filter(|one| one.changed)?;
                let counts = advised.applied || advised.control;
                let seconds = run.realised(person).filter(|_| counts)?;
                Some(ReportedSession {
                    control: advised.control,
                    seconds,
                })
            })
            .collect();
        Self {
            person,
            ..Self::of_sessions(&sessions)
        }
    }

    /// The comparison of `sessions`.
    pub fn of_sessions(sessions: &[ReportedSession]) -> Self {
        let of = |control| -> Vec<f64> {
            let those = sessions.iter().filter(|one| one.control == control);
            those.map(|one| one.seconds).collect()
        };
        let (with, without) = (of(false), of(true));
        let (mean_with, error_with) = mean(&with);
        let (mean_without, error_without) = mean(&without);
        Self {
            advised: with.len(),
            controls: without.len(),
            with: mean_with,
            without: mean_without,
            error: error_with.hypot(error_without),
            person: 0.0,
        }
    }

    /// The saving of a session in seconds and the ends of its 95 % interval, if there are enough
    /// controls to speak of one.
    pub fn saving(&self) -> Option<(f64, f64, f64)> {
        if self.controls < CONTROLS_MIN || self.advised < CONTROLS_MIN {
            return None;
        }
        let difference = self.without - self.with;
        let by = NINETY_FIVE * self.error;
        Some((difference, difference - by, difference + by))
    }

    /// It as JSON.
    pub fn document(&self) -> Value {
        let saving = self
            .saving()
            .map(|(mean, low, high)| json!({"seconds": mean, "low": low, "high": high}));
        json!({
            "advised": self.advised,
            "controls": self.controls,
            "with": self.with,
            "without": self.without,
            "person_seconds": self.person,
            "saving": saving,
        })
    }

    /// It in words.
    pub fn in_words(&self) -> String {
        match self.saving() {
            None => format!(
                "{} recoveries followed the advice, {} controls did not: too few to say what it \
                 saves ({CONTROLS_MIN} of each are needed)",
                self.advised, self.controls
            ),
            Some((difference, low, high)) => format!(
                "with advice {:.0} s (n {}), without {:.0} s (n {}), difference {difference:.0} s \
                 (95 %: {low:.0} to {high:.0}); each that was not recovered counts with {} for \
                 the person who looks",
                self.with,
                self.advised,
                self.without,
                self.controls,
                long(self.person)
            ),
        }
    }
}

/// The mean of `values` and its standard error.
fn mean(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    if values.is_empty() {
        return (0.0, 0.0);
    }
    let mean = values.iter().sum::<f64>() / n;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (mean, (squares / (n - 1.0).max(1.0) / n).sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn about_as_many_are_controls_as_are_wanted() {
        let controls = |percent| {
            let ids = (0..2000).map(|id| format!("session_{id}"));
            ids.filter(|id| is_control(id, percent)).count()
        };
        assert_eq!((controls(0), controls(100)), (0, 2000));
        assert!((150..250).contains(&controls(10)), "{}", controls(10));
    }

    #[test]
    fn a_saving_is_told_only_with_enough_controls() {
        let sessions = |controls: usize| -> Vec<ReportedSession> {
            (0..40 + controls)
                .map(|number| ReportedSession {
                    control: number >= 40,
                    seconds: if number >= 40 { 70.0 } else { 40.0 } + (number % 5) as f64,
                })
                .collect()
        };
        let few = ControlReport::of_sessions(&sessions(19));
        assert_eq!(few.saving(), None);
        assert!(
            few.in_words().contains("too few to say"),
            "{}",
            few.in_words()
        );
        let enough = ControlReport::of_sessions(&sessions(20));
        let (difference, low, high) = enough.saving().unwrap();
        assert!((difference - 30.0).abs() < 0.1 && low < 30.0 && high > 30.0);
    }
}
