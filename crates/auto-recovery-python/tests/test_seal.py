"""What is recorded is put under seals, which `recover verify` compares it with."""

import logging
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from auto_recovery import (
    AutoRecoveryManager,
    Error,
    InvalidInputError,
    RecoveryAttempt,
    RecoveryAuditLogger,
    find_recover,
)

Attempt = Callable[..., RecoveryAttempt]


def verified(directory: Path) -> tuple[int, str]:
    """What `recover verify` says of a trail of which everything should be sealed."""
    argv = [str(find_recover()), "verify", "--store", f"jsonl:{directory}", "--require", "sealed"]
    done = subprocess.run(argv, capture_output=True, text=True)
    return done.returncode, done.stderr


def seals(directory: Path) -> int:
    file = directory / "seals.jsonl"
    return len(file.read_text().splitlines()) if file.exists() else 0


def test_a_logger_seals_when_it_is_closed(audit_dir: Path, attempt: Attempt) -> None:
    with RecoveryAuditLogger(audit_dir) as logger:
        session = logger.start_session()
        logger.log_recovery_attempt(attempt(), session)
        assert seals(audit_dir) == 0
    assert seals(audit_dir) == 1
    assert verified(audit_dir)[0] == 0
    logger.close()
    assert seals(audit_dir) == 1
    # It goes on, also as what was pickled, and elsewhere.
    again = pickle.loads(pickle.dumps(logger))
    again.log_recovery_attempt(attempt(2), session)
    again.audit_dir = audit_dir / "other"
    assert verified(audit_dir)[0] == 0
    trail = audit_dir / f"{session}_audit.jsonl"
    trail.write_text(trail.read_text().replace("Invalid", "invalid", 1))
    code, said = verified(audit_dir)
    assert (code, "entry 1 is not what was sealed" in said) == (1, True), said


def test_what_is_cleared_is_sealed_before_and_after(audit_dir: Path, attempt: Attempt) -> None:
    logger = RecoveryAuditLogger(audit_dir, seal="sessions")
    for session in ("a", "b"):
        logger.log_recovery_attempt(attempt(), session)
    logger.close()
    logger.clear_session("a")
    code, said = verified(audit_dir)
    assert (code, "1 removal of trails" in said) == (0, True), said


def test_a_program_that_ends_seals_what_it_recorded(audit_dir: Path) -> None:
    program = """
import os, sys
from auto_recovery import AutoRecoveryManager, Error, RecoveryAuditLogger

manager = AutoRecoveryManager(1, 0, audit_dir=sys.argv[1], durability="flush")
manager.start_new_session("of-parent")
if os.fork() == 0:
    # A child has a log of its own, and seals nothing of its parent's.
    os._exit(0 if manager.audit_logger._log.seal() is None else 1)
os.wait()
"""
    subprocess.run([sys.executable, "-c", program, audit_dir], check=True, env=os.environ)
    assert seals(audit_dir) == 1
    assert verified(audit_dir)[0] == 0


@pytest.mark.parametrize(
    ("seal", "durability", "expected"),
    [
        (True, "sync", (2, 2)),
        ("attempts", "flush", (1, 1)),
        ("sessions", "sync", (1, 1)),
        (False, "sync", (0, 0)),
    ],
)
def test_a_manager_seals_before_an_attempt_and_when_it_is_done(
    audit_dir: Path, error: Error, seal: bool, durability: str, expected: tuple[int, int]
) -> None:
    manager = AutoRecoveryManager(1, 0, audit_dir=audit_dir, seal=seal, durability=durability)  # type: ignore[arg-type]
    before: list[int] = []

    def fix(error: Error) -> str:
        before.append(seals(audit_dir))
        return "- mended"

    manager.fix_generator = fix
    assert manager.attempt_recovery(error).success
    assert before == [expected[0] - 1 if expected[0] else 0]
    assert seals(audit_dir) == expected[1]
    manager.close()
    assert seals(audit_dir) == expected[1]
    assert verified(audit_dir)[0] == (0 if seal else 3)


def test_what_cannot_be_sealed_is_logged_and_recorded(
    audit_dir: Path, attempt: Attempt, caplog: pytest.LogCaptureFixture
) -> None:
    state = Path(os.environ["RECOVER_STATE_DIR"])
    state.write_text("no directory")
    logger = RecoveryAuditLogger(audit_dir)
    logger.log_recovery_attempt(attempt(), "a")
    with caplog.at_level(logging.WARNING, "maestro.auto_recovery"):
        logger.close()
    assert "what is on record is not sealed" in caplog.text
    assert len(logger.get_recovery_history("a")) == 1


def test_what_is_no_time_to_seal_is_refused(audit_dir: Path) -> None:
    for made in (RecoveryAuditLogger, AutoRecoveryManager):
        with pytest.raises(InvalidInputError, match="seal is 'always'"):
            made(audit_dir=audit_dir, seal="always")  # type: ignore[arg-type]
        with pytest.raises(InvalidInputError, match="encrypt needs seals"):
            made(audit_dir=audit_dir, seal=False, encrypt="age1x")
