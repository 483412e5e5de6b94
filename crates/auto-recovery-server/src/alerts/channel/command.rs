//! A program of the user's, run directly with the name of a file that has the message as JSON.

use std::ffi::OsString;
use std::time::Duration;

use auto_recovery::files::{self, Purpose, Synced};
use auto_recovery::interrupt::Interrupt;
use auto_recovery::process::{CommandSpec, Discard, Leftovers, run as run_process};

use super::tried::{Means, Tried};
use crate::alerts::message::Message;

/// The time that it has.
const TIMEOUT: Duration = Duration::from_secs(15);
const GRACE: Duration = Duration::from_secs(1);

pub(super) fn run(argv: &[String], message: &Message, means: &Means<'_>) -> Tried {
    let path = means.dir.join(format!("{}.json", message.id));
    let text = serde_json::to_string(message).unwrap_or_default();
    let written = files::make_own_dir(means.dir, std::path::Path::new(""), Purpose::State)
        .map_err(|error| error.to_string())
        .and_then(|_| {
            let replaced = files::replace(&path, Synced::No, text.as_bytes());
            replaced.map_err(|error| error.chain())
        });
    if let Err(why) = written {
        return Tried::Refused(why, None);
    }
    let argv = argv.iter().map(OsString::from).chain([path.clone().into()]);
    let spec = CommandSpec {
        timeout: Some(TIMEOUT),
        grace: GRACE,
        leftovers: Leftovers::End,
        ..CommandSpec::new(argv)
    };
    let ran = run_process(&spec, &mut Discard, &Interrupt::none(), means.host);
    // It had its time; what stays would only fill the directory.
    std::fs::remove_file(&path).ok();
    match ran {
        Err(error) => Tried::Refused(error.chain(), None),
        Ok(ran) if ran.exit.is_success() && !ran.timed_out => Tried::Sent,
        Ok(ran) if ran.timed_out => Tried::Unanswered("it took longer than 15 s".to_owned()),
        Ok(ran) => Tried::Refused(format!("it ended with {}", ran.exit), None),
    }
}
