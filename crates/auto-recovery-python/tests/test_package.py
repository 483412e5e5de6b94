"""The package as it is installed: its types, its stubs, its example."""

import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import auto_recovery
from auto_recovery import _auto_recovery

CRATE = Path(__file__).parent.parent


def run(*arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=CRATE,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_it_is_typed() -> None:
    run("-m", "mypy", "--strict", "-p", "auto_recovery")


def test_callers_are_typed() -> None:
    run("-m", "mypy", "--strict", "tests", "benches", "examples")


def test_the_stub_says_what_is_there() -> None:
    # What it says of an enum's own constructor depends on the release of Python.
    allowed = "tests/stubtest-allowlist.txt"
    run(
        "-m",
        "mypy.stubtest",
        "auto_recovery",
        f"--allowlist={allowed}",
        "--ignore-unused-allowlist",
    )


def test_the_version_is_that_of_the_package() -> None:
    assert auto_recovery.__version__ == version("auto-recovery") == _auto_recovery.__version__
    assert all(hasattr(auto_recovery, name) for name in auto_recovery.__all__)


def test_the_asyncio_example_runs() -> None:
    said = run("examples/asyncio_recovery.py").splitlines()
    assert said == ["api: recovered by retry", "database: recovered by retry", "heart beats: yes"]
