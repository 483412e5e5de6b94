"""What the tests share: directories of their own, and errors of each kind."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from auto_recovery import AutoRecoveryManager, Error, RecoveryAttempt, RecoveryAuditLogger


@pytest.fixture(autouse=True)
def own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test touches the user's own trail."""
    monkeypatch.setenv("RECOVER_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.delenv("RECOVER_STORE", raising=False)
    monkeypatch.delenv("RECOVER_DURABILITY", raising=False)


@pytest.fixture
def audit_dir(tmp_path: Path) -> Path:
    return tmp_path / "audit"


@pytest.fixture
def logger(audit_dir: Path) -> RecoveryAuditLogger:
    return RecoveryAuditLogger(audit_dir)


@pytest.fixture
def manager(audit_dir: Path) -> AutoRecoveryManager:
    """A manager that does not wait."""
    return AutoRecoveryManager(base_delay=0, audit_dir=audit_dir, durability="flush")


@pytest.fixture
def error() -> Error:
    return Error("SyntaxError", "Invalid syntax", "linter")


@pytest.fixture
def attempt(error: Error) -> Callable[..., RecoveryAttempt]:
    """Makes attempts, with whatever a test cares about."""

    def make(number: int = 1, **fields: Any) -> RecoveryAttempt:
        values: dict[str, Any] = {
            "attempt_number": number,
            "strategy": "fix",
            "success": True,
            "error_before": error,
            "error_after": None,
            "changes_made": ["Fixed syntax error"],
            "timestamp": "2026-01-02T03:04:05+00:00",
            "duration_seconds": 1.5,
            "message": "Recovery successful",
        }
        return RecoveryAttempt(**{**values, **fields})

    return make
