//! The one table from the library's hints to the words of the command line.

use auto_recovery::{Error, Hint};

use crate::output::session_argument;

/// `error` with its causes in one line, and what can be done about it.
pub(crate) fn chain(error: &Error) -> String {
    error.chain_with(words)
}

/// What is said of a layer that `says` this and has `hint`.
pub(crate) fn words(says: &str, hint: &Hint) -> String {
    match hint {
        Hint::ReleaseHold { session_id } => format!(
            "{says}: `recover hold --release {}` lets it go",
            session_argument(session_id)
        ),
        Hint::ClearSession { session_id } => {
            format!(
                "{says}: it stays until `recover clear {}`",
                session_argument(session_id)
            )
        }
        Hint::ListAttempts { session_id } => format!(
            "{says}: `recover history {}` lists its attempts",
            session_argument(session_id)
        ),
        Hint::EndDied { session_id } => format!(
            "{says}: `recover restore {}` puts the tree back, `recover checkpoint` there keeps it \
             as it is; then try again",
            session_argument(session_id)
        ),
        Hint::WaitForOther => format!("{says}: leave out --no-wait to wait for it"),
        Hint::NameWayBack => "--rollback names nothing to go back to".to_owned(),
        Hint::MakeCheckpoint => format!("{says}: `recover checkpoint` makes one and prints its id"),
        Hint::RestoreTree => {
            format!(
                "{says}; once that is mended, the next run here or `recover restore` puts it back"
            )
        }
        Hint::GiveFile => {
            format!("{says}: give it as a file, as in `recover run -- CMD < FILE`")
        }
        Hint::OwnStore => format!(
            "{says}: name a store of your own with --store, or one in PostgreSQL for several people"
        ),
        Hint::Verify => format!("{says}: `recover verify` names what changed"),
        Hint::NewChain => format!(
            "{says}: `recover verify` tells more; `recover seal --new-chain --reason TEXT` goes on"
        ),
        Hint::WitnessKey => {
            format!("{says}: `recover key witness` makes it, and prints what they are told")
        }
        Hint::AskWitness { size } => {
            format!("{says}: `recover seal --add-checkpoint {size}` asks from there")
        }
        Hint::CopyStore { dir } => format!(
            "{says}: name the files in it, or `recover copy jsonl:{} STORE`",
            dir.display()
        ),
        // Each stands in a line of its own below.
        Hint::GiveMore { .. } => says.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use auto_recovery::ErrorKind;

    use super::*;

    #[test]
    fn each_hint_names_what_to_type_and_causes_follow_it() {
        let session_id = || "a b".to_owned();
        let cases = [
            (
                Hint::ReleaseHold {
                    session_id: session_id(),
                },
                "it is so: `recover hold --release 'a b'` lets it go",
            ),
            (
                Hint::ClearSession {
                    session_id: session_id(),
                },
                "it is so: it stays until `recover clear 'a b'`",
            ),
            (
                Hint::ListAttempts {
                    session_id: session_id(),
                },
                "it is so: `recover history 'a b'` lists its attempts",
            ),
            (
                Hint::EndDied {
                    session_id: session_id(),
                },
                "it is so: `recover restore 'a b'` puts the tree back, `recover checkpoint` there \
                 keeps it as it is; then try again",
            ),
            (
                Hint::WaitForOther,
                "it is so: leave out --no-wait to wait for it",
            ),
            (Hint::NameWayBack, "--rollback names nothing to go back to"),
            (
                Hint::MakeCheckpoint,
                "it is so: `recover checkpoint` makes one and prints its id",
            ),
            (
                Hint::RestoreTree,
                "it is so; once that is mended, the next run here or `recover restore` puts it \
                 back",
            ),
            (
                Hint::GiveFile,
                "it is so: give it as a file, as in `recover run -- CMD < FILE`",
            ),
            (
                Hint::OwnStore,
                "it is so: name a store of your own with --store, or one in PostgreSQL for \
                 several people",
            ),
            (
                Hint::CopyStore { dir: "d".into() },
                "it is so: name the files in it, or `recover copy jsonl:d STORE`",
            ),
        ];
        cases.into_iter().for_each(check);
    }

    #[test]
    fn each_hint_about_seals_names_what_to_type() {
        let cases = [
            (
                Hint::Verify,
                "it is so: `recover verify` names what changed",
            ),
            (
                Hint::NewChain,
                "it is so: `recover verify` tells more; `recover seal --new-chain --reason TEXT` \
                 goes on",
            ),
            (
                Hint::WitnessKey,
                "it is so: `recover key witness` makes it, and prints what they are told",
            ),
            (
                Hint::AskWitness { size: 17 },
                "it is so: `recover seal --add-checkpoint 17` asks from there",
            ),
        ];
        cases.into_iter().for_each(check);
    }

    fn check((hint, expected): (Hint, &str)) {
        let cause = Error::new(ErrorKind::Io, "no");
        let error = Error::new(ErrorKind::Io, "it is so").with_hint(hint);
        let error = error.with_source(cause).context("do it");
        assert_eq!(chain(&error), format!("do it: {expected}: no"));
        assert_eq!(error.chain(), "do it: it is so: no");
    }
}
