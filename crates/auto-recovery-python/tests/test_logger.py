"""The audit logger: sessions, entries, statistics, exports, reports, clearing."""

import copy
import csv
import errno
import inspect
import json
import logging
import os
import pickle
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from auto_recovery import (
    DamagedError,
    RecoveryAttempt,
    RecoveryAuditEntry,
    RecoveryAuditLogger,
    RecoveryError,
    StoreError,
)

Make = Callable[..., RecoveryAttempt]


def test_it_takes_a_path_or_a_text_and_makes_the_directory(tmp_path: Path) -> None:
    for given in (tmp_path / "a" / "b", str(tmp_path / "c")):
        logger = RecoveryAuditLogger(given)
        assert logger.audit_dir == Path(given) and isinstance(logger.audit_dir, Path)
        assert logger.audit_dir.is_dir() and logger.audit_dir.stat().st_mode & 0o777 == 0o700
    assert RecoveryAuditLogger(audit_dir=None).audit_dir == tmp_path / "state"
    assert logger.logger is logging.getLogger("maestro.recovery_audit")


def test_signatures_are_the_originals() -> None:
    log = inspect.signature(RecoveryAuditLogger.log_recovery_attempt).parameters
    assert list(log) == [
        "self",
        "attempt",
        "session_id",
        "files_modified",
        "rollback_performed",
        "next_action",
    ]
    assert [log[name].default for name in list(log)[3:]] == [None, False, "continue"]
    export = inspect.signature(RecoveryAuditLogger.export_audit_trail).parameters
    assert export["format"].default == "json"


def test_sessions(logger: RecoveryAuditLogger, attempt: Make) -> None:
    own = logger.start_session()
    assert re.fullmatch("session_[0-9a-f]+", own)
    assert logger.start_session("named") == "named"
    logger.log_recovery_attempt(attempt(), "never started")
    assert list(logger._session_start_times) == [own, "named"]
    started = logger._session_start_times["named"]
    assert logger.get_recovery_statistics("named")["session_start"] == started
    assert set(logger.get_all_session_ids()) == {own, "named", "never started"}


def test_an_entry_holds_what_was_logged(logger: RecoveryAuditLogger, attempt: Make) -> None:
    entry_id = logger.log_recovery_attempt(
        attempt(2, success=False),
        "s",
        files_modified=["b.py", "a.py"],
        rollback_performed=True,
        next_action="retry",
    )
    assert re.fullmatch("entry_[0-9a-f]+", entry_id)
    expected = RecoveryAuditEntry(
        entry_id=entry_id,
        timestamp="2026-01-02T03:04:05+00:00",
        session_id="s",
        error_type="SyntaxError",
        strategy="fix",
        attempt_number=2,
        success=False,
        changes_made=["Fixed syntax error"],
        files_modified=["b.py", "a.py"],
        rollback_performed=True,
        next_action="retry",
        duration_seconds=1.5,
        error_message="Invalid syntax",
        recovery_message="Recovery successful",
    )
    assert logger.get_recovery_history("s") == [expected]
    assert logger.to_records("s") == [expected.to_dict()] == logger.to_records()
    (line,) = (logger.audit_dir / "s_audit.jsonl").read_text().splitlines()
    assert json.loads(line) == expected.to_dict()


def test_defaults_of_an_entry(logger: RecoveryAuditLogger, attempt: Make) -> None:
    logger.log_recovery_attempt(attempt(error_before=None), "s")
    (entry,) = logger.get_recovery_history("s")
    assert (entry.error_type, entry.error_message) == ("unknown", "")
    assert (entry.files_modified, entry.rollback_performed) == ([], False)
    assert entry.next_action == "continue"


