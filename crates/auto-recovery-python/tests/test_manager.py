"""The manager's surface, and what callers of the original reach under it."""

import inspect
import json
import logging
import pickle
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock, Mock, create_autospec

import pytest
from auto_recovery import (
    AutoRecoveryManager,
    Error,
    InvalidInputError,
    RecoveryAuditLogger,
    RecoveryStrategyType,
    StoreError,
)

FIX, RETRY = RecoveryStrategyType.FIX, RecoveryStrategyType.RETRY
ALTERNATIVE, ROLLBACK = RecoveryStrategyType.ALTERNATIVE, RecoveryStrategyType.ROLLBACK

PLAIN = [
    ("SyntaxError", "Invalid syntax", "linter", "code_quality"),
    ("SyntaxError", "Invalid syntax", "test", "code_quality"),
    ("IndentationError", "unexpected indent", "python", "code_quality"),
    ("StyleError", "Style issue", "linter", "code_quality"),
    ("LintError", "Unused variable", "ruff", "code_quality"),
    ("TypeError", "Type mismatch", "mypy", "code_quality"),
    ("TypeError", "expected str", "test", "code_quality"),
    ("FormattingError", "bad format", "prettier", "code_quality"),
    ("TimeoutError", "Connection timeout", "network", "transient"),
    ("TimeoutError", "Operation timed out", "test", "transient"),
    ("TimeoutError", "Test timed out", "pytest", "transient"),
    ("NetworkError", "Network unreachable", "api", "transient"),
    ("ConnectionError", "Connection refused", "api", "transient"),
    ("ConnectionError", "Connection refused", "test", "transient"),
    ("Error", "Temporary failure", "api", "transient"),
    ("TestFailure", "Test failed", "pytest", "test_failure"),
    ("TestError", "Test", "test", "test_failure"),
    ("AssertionError", "x != y", "unittest", "test_failure"),
    ("ImportError", "No module named 'x'", "python", "dependency"),
    ("ModuleNotFoundError", "No module named 'x'", "python", "dependency"),
    ("DependencyError", "Missing package", "npm", "dependency"),
    ("UnknownError", "Something went wrong", "unknown", "unknown"),
    ("ValueError", "invalid value", "app", "unknown"),
]


def test_construction_takes_the_originals_arguments(audit_dir: Path) -> None:
    manager = AutoRecoveryManager(5, 0.5, 10.0, False, False, False, audit_dir, True)
    assert (manager.max_attempts, manager.base_delay, manager.max_delay) == (5, 0.5, 10.0)
    assert not manager.enable_fix_generation
    assert not manager.enable_alternatives and not manager.enable_rollback
    assert manager.audit_dir == audit_dir and manager.enable_audit_logging
    assert isinstance(manager.audit_logger, RecoveryAuditLogger)
    assert manager.current_session_id is None and manager.recovery_history == []
    assert manager.logger is logging.getLogger("maestro.auto_recovery")
    assert [
        manager.fix_generator,
        manager.retry_handler,
        manager.alternative_selector,
        manager.rollback_handler,
    ] == [None] * 4


def test_defaults_are_the_originals() -> None:
    parameters = inspect.signature(AutoRecoveryManager).parameters
    assert {name: one.default for name, one in list(parameters.items())[:8]} == {
        "max_attempts": 3,
        "base_delay": 1.0,
        "max_delay": 60.0,
        "enable_fix_generation": True,
        "enable_alternatives": True,
        "enable_rollback": True,
        "audit_dir": None,
        "enable_audit_logging": True,
    }
    assert all(one.kind is one.KEYWORD_ONLY for one in list(parameters.values())[8:])


@pytest.mark.parametrize(("error_type", "message", "source", "category"), PLAIN)
def test_plain_errors_are_classified_as_the_original_does(
    manager: AutoRecoveryManager, error_type: str, message: str, source: str, category: str
) -> None:
    assert manager._classify_error(Error(error_type, message, source)) == category


ORDERS = [
    (("TimeoutError", "Connection timeout", "network"), [RETRY, FIX], [FIX], [FIX]),
    (
        ("SyntaxError", "Invalid syntax", "linter"),
        [FIX, ALTERNATIVE],
        [FIX, ALTERNATIVE],
        [ALTERNATIVE],
    ),
    (("TestFailure", "Test failed", "pytest"), [FIX, RETRY, ALTERNATIVE], [FIX, ALTERNATIVE], []),
    (
        ("ImportError", "No module named 'x'", "python"),
        [ALTERNATIVE, FIX],
        [ALTERNATIVE, FIX],
        [FIX],
    ),
    (("Odd", "Something", "x"), [FIX, RETRY, ALTERNATIVE], [FIX, ALTERNATIVE], []),
]


