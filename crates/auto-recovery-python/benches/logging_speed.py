"""How fast attempts are logged, beside the original's way. Prints a table in Markdown.

    python benches/logging_speed.py [ATTEMPTS]

Install the wheel of an optimised build first (`pip install .`). ATTEMPTS is 100,000 by default.
What waits for the disk on few threads, and the original's way, log fewer: the table says how many.
The attempts are made before the clock starts.
"""

import itertools
import json
import logging
import statistics
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterable
from dataclasses import asdict
from datetime import datetime, timezone
from pathlib import Path

from auto_recovery import (
    Durability,
    Error,
    RecoveryAttempt,
    RecoveryAuditEntry,
    RecoveryAuditLogger,
)

ERROR = Error("SyntaxError", "invalid syntax: expected ':' after the condition", "linter")
FILES = ["src/app.py", "src/price.py"]
SESSION = "session_0123456789ab"

# The two that are compared take turns this often, so that what else the machine does meets both.
ROUNDS = 20

Log = Callable[[RecoveryAttempt], object]


class OriginalsWay:
    """A writer in plain Python that opens, writes and closes the session's file for each entry."""

    def __init__(self, audit_dir: Path) -> None:
        self.audit_dir = audit_dir
        self.logger = logging.getLogger("original")
        self.entries: dict[str, list[RecoveryAuditEntry]] = {}

    def log(
        self, attempt: RecoveryAttempt, session_id: str, files_modified: list[str] | None = None
    ) -> str:
        before = attempt.error_before
        entry = RecoveryAuditEntry(
            entry_id=f"entry_{uuid.uuid4().hex[:12]}",
            timestamp=attempt.timestamp,
            session_id=session_id,
            error_type=before.error_type if before else "unknown",
            strategy=attempt.strategy,
            attempt_number=attempt.attempt_number,
            success=attempt.success,
            changes_made=attempt.changes_made,
            files_modified=files_modified or [],
            rollback_performed=False,
            next_action="continue",
            duration_seconds=attempt.duration_seconds,
            error_message=before.message if before else "",
            recovery_message=attempt.message,
        )
        self.entries.setdefault(session_id, []).append(entry)
        with open(self.audit_dir / f"{session_id}_audit.jsonl", "a", encoding="utf-8") as trail:
            trail.write(json.dumps(asdict(entry), indent=2) + "\n")
        self.logger.info("Logged %s", entry.entry_id)
        return entry.entry_id


def attempts(count: int) -> list[RecoveryAttempt]:
    return [
        RecoveryAttempt(
            attempt_number=number,
            strategy="fix",
            success=number % 3 == 0,
            error_before=ERROR,
            error_after=None,
            changes_made=["Generated 1 code fix(es)", "added the missing colon"],
            timestamp=datetime.now(timezone.utc).isoformat(),
            duration_seconds=1.234,
            message="Generated 2 fix suggestions",
        )
        for number in range(1, count + 1)
    ]


def seconds(log: Log, some: Iterable[RecoveryAttempt]) -> float:
    started = time.perf_counter()
    for attempt in some:
        log(attempt)
    return time.perf_counter() - started


def seconds_threaded(log: Log, some: list[RecoveryAttempt], threads: int) -> float:
    shares = [some[index::threads] for index in range(threads)]
    workers = [threading.Thread(target=seconds, args=(log, share)) for share in shares]
    started = time.perf_counter()
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return time.perf_counter() - started


def compared(log: Log, original: Log, count: int) -> tuple[float, float]:
    """Seconds an attempt, each way: medians of rounds that take turns. The original's has a fifth
    of the attempts."""
    each = max(5, count // ROUNDS)
    some = attempts(each)
    rounds = [
        (seconds(original, some[: each // 5]) / (each // 5), seconds(log, some) / each)
        for _ in range(ROUNDS)
    ]
    theirs, ours = zip(*rounds, strict=True)
    return statistics.median(theirs), statistics.median(ours)


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    names = itertools.count()
    print("| way | threads | attempts | a second | µs each | beside the original's way |")
    print("|---|--:|--:|--:|--:|--:|")
    with tempfile.TemporaryDirectory() as directory:

        def opened(durability: Durability) -> Log:
            place = Path(directory) / f"{next(names)}"
            logger = RecoveryAuditLogger(place, durability=durability)
            logger.start_session(SESSION)
            return lambda attempt: logger.log_recovery_attempt(attempt, SESSION, FILES)

        original = OriginalsWay(Path(directory))
        theirs, ours = compared(
            opened("flush"), lambda attempt: original.log(attempt, SESSION, FILES), count
        )

        def row(way: str, threads: int, logged: int, each: float) -> None:
            print(
                f"| {way} | {threads} | {logged:,} | {1 / each:,.0f} | {each * 1e6:,.1f} "
                f"| {theirs / each:.2f} |"
            )

        row("the original's: open, write indented, close", 1, count // 5, theirs)
        row("`flush`", 1, count, ours)
        ways: list[tuple[Durability, int, int]] = [
            ("flush", 8, count),
            ("sync", 1, count // 50),
            ("sync", 8, count // 5),
            ("sync", 64, count),
        ]
        for durability, threads, logged in ways:
            taken = seconds_threaded(opened(durability), attempts(logged), threads)
            row(f"`{durability}`", threads, logged, taken / logged)


if __name__ == "__main__":
    main()
