"""Recover failing work by itself, and keep a durable record of every attempt.

The classes are those of the Python original, by the same names; the loop, the waiting and the
record are native. See ``docs/guide/python.md`` for what is the same, what is better, and what
differs.
"""

# Callers of the original patch `auto_recovery.time.sleep`, and that is what waits.
import time as time

from ._auto_recovery import __version__
from ._errors import (
    DamagedError,
    InvalidInputError,
    NotFoundError,
    RecoveryError,
    StoreError,
)
from ._logger import RecoveryAuditLogger
from ._manager import AutoRecoveryManager
from ._model import (
    Error,
    RecoveryAttempt,
    RecoveryAuditEntry,
    RecoveryResult,
    RecoveryStrategyType,
)

__all__ = [
    "AutoRecoveryManager",
    "DamagedError",
    "Error",
    "InvalidInputError",
    "NotFoundError",
    "RecoveryAttempt",
    "RecoveryAuditEntry",
    "RecoveryAuditLogger",
    "RecoveryError",
    "RecoveryResult",
    "RecoveryStrategyType",
    "StoreError",
    "__version__",
]
