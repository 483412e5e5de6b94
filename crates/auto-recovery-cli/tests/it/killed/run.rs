//! `recover run`, killed: the next run ends the programs that it left and finishes its undo, or
//! changes nothing and says so.

use std::fs;

use auto_recovery::testing::{Campaign, Found, Random, Rounds, Wrong};
use serde_json::Value;

use super::tree::{CHANGE_ALL, MAKE_SECRET, Tree, difference, tree, without_secret, write_project};
use super::{Phases, duration_of, instant, kill_after};
use crate::harness::{Machine, Run};
use crate::run::is_running;

/// The moment at which a run was killed, in the order of its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    FirstRun,
    FirstSnapshot,
    Fix,
    SnapshotOfFix,
    Verification,
    Undo,
    SecondFix,
    SnapshotOfSecondFix,
    SecondVerification,
    End,
    Over,
}

impl Phase {
    fn in_words(self) -> &'static str {
        match self {
            Self::FirstRun => "01 first run of the command",
            Self::FirstSnapshot => "02 first snapshot",
            Self::Fix => "03 inside the fix",
            Self::SnapshotOfFix => "04 snapshot of the fix",
            Self::Verification => "05 verification",
            Self::Undo => "06 snapshot, undo and entry",
            Self::SecondFix => "07 inside the second fix",
            Self::SnapshotOfSecondFix => "08 snapshot of it",
            Self::SecondVerification => "09 its verification",
            Self::End => "10 entry and end",
            Self::Over => "11 over",
        }
    }

    /// The phase shown by the steps in the trace.
    fn of(trace: &str, was_running: bool) -> Self {
        if !was_running {
            return Self::Over;
        }
        match trace.lines().count() {
            0 | 1 => Self::FirstRun,
            2 => Self::FirstSnapshot,
            3 => Self::Fix,
            4 => Self::SnapshotOfFix,
            5 => Self::Verification,
            6 => Self::Undo,
            7 => Self::SecondFix,
            8 => Self::SnapshotOfSecondFix,
            9 => Self::SecondVerification,
            _ => Self::End,
        }
    }

    /// Whether the tree may differ both from the tree before the attempt and from its snapshot.
    fn is_inside_an_attempt(self) -> bool {
        matches!(
            self,
            Self::Fix | Self::SnapshotOfFix | Self::SecondFix | Self::SnapshotOfSecondFix
        )
    }
}

/// The command that fails until the second fix; it and each fix write a line to the trace at their
/// beginning and at their end.
const COMMAND: &str = "echo command >> ../trace; sleep 0.01; grep -q mended value; code=$?; \
     echo ended >> ../trace; exit $code";

/// A machine whose project is broken, and the arguments of a run of it.
struct Scene {
    machine: Machine,
    args: Vec<String>,
    /// The command line of the process that the fix leaves running.
    mark: String,
    before: Tree,
}

impl Scene {
    fn new(round: u64) -> Self {
        let machine = Machine::new();
        write_project(&machine);
        let mark = format!("sleep {}.{}", 10_000 + round, std::process::id());
        let useless = format!(
            "echo fix >> ../trace; {mark} >/dev/null 2>&1 & {MAKE_SECRET}; {CHANGE_ALL}; echo done >> ../trace"
        );
        let helpful = "echo fix >> ../trace; echo mended > value; echo 1 > added; \
                       echo done >> ../trace";
        let args = [
            "run",
            "--session",
            "s",
            "--base-delay",
            "1ms",
            "--max-attempts",
            "1",
            "--grace",
            "300ms",
            "--fix",
            &useless,
            "--fix",
            helpful,
            "--",
            "sh",
            "-c",
            COMMAND,
        ];
        Self {
            before: tree(&machine),
            args: args.map(str::to_owned).to_vec(),
            mark,
            machine,
        }
    }

    fn trace(&self) -> String {
        fs::read_to_string(self.machine.root().join("trace")).unwrap_or_default()
    }

    fn history(&self) -> Vec<Value> {
        let run = self.machine.recover(&["history", "s", "--json"]);
        serde_json::from_str(&run.stdout).unwrap_or_default()
    }

