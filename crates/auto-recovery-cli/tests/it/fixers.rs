//! The fixers of `examples/fixers` as a person uses them: through `recover run --fix`, on a project
//! that really fails, with a stand-in at the other end.

mod agent;
mod endpoint;
mod http_model;
mod presets;
mod told;

use std::fs;
use std::path::Path;

use super::harness::{Machine, Run};

/// A function that forgets the discount, and its test.
const PRICE: &str = "def price(pieces):\n    return pieces * 3\n";
const PRICE_MENDED: &str =
    "def price(pieces):\n    return pieces * 3 - (1 if pieces >= 10 else 0)\n";
const TEST_PRICE: &str = "\
import unittest
from price import price


class TestPrice(unittest.TestCase):
    def test_discount(self):
        self.assertEqual(price(10), 29)
";

/// The project's own check. Without `-B` Python would leave its caches in the tree.
const CHECK: [&str; 5] = ["/usr/bin/python3", "-B", "-m", "unittest", "-q"];

/// Where the endpoint's answers and the agents' marks must never arrive.
const OUTSIDE: [&str; 3] = ["outside", "escaped", "project/escaped"];

fn project() -> Machine {
    let machine = Machine::new();
    machine.write("project/price.py", PRICE);
    machine.write("project/test_price.py", TEST_PRICE);
    machine
}

/// The command line that calls a fixer of ours.
fn fixer(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/fixers");
    let path = path.join(name).canonicalize().expect("the fixer is there");
    format!("'{}'", path.to_str().expect("a UTF-8 path"))
}

/// `recover run` with these options and `CHECK`, and these variables in its environment.
fn recover(machine: &Machine, options: &[&str], variables: &[(&str, &str)]) -> Run {
    // What is tested is the fixer, not whether the test is flaky.
    let fast = [
        "run",
        "--session",
        "s",
        "--max-delay",
        "1ms",
        "--retry",
        "0",
    ];
    let args = [&fast[..], options, &["--"], &CHECK].concat();
    machine.run(machine.command(&args).envs(variables.iter().copied()))
}

/// What was kept of attempt `number`.
fn kept(machine: &Machine, number: u64) -> String {
    let number = number.to_string();
    let shown = machine.recover(&["show", "s", &number, "--json"]).json();
    let path = shown["output_file"].as_str().expect("an output was kept");
    fs::read_to_string(path).expect("it can be read")
}

/// The project stands as it was made, and nothing was written beside it.
#[track_caller]
fn assert_untouched(machine: &Machine) {
    let read = |name: &str| fs::read_to_string(machine.work().join(name)).expect("it is there");
    assert_eq!(read("price.py"), PRICE);
    assert_eq!(read("test_price.py"), TEST_PRICE);
    for name in OUTSIDE {
        assert!(!machine.root().join(name).exists(), "{name} was written");
    }
}
