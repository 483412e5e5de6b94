//! Random trees under random fixers that do not help, or help and are taken back: what is put back
//! is exact, or what is not is named, and nothing outside is touched.
//!
//! Each round draws a tree and a fixer of a few moves: hard links in and out, closed directories,
//! ignore files, swaps of files for directories and links, owners, mounts, writers that stay. As
//! root the mounts are made in a namespace that ends with the run.

mod fixer;
mod look;

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown, symlink};
use std::path::Path;
use std::process::Command;

use auto_recovery::testing::{Campaign, Found, Random, Rounds, Wrong};

use crate::harness::{Machine, Run, skipped};
use fixer::{Fixer, Ground};
use look::{Tree, differences, look};
use serde_json::Value;

/// The user without rights that rounds run as.
const USER: u32 = 65_534;

/// Who runs `recover` in a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum As {
    /// Whoever runs the tests.
    Self_,
    /// A user without rights; only root can become that one.
    User,
}

#[test]
fn what_a_fixer_does_is_undone_or_named() {
    attack(
        As::Self_,
        ("35-trees", "random trees under random fixers"),
        35,
    );
}

#[test]
fn what_a_fixer_does_is_undone_or_named_for_a_user_without_rights() {
    if !rustix::process::geteuid().is_root() {
        skipped("only root can become somebody else");
        return;
    }
    attack(As::User, ("36-trees-user", "the same, as a user"), 36);
}

fn attack(who: As, (name, what): (&'static str, &'static str), seed: u64) {
    let campaign = Campaign::begin(name, what);
    let rounds = Rounds {
        ordinary: 10,
        long: 1_000,
    };
    let mut random = Random::new(seed);
    let mut found = Found::default();
    for round in 0..rounds.count() {
        found.round = format!("round {round}");
        Scene::new(who, &mut random).play(&mut random, &mut found);
        found.rounds += 1;
    }
    campaign.end(&found);
}

/// Keeps what the fixer itself did outside. What it closed through a link, its own user cannot
/// copy: it is opened for that.
const COPY_OUTSIDE: &str = "closed=$(cd ../outside && find . -type f ! -perm -400)
for file in $closed; do chmod u+r ../outside/$file; done
cp -a ../outside ../after-fix
for file in $closed; do chmod u-r ../outside/$file ../after-fix/$file; done";

/// A machine with a drawn tree, and a directory beside it that no one may touch.
struct Scene {
    machine: Machine,
    who: As,
    ground: Ground,
}

impl Scene {
    fn new(who: As, random: &mut Random) -> Self {
        let machine = Machine::new();
        machine.write("outside/a", "outside a\n");
        machine.write("outside/d/b", "outside b\n");
        let ground = Ground::draw(&machine.work(), random);
        if who == As::User {
            fs::set_permissions(machine.root(), fs::Permissions::from_mode(0o755))
                .expect("open the machine");
            fs::copy(
                env!("CARGO_BIN_EXE_recover"),
                machine.root().join("recover"),
            )
            .expect("copy recover");
            give(machine.root(), USER);
        }
        Self {
            machine,
            who,
            ground,
        }
    }

    fn play(&self, random: &mut Random, found: &mut Found) {
        let helps = random.chance(40);
        let may_mount = self.who == As::Self_ && can_mount();
        let fixer = Fixer::draw(&self.ground, random, may_mount, helps);
        let before = look(&self.machine.work());
        let outside_before = look(&self.machine.root().join("outside"));
        let script = format!("{}\n{COPY_OUTSIDE}", fixer.script());
        let command = if helps { "test -e cured" } else { "false" };
        let run = self.recover(&format!(
            "run --session s --grace 300ms --max-attempts 1 --fix 'eval \"$FIX\"' -- {command}; code=$?; \
             {}",
            // In the same namespace, where what was mounted still is.
            if helps {
                "[ $code = 0 ] && $RECOVER restore s"
            } else {
                "exit $code"
            }
        ), &script);
        let told = self.told(&run);
        let after = look(&self.machine.work());
        self.check_tree((&before, &after), &told, &run, &fixer, found);
        let outside = |name: &str| look(&self.machine.root().join(name));
        if !self.machine.root().join("after-fix").exists() {
            found.wrong(Wrong::Other, || {
                format!("it did not run: {fixer:?} {run:?}")
            });
            return;
        }
        let now = outside("outside");
        // What the fixer did through a shared name may be put back.
        let mut touched = differences(&outside("after-fix"), &now);
        touched.retain(|name| {
            outside_before.contains_key(name) && outside_before.get(name) != now.get(name)
        });
        if !touched.is_empty() {
            found.wrong(Wrong::Other, || {
                format!("outside was touched: {touched:?} {fixer:?} {run:?}")
            });
        }
    }