def test_unknown_sessions_are_empty(logger: RecoveryAuditLogger) -> None:
    assert logger.get_recovery_history("nobody") == [] == logger.to_records("nobody")
    statistics = logger.get_recovery_statistics("nobody")
    assert len(statistics) == 15
    assert statistics["total_attempts"] == 0 and statistics["success_rate"] == 0.0
    assert statistics["session_start"] is None and statistics["files_modified"] == []
    logger.clear_session("nobody")


def test_statistics(logger: RecoveryAuditLogger, attempt: Make) -> None:
    for number, strategy in enumerate(["fix", "fix", "retry"], start=1):
        logger.log_recovery_attempt(
            attempt(number, strategy=strategy, success=number > 1, duration_seconds=number),
            "s",
            files_modified=["a.py", f"{number}.py"],
            rollback_performed=number == 1,
        )
    statistics = logger.get_recovery_statistics("s")
    assert statistics == logger.statistics("s")
    assert statistics["success_rate"] == 66.67
    assert statistics["strategies_used"] == {"fix": 2, "retry": 1}
    assert statistics["error_type_distribution"] == {"SyntaxError": 3}
    assert statistics["total_duration_seconds"] == 6.0
    assert statistics["average_duration_seconds"] == 2.0
    assert statistics["files_modified"] == ["1.py", "2.py", "3.py", "a.py"]
    assert statistics["files_modified_count"] == 4 and statistics["rollback_count"] == 1


def test_statistics_of_all_sessions(logger: RecoveryAuditLogger, attempt: Make) -> None:
    for session_id, success in (("a", True), ("b", False), ("b", True)):
        logger.log_recovery_attempt(attempt(success=success), session_id)
    statistics = logger.statistics(all_sessions=True)
    assert statistics["sessions"] == 2 and statistics["total_attempts"] == 3
    assert statistics["success_rate_low"] < statistics["success_rate"] == 66.67
    assert statistics["duration_p50_seconds"] == pytest.approx(1.5, rel=0.01)
    with pytest.raises(ValueError, match="no session is named"):
        logger.statistics()
    with pytest.raises(ValueError, match="exclude each other"):
        logger.statistics("a", all_sessions=True)


def test_exports(logger: RecoveryAuditLogger, attempt: Make) -> None:
    logger.log_recovery_attempt(attempt(message="=1+1"), "s")
    path = logger.export_audit_trail("s")
    assert isinstance(path, str)
    assert re.fullmatch(r"s_audit_\d{8}_\d{6}\.json", Path(path).name)
    assert Path(path).parent == logger.audit_dir
    document = json.loads(Path(path).read_text())
    assert document["session_id"] == "s" and document["total_entries"] == 1
    assert document["entries"] == logger.to_records("s")
    shouted: Any = "CSV"
    with open(logger.export_audit_trail("s", shouted), newline="") as table:
        (row,) = csv.DictReader(table)
    assert list(row) == list(document["entries"][0])
    assert row["recovery_message"] == "'=1+1"
    assert logger.export_audit_trail("s", format="jsonl").endswith(".jsonl")


def test_reports(logger: RecoveryAuditLogger, attempt: Make, tmp_path: Path) -> None:
    logger.log_recovery_attempt(attempt(), "s")
    report = json.loads(Path(logger.generate_recovery_report("s")).read_text())
    assert report["report_metadata"]["session_id"] == "s"
    assert report["detailed_entries"] == logger.to_records("s")
    for path in (tmp_path / "report.json", str(tmp_path / "other.json")):
        assert logger.generate_recovery_report("s", path) == str(path)
        assert Path(path).exists()


def test_what_cannot_be_exported_is_a_value_error(
    logger: RecoveryAuditLogger, attempt: Make
) -> None:
    for refused in (logger.export_audit_trail, logger.generate_recovery_report):
        with pytest.raises(ValueError, match="No audit entries found for session: s"):
            refused("s")
    logger.log_recovery_attempt(attempt(), "s")
    with pytest.raises(ValueError, match="Unsupported format: xml"):
        logger.export_audit_trail("s", format="xml")  # type: ignore[arg-type]


