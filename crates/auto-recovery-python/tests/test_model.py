"""The data classes are Python's own."""

import copy
import dataclasses
import json
import pickle
from typing import Any

import pytest
from auto_recovery import (
    Error,
    RecoveryAttempt,
    RecoveryAuditEntry,
    RecoveryResult,
    RecoveryStrategyType,
)

ERROR = Error("TypeError", "bad", "mypy", {"file": "a.py"}, "trace", "a.py", 7)
ATTEMPT = RecoveryAttempt(
    attempt_number=1,
    strategy="fix",
    success=False,
    error_before=ERROR,
    error_after=None,
    changes_made=["x"],
    timestamp="2026-01-02T03:04:05+00:00",
    duration_seconds=0.5,
    message="m",
)
RESULT = RecoveryResult(False, RecoveryStrategyType.ESCALATE, [ATTEMPT], ERROR, "m", True)
ENTRY = RecoveryAuditEntry(
    entry_id="entry_1",
    timestamp="2026-01-02T03:04:05+00:00",
    session_id="session_1",
    error_type="TypeError",
    strategy="fix",
    attempt_number=1,
    success=True,
    changes_made=["x"],
    files_modified=["a.py"],
    rollback_performed=False,
    next_action="complete",
    duration_seconds=0.5,
    error_message="bad",
    recovery_message="m",
)
ALL = [ERROR, ATTEMPT, RESULT, ENTRY]


def test_defaults_are_the_originals() -> None:
    error = Error(error_type="E", message="m", source="s")
    assert (error.context, error.stack_trace, error.file_path, error.line_number) == (
        {},
        None,
        None,
        None,
    )
    assert error.context is not Error("E", "m", "s").context
    result = RecoveryResult(
        success=True,
        strategy_used=RecoveryStrategyType.FIX,
        attempts=[],
        final_error=None,
        message="done",
    )
    assert result.escalated_to_human is False
    assert result.timestamp.endswith("+00:00")


@pytest.mark.parametrize("value", ALL, ids=lambda value: type(value).__name__)
def test_they_do_what_data_classes_do(value: Any) -> None:
    assert pickle.loads(pickle.dumps(value)) == value
    assert copy.deepcopy(value) == value
    assert dataclasses.replace(value) == value
    assert repr(value).startswith(type(value).__name__ + "(")
    assert list(value.to_dict()) == [field.name for field in dataclasses.fields(value)]
    assert json.loads(value.to_json()) == value.to_dict()
    name = dataclasses.fields(value)[0].name
    changed = copy.copy(value)
    setattr(changed, name, "other")
    assert changed != value and getattr(changed, name) == "other"


def test_dictionaries_hold_plain_values() -> None:
    assert ENTRY.to_dict() == dataclasses.asdict(ENTRY)
    assert ATTEMPT.to_dict() == dataclasses.asdict(ATTEMPT)
    document = RESULT.to_dict()
    assert type(document["strategy_used"]) is str and document["strategy_used"] == "escalate"
    assert document["attempts"][0]["error_before"]["line_number"] == 7
    assert document["attempts"][0]["error_after"] is None


def test_a_context_may_hold_anything() -> None:
    import threading

    error = Error("E", "m", "s", context={"lock": threading.Lock(), "bytes": b"x"})
    assert error.to_dict()["context"]["bytes"] == b"x"
    assert json.loads(error.to_json())["context"]["bytes"] == "b'x'"


class Odd(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")


def test_an_exception_is_an_error() -> None:
    with pytest.raises(ValueError) as raised:
        json.loads("{")
    error = Error.from_exception(raised.value, source="feed", context={"url": "x"})
    assert (error.error_type, error.source) == ("JSONDecodeError", "feed")
    assert error.message.startswith("Expecting property name")
    assert error.context == {"url": "x"}
    # Where this program was, not where its library was.
    assert error.file_path == __file__ and error.line_number is not None
    assert "json" in (error.stack_trace or "") and 'loads("{")' in (error.stack_trace or "")


def test_exceptions_that_say_little() -> None:
    error = Error.from_exception(KeyboardInterrupt())
    assert (error.error_type, error.message) == ("KeyboardInterrupt", "KeyboardInterrupt")
    assert (error.file_path, error.line_number) == (None, None)
    assert Error.from_exception(Odd()).message == "Odd"
    with pytest.raises(SyntaxError) as raised:
        compile("x = = 1", "fault.py", "exec")
    error = Error.from_exception(raised.value)
    assert (error.file_path, error.line_number) == ("fault.py", 1)


def test_strategies_are_texts() -> None:
    assert [member.name for member in RecoveryStrategyType] == [
        "FIX",
        "RETRY",
        "ALTERNATIVE",
        "ROLLBACK",
        "ESCALATE",
    ]
    assert RecoveryStrategyType("retry") is RecoveryStrategyType.RETRY
    fix: str = RecoveryStrategyType.FIX
    assert fix == "fix" and isinstance(fix, str)
    assert json.dumps(RecoveryStrategyType.ROLLBACK) == '"rollback"'


def test_they_match() -> None:
    match ERROR:
        case Error("TypeError", message=message):
            assert message == "bad"
        case _:
            pytest.fail("no match")
