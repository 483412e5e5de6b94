"""`run` and `classify`: commands, by the program that is part of the package."""

import json
import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import auto_recovery
import pytest
from auto_recovery import (
    Error,
    InvalidInputError,
    NotFoundError,
    NotRecoveredError,
    RecoveryAttempt,
    RecoveryAuditLogger,
    RecoveryError,
    classify,
    find_recover,
    run,
)

FLAKY = "test -e tried || { touch tried; echo 'connection reset by peer' >&2; exit 7; }"


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home and a work tree of the test's own, where it stands."""
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(work)
    return work


def test_the_program_is_native_and_of_this_release() -> None:
    program = find_recover()
    assert program.name == "recover" and stat.S_IMODE(program.stat().st_mode) & 0o111
    assert program.read_bytes()[:4] == b"\x7fELF"
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
    assert auto_recovery.__version__ in said.stdout


def test_python_starts_it_too() -> None:
    module = [
        sys.executable,
        "-m",
        "auto_recovery",
        "run",
        "--retry",
        "0",
        "--",
        "sh",
        "-c",
        "exit 3",
    ]
    assert subprocess.run(module, capture_output=True).returncode == 3


def test_a_command_that_passes(capfd: pytest.CaptureFixture[str]) -> None:
    print("before")
    result = run(["echo", "hello world"])
    assert (result.outcome, result.exit_code, result.success) == ("passed", 0, True)
    assert result.command == ["echo", "hello world"]
    assert result.attempts == [] and result.session_id is None
    assert capfd.readouterr().out == "before\nhello world\n"


def test_a_command_that_is_cured_is_on_record() -> None:
    result = run(["sh", "-c", FLAKY], retry=1, options=["--base-delay", "0s"], capture_output=True)
    assert result.exit_code == 0 and result.success and result.stdout == ""
    assert "connection reset by peer" in (result.stderr or "")
    (attempt,) = result.attempts
    assert type(attempt) is RecoveryAttempt and type(attempt.error_before) is Error
    assert result.session_id is not None
    with RecoveryAuditLogger() as logger:
        (entry,) = logger.get_recovery_history(result.session_id)
    assert entry.strategy == "retry" == result.strategy_used
    assert json.loads(result.to_json())["exit_code"] == 0


def test_a_fix_is_proved(own_home: Path) -> None:
    result = run(["test", "-e", "made"], fix=["touch made"], options=["--no-checkpoint"])
    assert result.outcome == "recovered" and (own_home / "made").exists()


def test_a_command_that_is_not_cured() -> None:
    failing = ["sh", "-c", "echo wrong >&2; exit 3"]
    result = run(failing, retry=0, capture_output=True)
    assert (result.outcome, result.exit_code) == ("not_recovered", 3)
    assert result.final_error is not None and result.category == "unknown"
    with pytest.raises(NotRecoveredError) as refused:
        run(failing, retry=0, check=True)
    error = refused.value
    assert error.code == "not_recovered" and error.result.exit_code == 3
    says = "`sh -c 'echo wrong >&2; exit 3'` fails (exit 3) · nothing was tried · recover show "
    assert str(error) == f"{says}{error.result.session_id}"
    with pytest.raises(NotRecoveredError, match=r"fails .exit 3. · tried once · "):
        run(failing, retry=1, check=True)


def test_what_cannot_be_asked_is_refused(own_home: Path) -> None:
    with pytest.raises(InvalidInputError, match="give a list of words"):
        run("make test")
    with pytest.raises(InvalidInputError, match="command is empty"):
        run([])
    with pytest.raises(InvalidInputError, match="fix is a text"):
        run(["true"], fix="touch made")
    with pytest.raises(InvalidInputError, match="did you mean `--fix`"):
        run(["true"], options=["--fixx"], capture_output=True)
    with pytest.raises(RecoveryError) as refused:
        run(["true"], cwd=own_home / "missing")
    assert isinstance(refused.value, FileNotFoundError) and refused.value.code == "io"
    assert f"go to {own_home / 'missing'}" in str(refused.value)


def test_a_program_of_another_package_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("auto_recovery._run._PROGRAM", "recover-that-is-not-there")
    with pytest.raises(NotFoundError, match="is in none of"):
        run(["true"])


SCRIPT = """
import sys
from auto_recovery import run
try:
    run(["sh", "-c", "echo started; sleep 60; exit 1"])
except KeyboardInterrupt:
    print("interrupted")
"""


def test_ctrl_c_ends_the_command_and_waits_for_its_end() -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", SCRIPT], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert child.stdout is not None
    with child:
        assert child.stdout.readline() == "started\n"
        sent = time.monotonic()
        os.kill(child.pid, signal.SIGINT)
        try:
            said, _ = child.communicate(timeout=30)
        finally:
            child.kill()
    assert said == "interrupted\n" and child.returncode == 0
    assert time.monotonic() - sent < 10


def test_output_is_classified() -> None:
    output = "app.py:3:1: F401 [*] `os` imported but unused\nFound 1 error.\n"
    found = classify(output, 1, command=["ruff", "check"])
    assert found.category == "code_quality" and found.rule
    assert (found.error.file_path, found.error.line_number) == ("app.py", 3)
    assert classify(output.encode(), 1, command=["ruff", "check"]) == found
    assert classify("curl: (56) Recv failure: Connection reset by peer", 56).category == "transient"
    assert classify("hm", 1).category == "unknown"
    assert found.to_dict()["error"]["source"] == found.error.source


def test_what_cannot_be_classified_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="exit_code is"):
        classify("x", 2**40)
    with pytest.raises(InvalidInputError, match="give a list of words"):
        classify("x", 1, command="make test")


def test_what_is_classified_can_be_recovered(
    manager: auto_recovery.AutoRecoveryManager,
) -> None:
    manager.fix_generator = lambda error: f"- {error.message}"
    found = classify("E   AssertionError: x != y", 1, command=["pytest"])
    assert manager.attempt_recovery(found.error).success


def test_the_reason_of_a_refusal_is_in_the_error(own_home: Path) -> None:
    with pytest.raises(InvalidInputError, match="`--nope` is no option of `recover run`"):
        run(["touch", "ran"], options=["--nope"])
    (own_home / "recover.toml").write_text("max_atempts = 3\n")
    with pytest.raises(InvalidInputError, match=r"recover\.toml:1: unknown key `max_atempts`"):
        run(["touch", "ran"])
    assert not (own_home / "ran").exists()


def test_a_word_that_no_program_can_be_given_is_an_error_of_ours() -> None:
    for words, options in ((["a\0b"], []), (["true"], ["--fix", "a\0b"]), (["\udc00 \ud800"], [])):
        with pytest.raises(RecoveryError, match="cannot be given that"):
            run(words, options=options)
