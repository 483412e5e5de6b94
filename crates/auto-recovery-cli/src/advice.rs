//! The one table from a run's advice to the words of the command line.

use auto_recovery::run::{Advice, Wish, Words};
use auto_recovery::wording::{shell_word, typed};

use crate::hints;
use crate::output::session_argument;

/// The words of the command line, for a run.
pub(crate) const WORDS: Words = Words {
    advice: words,
    hint: hints::words,
};

/// How it ends when another command is advised.
pub(crate) const WORKS: &str = "` works";

/// What is said where a run `says` this and has `advice`.
fn words(says: &str, advice: &Advice) -> String {
    match advice {
        Advice::AllowTier(tier) => format!("{says}; allow it with --allow {tier}"),
        Advice::GiveAnything => format!("{says}; give --fix, --retry or --alternative"),
        Advice::GiveCommand => format!("{says}; give --fix or --alternative"),
        Advice::OrGiveCommand => format!("{says}, or give --fix or --alternative"),
        Advice::AskOrForget { place } => format!(
            "{says}, or ask for it with --fix, --retry or --alternative; to have it forgotten, \
             remove {}",
            shell_word(&place.display().to_string())
        ),
        Advice::AskForRetries => format!("{says}; --retry N retries all the same"),
        Advice::RetryFor(time) => format!("{says}; `--retry-for {}` waits", typed(*time)),
        Advice::MarkTree => format!("{says}: `recover checkpoint` marks one"),
        Advice::RollBackTo { checkpoint } => {
            format!("{says}; `--rollback={checkpoint}` goes there all the same")
        }
        Advice::TryWithoutUndo => format!("{says}; --no-checkpoint tries it without an undo"),
        Advice::Start { command } => match command.strip_prefix("sh -c ") {
            Some(line) => format!("{says}: `recover run -c {line}{WORKS}"),
            None => format!("{says}: `recover run -- {command}{WORKS}"),
        },
        Advice::LetStage => format!("{says}, or let --stage add what was staged before"),
        Advice::RestoreWholeTree { session_id } => format!(
            "{says} · `recover restore --whole-tree {}` goes back all the same, with `--preview` \
             it says how",
            session_argument(session_id)
        ),
        Advice::TakeBack { session_id } => format!(
            "{says} · `recover restore {}` takes that back",
            session_argument(session_id)
        ),
        Advice::RestoreOrAccept { session_id } => format!(
            "{says}; `recover restore {}` puts the tree back, `recover checkpoint` accepts it as \
             it is",
            session_argument(session_id)
        ),
        Advice::ProtectOther { glob, other } => {
            let would = other.as_ref().map(|other| format!(": `{other}` would"));
            let would = would.unwrap_or_default();
            format!("`--protect {glob}` matches nothing in this tree{would}")
        }
        Advice::Because(wish) => format!("{says} ({})", flag(*wish)),
        Advice::CallsPerson => format!("--on-escalate {says}"),
    }
}

fn flag(wish: Wish) -> &'static str {
    match wish {
        Wish::ExitMap => "--exit-map",
        Wish::FailOnChange => "--fail-on-change",
        Wish::FailOnFlaky => "--fail-on-flaky",
        Wish::NoCheckpoint => "--no-checkpoint",
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use auto_recovery::recipe::Tier;

    use super::*;

    fn check(cases: &[(Advice, &str)]) {
        for (advice, expected) in cases {
            assert_eq!(words("so", advice), *expected);
        }
    }

    #[test]
    fn advice_names_the_flag_to_give() {
        check(&[
            (
                Advice::AllowTier(Tier::Network),
                "so; allow it with --allow network",
            ),
            (
                Advice::GiveAnything,
                "so; give --fix, --retry or --alternative",
            ),
            (Advice::GiveCommand, "so; give --fix or --alternative"),
            (Advice::OrGiveCommand, "so, or give --fix or --alternative"),
            (
                Advice::AskOrForget {
                    place: "/a b".into(),
                },
                "so, or ask for it with --fix, --retry or --alternative; to have it forgotten, \
                 remove '/a b'",
            ),
            (Advice::AskForRetries, "so; --retry N retries all the same"),
            (
                Advice::RetryFor(Duration::from_secs(90)),
                "so; `--retry-for 1m30s` waits",
            ),
        ]);
    }

    #[test]
    fn advice_names_the_command_to_type() {
        let session_id = || "a b".to_owned();
        check(&[
            (Advice::MarkTree, "so: `recover checkpoint` marks one"),
            (
                Advice::RollBackTo {
                    checkpoint: "id".to_owned(),
                },
                "so; `--rollback=id` goes there all the same",
            ),
            (
                Advice::TryWithoutUndo,
                "so; --no-checkpoint tries it without an undo",
            ),
            (
                Advice::Start {
                    command: "sh -c x".to_owned(),
                },
                "so: `recover run -c x` works",
            ),
            (
                Advice::LetStage,
                "so, or let --stage add what was staged before",
            ),
            (
                Advice::RestoreWholeTree {
                    session_id: session_id(),
                },
                "so · `recover restore --whole-tree 'a b'` goes back all the same, with \
                 `--preview` it says how",
            ),
            (
                Advice::TakeBack {
                    session_id: session_id(),
                },
                "so · `recover restore 'a b'` takes that back",
            ),
            (
                Advice::RestoreOrAccept {
                    session_id: session_id(),
                },
                "so; `recover restore 'a b'` puts the tree back, `recover checkpoint` accepts it \
                 as it is",
            ),
            (
                Advice::ProtectOther {
                    glob: "x".to_owned(),
                    other: Some("**/x".to_owned()),
                },
                "`--protect x` matches nothing in this tree: `**/x` would",
            ),
            (Advice::Because(Wish::ExitMap), "so (--exit-map)"),
            (Advice::Because(Wish::FailOnChange), "so (--fail-on-change)"),
            (Advice::Because(Wish::FailOnFlaky), "so (--fail-on-flaky)"),
            (Advice::Because(Wish::NoCheckpoint), "so (--no-checkpoint)"),
            (Advice::CallsPerson, "--on-escalate so"),
        ]);
    }
}