    fn check_tree(
        &self,
        (before, after): (&Tree, &Tree),
        told: &str,
        run: &Run,
        fixer: &Fixer,
        found: &mut Found,
    ) {
        let mut differ = differences(before, after);
        // What tools fill is watched as a whole, as the guide says.
        differ.retain(|path| !path.contains("node_modules/"));
        let unnamed: Vec<_> = differ.iter().filter(|path| !is_named(path, told)).collect();
        if !unnamed.is_empty() {
            found.wrong(Wrong::Other, || {
                format!("not named: {unnamed:?} of {differ:?} {fixer:?} {run:?}")
            });
        }
        if !differ.is_empty() && run.stderr.contains("the tree is as it was") {
            found.wrong(Wrong::Other, || {
                format!("it is not as it was: {differ:?} {fixer:?} {run:?}")
            });
        }
        if run.stderr.contains("panicked") || run.code == 125 {
            found.wrong(Wrong::Other, || format!("it failed: {fixer:?} {run:?}"));
        }
    }

    /// `recover` with `args`, words of a shell, in whose environment `fix` is `$FIX`.
    fn recover(&self, args: &str, fix: &str) -> Run {
        let recover = match self.who {
            As::Self_ => env!("CARGO_BIN_EXE_recover").to_owned(),
            As::User => self.machine.root().join("recover").display().to_string(),
        };
        let inner = format!("$RECOVER {args}");
        let script = match self.who {
            As::Self_ if can_mount() => {
                "exec unshare --mount --propagation private /bin/sh -c \"$INNER\""
            }
            As::Self_ => "exec /bin/sh -c \"$INNER\"",
            As::User => {
                "exec setpriv --reuid=65534 --regid=65534 --clear-groups /bin/sh -c \"$INNER\""
            }
        };
        let mut shell = self.machine.shell(script);
        shell
            .env("RECOVER", recover)
            .env("INNER", inner)
            .env("FIX", fix);
        self.machine.run(&mut shell)
    }

    /// What was said of the tree that is left: on the screen, and in the record.
    fn told(&self, run: &Run) -> String {
        let args: &[&str] = &["show", "s", "1", "--json"];
        let show = match self.who {
            As::Self_ => self.machine.recover(args),
            As::User => self.recover(&args.join(" "), ""),
        };
        let mut told: Vec<String> = run.stderr.lines().map(without_changes).collect();
        let shown: Value = serde_json::from_str(&show.stdout).unwrap_or_default();
        let events = shown["journal"].as_array().cloned().unwrap_or_default();
        for event in &events {
            told.extend(STAYS.iter().map(|key| event[key].to_string()));
        }
        told.push(shown["entry"]["recovery_message"].to_string());
        told.join("\n")
    }
}

/// What of an attempt's record names what stays in the tree.
const STAYS: [&str; 7] = [
    "foreign",
    "kept_foreign",
    "left_behind",
    "not_put_back",
    "holding_uncovered",
    "moved_aside",
    "not_covered",
];

/// A line of the screen without what a step changed, which is not what stays.
fn without_changes(line: &str) -> String {
    let parts = line.split(" · ");
    let parts = parts.map(|part| part.split("  changed ").next().unwrap_or(part));
    let stays = parts.filter(|part| !part.starts_with("changed "));
    stays.collect::<Vec<_>>().join("\n")
}

/// Whether the path, or a directory that it lies in, is named.
fn is_named(path: &str, told: &str) -> bool {
    let path = Path::new(path);
    path.ancestors()
        .filter_map(|path| path.to_str())
        .filter(|path| !path.is_empty())
        .any(|path| told.contains(path))
}

/// Whether mounts can be made in a namespace of our own.
#[expect(clippy::disallowed_methods, reason = "it is asked of the system")]
fn can_mount() -> bool {
    use std::sync::OnceLock;

    static CAN: OnceLock<bool> = OnceLock::new();
    *CAN.get_or_init(|| {
        let tried = Command::new("unshare")
            .args(["--mount", "--propagation", "private"])
            .args(["mount", "-t", "tmpfs", "none", "/mnt"])
            .output();
        rustix::process::geteuid().is_root() && tried.is_ok_and(|done| done.status.success())
    })
}

/// Gives everything from `path` down to `user`.
fn give(path: &Path, user: u32) {
    let found = fs::symlink_metadata(path).expect("look at what is given");
    std::os::unix::fs::lchown(path, Some(user), Some(user)).expect("give it");
    if found.is_dir() {
        for entry in fs::read_dir(path).expect("list what is given") {
            give(&entry.expect("list what is given").path(), user);
        }
    } else if !found.is_symlink() {
        // To give a file takes its setuid bit.
        fs::set_permissions(path, found.permissions()).expect("set its mode again");
    }
}

/// Makes the drawn entries of a tree.
fn make_link(to: &str, at: &Path) {
    symlink(to, at).expect("make a link");
}

/// Gives a file to `user`, where that can be done.
fn try_to_give(path: &Path, user: u32) {
    if chown(path, Some(user), Some(user)).is_err() {
        skipped("owners cannot be changed here");
    }
}
