//! Options of ours that were typed after the command, and so went to the command.

use auto_recovery::run::{RunEnd, RunOutcome};

use crate::args::options_of_run;

/// What a failure is called whose program did not know one of its arguments.
const USAGE_ERROR: &str = "UsageError";

/// Options of ours that many programs have as well: that such a one failed may have any reason.
const COMMON: [&str; 16] = [
    "allow", "color", "config", "confirm", "dry-run", "fix", "grace", "help", "json", "profile",
    "quiet", "report", "retry", "session", "stage", "verbose",
];

/// What is to be said of an option of ours among the arguments of the command, which failed: it was
/// probably meant for us where the program does not know it, or where hardly any program has it.
pub(super) fn misplaced(outcome: &RunOutcome) -> Option<String> {
    if !matches!(outcome.end, RunEnd::NotRecovered | RunEnd::NotStarted) {
        return None;
    }
    let failure = outcome.failure.as_ref()?;
    let is_usage = failure.error_type == USAGE_ERROR;
    let first = outcome.result.attempts.first();
    let error = first.and_then(|attempt| attempt.error_before.as_ref());
    let error = error.or(outcome.result.final_error.as_ref());
    let says = error.map_or("", |error| &*error.message);
    misplaced_among(&outcome.command, is_usage, says)
}

fn misplaced_among(argv: &[String], is_usage: bool, says: &str) -> Option<String> {
    let ours = options_of_run();
    let arguments = argv.iter().skip(1);
    let named = arguments.filter_map(|word| {
        let name = word.strip_prefix("--")?;
        let name = name.split_once('=').map_or(name, |(name, _)| name);
        ours.iter().any(|option| option == name).then_some(name)
    });
    let named: Vec<_> = named.collect();
    let blamed = named
        .iter()
        .find(|name| says.contains(&format!("--{name}")));
    let name = match is_usage {
        true => blamed.or(named.first()),
        false => named.iter().find(|name| !COMMON.contains(name)),
    }?;
    Some(format!(
        "`--{name}` after the command is the command's: put it before, as in `recover run --{name} … \
         {}`",
        argv[0]
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hint(line: &str, is_usage: bool, says: &str) -> Option<String> {
        let argv: Vec<_> = line.split(' ').map(str::to_owned).collect();
        misplaced_among(&argv, is_usage, says)
    }

    #[test]
    fn an_option_of_ours_that_the_command_did_not_know_is_named() {
        let says = "`--fix` after the command is the command's: put it before, as in `recover run --fix \
                    … make`";
        let unknown = "make: unrecognized option '--fix'";
        assert_eq!(
            hint("make all --fix x", true, unknown).as_deref(),
            Some(says)
        );
        assert_eq!(
            hint("make all --fix=x", true, unknown).as_deref(),
            Some(says)
        );
        // The one that the program names comes before others.
        assert_eq!(
            hint("make --retry 3 --fix x", true, unknown).as_deref(),
            Some(says)
        );
        // Hardly any program has it, so it is named whatever the failure was.
        let other = hint("./check --max-attempts 3", false, "").expect("a hint");
        assert!(other.starts_with("`--max-attempts` after"), "{other}");
    }

    #[test]
    fn what_may_well_be_the_commands_own_is_not_named() {
        assert_eq!(hint("npx eslint --fix .", false, "2 problems"), None);
        assert_eq!(hint("curl --retry 3 http://x", false, ""), None);
        assert_eq!(
            hint("make --bogus", true, "unrecognized option '--bogus'"),
            None
        );
        assert_eq!(hint("--fix", true, ""), None);
    }
}
