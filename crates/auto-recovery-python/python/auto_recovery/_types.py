"""The shapes of what this package takes and returns, for type checkers."""

from typing import Literal, TypedDict

Category = Literal["transient", "code_quality", "test_failure", "dependency", "unknown"]
"""What kind of failure it is."""

Durability = Literal["sync", "flush"]
"""When an entry counts as written: on disk, or handed to the system."""

SealWhen = Literal["attempts", "sessions"]
"""When what is on record is sealed."""

ExportFormat = Literal["json", "csv", "jsonl"]
"""What a trail is exported as."""

RunOutcome = Literal[
    "passed",
    "recovered",
    "flaky",
    "not_recovered",
    "not_started",
    "interrupted",
    "deadline",
    "dry_run",
    "error",
]
"""What became of a command, in one word."""


class RecoveryStatistics(TypedDict):
    """The statistics of a session."""

    session_id: str
    session_start: str | None
    total_attempts: int
    successful_attempts: int
    failed_attempts: int
    success_rate: float
    strategies_used: dict[str, int]
    error_type_distribution: dict[str, int]
    total_duration_seconds: float
    average_duration_seconds: float
    files_modified_count: int
    files_modified: list[str]
    rollback_count: int
    first_attempt_timestamp: str | None
    last_attempt_timestamp: str | None


class AllStatistics(TypedDict):
    """The statistics of all sessions."""

    total_attempts: int
    successful_attempts: int
    failed_attempts: int
    success_rate: float
    strategies_used: dict[str, int]
    error_type_distribution: dict[str, int]
    total_duration_seconds: float
    average_duration_seconds: float
    files_modified_count: int
    rollback_count: int
    first_attempt_timestamp: str | None
    last_attempt_timestamp: str | None
    sessions: int
    recovered_sessions: int
    escalated_sessions: int
    flaky_attempts: int
    success_rate_low: float
    success_rate_high: float
    duration_p50_seconds: float | None
    duration_p95_seconds: float | None
    duration_p99_seconds: float | None
    recovery_p50_seconds: float | None
    recovery_p95_seconds: float | None


class AuditRecord(TypedDict):
    """An entry of a trail."""

    entry_id: str
    timestamp: str
    session_id: str
    error_type: str
    strategy: str
    attempt_number: int
    success: bool
    changes_made: list[str]
    files_modified: list[str]
    rollback_performed: bool
    next_action: str
    duration_seconds: float
    error_message: str
    recovery_message: str
