"""Texts that this process cannot read, and their reading with an identity."""

import pickle
import subprocess
from pathlib import Path

import pytest
from auto_recovery import (
    AutoRecoveryManager,
    Error,
    InvalidInputError,
    RecoveryAttempt,
    RecoveryAuditLogger,
    RecoveryStrategyType,
)

TEXT = "planted-text"


@pytest.fixture
def identity(tmp_path: Path) -> Path:
    """The file of an identity that `age-keygen` made."""
    file = tmp_path / "identity"
    subprocess.run(["age-keygen", "-o", file], check=True, capture_output=True)
    return file


def recipient(identity: Path) -> str:
    made = subprocess.run(["age-keygen", "-y", identity], check=True, capture_output=True)
    return made.stdout.decode().strip()


def kept(directory: Path) -> bytes:
    return b"\n".join(path.read_bytes() for path in directory.rglob("*") if path.is_file())


def log(logger: RecoveryAuditLogger) -> str:
    session = logger.start_session()
    attempt = RecoveryAttempt(
        attempt_number=1,
        strategy=RecoveryStrategyType.FIX,
        success=True,
        error_before=Error(error_type="E", message=TEXT, source="tool"),
        error_after=None,
        changes_made=[f"tried {TEXT}"],
        timestamp="2026-01-01T00:00:00Z",
        duration_seconds=0.1,
        message=TEXT,
    )
    logger.log_recovery_attempt(attempt, session)
    return session


def test_texts_are_for_the_recipients_alone(audit_dir: Path, identity: Path) -> None:
    writing = RecoveryAuditLogger(audit_dir, encrypt=recipient(identity))
    session = log(writing)
    assert TEXT.encode() not in kept(audit_dir)
    assert writing.get_recovery_statistics(session)["successful_attempts"] == 1
    (entry,) = writing.get_recovery_history(session)
    assert entry.error_message.startswith("enc:1:")

    reading = RecoveryAuditLogger(audit_dir, identity=identity)
    for logger in (reading, pickle.loads(pickle.dumps(reading))):
        (entry,) = logger.get_recovery_history(session)
        assert (entry.error_message, entry.changes_made) == (TEXT, [f"tried {TEXT}"])
    key = audit_dir / "keys" / f"{session}.age"
    opened = subprocess.run(
        ["age", "-d", "-i", identity, key], check=True, capture_output=True
    ).stdout
    assert opened.startswith(b"auto-recovery session key 1 ")
    again = pickle.loads(pickle.dumps(writing))
    log(again)
    assert TEXT.encode() not in kept(audit_dir)
    writing.clear_session(session)
    assert not key.exists()


def test_managers_encrypt_what_they_record(audit_dir: Path, identity: Path) -> None:
    to = [recipient(identity)]
    manager = AutoRecoveryManager(1, 0, audit_dir=audit_dir, encrypt=to, identity=identity)
    manager.fix_generator = lambda error: f"- mended {TEXT}"
    manager.attempt_recovery(Error(error_type="SyntaxError", message=TEXT, source="linter"))
    assert TEXT.encode() not in kept(audit_dir)
    assert manager.audit_logger is not None
    session = manager.current_session_id or ""
    (entry,) = manager.audit_logger.get_recovery_history(session)
    assert entry.error_message == TEXT
    manager.audit_dir = audit_dir / "other"
    manager.attempt_recovery(Error(error_type="SyntaxError", message=TEXT, source="linter"))
    assert TEXT.encode() not in kept(audit_dir)


def test_what_is_no_recipient_is_refused(audit_dir: Path) -> None:
    with pytest.raises(InvalidInputError, match="encrypt has"):
        RecoveryAuditLogger(audit_dir, encrypt="age1x")
    with pytest.raises(InvalidInputError, match="encrypt holds 3"):
        RecoveryAuditLogger(audit_dir, encrypt=[3])  # type: ignore[list-item]
