//! Diffs that are longer than memory is large: given away as they are made.

use super::Machine;

/// KiB of memory that a process may write to, for `recover` and every program it starts. The diff
/// alone takes most of that.
const MEMORY_KIB: u32 = 36_000;

/// Leaves a diff of 28 MB.
const FIX: &str = "for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do \
                   seq -f \"line %.0f of a file that is long\" 1 40000 > f$i; done; touch ok";

#[test]
fn a_long_diff_is_approved_and_shown_in_little_memory() {
    let machine = Machine::new();
    let within = |command: &str| {
        let script = format!("ulimit -d {MEMORY_KIB}; {command}");
        let output = machine.shell(&script).output().expect("run recover");
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{command}: {stderr}");
        (String::from_utf8(output.stdout).expect("UTF-8"), stderr)
    };
    let approve = "wc -c \"$RECOVER_DIFF\" >&2";
    let (_, said) = within(&format!(
        "\"$RECOVER\" run --session s --fix '{FIX}' --approve '{approve}' -- test -e ok"
    ));
    let approved = said.lines().find(|line| line.contains("/approve-"));
    let bytes = approved.and_then(|line| line.split(' ').next());
    let bytes: usize = bytes.expect("what wc says").parse().expect("a number");
    assert!(bytes > 27_000_000, "{said}");

    let (shown, _) = within("\"$RECOVER\" show s 1");
    assert!(
        shown.contains("  diff (its first 200 lines; --json gives all)\n"),
        "{shown}"
    );
    assert!(
        shown.contains("  │ +line 3 of a file that is long\n"),
        "{shown}"
    );

    let (json, _) = within("\"$RECOVER\" show s 1 --json");
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    let diff = json["diff"].as_str().expect("a diff");
    assert_eq!(diff.len(), bytes, "programs get all of it");
    assert_eq!(
        diff.lines()
            .filter(|line| line.starts_with("+line "))
            .count(),
        800_000
    );
}