def test_clearing(logger: RecoveryAuditLogger, attempt: Make) -> None:
    for session_id in ("a", "b", "c"):
        logger.start_session(session_id)
        logger.log_recovery_attempt(attempt(), session_id)
    logger.clear_session("a")
    assert logger.get_recovery_history("a") == []
    assert set(logger.get_all_session_ids()) == {"b", "c"} == set(logger._session_start_times)
    logger.clear_all_sessions()
    assert logger.get_all_session_ids() == [] and logger._session_start_times == {}


def test_entries_outlive_the_logger(logger: RecoveryAuditLogger, attempt: Make) -> None:
    logger.log_recovery_attempt(attempt(), "s")
    with RecoveryAuditLogger(str(logger.audit_dir)) as later:
        assert len(later.get_recovery_history("s")) == 1
        assert later.get_all_session_ids() == ["s"]
    assert len(later.get_recovery_history("s")) == 1


def test_an_entry_that_is_ready_is_kept_as_it_is(
    logger: RecoveryAuditLogger, attempt: Make
) -> None:
    logger.log_recovery_attempt(attempt(), "s")
    (entry,) = logger.get_recovery_history("s")
    entry.entry_id = "entry_ours"
    logger._write_entry_to_file(entry)
    assert logger.get_recovery_history("s")[1] == entry


def test_what_the_original_wrote_can_be_read(logger: RecoveryAuditLogger, attempt: Make) -> None:
    logger.log_recovery_attempt(attempt(), "s")
    (entry,) = logger.get_recovery_history("s")
    with open(logger.audit_dir / "old_audit.jsonl", "a") as trail:
        for number in (1, 2):
            entry.session_id, entry.attempt_number = "old", number
            trail.write(json.dumps(entry.to_dict(), indent=2) + "\n")
    logger.log_recovery_attempt(attempt(3), "old")
    assert [one.attempt_number for one in logger.get_recovery_history("old")] == [1, 2, 3]


def test_a_damaged_line_hides_nothing_else(logger: RecoveryAuditLogger, attempt: Make) -> None:
    for number in (1, 2, 3):
        logger.log_recovery_attempt(attempt(number), "s")
    path = logger.audit_dir / "s_audit.jsonl"
    first, _, third = path.read_text().splitlines(keepends=True)
    path.write_text(first + '{"entry_id": \n' + third)
    assert [one.attempt_number for one in logger.get_recovery_history("s")] == [1, 3]


@pytest.mark.parametrize(
    "read",
    [
        lambda logger: logger.get_recovery_history("s"),
        lambda logger: logger.get_recovery_statistics("s"),
        lambda logger: logger.get_all_session_ids(),
        lambda logger: logger.export_audit_trail("s", "json"),
        lambda logger: logger.generate_recovery_report("s"),
    ],
)
def test_every_reader_says_what_it_could_not_read(
    logger: RecoveryAuditLogger,
    attempt: Make,
    read: Callable[[RecoveryAuditLogger], object],
    caplog: pytest.LogCaptureFixture,
) -> None:
    logger.log_recovery_attempt(attempt(), "s")
    with open(logger.audit_dir / "s_audit.jsonl", "a") as trail:
        trail.write("garbage\n")
    assert read(logger)
    assert {one.levelname for one in caplog.records} == {"WARNING"}
    assert "s_audit.jsonl line 2" in caplog.text


def test_a_trail_that_cannot_be_opened_hides_no_other(
    logger: RecoveryAuditLogger, attempt: Make, caplog: pytest.LogCaptureFixture
) -> None:
    logger.log_recovery_attempt(attempt(), "s")
    os.mkfifo(logger.audit_dir / "fifo_audit.jsonl")
    assert logger.get_all_session_ids() == ["s"]
    assert logger.get_recovery_history("fifo") == []
    assert "it is a FIFO" in caplog.text
    with pytest.raises(DamagedError, match="fifo_audit"):
        logger.clear_all_sessions()
    assert logger.get_all_session_ids() == [], "and all others went"


