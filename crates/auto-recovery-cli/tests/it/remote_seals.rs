//! What a machine records over `recover serve` is sealed there, by itself, whatever becomes of the
//! server.

use std::fs;
use std::io::Write as _;
use std::process::Stdio;
use std::time::Duration;

use auto_recovery::host::{Host as _, SystemHost};
use rustix::process::Signal;

use crate::harness::{Machine, Run};
use crate::remote::{Far, RUN, end};
use crate::serve::Serving;

/// Longer than any seal takes.
const LONG: Duration = Duration::from_secs(30);

const LINE: &str = "{\"session_id\":\"build-7\",\"strategy\":\"fix\",\"success\":true,\
                    \"error_type\":\"E0308\",\"error_message\":\"mismatched types\"}\n";

impl Far {
    /// Records an attempt of something else.
    fn log(&self) {
        let mut command = self.command(&["log"]);
        command.stdin(Stdio::piped()).stdout(Stdio::null());
        let mut child = command.spawn().expect("start recover");
        let mut stdin = child.stdin.take().expect("its input");
        stdin.write_all(LINE.as_bytes()).expect("written");
        drop(stdin);
        assert_eq!(child.wait().expect("its end").code(), Some(0));
    }
}

/// Asserts that `run` found everything as it was sealed.
fn assert_proved(run: &Run) {
    assert_eq!(run.code, 0, "{run:?}");
    assert!(run.stderr.contains("as they were sealed"), "{run:?}");
}

/// Waits until everything is under a seal.
fn until_sealed(machine: &Machine) {
    let host = SystemHost::new();
    let begin = host.monotonic();
    loop {
        let run = machine.recover(&["verify", "--require", "sealed"]);
        if run.code == 0 {
            return;
        }
        assert_eq!(run.code, 3, "{run:?}");
        assert!(host.monotonic() - begin < LONG, "{run:?}");
    }
}

/// Changes what the entry of [`LINE`] says, in whichever file of the store it is.
fn change(machine: &Machine) {
    let mut changed = 0;
    for file in fs::read_dir(machine.state()).expect("the store") {
        let path = file.expect("a file").path();
        let Ok(mut bytes) = fs::read(&path) else {
            continue;
        };
        let places: Vec<usize> = memchr::memmem::find_iter(&bytes, "mismatched types").collect();
        for place in &places {
            bytes[*place] = b'M';
        }
        changed += places.len();
        if !places.is_empty() {
            fs::write(&path, bytes).expect("written");
        }
    }
    assert!(changed > 0);
}

/// The store of `near`, where it is not the one by itself.
fn told_and_killed(store: Option<&str>) {
    let near = Machine::new();
    if let Some(name) = store {
        let file = near.state().join(name);
        let line = format!("store = \"sqlite:{}\"\n", file.display());
        near.write("user/.config/recover/config.toml", &line);
    }
    let mut serving = Serving::start(&near);
    let address = serving.address.clone();
    let far = Far::of(&serving, &serving.token);
    let run = far.recover(&RUN);
    assert_eq!(run.code, 1, "{}", run.stderr);
    // What the attempt began with is under a seal since then, and soon all of it.
    assert_proved(&near.recover(&["verify", "--all"]));
    until_sealed(&near);
    // A server that dies before it sealed leaves what is not sealed, and nothing that is wrong.
    far.log();
    serving.signal(Signal::KILL);
    serving.child.wait().expect("its end");
    let found = near.recover(&["verify", "--all"]);
    assert_proved(&found);
    assert!(
        found.stderr.contains("1 entry and 1 record since"),
        "{found:?}"
    );
    let serving = Serving::start_at(&near, &address);
    end(serving);
    let all = near.recover(&["verify", "--all", "--require", "sealed"]);
    assert_proved(&all);
    change(&near);
    let found = near.recover(&["verify", "--all"]);
    assert_eq!(found.code, 1, "{found:?}");
    let named = "session build-7: entry 1 is not what was sealed";
    assert!(found.stderr.contains(named), "{found:?}");
}

#[test]
fn what_is_recorded_over_a_server_is_proved_there_also_after_a_kill() {
    told_and_killed(None);
}

#[test]
fn the_same_where_that_server_has_a_database_file() {
    told_and_killed(Some("audit.sqlite"));
}