@pytest.mark.parametrize(("fields", "handled", "bare", "disabled"), ORDERS)
def test_each_category_has_its_order(
    manager: AutoRecoveryManager,
    fields: tuple[str, str, str],
    handled: list[RecoveryStrategyType],
    bare: list[RecoveryStrategyType],
    disabled: list[RecoveryStrategyType],
) -> None:
    error = Error(*fields)
    assert manager._select_recovery_strategies(error, {}) == bare
    manager.retry_handler = MagicMock()
    manager.rollback_handler = MagicMock()
    assert manager._select_recovery_strategies(error, {}) == [*handled, ROLLBACK]
    manager.retry_handler = None
    manager.enable_fix_generation = manager.enable_alternatives = manager.enable_rollback = False
    assert manager._select_recovery_strategies(error, {}) == disabled


def test_one_try_of_each_strategy(manager: AutoRecoveryManager, error: Error) -> None:
    fix, retry = manager._attempt_fix_generation, manager._attempt_retry
    alternative, rollback = manager._attempt_alternative, manager._attempt_rollback
    for attempt in (fix, retry, alternative, rollback):
        outcome = attempt(error, {}, 1)
        assert outcome["success"] is False and "not configured" in outcome["message"]

    manager.fix_generator = MagicMock(return_value="- one\n- two")
    assert fix(error, {}, 1) == {
        "success": True,
        "message": "Generated 2 fix suggestions",
        "changes_made": ["one", "two"],
    }
    manager.fix_generator.assert_called_once_with(error)
    manager.fix_generator = lambda error: " \n"
    assert fix(error, {}, 1) == {"success": False, "message": "No fix suggestions generated"}

    manager.retry_handler = MagicMock(side_effect=[True, False, OSError("gone")])
    assert retry(error, {}, 1) == {"success": True, "message": "Retry successful"}
    assert retry(error, {}, 2) == {"success": False, "message": "Retry failed"}
    assert retry(error, {}, 3) == {"success": False, "message": "Retry failed: gone"}

    manager.alternative_selector = MagicMock(side_effect=["plan B", None, KeyError("x")])
    assert alternative(error, {}, 1) == {
        "success": True,
        "message": "Applied alternative approach: plan B",
        "changes_made": ["Switched to alternative: plan B"],
    }
    assert alternative(error, {}, 2)["message"] == "No alternative approach available"
    assert alternative(error, {}, 3)["message"] == "Alternative selection failed: 'x'"

    manager.rollback_handler = MagicMock(side_effect=[True, False, RuntimeError()])
    assert rollback(error, {}, 1) == {
        "success": True,
        "message": "Rollback successful",
        "changes_made": ["Rolled back to last checkpoint"],
    }
    assert rollback(error, {}, 2)["message"] == "Rollback failed"
    assert rollback(error, {}, 3)["message"] == "Rollback failed: RuntimeError"


@pytest.mark.parametrize(
    ("suggestion", "changes"),
    [
        ("```python\nx = 1\n```\ntext\n```\ny\n```", ["Generated 2 code fix(es)"]),
        ("- a\n* b\n- c\n- d\n- e\n- f", ["a", "b", "c", "d", "e"]),
        ("Add a colon", ["Applied fix: Add a colon"]),
        ("x" * 101, ["Applied fix: " + "x" * 100 + "..."]),
        ("", ["No specific changes identified"]),
    ],
)
def test_changes_of_a_suggestion(
    manager: AutoRecoveryManager, error: Error, suggestion: str, changes: list[str]
) -> None:
    assert manager._parse_fix_changes(suggestion, error) == changes


def test_without_audit_logging_there_is_nothing_to_ask(error: Error, tmp_path: Path) -> None:
    manager = AutoRecoveryManager(base_delay=0, enable_audit_logging=False)
    assert manager.audit_logger is None
    result = manager.attempt_recovery(error, {})
    assert [attempt.attempt_number for attempt in result.attempts] == [1, 2, 3, 4, 5, 6]
    assert manager.current_session_id is None
    assert manager.start_new_session() is None
    assert manager.get_audit_trail() == [] and manager.to_records() == []
    assert not manager.get_recovery_statistics() and not manager.statistics()
    assert not manager.statistics(all_sessions=True)
    assert manager.export_audit_trail() is None
    assert manager.generate_recovery_report() is None
    manager.clear_audit_history()
    assert not (tmp_path / "state").exists()


