//! What a verification found, in words: what, where, by which seal, and what comes next.

use auto_recovery::audit::session_id::short;
use auto_recovery::integrity::{Finding, FindingKind};

use crate::output::session_argument;

/// `finding` for a person.
pub(super) fn in_words(finding: &Finding) -> String {
    let what = what(finding);
    let seal = finding.seal.as_ref().map(|seal| format!(" at seal {seal}"));
    let detail = match finding.detail.as_str() {
        "" => String::new(),
        detail => format!(" ({detail})"),
    };
    let next = next(finding);
    format!("{what}{}{detail}: {next}", seal.unwrap_or_default())
}

fn what(finding: &Finding) -> String {
    let session = finding
        .session_id
        .as_deref()
        .map(session_name)
        .unwrap_or_default();
    let span = span(finding);
    let place = &finding.place;
    match finding.kind {
        FindingKind::ChangedEntries => {
            format!("{session}: {} not what was sealed", are("entr", span))
        }
        FindingKind::MissingEntries => format!("{session}: {} missing", are("entr", span)),
        FindingKind::MissingTrail => {
            format!("{session} is gone, and nothing says that it was removed")
        }
        FindingKind::ReturnedTrail => format!("{session} was removed, and is there again"),
        FindingKind::ChangedRecords => {
            format!("{place}: {} not what was sealed", are("record", span))
        }
        FindingKind::MissingRecords => format!("{place}: {} missing", are("record", span)),
        FindingKind::BadSignature => format!("{place}: a seal that is none"),
        FindingKind::BrokenChain => format!("{place}: a seal that does not follow the one before"),
        FindingKind::RolledBack => format!("{place}: seals are missing"),
        FindingKind::MissingKey => format!("{place}: the key for the next seal is not at hand"),
        FindingKind::Forked => format!("{place}: two seals of one number say different things"),
        FindingKind::DerivedDiffers => match finding.session_id {
            Some(_) => format!("{session}: what is kept beside its entries is not theirs"),
            None => format!("{place}: what is kept beside the entries is not theirs"),
        },
        FindingKind::Unsealed => format!("{place}: not all is sealed"),
        FindingKind::UnknownChain => format!("{place}: nobody vouches"),
        FindingKind::Unreadable => match finding.session_id {
            Some(_) => format!("{session} cannot be read"),
            None => format!("{place} cannot be read"),
        },
    }
}

/// The first and the last that it is about.
fn span(finding: &Finding) -> Option<(u64, u64)> {
    finding.from.zip(finding.to)
}

/// Those things, and that they are.
fn are(thing: &str, span: Option<(u64, u64)>) -> String {
    let (one, many) = match thing {
        "entr" => ("entry", "entries"),
        _ => ("record", "records"),
    };
    match span {
        Some((from, to)) if from < to => format!("{many} {from}-{to} are"),
        Some((from, _)) => format!("{one} {from} is"),
        None => format!("{many} are"),
    }
}

/// What to do about it.
fn next(finding: &Finding) -> String {
    let session = finding.session_id.as_deref().unwrap_or_default();
    match finding.kind {
        FindingKind::ChangedEntries | FindingKind::MissingEntries => {
            format!(
                "`recover history {}` shows what is there; compare it with a copy",
                session_argument(session)
            )
        }
        FindingKind::MissingTrail => {
            "put it back from a copy; `recover clear` is what leaves a record".to_owned()
        }
        FindingKind::ReturnedTrail => {
            format!(
                "`recover clear {}` removes it again, `recover import` takes one back",
                session_argument(session)
            )
        }
        FindingKind::ChangedRecords | FindingKind::MissingRecords => {
            "compare it with a copy: `recover verify --against COPY/seals.jsonl`".to_owned()
        }
        FindingKind::BadSignature | FindingKind::BrokenChain | FindingKind::Forked => {
            "a copy tells which is real: `recover verify --against COPY/seals.jsonl`".to_owned()
        }
        FindingKind::RolledBack | FindingKind::MissingKey => {
            "the files are of a backup, or somebody put old ones back; if you know which, `recover \
             seal --new-chain --reason TEXT`"
                .to_owned()
        }
        FindingKind::DerivedDiffers => {
            "in a store of files remove the directory `rollups`, and they are counted again; a \
             database was written by somebody else: `recover copy` makes a new one of its trails"
                .to_owned()
        }
        FindingKind::Unsealed if finding.detail.ends_with("keeps no seals") => {
            "`recover copy` brings it to one that does".to_owned()
        }
        FindingKind::Unsealed => "`recover seal` seals what is there".to_owned(),
        FindingKind::UnknownChain => {
            "`--pin CHAIN` names one that you wrote down, `--against N:HEX` a seal".to_owned()
        }
        FindingKind::Unreadable => "make it readable, or put it back from a copy".to_owned(),
    }
}

/// Names a session as people see it.
fn session_name(session_id: &str) -> String {
    format!("session {}", short(session_id))
}
