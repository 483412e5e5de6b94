//! A server that is killed at any instant: each transition is decided once, and told.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use auto_recovery::audit::SessionOutcome;
use auto_recovery::host::{Host as _, SystemHost};
use auto_recovery::testing::{Random, Rounds};
use rustix::process::{Pid, Signal, kill_process};

use super::receiver::{Receiver, Told};
use super::{CONFIG, Recording, config};
use crate::harness::Machine;

/// Kills, and incidents that begin before each.
const KILLS: Rounds = Rounds {
    ordinary: 12,
    long: 200,
};
const INCIDENTS: Rounds = Rounds {
    ordinary: 5,
    long: 50,
};

/// What was told must be so: each incident begins once and ends once, by the ids of messages, and
/// no end is told before its beginning.
fn faults(told: &[Told]) -> Vec<String> {
    let (mut seen, mut faults) = (BTreeSet::new(), Vec::new());
    let mut times: BTreeMap<(String, String), u64> = BTreeMap::new();
    for one in told {
        if !seen.insert(one.id.clone()) {
            continue;
        }
        let change = one.body["data"]["change"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        for incident in one.body["data"]["incident_ids"]
            .as_array()
            .into_iter()
            .flatten()
        {
            let id = incident.as_str().unwrap_or_default().to_owned();
            let begun = times.contains_key(&(id.clone(), "firing".to_owned()));
            if change == "resolved" && !begun {
                faults.push(format!("the end of {id} without its beginning"));
            }
            *times.entry((id, change.clone())).or_default() += 1;
        }
    }
    faults.extend(
        times
            .iter()
            .filter(|(_, times)| **times != 1)
            .map(|(what, times)| format!("{what:?} was told {times} times")),
    );
    faults
}

#[test]
fn every_transition_is_decided_once_and_told() {
    let machine = Machine::new();
    let receiver = Receiver::start();
    let rule = "[alert.person]\nrule = \"escalated\"\n[alerts]\nstorm = 1000000\ngather = \"0s\"\n";
    machine.write(CONFIG, &config(&receiver.url(), rule));
    let (recording, host) = (Recording::of(&machine), SystemHost::new());
    assert_eq!(machine.recover(&["alerts", "check"]).code, 0);
    let mut random = Random::new(23);
    let mut begun = 0;
    for round in 0..KILLS.count() {
        for _ in 0..INCIDENTS.count() {
            begun += 1;
            let project = format!("p{begun}");
            recording.session(&project, &project, "refused", SessionOutcome::Escalated);
        }
        // A server and a look by cron, in turn: both decide and both tell.
        let (args, most_ms) = match round % 2 {
            0 => (&["serve", "--listen", "127.0.0.1:0"][..], 600),
            _ => (&["alerts", "check"][..], 120),
        };
        let mut child = machine.command(args).spawn().expect("started");
        host.sleep(Duration::from_millis(random.below(most_ms)));
        let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        // One that has ended by itself cannot be killed.
        kill_process(pid.expect("a process"), Signal::KILL).ok();
        child.wait().expect("its end");
    }
    assert_eq!(machine.recover(&["alerts", "check"]).code, 1);
    for number in 1..=begun {
        let project = format!("p{number}");
        recording.session(
            &format!("cure {number}"),
            &project,
            "refused",
            SessionOutcome::Recovered,
        );
    }
    assert_eq!(machine.recover(&["alerts", "check"]).code, 0);
    let told = receiver.told();
    assert_eq!(faults(&told), Vec::<String>::new());
    let named = |change: &str| {
        let of = told
            .iter()
            .filter(|one| one.body["data"]["change"] == change);
        let ids = of.flat_map(|one| one.body["data"]["incident_ids"].as_array().cloned());
        ids.flatten()
            .map(|id| id.to_string())
            .collect::<BTreeSet<_>>()
    };
    assert_eq!(named("firing").len() as u64, begun, "nothing is lost");
    assert_eq!(named("resolved").len() as u64, begun);
}

#[test]
fn what_was_told_wrong_is_seen() {
    let told = |id: &str, change: &str, incident: &str| Told {
        id: id.to_owned(),
        body: serde_json::json!({"data": {"change": change, "incident_ids": [incident]}}),
    };
    let right = [
        told("m1", "firing", "a"),
        told("m1", "firing", "a"),
        told("m2", "resolved", "a"),
    ];
    assert_eq!(faults(&right), Vec::<String>::new());
    // Sent before it was decided for good: the next server decides again, with another id.
    assert_eq!(
        faults(&[told("m1", "firing", "a"), told("m3", "firing", "a")]).len(),
        1
    );
    assert_eq!(faults(&[told("m2", "resolved", "a")]).len(), 1);
}