def test_without_a_session_there_is_nothing_to_ask(
    manager: AutoRecoveryManager, caplog: pytest.LogCaptureFixture
) -> None:
    assert manager.get_audit_trail() == [] and not manager.get_recovery_statistics()
    assert manager.export_audit_trail() is None
    assert manager.generate_recovery_report() is None
    assert "there is no session" in caplog.text
    manager.start_new_session("empty")
    caplog.clear()
    assert manager.export_audit_trail() is None
    assert "No audit entries found for session: empty" in caplog.text


def test_everything_may_be_assigned_at_any_time(
    manager: AutoRecoveryManager, error: Error, tmp_path: Path
) -> None:
    manager.max_attempts = 1
    manager.attempt_recovery(error, {})
    manager.enable_audit_logging = False
    assert manager.audit_logger is None
    manager.enable_audit_logging = True
    assert len(manager.get_audit_trail()) == 2
    manager.audit_dir = tmp_path / "elsewhere"
    assert manager.get_audit_trail() == []
    manager.attempt_recovery(error, {})
    assert [entry["attempt_number"] for entry in manager.get_audit_trail()] == [1, 2]


def test_sessions_of_a_manager(manager: AutoRecoveryManager, error: Error) -> None:
    manager.attempt_recovery(error, {})
    first = manager.current_session_id
    assert first is not None and first.startswith("session_")
    assert manager.start_new_session("second") == "second" == manager.current_session_id
    manager.attempt_recovery(error, {})
    assert [len(manager.get_audit_trail(one)) for one in (first, "second")] == [6, 6]
    assert {record["session_id"] for record in manager.to_records()} == {first, "second"}
    assert manager.statistics() == manager.get_recovery_statistics("second")
    assert manager.statistics(all_sessions=True)["escalated_sessions"] == 2
    manager.clear_audit_history(first)
    assert manager.current_session_id == "second" and manager.get_audit_trail(first) == []
    manager.clear_audit_history()
    assert manager.current_session_id is None


def test_the_results_of_a_manager(
    manager: AutoRecoveryManager, error: Error, tmp_path: Path
) -> None:
    result = manager.attempt_recovery(error, {})
    assert manager.recovery_history == [result]
    assert manager.get_recovery_history() == [result.to_dict()]
    path = tmp_path / "history.json"
    manager.save_recovery_history(path)
    assert json.loads(path.read_text()) == manager.get_recovery_history()
    assert path.read_text().startswith("[\n  {")
    manager.clear_recovery_history()
    assert manager.get_recovery_history() == []
    assert len(manager.get_audit_trail()) == 6


def test_it_is_a_context_manager_and_can_be_pickled(audit_dir: Path, error: Error) -> None:
    with AutoRecoveryManager(base_delay=0, audit_dir=audit_dir) as manager:
        manager.attempt_recovery(error, {})
    twin = pickle.loads(pickle.dumps(manager))
    assert twin.recovery_history == manager.recovery_history
    assert twin.get_audit_trail() == manager.get_audit_trail()
    assert twin.attempt_recovery(error, {}).attempts[0].attempt_number == 7


def test_the_default_place_is_that_of_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert AutoRecoveryManager().audit_dir == tmp_path / "state"
    monkeypatch.delenv("RECOVER_STATE_DIR")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "xdg"))
    assert AutoRecoveryManager().audit_dir == tmp_path / "xdg" / "auto-recovery"
    monkeypatch.setenv("XDG_STATE_HOME", "relative")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    home = tmp_path / "home" / ".local" / "state" / "auto-recovery"
    assert AutoRecoveryManager().audit_dir == home
    monkeypatch.setenv("RECOVER_STORE", f"jsonl:{tmp_path / 'store'}")
    assert AutoRecoveryManager().audit_dir == tmp_path / "store"


@pytest.mark.parametrize(
    ("numbers", "said"),
    [
        ({"max_attempts": -1}, "max_attempts is -1: give a whole number, 0 or more"),
        ({"max_attempts": 2.5}, "max_attempts is 2.5: give a whole number"),
        ({"max_attempts": "3"}, "max_attempts is '3': give a whole number"),
        ({"base_delay": -0.1}, "base_delay is -0.1: give a number of seconds, 0 or more"),
        ({"max_delay": float("nan")}, "max_delay is nan: give a number of seconds"),
        ({"base_delay": None}, "base_delay is None: give a number"),
        ({"base_delay": float("inf")}, "base_delay is inf: no wait can be that long"),
        ({"redact": 5}, "redact is 5: give texts, True or False"),
        ({"max_delay": "1m"}, "max_delay is '1m': give a number"),
        ({"deadline": -1}, "deadline is -1: give a number"),
        ({"deadline": 10**400}, "deadline is 1"),
    ],
)
def test_numbers_that_cannot_be_are_refused_at_once(
    numbers: dict[str, Any], said: str, tmp_path: Path
) -> None:
    with pytest.raises(InvalidInputError, match=f"^{re.escape(said)}") as refused:
        AutoRecoveryManager(**numbers)
    assert refused.value.code == "invalid_input"
    assert not (tmp_path / "state").exists(), "and nothing was made"


