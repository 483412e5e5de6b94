"""The three usage examples of the specification, verbatim but for the directory."""

import json
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

BASIC = """
from auto_recovery import AutoRecoveryManager, Error

# Create manager with audit logging enabled
manager = AutoRecoveryManager(
    audit_dir=Path("/var/log/maestro/audit"),
    enable_audit_logging=True
)

# Attempt recovery (automatically logged)
error = Error(
    error_type="SyntaxError",
    message="Invalid syntax",
    source="linter"
)
result = manager.attempt_recovery(error, {})

# Get statistics
stats = manager.get_recovery_statistics()
print(f"Success rate: {stats['success_rate']}%")
"""

ADVANCED = """
# Start a named session
session_id = manager.start_new_session("my_recovery_session")

# Perform multiple recovery operations
for error in errors:
    manager.attempt_recovery(error, {})

# Generate comprehensive report
report_path = manager.generate_recovery_report()
print(f"Report saved to: {report_path}")

# Export to different formats
json_path = manager.export_audit_trail(format="json")
csv_path = manager.export_audit_trail(format="csv")

# Get detailed history
history = manager.get_audit_trail()
for entry in history:
    print(f"{entry['timestamp']}: {entry['strategy']} - {entry['success']}")
"""

DIRECT = """
from auto_recovery import RecoveryAuditLogger, RecoveryAttempt, Error

# Create logger
logger = RecoveryAuditLogger(audit_dir=Path("/var/log/audit"))

# Start session
session_id = logger.start_session()

# Create and log attempt
error = Error(error_type="TestError", message="Test", source="test")
attempt = RecoveryAttempt(
    attempt_number=1,
    strategy="fix",
    success=True,
    error_before=error,
    error_after=None,
    changes_made=["Fixed syntax error"],
    timestamp=datetime.now(timezone.utc).isoformat(),
    duration_seconds=1.5,
    message="Recovery successful"
)

entry_id = logger.log_recovery_attempt(
    attempt,
    session_id,
    files_modified=["test.py"],
    rollback_performed=False,
    next_action="complete"
)

# Get statistics
stats = logger.get_recovery_statistics(session_id)
print(f"Total attempts: {stats['total_attempts']}")
print(f"Success rate: {stats['success_rate']}%")
"""


def run(example: str, directory: str, audit_dir: Path, names: dict[str, Any]) -> dict[str, Any]:
    """The names that `example` leaves, run in `audit_dir` instead of in `directory`."""
    exec(example.replace(f'"{directory}"', repr(str(audit_dir))), names)
    return names


def test_basic_usage(audit_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = run(BASIC, "/var/log/maestro/audit", audit_dir, {"Path": Path})
    assert capsys.readouterr().out == "Success rate: 0.0%\n"
    assert names["result"].escalated_to_human
    assert names["stats"]["total_attempts"] == len(names["result"].attempts) == 6
    assert list(names["stats"]) == [
        "session_id",
        "session_start",
        "total_attempts",
        "successful_attempts",
        "failed_attempts",
        "success_rate",
        "strategies_used",
        "error_type_distribution",
        "total_duration_seconds",
        "average_duration_seconds",
        "files_modified_count",
        "files_modified",
        "rollback_count",
        "first_attempt_timestamp",
        "last_attempt_timestamp",
    ]


def test_advanced_usage(audit_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from auto_recovery import AutoRecoveryManager, Error

    manager = AutoRecoveryManager(audit_dir=audit_dir)
    manager.fix_generator = lambda error: "- mended"
    errors = [Error("SyntaxError", f"Invalid syntax {n}", "linter") for n in range(3)]
    names = run(ADVANCED, "", audit_dir, {"manager": manager, "errors": errors})
    assert names["session_id"] == "my_recovery_session"
    said = capsys.readouterr().out.splitlines()
    assert said[0] == f"Report saved to: {names['report_path']}"
    assert [line.rpartition(": ")[2] for line in said[1:]] == ["fix - True"] * 3
    assert json.loads(Path(names["json_path"]).read_text())["total_entries"] == 3
    assert len(Path(names["csv_path"]).read_text().splitlines()) == 4
    report = json.loads(Path(names["report_path"]).read_text())
    assert report["summary"]["success_rate"] == "100.0%"
    assert report["report_metadata"]["report_type"] == "recovery_audit_report"


def test_direct_logger_usage(audit_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = {"Path": Path, "datetime": datetime, "timezone": timezone}
    names = run(DIRECT, "/var/log/audit", audit_dir, given)
    assert capsys.readouterr().out == "Total attempts: 1\nSuccess rate: 100.0%\n"
    assert names["entry_id"].startswith("entry_")
    assert names["stats"]["files_modified"] == ["test.py"]
