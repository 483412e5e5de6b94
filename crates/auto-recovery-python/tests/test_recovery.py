"""The loop: what is tried, how often, after which waits, and what may interrupt or replace it."""

import itertools
import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock, call, patch

import pytest
from auto_recovery import (
    AutoRecoveryManager,
    Error,
    RecoveryAttempt,
    RecoveryAuditLogger,
    RecoveryStrategyType,
)


def journal(audit_dir: Path) -> list[dict[str, Any]]:
    lines = (audit_dir / "journal.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def ends(audit_dir: Path) -> list[str]:
    """How the recoveries on record ended."""
    records = journal(audit_dir)
    return [one["outcome"] for one in records if one["event"] == "session_finished"]


def test_a_cure_ends_it(manager: AutoRecoveryManager, error: Error) -> None:
    manager.fix_generator = MagicMock(return_value="- added the colon")
    result = manager.attempt_recovery(error, {})
    assert result.success and not result.escalated_to_human
    assert result.strategy_used is RecoveryStrategyType.FIX
    assert result.message == "Recovered using fix strategy"
    assert result.final_error is None
    manager.fix_generator.assert_called_once_with(error)
    (attempt,) = result.attempts
    assert type(attempt) is RecoveryAttempt and type(attempt.strategy) is str
    assert attempt.strategy == "fix" and attempt.success
    assert attempt.changes_made == ["added the colon"]
    assert attempt.error_before is error and attempt.error_after is None
    assert 0 < attempt.duration_seconds < 1
    (entry,) = manager.get_audit_trail()
    assert entry["next_action"] == "complete" and entry["error_type"] == "SyntaxError"


def test_without_a_cure_a_person_is_asked(manager: AutoRecoveryManager, error: Error) -> None:
    result = manager.attempt_recovery(error)
    assert not result.success and result.escalated_to_human
    assert result.strategy_used is RecoveryStrategyType.ESCALATE
    assert "Human intervention required" in result.message
    assert result.final_error is error
    assert [one.strategy for one in result.attempts] == ["fix"] * 3 + ["alternative"] * 3
    trail = manager.get_audit_trail()
    actions = [entry["next_action"] for entry in trail]
    assert actions == ["retry", "retry", "continue", "retry", "retry", "escalate"]


def test_a_failing_handler_fails_its_try_and_is_on_record(
    manager: AutoRecoveryManager, error: Error
) -> None:
    manager.fix_generator = MagicMock(side_effect=RuntimeError("the model is away"))
    manager.alternative_selector = MagicMock(return_value="plan B")
    result = manager.attempt_recovery(error, {})
    assert result.strategy_used is RecoveryStrategyType.ALTERNATIVE
    messages = [entry["recovery_message"] for entry in manager.get_audit_trail()]
    assert messages == ["Fix generation failed: the model is away"] * 3 + [
        "Applied alternative approach: plan B"
    ]


def test_rollback_comes_last(manager: AutoRecoveryManager, error: Error) -> None:
    manager.rollback_handler = MagicMock(return_value=True)
    result = manager.attempt_recovery(error, {})
    assert result.strategy_used is RecoveryStrategyType.ROLLBACK
    manager.rollback_handler.assert_called_once_with()
    assert manager.get_recovery_statistics()["rollback_count"] == 1


def test_waits_double_up_to_the_maximum(audit_dir: Path) -> None:
    manager = AutoRecoveryManager(5, 0.1, 0.3, audit_dir=audit_dir, enable_alternatives=False)
    calls: list[float] = []

    def retry(error: Error) -> bool:
        calls.append(time.monotonic())
        return False

    manager.retry_handler = retry
    manager._select_recovery_strategies = lambda error, context: [  # type: ignore[method-assign]
        RecoveryStrategyType.RETRY
    ]
    manager.attempt_recovery(Error("TimeoutError", "timeout", "api"), {})
    waits = [after - before for before, after in itertools.pairwise(calls)]
    for waited, wanted in zip(waits, [0.1, 0.2, 0.3, 0.3], strict=True):
        assert wanted <= waited < wanted + 0.25


@pytest.mark.parametrize("target", ["time.sleep", "auto_recovery.time.sleep"])
def test_a_wait_is_a_sleep_that_can_be_patched(audit_dir: Path, target: str) -> None:
    manager = AutoRecoveryManager(4, 1.0, 3.0, audit_dir=audit_dir)
    manager.retry_handler = MagicMock(side_effect=[False, False, False, True])
    started = time.monotonic()
    with patch(target) as sleep:
        result = manager.attempt_recovery(Error("TimeoutError", "timeout", "api"), {})
    assert result.success
    assert sleep.call_args_list == [call(1.0), call(2.0), call(3.0)]
    assert time.monotonic() - started < 1.0


def test_others_go_on_while_it_waits(audit_dir: Path, error: Error) -> None:
    manager = AutoRecoveryManager(2, 0.4, audit_dir=audit_dir)
    manager.fix_generator = manager.alternative_selector = lambda error: None
    counted = 0
    done = threading.Event()

    def count() -> None:
        nonlocal counted
        while not done.is_set():
            counted += 1

    thread = threading.Thread(target=count)
    thread.start()
    started = time.monotonic()
    manager.attempt_recovery(error, {})
    waited = time.monotonic() - started
    done.set()
    thread.join()
    # Had the interpreter been held, the thread could have counted only between calls.
    assert waited >= 0.8 and counted > 10_000


def test_a_verifier_has_the_last_word(audit_dir: Path, error: Error) -> None:
    verifier = MagicMock(side_effect=[False, ValueError("no idea"), True])
    manager = AutoRecoveryManager(base_delay=0, audit_dir=audit_dir, verifier=verifier)
    manager.fix_generator = lambda error: "- a try"
    result = manager.attempt_recovery(error, {})
    assert result.success and len(result.attempts) == 3
    verifier.assert_called_with(error)
    assert "verification failed: no idea" in result.attempts[1].message


def test_a_verifier_is_not_asked_where_nothing_was_done(audit_dir: Path, error: Error) -> None:
    verifier = MagicMock(return_value=True)
    manager = AutoRecoveryManager(base_delay=0, audit_dir=audit_dir, verifier=verifier)
    assert not manager.attempt_recovery(error, {}).success
    verifier.assert_not_called()


def test_a_deadline_is_kept(audit_dir: Path, error: Error) -> None:
    manager = AutoRecoveryManager(base_delay=30, audit_dir=audit_dir, deadline=5)
    manager.fix_generator = lambda error: None
    started = time.monotonic()
    result = manager.attempt_recovery(error, {})
    assert time.monotonic() - started < 5
    assert result.escalated_to_human and "deadline" in result.message


def test_a_handler_that_is_not_there_is_not_waited_for(audit_dir: Path, error: Error) -> None:
    manager = AutoRecoveryManager(3, 60, audit_dir=audit_dir)
    with patch("time.sleep") as sleep:
        result = manager.attempt_recovery(error, {})
        sleep.assert_not_called()
        assert [one.strategy for one in result.attempts] == ["fix"] * 3 + ["alternative"] * 3
        manager.alternative_selector = lambda error: None
        assert len(manager.attempt_recovery(error, {}).attempts) == 6
    assert sleep.call_args_list == [call(60), call(60)], "but one that is there is"


def test_any_exception_can_be_recovered(manager: AutoRecoveryManager, audit_dir: Path) -> None:
    manager.fix_generator = lambda error: f"- {error.error_type} in line {error.line_number}"
    try:
        raise ConnectionResetError("the peer went away")
    except OSError as raised:
        result = manager.attempt_recovery(raised)
        line = raised.__traceback__.tb_lineno if raised.__traceback__ else None
    assert result.success
    assert result.attempts[0].changes_made == [f"ConnectionResetError in line {line}"]
    (detected,) = [one for one in journal(audit_dir) if one["event"] == "failure_detected"]
    assert detected["category"] == "transient"
    assert detected["failure"]["file_path"] == __file__
    assert "the peer went away" in detected["failure"]["stack_trace"]


def test_a_session_says_who_recorded_it(
    manager: AutoRecoveryManager, error: Error, audit_dir: Path
) -> None:
    manager.attempt_recovery(error)
    attempt = manager.recovery_history[0].attempts[0]
    assert manager.audit_logger is not None
    manager.audit_logger.log_recovery_attempt(attempt, "never started")
    started = [one for one in journal(audit_dir) if one["event"] == "session_started"]
    assert len(started) == 2
    for one in started:
        assert one["command"] and one["command"][0] == sys.orig_argv[0]
        assert one["cwd"] == os.getcwd() and one["cwd"].startswith(one["workspace"])
        assert one["project"] == Path(one["workspace"]).name
        assert one["user"] and one["pid"] == os.getpid()


def test_a_command_that_is_no_unicode_fails_no_session(
    manager: AutoRecoveryManager, audit_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "orig_argv", ["python3", "a\udc80b", "x" * 300, *["y"] * 100])
    monkeypatch.setenv("USER", "n\udc80")
    manager.audit_dir = audit_dir
    manager.start_new_session()
    (started,) = journal(audit_dir)
    program, odd, long, *rest = started["command"]
    assert (program, odd[:2], odd[-1]) == ("python3", "a\ufffd", "b")
    assert long == "x" * 200 + "…" and len(rest) == 61
    assert started["user"].startswith("n\ufffd")


class TestOverriding:
    """The loop goes through the manager's own methods."""

    def test_methods_of_a_subclass(self, audit_dir: Path, error: Error) -> None:
        class Own(AutoRecoveryManager):
            def _classify_error(self, error: Error) -> str:
                return "transient"

            def _attempt_fix_generation(
                self, error: Error, context: Any, attempt_num: int
            ) -> dict[str, Any]:
                return {
                    "success": attempt_num == context["cured_by"],
                    "message": f"try {attempt_num}",
                    "changes_made": ["edited"],
                    "files_modified": ["a.py"],
                    "error_after": Error("Other", "left", "x"),
                }

        manager = Own(base_delay=0, audit_dir=audit_dir)
        result = manager.attempt_recovery(error, {"cured_by": 2})
        assert [one.message for one in result.attempts] == ["try 1", "try 2"]
        after = result.attempts[0].error_after
        assert after is not None and after.error_type == "Other"
        assert manager.get_recovery_statistics()["files_modified"] == ["a.py"]
        (detected,) = [one for one in journal(audit_dir) if one["event"] == "failure_detected"]
        assert detected["rule"] == "caller"

    @pytest.mark.parametrize("name", ["_attempt_strategy", "_attempt_fix_generation"])
    def test_methods_of_an_instance(
        self, manager: AutoRecoveryManager, error: Error, name: str
    ) -> None:
        patched = MagicMock(return_value={"success": True, "message": "patched"})
        setattr(manager, name, patched)
        result = manager.attempt_recovery(error, {"k": 1})
        assert result.success and result.attempts[0].message == "patched"
        arguments: tuple[object, ...] = (error, {"k": 1}, 1)
        if name == "_attempt_strategy":
            arguments = (RecoveryStrategyType.FIX, *arguments)
        patched.assert_called_once_with(*arguments)

    @pytest.mark.parametrize("broken", [None, 7, {}, ValueError("boom")])
    def test_a_broken_override_fails_the_try(
        self, manager: AutoRecoveryManager, error: Error, broken: object
    ) -> None:
        patched = MagicMock(side_effect=[broken] * 6)
        manager._attempt_strategy = patched  # type: ignore[method-assign]
        result = manager.attempt_recovery(error, {})
        assert not result.success and len(manager.get_audit_trail()) == 6

    def test_strategies_of_ones_own(self, manager: AutoRecoveryManager, error: Error) -> None:
        select = MagicMock(return_value=["ask-agent", RecoveryStrategyType.FIX])
        manager._select_recovery_strategies = select  # type: ignore[method-assign]
        manager.max_attempts = 1
        result = manager.attempt_recovery(error, {})
        select.assert_called_once_with(error, {})
        assert [one.message for one in result.attempts] == [
            "Unknown strategy: ask-agent",
            "Fix generator not configured",
        ]


class TestForeignLoggers:
    """A mock or a subclass in the place of the audit logger is asked to record."""

    def test_a_mock(self, manager: AutoRecoveryManager, error: Error) -> None:
        mock = MagicMock()
        mock.start_session.return_value = "mocked"
        manager.audit_logger = mock
        result = manager.attempt_recovery(error, {})
        mock.start_session.assert_called_once_with()
        assert manager.current_session_id == "mocked"
        calls = mock.log_recovery_attempt.call_args_list
        assert [call.args for call in calls] == [(one, "mocked") for one in result.attempts]
        assert calls[0].args[0] is result.attempts[0]
        assert calls[-1].kwargs["next_action"] == "escalate"

    def test_a_mock_without_any_answers(self, manager: AutoRecoveryManager, error: Error) -> None:
        manager.audit_logger = MagicMock()
        assert len(manager.attempt_recovery(error, {}).attempts) == 6

    def test_a_subclass(self, audit_dir: Path, manager: AutoRecoveryManager, error: Error) -> None:
        class Tagging(RecoveryAuditLogger):
            def __init__(self, tag: str) -> None:
                super().__init__(audit_dir)
                self.tag = tag

            def log_recovery_attempt(self, attempt: Any, *rest: Any, **named: Any) -> str:
                attempt.message = f"{self.tag}: {attempt.message}"
                return super().log_recovery_attempt(attempt, *rest, **named)

        manager.audit_logger = Tagging("ours")
        manager.max_attempts = 1
        result = manager.attempt_recovery(error, {})
        messages = [entry["recovery_message"] for entry in manager.get_audit_trail()]
        assert messages == [one.message for one in result.attempts]
        assert messages[0] == "ours: Fix generator not configured"
        events = [one["event"] for one in journal(audit_dir)]
        assert events.count("session_started") == 1 and events[-1] == "session_finished"

    def test_one_that_fails_stops_the_recovery(
        self, manager: AutoRecoveryManager, error: Error
    ) -> None:
        manager.audit_logger = MagicMock()
        manager.audit_logger.log_recovery_attempt.side_effect = OSError("disk full")
        manager.fix_generator = MagicMock(return_value=None)
        with pytest.raises(OSError, match="disk full"):
            manager.attempt_recovery(error, {})
        manager.fix_generator.assert_called_once_with(error)


@pytest.mark.parametrize("end", [KeyboardInterrupt, SystemExit])
def test_an_interrupt_in_a_handler_ends_it_and_is_on_record(
    manager: AutoRecoveryManager, error: Error, audit_dir: Path, end: type[BaseException]
) -> None:
    manager.fix_generator = MagicMock(side_effect=end("now"))
    with pytest.raises(end, match="now"):
        manager.attempt_recovery(error, {})
    manager.fix_generator.assert_called_once_with(error)
    (entry,) = manager.get_audit_trail()
    assert end.__name__ in entry["recovery_message"]
    assert ends(audit_dir) == ["interrupted"]
    assert not manager.recovery_history[0].escalated_to_human


WAITS = """
import logging, sys
from auto_recovery import AutoRecoveryManager, Error
logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="%(message)s")
manager = AutoRecoveryManager(base_delay=60, audit_dir=sys.argv[1])
manager.fix_generator = lambda error: None
try:
    manager.attempt_recovery(Error("SyntaxError", "Invalid syntax", "linter"), {})
except KeyboardInterrupt:
    print("interrupted with", len(manager.get_audit_trail()), "on record")
"""


def test_ctrl_c_ends_a_wait_at_once(audit_dir: Path) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", WAITS, str(audit_dir)], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    with child:
        while "Waiting" not in child.stdout.readline():
            assert child.poll() is None
        sent = time.monotonic()
        child.send_signal(signal.SIGINT)
        try:
            rest, _ = child.communicate(timeout=10)
        finally:
            child.kill()
        assert time.monotonic() - sent < 1
    assert child.returncode == 0 and rest == "interrupted with 1 on record\n"
    assert ends(audit_dir) == ["interrupted"]


def test_a_signal_that_does_not_wake_a_wait_ends_it(
    manager: AutoRecoveryManager, error: Error, audit_dir: Path
) -> None:
    manager.base_delay = 60
    manager.fix_generator = lambda error: None
    waits = threading.Event()

    def log(level: int, form: str, said: str) -> None:
        if "Waiting" in said:
            waits.set()

    manager.logger = MagicMock()
    manager.logger.log = log

    def interrupt() -> None:
        waits.wait()
        time.sleep(0.2)
        signal.pthread_kill(threading.get_ident(), signal.SIGINT)

    elsewhere = threading.Thread(target=interrupt)
    elsewhere.start()
    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        manager.attempt_recovery(error, {})
    elsewhere.join()
    assert time.monotonic() - started < 5
    assert ends(audit_dir) == ["interrupted"]


def test_an_interrupt_while_it_logs_ends_it(manager: AutoRecoveryManager, error: Error) -> None:
    manager.base_delay = 60
    manager.fix_generator = lambda error: None

    def log(level: int, form: str, said: str) -> None:
        if "Waiting" in said:
            raise KeyboardInterrupt

    manager.logger = MagicMock()
    manager.logger.log = log
    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        manager.attempt_recovery(error, {})
    assert time.monotonic() - started < 1 and len(manager.get_audit_trail()) == 1


def test_a_context_that_nothing_can_show_fails_no_recovery(
    manager: AutoRecoveryManager, error: Error, audit_dir: Path
) -> None:
    class Shy:
        def __repr__(self) -> str:
            raise RuntimeError("no")

    endless: list[Any] = []
    endless.append(endless)
    error.context = {"shy": Shy(), "endless": endless, "nan": float("nan"), "long": "x" * 10**6}
    assert not manager.attempt_recovery(error, {}).success
    (detected,) = [one for one in journal(audit_dir) if one["event"] == "failure_detected"]
    assert detected["failure"]["context"] == {"shy": "<Shy>", "endless": "[[...]]", "nan": "nan"}


def test_it_tells_pythons_logging(
    manager: AutoRecoveryManager, error: Error, caplog: pytest.LogCaptureFixture
) -> None:
    manager.max_attempts = 1
    manager.alternative_selector = lambda error: "plan 100%"
    with caplog.at_level(logging.INFO, logger="maestro.auto_recovery"):
        manager.attempt_recovery(error, {})
    assert {record.name for record in caplog.records} == {"maestro.auto_recovery"}
    said = [(record.levelname, record.getMessage()) for record in caplog.records]
    assert said == [
        ("INFO", "Attempting fix (1/1)"),
        ("WARNING", "Not recovered: Fix generator not configured"),
        ("INFO", "Attempting alternative (1/1)"),
        ("INFO", "Recovered: Applied alternative approach: plan 100%"),
    ]


def test_a_handler_may_recover_with_the_same_manager(
    manager: AutoRecoveryManager, error: Error
) -> None:
    inner = Error("TimeoutError", "Connection timeout", "network")
    manager.max_attempts = 1

    def fix(error: Error) -> str | None:
        return None if error is inner else str(manager.attempt_recovery(inner, {}).success)

    manager.fix_generator = fix
    assert manager.attempt_recovery(error, {}).success
    numbers = [entry["attempt_number"] for entry in manager.get_audit_trail()]
    assert sorted(numbers) == [1, 2]


def test_one_manager_serves_many_threads(manager: AutoRecoveryManager, error: Error) -> None:
    manager.start_new_session("shared")
    manager.max_attempts = 2
    threads = [
        threading.Thread(target=manager.attempt_recovery, args=(error, {})) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    numbers = [entry["attempt_number"] for entry in manager.get_audit_trail()]
    assert sorted(numbers) == list(range(1, 33)) and len(manager.recovery_history) == 8
