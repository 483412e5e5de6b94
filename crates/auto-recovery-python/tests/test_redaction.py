"""What is kept of secrets: masks, unless somebody says otherwise. No file holds a token: they are
made here."""

import pickle
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

TOKEN = "ghp_" + "k3X9mQ2v5" * 4


def kept(directory: Path) -> str:
    return "\n".join(path.read_text() for path in directory.rglob("*") if path.is_file())


def log(logger: RecoveryAuditLogger, *texts: str) -> str:
    session = logger.start_session()
    attempt = RecoveryAttempt(
        attempt_number=1,
        strategy=RecoveryStrategyType.FIX,
        success=False,
        error_before=Error(error_type="E", message=" ".join(texts), source="tool"),
        error_after=None,
        changes_made=[f"tried {text}" for text in texts],
        timestamp="2026-01-01T00:00:00Z",
        duration_seconds=0.1,
        message="again",
    )
    logger.log_recovery_attempt(attempt, session, files_modified=[f"{text}.txt" for text in texts])
    return session


def test_tokens_are_masked_wherever_they_are_kept(audit_dir: Path) -> None:
    logger = RecoveryAuditLogger(audit_dir)
    session = log(logger, TOKEN)
    logger.export_audit_trail(session)
    logger.generate_recovery_report(session)
    assert TOKEN not in kept(audit_dir)
    (entry,) = logger.get_recovery_history(session)
    assert entry.error_message.startswith("[redacted github-token ")
    assert entry.changes_made[0].startswith("tried [redacted github-token ")


def test_values_of_secret_variables_and_given_texts_are_masked(
    audit_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEPLOY_PASSWORD", "tr0ub4dor-and-3")
    monkeypatch.setenv("ODD_TOKEN", "a\udcffb-and-more")
    logger = RecoveryAuditLogger(audit_dir, redact=["my own words"])
    log(logger, "tr0ub4dor-and-3", "my own words", "plain")
    text = kept(audit_dir)
    assert "tr0ub4dor" not in text
    assert "my own words" not in text
    assert "[redacted DEPLOY_PASSWORD " in text
    assert "[redacted value " in text
    assert "plain" in text


def test_everything_is_kept_as_it_is_where_that_is_asked_for(audit_dir: Path) -> None:
    log(RecoveryAuditLogger(audit_dir, redact=False), TOKEN)
    assert TOKEN in kept(audit_dir)


def test_a_manager_masks_what_it_records_and_gives_handlers_the_real_text(audit_dir: Path) -> None:
    seen: list[str] = []
    manager = AutoRecoveryManager(1, 0, audit_dir=audit_dir, redact=[TOKEN[4:]])

    def mend(error: Error) -> str:
        seen.append(error.message)
        return f"use {TOKEN}"

    manager.fix_generator = mend
    result = manager.attempt_recovery(Error("SyntaxError", f"bad {TOKEN}", "linter"))
    assert seen == [f"bad {TOKEN}"]
    assert result.attempts[0].error_before is not None
    assert TOKEN[4:] not in kept(audit_dir)


def test_what_is_masked_stays_so_in_another_directory_and_in_a_copy(
    audit_dir: Path, tmp_path: Path
) -> None:
    logger = RecoveryAuditLogger(audit_dir, redact=["my own words"])
    copied: RecoveryAuditLogger = pickle.loads(pickle.dumps(logger))
    copied.audit_dir = tmp_path / "another"
    log(copied, "my own words")
    assert "my own words" not in kept(tmp_path / "another")


def test_what_is_no_text_is_refused(audit_dir: Path) -> None:
    with pytest.raises(InvalidInputError, match="redact holds 3"):
        RecoveryAuditLogger(audit_dir, redact=["x", 3])  # type: ignore[list-item]
