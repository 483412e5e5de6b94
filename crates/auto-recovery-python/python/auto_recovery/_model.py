"""The data classes of the specification: Python's own, so that everything Python does with data
classes (``asdict``, ``replace``, ``match``, pickling, comparison) works on them.
"""

import json
import sysconfig
import traceback
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from datetime import datetime, timezone
from enum import Enum
from types import TracebackType
from typing import Any

from ._errors import InvalidInputError
from ._types import Category


class RecoveryStrategyType(str, Enum):
    """What can be tried. A member is also its name in the record: ``FIX == "fix"``."""

    FIX = "fix"
    RETRY = "retry"
    ALTERNATIVE = "alternative"
    ROLLBACK = "rollback"
    ESCALATE = "escalate"


class _Document:
    """What every data class can also be."""

    def to_dict(self) -> dict[str, Any]:
        """The fields as a dictionary; attempts and errors in it are dictionaries too."""
        return _fields(self)

    def to_json(self) -> str:
        """The same as a JSON document."""
        return json.dumps(self.to_dict(), indent=2, default=str)


@dataclass
class Error(_Document):
    """What failed."""

    error_type: str
    message: str
    source: str
    context: dict[str, Any] = field(default_factory=dict)
    stack_trace: str | None = None
    file_path: str | None = None
    line_number: int | None = None

    @classmethod
    def from_exception(
        cls,
        exception: BaseException,
        *,
        source: str = "python",
        context: Mapping[str, Any] | None = None,
    ) -> "Error":
        """What `exception` says: its type, its text and its traceback. File and line are the
        innermost ones of the program's own code, as far as that was in the way; of a
        `SyntaxError`, where the fault is.
        """
        if not isinstance(exception, BaseException):
            raise InvalidInputError(f"{exception!r} is no exception")
        file_path, line_number = _fault(exception)
        return cls(
            error_type=type(exception).__name__,
            message=words(exception),
            source=source,
            context=dict(context or {}),
            stack_trace="".join(
                traceback.format_exception(type(exception), exception, exception.__traceback__)
            ),
            file_path=file_path,
            line_number=line_number,
        )


@dataclass
class RecoveryAttempt(_Document):
    """One try of one strategy."""

    attempt_number: int
    strategy: str
    success: bool
    error_before: Error | None
    error_after: Error | None
    changes_made: list[str]
    timestamp: str
    duration_seconds: float
    message: str


@dataclass(frozen=True)
class Classification(_Document):
    """What kind of failure an output shows, and the rule that says so."""

    category: Category
    error: Error
    rule: str


@dataclass
class RecoveryResult(_Document):
    """What came of one recovery."""

    success: bool
    strategy_used: RecoveryStrategyType
    attempts: list[RecoveryAttempt]
    final_error: Error | None
    message: str
    escalated_to_human: bool = False
    timestamp: str = field(default_factory=lambda: now())


@dataclass
class RecoveryAuditEntry(_Document):
    """The record of one attempt."""

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


def now() -> str:
    """The time, as the data classes write it."""
    return datetime.now(timezone.utc).isoformat()


def words(raised: BaseException) -> str:
    """What `raised` says; its name where it says nothing, or cannot."""
    try:
        return str(raised) or type(raised).__name__
    except Exception:
        return type(raised).__name__


# Where code lies that is not the program's own.
_LIBRARIES = tuple(
    path
    for name in ("stdlib", "platstdlib", "purelib", "platlib")
    if (path := sysconfig.get_path(name))
)


def _fault(exception: BaseException) -> tuple[str | None, int | None]:
    """Where `exception` came from."""
    if isinstance(exception, SyntaxError) and exception.filename is not None:
        return exception.filename, exception.lineno
    places = list(_places(exception.__traceback__))
    own = [one for one in places if not one[0].startswith((*_LIBRARIES, "<"))]
    return (own or places)[-1] if places else (None, None)


def _places(trace: TracebackType | None) -> Iterator[tuple[str, int]]:
    while trace is not None:
        yield trace.tb_frame.f_code.co_filename, trace.tb_lineno
        trace = trace.tb_next


def _fields(instance: Any) -> dict[str, Any]:
    return {one.name: _plain(getattr(instance, one.name)) for one in fields(instance)}


def _plain(value: Any) -> Any:
    """`value` as `asdict` gives it, except that it copies only what can be copied: a context may
    hold anything. Members of an enum become their values.
    """
    if isinstance(value, Enum):
        return value.value
    if is_dataclass(value) and not isinstance(value, type):
        return _fields(value)
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value
