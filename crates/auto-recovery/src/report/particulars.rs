//! What an entry has no field for and a person should know of an attempt, in one set of words for
//! screens and reports.

use super::short::named;
use crate::audit::AttemptFinished;

/// A fact about an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Particular {
    /// Its name in a report.
    pub name: &'static str,
    /// Its name on a screen, in at most ten columns.
    pub short_name: &'static str,
    /// What there is to say.
    pub says: String,
}

/// The facts that `finished` tells.
pub fn particulars(finished: &AttemptFinished) -> Vec<Particular> {
    let mut facts = Vec::new();
    let mut add = |name, short_name, says: String| {
        facts.push(Particular {
            name,
            short_name,
            says,
        });
    };
    if let Some(code) = finished.strategy_exit_code.filter(|code| *code != 0) {
        add("Its own exit code", "own exit", code.to_string());
    }
    if finished.kept {
        let says = "its changes are the ground for the next attempt";
        add("Kept", "kept", says.to_owned());
    }
    if finished.stood_in {
        let says = "for the command, which was not run again";
        add("Stood in", "stood in", says.to_owned());
    }
    if finished.flaky {
        // A library's caller has no command: its own call was tried again.
        let has_run = finished.exit_code.is_some() || finished.signal.is_some();
        let says = match has_run {
            true => "the command passed by being run again",
            false => "it worked by being tried again, and nothing else was done",
        };
        add("Flaky", "flaky", says.to_owned());
    }
    let left: Vec<_> = finished
        .left_behind
        .iter()
        .map(ToString::to_string)
        .collect();
    for (name, short_name, paths) in [
        ("Protected", "protected", &finished.protected),
        ("Changed by others", "foreign", &finished.foreign),
        ("Left behind", "left", &left),
        ("Not put back", "not back", &finished.not_put_back),
        ("Not covered", "uncovered", &finished.not_covered),
        ("Left running", "running", &finished.left_running),
    ] {
        if !paths.is_empty() {
            add(name, short_name, named(paths));
        }
    }
    facts
}

#[cfg(test)]
mod tests {
    use super::particulars;
    use crate::audit::AttemptFinished;

    #[test]
    fn what_passed_again_is_a_command_only_where_one_was_run() {
        let says = |exit_code| {
            let finished = AttemptFinished {
                flaky: true,
                exit_code,
                ..AttemptFinished::default()
            };
            let facts = particulars(&finished);
            assert!(facts.iter().all(|one| one.short_name.len() <= 10));
            facts[0].says.clone()
        };
        assert!(says(Some(0)).contains("the command passed"));
        assert!(!says(None).contains("command"));
    }
}
