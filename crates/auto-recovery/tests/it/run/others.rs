//! Another recovery in the same workspace.

use std::fs;

use auto_recovery::run::{Policy, RunExit};
use auto_recovery::workspace::{LockHolder, Locked, WorkspaceLock};

use crate::process_support::eventually;
use crate::run::support::Project;

#[test]
fn who_missed_another_recovery_runs_again_and_says_that_it_is_one() {
    let project = Project::new(&[]);
    let script = "echo \"inside:$RECOVER_SESSION_ID\" >> ran; \
                  until test -e over; do sleep 0.01; done; exit 1";
    let request = project.request(&["sh", "-c", script], Policy::default());
    let (state, workspace) = (project.state(), request.workspace().unwrap());
    let holder = LockHolder::default();
    let locked = WorkspaceLock::try_acquire(&state, &workspace, &holder).unwrap();
    let Locked::Ours(other) = locked else {
        panic!("nobody held it")
    };
    let outcome = std::thread::scope(|scope| {
        let run = scope.spawn(|| project.run(request).0);
        eventually("the command runs", || project.has("ran"));
        drop(other);
        project.write("over", "");
        run.join().expect("it does not panic")
    });
    assert_eq!(outcome.unwrap().exit, RunExit::Code(1));
    assert_eq!(project.read("ran"), "inside:\ninside:s\n");
    let left = fs::read_dir(&state).unwrap();
    let names = left.map(|entry| entry.unwrap().file_name());
    assert!(!names.into_iter().any(|name| name == "onlookers"));
}
