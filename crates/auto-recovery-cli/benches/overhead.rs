//! What `recover run` adds to a command that passes, and that it writes nothing then.
//!
//! `cargo bench -p auto-recovery-cli --bench overhead` runs both in turn and tells medians.
#![expect(
    clippy::disallowed_methods,
    reason = "a measurement reads the clock and starts what it measures"
)]

#[path = "../../auto-recovery/benches/side_by_side.rs"]
mod side_by_side;

use std::path::Path;
use std::process::{Command, Stdio};

use side_by_side::{Pair, say};

const ROUNDS: usize = 500;

fn main() {
    let home = tempfile::tempdir().expect("a temporary directory");
    let recover = env!("CARGO_BIN_EXE_recover");
    let bare = || run(home.path(), &["true"]);
    let ours = || run(home.path(), &[recover, "run", "--", "true"]);
    let (ours, bare) = Pair::take(ROUNDS, bare, ours).medians();
    let added = ours.saturating_sub(bare);
    say(&format!(
        "`true` {bare:.2?}, `recover run -- true` {ours:.2?}: {added:.2?} more"
    ));
    let written = home.path().read_dir().expect("a list").count();
    assert_eq!(written, 0, "a command that passes leaves nothing behind");
}

fn run(home: &Path, argv: &[&str]) {
    let mut command = Command::new(argv[0]);
    command.args(&argv[1..]).stdin(Stdio::null());
    command.env_clear().env("HOME", home).current_dir(home);
    command.env("PATH", "/usr/local/bin:/usr/bin:/bin");
    assert!(command.status().expect("it runs").success());
}
