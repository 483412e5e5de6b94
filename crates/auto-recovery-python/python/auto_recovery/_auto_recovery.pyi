"""The native half of the package. Nothing here is public."""

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, final

from ._manager import AutoRecoveryManager, _Request
from ._model import Error, RecoveryAttempt, RecoveryAuditEntry, RecoveryResult
from ._types import AllStatistics, AuditRecord, Category, ExportFormat, RecoveryStatistics

__all__ = [
    "AttemptNumbers",
    "AuditLog",
    "__version__",
    "classify",
    "classify_output",
    "parse_fix_changes",
    "recover",
]

__version__: str

@final
class AttemptNumbers:
    def __new__(cls) -> AttemptNumbers: ...
    def forget(self) -> None: ...

@final
class AuditLog:
    def __new__(
        cls,
        directory: str | os.PathLike[str],
        durability: str,
        command: Sequence[str],
        user: str,
        secrets: Sequence[tuple[str, bytes]] | None,
        recipients: Sequence[str],
        identity: str | os.PathLike[str] | None,
        login_dir: str | None,
        seal: str,
        state_dir: str | os.PathLike[str] | None,
    ) -> AuditLog: ...
    def seal(self) -> str | None: ...
    def start_session(self, session_id: str | None) -> str: ...
    def log(
        self,
        attempt: RecoveryAttempt,
        session_id: str,
        files_modified: Iterable[str] | None,
        rollback_performed: bool,
        next_action: str,
    ) -> str: ...
    def write(self, entry: RecoveryAuditEntry) -> None: ...
    def history(self, session_id: str) -> list[RecoveryAuditEntry]: ...
    def records(self, session_id: str) -> list[AuditRecord]: ...
    def statistics(self, session_id: str) -> RecoveryStatistics: ...
    def aggregate(self) -> AllStatistics: ...
    def export(self, session_id: str, format: ExportFormat) -> Path: ...
    def report(self, session_id: str, output_path: str | os.PathLike[str] | None) -> Path: ...
    def session_ids(self) -> list[str]: ...
    def clear_session(self, session_id: str) -> int | None: ...
    def clear_all_sessions(self) -> int: ...

def classify(error: Error) -> tuple[Category, str]: ...
def classify_output(
    text: bytes, exit_code: int | None, argv: Sequence[str]
) -> tuple[Category, Error, str]: ...
def parse_fix_changes(suggestion: str) -> list[str]: ...
def recover(
    manager: AutoRecoveryManager,
    error: Error,
    context: Mapping[str, Any],
    request: _Request,
) -> RecoveryResult: ...