def test_a_number_that_was_assigned_is_refused_when_it_counts(
    manager: AutoRecoveryManager, error: Error
) -> None:
    manager.base_delay = "soon"  # type: ignore[assignment]
    with pytest.raises(InvalidInputError, match="base_delay is 'soon': give a number of seconds"):
        manager.attempt_recovery(error)


def test_it_says_what_it_is(manager: AutoRecoveryManager, audit_dir: Path, error: Error) -> None:
    manager.retry_handler = lambda error: True
    said = f"handlers=[retry_handler] recoveries=0 audit_dir={str(audit_dir)!r} session=None"
    assert repr(manager) == f"<AutoRecoveryManager {said}>"
    assert repr(manager.audit_logger) == (
        f"RecoveryAuditLogger({str(audit_dir)!r}, durability='flush')"
    )
    bare = AutoRecoveryManager(enable_audit_logging=False)
    assert repr(bare) == "<AutoRecoveryManager handlers=[] recoveries=0>"


def test_what_the_file_system_refuses_is_a_recovery_error(
    manager: AutoRecoveryManager, tmp_path: Path
) -> None:
    with pytest.raises(StoreError) as refused:
        manager.save_recovery_history(tmp_path / "missing" / "history.json")
    assert refused.value.code == "io" and isinstance(refused.value, FileNotFoundError)
    assert "history.json" in str(refused.value)
    twin = pickle.loads(pickle.dumps(refused.value))
    assert type(twin) is type(refused.value) and str(twin) == str(refused.value)
    (tmp_path / "file").write_text("")
    for place, kind in (("file", FileExistsError), ("file/below", NotADirectoryError)):
        with pytest.raises(StoreError) as refused:
            AutoRecoveryManager(audit_dir=tmp_path / place)
        assert isinstance(refused.value, kind) and refused.value.errno is not None
        assert repr(refused.value).endswith("code='io')")


def test_nobody_hears_it_who_does_not_want_to() -> None:
    script = (
        "from auto_recovery import AutoRecoveryManager as M, Error; "
        "M(base_delay=0, enable_audit_logging=False).attempt_recovery(Error('E', 'm', 's'))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_store_is_named_by_its_url(tmp_path: Path) -> None:
    manager = AutoRecoveryManager(store=f"jsonl:{tmp_path / 'trail'}")
    assert manager.audit_dir == tmp_path / "trail"
    with pytest.raises(ValueError, match="only jsonl"):
        AutoRecoveryManager(store="nosuch://user:secret@host/db")
    with pytest.raises(ValueError) as refused:
        AutoRecoveryManager(store="nosuch://user:secret@host/db")
    assert "secret" not in str(refused.value)
    with pytest.raises(ValueError, match="give one"):
        AutoRecoveryManager(audit_dir=tmp_path, store=f"jsonl:{tmp_path}")
    with pytest.raises(ValueError, match="unknown durability"):
        AutoRecoveryManager(
            audit_dir=tmp_path,
            durability="sometimes",  # type: ignore[arg-type]
        )


@pytest.mark.parametrize(
    "make",
    [
        lambda: Mock(spec=RecoveryAuditLogger),
        lambda: MagicMock(spec=RecoveryAuditLogger),
        lambda: create_autospec(RecoveryAuditLogger, instance=True),
    ],
)
def test_a_mock_that_passes_for_a_logger_is_asked_to_record(
    manager: AutoRecoveryManager, error: Error, make: Callable[[], Any]
) -> None:
    logger = make()
    logger.start_session.return_value = "mocked"
    manager.audit_logger = logger
    result = manager.attempt_recovery(error)
    assert logger.log_recovery_attempt.call_count == len(result.attempts)
    assert manager.current_session_id == "mocked"


def test_what_is_no_error_is_refused(audit_dir: Path) -> None:
    manager = AutoRecoveryManager(audit_dir=audit_dir)
    with pytest.raises(InvalidInputError, match="error is a str: give an Error"):
        manager.attempt_recovery("x")  # type: ignore[arg-type]