def test_text_that_is_no_unicode_is_replaced(logger: RecoveryAuditLogger, attempt: Make) -> None:
    from auto_recovery import Error

    lone = "a\udc80b"
    logger.log_recovery_attempt(
        attempt(error_before=Error(lone, lone, lone), message=lone, changes_made=[lone]),
        "s",
        [lone],
    )
    (entry,) = logger.get_recovery_history("s")
    assert "\udc80" not in entry.to_json()
    assert entry.recovery_message.startswith("a\ufffd") and entry.recovery_message.endswith("b")


@pytest.mark.parametrize(
    "fields",
    [
        {"duration_seconds": float("nan")},
        {"duration_seconds": float("inf")},
        {"duration_seconds": -1.0},
        {"duration_seconds": 10**400},
        {"number": -1},
        {"number": 2**64},
    ],
)
def test_numbers_that_cannot_be_are_value_errors(
    logger: RecoveryAuditLogger, attempt: Make, fields: dict[str, float]
) -> None:
    with pytest.raises(ValueError, match="give a"):
        logger.log_recovery_attempt(attempt(**fields), "s")
    assert logger.get_recovery_history("s") == []


@pytest.mark.parametrize("session_id", ["", "a\nb", "x" * 201])
def test_ids_that_cannot_be_are_value_errors(
    logger: RecoveryAuditLogger, attempt: Make, session_id: str
) -> None:
    with pytest.raises(ValueError, match="session id"):
        logger.start_session(session_id)
    with pytest.raises(RecoveryError) as refused:
        logger.log_recovery_attempt(attempt(), session_id)
    assert refused.value.code == "invalid_input"


def test_no_id_leaves_the_directory(logger: RecoveryAuditLogger, attempt: Make) -> None:
    logger.log_recovery_attempt(attempt(), "../../outside")
    assert not list(logger.audit_dir.parent.glob("*outside*"))
    assert len(logger.get_recovery_history("../../outside")) == 1


def test_a_directory_that_cannot_be_is_an_os_error(tmp_path: Path, attempt: Make) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError):
        RecoveryAuditLogger(tmp_path / "file")
    logger = RecoveryAuditLogger(tmp_path / "dir")
    logger.start_session("s")
    # Even root cannot write to a link that leads nowhere.
    os.symlink(tmp_path / "nowhere" / "x", logger.audit_dir / "s_audit.jsonl")
    with pytest.raises(StoreError) as refused:
        logger.log_recovery_attempt(attempt(), "s")
    assert isinstance(refused.value, OSError) and refused.value.errno == errno.ELOOP
    assert "s_audit.jsonl" in str(refused.value)


def test_it_can_be_pickled_copied_and_subclassed(
    logger: RecoveryAuditLogger, attempt: Make
) -> None:
    logger.start_session("s")
    for twin in (pickle.loads(pickle.dumps(logger)), copy.deepcopy(logger)):
        twin.log_recovery_attempt(attempt(), "s")
        assert twin._session_start_times == logger._session_start_times
    assert len(logger.get_recovery_history("s")) == 2

    class Own(RecoveryAuditLogger):
        def __init__(self, *, into: Path) -> None:
            super().__init__(into)
            self.extra = 1

    assert Own(into=logger.audit_dir).get_all_session_ids() == ["s"]


def test_what_cannot_be_read_is_told(
    logger: RecoveryAuditLogger, attempt: Make, caplog: pytest.LogCaptureFixture
) -> None:
    logger.log_recovery_attempt(attempt(), "s")
    trail = logger.audit_dir / "s_audit.jsonl"
    trail.write_text(f'{{"entry_id": NaN}}\n{trail.read_text()}')
    assert len(logger.get_recovery_history("s")) == 1
    assert "s_audit.jsonl line 1: " in caplog.text