    /// Waits until a fix that is still at work has ended by itself.
    #[expect(
        clippy::disallowed_methods,
        reason = "a test waits for another process"
    )]
    fn let_the_fix_end(&self) {
        while self.trace().lines().last() == Some("fix") {
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
    }

    /// Checks the next run, after a kill in `phase`.
    fn check_next(&self, phase: Phase, is_still: bool, found: &mut Found) {
        let (left, told_before) = (tree(&self.machine), self.trace());
        let next = self.machine.recover(&["run", "--", "true"]);
        let now = tree(&self.machine);
        // Programs that recover had started lived on, and may only then have written their first
        // line.
        let told = self.trace();
        let is_still = is_still && told == told_before;
        let inside = phase.is_inside_an_attempt()
            || Phase::of(&told, phase != Phase::Over).is_inside_an_attempt();
        let mut wrong = |what: &str| {
            let differ = difference(&self.before, &now);
            found.wrong(Wrong::Other, || {
                format!("{phase:?}: {what}: {next:?} {differ:?}")
            });
        };
        let as_before = now == self.before;
        let may_be_cured =
            phase >= Phase::End && now.contains_key(&self.machine.work().join("added"));
        let is_left = !as_before && !may_be_cured;
        match next.code {
            0 if !is_left => {}
            0 if !inside => wrong("both images were known"),
            0 if is_still && now != left => wrong("something was changed"),
            0 if !is_told(&next) => wrong("it does not say what to do"),
            0 => {}
            _ => wrong("a command that passes did not pass"),
        }
        if is_running(&self.mark) {
            wrong("a process is left");
        }
        if is_left {
            self.check_way_out(phase, is_still, found);
        }
        self.check_record(phase, found);
    }

    /// Checks that the warning's command puts the tree back, and so does the next run that fails.
    fn check_way_out(&self, phase: Phase, by_a_run: bool, found: &mut Found) {
        let (args, code) = match by_a_run {
            true => (&["run", "--", "false"][..], 1),
            false => (&["restore", "s"][..], 0),
        };
        let restored = self.machine.recover(args);
        // Nobody can say who made it, and no checkpoint holds it.
        let all = tree(&self.machine);
        let now = without_secret(&self.machine, all.clone());
        let code = if all == now { code } else { 1 };
        let after = self.machine.recover(&["run", "--", "true"]);
        if restored.code != code || now != self.before || (after.code, &*after.stderr) != (0, "") {
            let differ = difference(&self.before, &now);
            found.wrong(Wrong::Other, || {
                format!("{phase:?}: no way out: {restored:?} {differ:?} {after:?}")
            });
        }
    }

    /// Checks that every step that the run went past is on record.
    fn check_record(&self, phase: Phase, found: &mut Found) {
        let history = self.history();
        let least = match phase {
            Phase::Over => 2,
            phase => usize::from(phase >= Phase::SecondFix),
        };
        if history.len() < least {
            found.wrong(Wrong::Lost, || format!("{phase:?}: {history:?}"));
        }
        if history.len() > 2 {
            found.wrong(Wrong::Doubled, || format!("{phase:?}: {history:?}"));
        }
        let sessions = self.machine.recover(&["sessions", "--json"]);
        if sessions.stderr.contains("damage") || sessions.stdout.contains("\"running\"") {
            found.wrong(Wrong::Other, || format!("{phase:?}: {sessions:?}"));
        }
    }
}

fn is_told(next: &Run) -> bool {
    next.stderr.contains("died here") && next.stderr.contains("`recover restore s`")
}

#[test]
fn the_next_run_puts_things_in_order_or_changes_nothing() {
    let campaign = Campaign::begin("31-kill-run", "`kill -9` of `recover run`");
    let rounds = Rounds {
        ordinary: 8,
        long: 500,
    };
    let unkilled = Scene::new(9_999);
    let whole = duration_of(|| {
        let run = unkilled
            .machine
            .run(&mut unkilled.machine.command(&unkilled.args));
        assert_eq!(run.code, 0, "{run:?}");
    });
    assert_eq!(unkilled.trace().lines().count(), 10);
    let mut random = Random::new(31);
    let mut phases = Phases::default();
    let mut found = Found::default();
    for round in 0..rounds.count() {
        found.round = format!("round {round}");
        let scene = Scene::new(round);
        let mut child = scene
            .machine
            .command(&scene.args)
            .spawn()
            .expect("start recover");
        let was_running = kill_after(&mut child, instant(&mut random, whole));
        let phase = Phase::of(&scene.trace(), was_running);
        phases.met(phase.in_words());
        let is_still = random.chance(50);
        if is_still {
            scene.let_the_fix_end();
        }
        scene.check_next(phase, is_still, &mut found);
        found.rounds += 1;
    }
    campaign.note(&phases.in_words("`recover run`, a fix that does not help and one that does"));
    campaign.end(&found);
}
