"""Recover failing work by itself, and keep a durable record of every attempt.

The classes are those of the Python original, by the same names; the loop, the waiting and the
record are native. `recovering` recovers what a function or a block raises, `run` a command,
`classify` says what kind of failure an output shows. See ``docs/guide/python.md`` for what is the
same, what is better, and what differs.
"""

# Callers of the original patch `auto_recovery.time.sleep`, and that is what waits.
import time as time

from ._auto_recovery import __version__
from ._classify import classify
from ._errors import (
    DamagedError,
    InvalidInputError,
    NotFoundError,
    NotRecoveredError,
    RecoveryError,
    StoreError,
)
from ._logger import RecoveryAuditLogger
from ._manager import AutoRecoveryManager
from ._model import (
    Classification,
    Error,
    RecoveryAttempt,
    RecoveryAuditEntry,
    RecoveryResult,
    RecoveryStrategyType,
)
from ._recovering import Recovering, recovering
from ._run import RunResult, find_recover, run
from ._types import (
    AllStatistics,
    AuditRecord,
    Category,
    Durability,
    ExportFormat,
    RecoveryStatistics,
    RunOutcome,
    SealWhen,
)

__all__ = [
    "AllStatistics",
    "AuditRecord",
    "AutoRecoveryManager",
    "Category",
    "Classification",
    "DamagedError",
    "Durability",
    "Error",
    "ExportFormat",
    "InvalidInputError",
    "NotFoundError",
    "NotRecoveredError",
    "Recovering",
    "RecoveryAttempt",
    "RecoveryAuditEntry",
    "RecoveryAuditLogger",
    "RecoveryError",
    "RecoveryResult",
    "RecoveryStatistics",
    "RecoveryStrategyType",
    "RunOutcome",
    "RunResult",
    "SealWhen",
    "StoreError",
    "__version__",
    "classify",
    "find_recover",
    "recovering",
    "run",
]
