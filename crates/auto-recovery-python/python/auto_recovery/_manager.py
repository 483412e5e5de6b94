"""`AutoRecoveryManager`: takes an error through the strategies that suit it.

What can be overridden or patched is here: which strategies, and one try of each. The loop over
them, the waiting and the record are native, and call back into these methods.
"""

import inspect
import json
import logging
import math
import os
import threading
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from operator import index
from pathlib import Path
from typing import (
    Any,
    Literal,
    NamedTuple,
    SupportsFloat,
    SupportsIndex,
    TypeVar,
    Union,
    cast,
    overload,
)
from weakref import WeakSet

from ._auto_recovery import AttemptNumbers, AuditLog, classify, parse_fix_changes, recover
from ._bridge import Bridge, discard
from ._errors import InvalidInputError, file_system
from ._logger import (
    RecoveryAuditLogger,
    encryption,
    native_log,
    records_itself,
    redaction,
    sealing,
)
from ._model import Error, RecoveryResult, RecoveryStrategyType, words
from ._types import (
    AllStatistics,
    AuditRecord,
    Durability,
    ExportFormat,
    RecoveryStatistics,
    SealWhen,
)

_alive: "WeakSet[AutoRecoveryManager]" = WeakSet()

T = TypeVar("T")
_Outcome = dict[str, Any]
_Context = Mapping[str, Any]
_Handled = Union[Awaitable[T], T]  # noqa: UP007  (mypy knows no generic alias of the other form)

_HANDLERS = (
    "fix_generator",
    "retry_handler",
    "alternative_selector",
    "rollback_handler",
    "verifier",
)


class AutoRecoveryManager:
    """Recovers errors with the handlers it is given, and records every attempt.

    Each strategy is tried up to `max_attempts` times. Before its second try it waits `base_delay`
    seconds, before each further one twice as long, but never longer than `max_delay`.

    Beyond the original, by keyword only: `store`, `durability`, `redact`, `encrypt`, `identity`
    and `seal` as for `RecoveryAuditLogger`;
    `verifier`, which is called with the error after a strategy did something and says whether it is
    cured; `jitter`, which draws each delay between its half and its whole; `deadline`, the
    seconds that one recovery may take.

    Handlers and the verifier may be coroutine functions: `attempt_recovery_async` awaits them.
    """

    max_attempts: int
    base_delay: float
    max_delay: float
    enable_fix_generation: bool
    enable_alternatives: bool
    enable_rollback: bool
    fix_generator: Callable[[Error], _Handled[str | None]] | None
    retry_handler: Callable[[Error], _Handled[bool]] | None
    alternative_selector: Callable[[Error], _Handled[str | None]] | None
    rollback_handler: Callable[[], _Handled[bool]] | None
    verifier: Callable[[Error], _Handled[bool]] | None
    jitter: bool
    deadline: float | None
    recovery_history: list[RecoveryResult]
    audit_logger: RecoveryAuditLogger | None
    current_session_id: str | None
    logger: logging.Logger
    _bridge: Bridge | None = None
    _origin: "AutoRecoveryManager | None" = None

    def __init__(
        self,
        max_attempts: int = 3,
        base_delay: float = 1.0,
        max_delay: float = 60.0,
        enable_fix_generation: bool = True,
        enable_alternatives: bool = True,
        enable_rollback: bool = True,
        audit_dir: str | os.PathLike[str] | None = None,
        enable_audit_logging: bool = True,
        *,
        store: str | None = None,
        durability: Durability | None = None,
        redact: bool | Iterable[str] = True,
        encrypt: str | Iterable[str] = (),
        identity: str | os.PathLike[str] | None = None,
        seal: bool | SealWhen = True,
        verifier: Callable[[Error], _Handled[bool]] | None = None,
        jitter: bool = False,
        deadline: float | None = None,
    ) -> None:
        _check_numbers(max_attempts, base_delay, max_delay, deadline)
        self.max_attempts = max_attempts
        self.base_delay = base_delay
        self.max_delay = max_delay
        self.enable_fix_generation = enable_fix_generation
        self.enable_alternatives = enable_alternatives
        self.enable_rollback = enable_rollback
        self.fix_generator = None
        self.retry_handler = None
        self.alternative_selector = None
        self.rollback_handler = None
        self.verifier = verifier
        self.jitter = jitter
        self.deadline = deadline
        self.recovery_history = []
        self.audit_logger = None
        self.current_session_id = None
        self.logger = logging.getLogger("maestro.auto_recovery")
        self._audit_dir = audit_dir
        self._store = store
        self._durability: Durability | None = durability
        self._redact = redaction(redact)
        self._encrypt = encryption(encrypt)
        sealing(seal, self._encrypt)
        self._seal: bool | SealWhen = seal
        self._identity = identity
        self._number_attempts()
        self.enable_audit_logging = enable_audit_logging

    @property
    def enable_audit_logging(self) -> bool:
        """Whether attempts are recorded: whether there is an `audit_logger`."""
        return self.audit_logger is not None

    @enable_audit_logging.setter
    def enable_audit_logging(self, enable: bool) -> None:
        if not enable:
            self.audit_logger = None
        elif self.audit_logger is None:
            self.audit_logger = RecoveryAuditLogger(
                self._audit_dir,
                store=self._store,
                durability=self._durability,
                redact=self._redact,
                encrypt=self._encrypt,
                identity=self._identity,
                seal=self._seal,
            )

    @property
    def audit_dir(self) -> Path | None:
        """Where the trail is kept. May be set to another directory."""
        if self.audit_logger is not None:
            return self.audit_logger.audit_dir
        return None if self._audit_dir is None else Path(self._audit_dir)

    @audit_dir.setter
    def audit_dir(self, audit_dir: str | os.PathLike[str] | None) -> None:
        self._audit_dir = audit_dir
        self._store = None
        self._numbers.forget()
        if self.audit_logger is not None:
            if native_log(self.audit_logger) is not None:
                self.audit_logger.close()
            self.audit_logger = RecoveryAuditLogger(
                audit_dir,
                durability=self._durability,
                redact=self._redact,
                encrypt=self._encrypt,
                identity=self._identity,
                seal=self._seal,
            )

    def attempt_recovery(
        self, error: Error | BaseException, context: _Context | None = None
    ) -> RecoveryResult:
        """Tries the strategies that suit `error`, any exception too, until one cures it.

        That nothing helped is no exception: the result says so. `KeyboardInterrupt` and the like
        end the recovery, and are raised again once everything is on record.
        """
        context = {} if context is None else context
        if isinstance(error, BaseException):
            error = Error.from_exception(error)
        if not isinstance(error, Error):
            name = type(error).__name__
            raise InvalidInputError(f"error is a {name}: give an Error, or an exception")
        if self._bridge is None:
            self._refuse_coroutine_functions()
        self._begin()
        strategies = self._select_recovery_strategies(error, context)
        return recover(self, error, context, self._request(strategies))

    async def attempt_recovery_async(
        self, error: Error | BaseException, context: _Context | None = None
    ) -> RecoveryResult:
        """As `attempt_recovery`, for the event loop, which goes on meanwhile.

        Handlers are called in a thread; what they return is awaited in the loop, where it can be.
        Cancelling the task ends the recovery, and what it did is on record before this raises.
        """
        bridge = Bridge()

        def recover() -> RecoveryResult:
            self._begin()
            return self._view(_bridge=bridge).attempt_recovery(error, context)

        return await bridge.run(recover)

    def _begin(self) -> None:
        """Begins a session, unless there is one."""
        if self._origin is not None and self.current_session_id is None:
            self._origin._begin()
            self.current_session_id = self._origin.current_session_id
        if self.audit_logger is not None and self.current_session_id is None:
            with self._beginning:
                if self.current_session_id is None:
                    self.current_session_id = self.audit_logger.start_session()

    # What a caller may override: the loop calls it through `self`.

    def _classify_error(self, error: Error) -> str:
        """`transient`, `code_quality`, `test_failure`, `dependency` or `unknown`."""
        category, _ = classify(error)
        return category

    def _select_recovery_strategies(
        self, error: Error, context: _Context
    ) -> list[RecoveryStrategyType]:
        """The strategies to try for `error`, in order."""
        fix = [RecoveryStrategyType.FIX]
        alternative = [RecoveryStrategyType.ALTERNATIVE]
        enabled_fix = fix if self.enable_fix_generation else []
        enabled_alternative = alternative if self.enable_alternatives else []
        retry = [RecoveryStrategyType.RETRY] if self.retry_handler is not None else []
        match self._classify_error(error):
            case "transient":
                strategies = retry + fix
            case "code_quality":
                strategies = enabled_fix + alternative
            case "dependency":
                strategies = enabled_alternative + fix
            case _:
                strategies = enabled_fix + retry + enabled_alternative
        if self.enable_rollback and self.rollback_handler is not None:
            strategies = [*strategies, RecoveryStrategyType.ROLLBACK]
        return strategies

    def _attempt_strategy(
        self, strategy: RecoveryStrategyType, error: Error, context: _Context, attempt_num: int
    ) -> _Outcome:
        """One try of `strategy`. What it raises fails the try."""
        try:
            match strategy:
                case RecoveryStrategyType.FIX:
                    return self._attempt_fix_generation(error, context, attempt_num)
                case RecoveryStrategyType.RETRY:
                    return self._attempt_retry(error, context, attempt_num)
                case RecoveryStrategyType.ALTERNATIVE:
                    return self._attempt_alternative(error, context, attempt_num)
                case RecoveryStrategyType.ROLLBACK:
                    return self._attempt_rollback(error, context, attempt_num)
                case other:
                    return _failed(f"Unknown strategy: {other}")
        except Exception as raised:
            return _failed(f"Strategy execution failed: {words(raised)}")

    def _attempt_fix_generation(
        self, error: Error, context: _Context, attempt_num: int
    ) -> _Outcome:
        if self.fix_generator is None:
            return _missing("Fix generator not configured")
        try:
            suggestion = self._awaited(self.fix_generator(error))
        except Exception as raised:
            return _failed(f"Fix generation failed: {words(raised)}")
        if suggestion is None or not str(suggestion).strip():
            return _failed("No fix suggestions generated")
        changes = self._parse_fix_changes(suggestion, error)
        return _succeeded(f"Generated {len(changes)} fix suggestions", changes)

    def _attempt_retry(self, error: Error, context: _Context, attempt_num: int) -> _Outcome:
        if self.retry_handler is None:
            return _missing("Retry handler not configured")
        try:
            cured = self._awaited(self.retry_handler(error))
        except Exception as raised:
            return _failed(f"Retry failed: {words(raised)}")
        return _succeeded("Retry successful") if cured else _failed("Retry failed")

    def _attempt_alternative(self, error: Error, context: _Context, attempt_num: int) -> _Outcome:
        if self.alternative_selector is None:
            return _missing("Alternative selector not configured")
        try:
            name = self._awaited(self.alternative_selector(error))
        except Exception as raised:
            return _failed(f"Alternative selection failed: {words(raised)}")
        if not name:
            return _failed("No alternative approach available")
        return _succeeded(
            f"Applied alternative approach: {name}", [f"Switched to alternative: {name}"]
        )

    def _attempt_rollback(self, error: Error, context: _Context, attempt_num: int) -> _Outcome:
        if self.rollback_handler is None:
            return _missing("Rollback handler not configured")
        try:
            went_back = self._awaited(self.rollback_handler())
        except Exception as raised:
            return _failed(f"Rollback failed: {words(raised)}")
        if not went_back:
            return _failed("Rollback failed")
        return _succeeded("Rollback successful", ["Rolled back to last checkpoint"])

    def _verify(self, error: Error) -> bool:
        """What the verifier says, where there is one."""
        return self.verifier is None or bool(self._awaited(self.verifier(error)))

    def _parse_fix_changes(self, suggestion: str, error: Error) -> list[str]:
        """What a suggestion speaks of: code blocks, then list items; else its beginning."""
        return parse_fix_changes(suggestion)

    # The audit trail.

    def start_new_session(self, session_id: str | None = None) -> str | None:
        """Starts a session for the recoveries that follow; `None` without audit logging."""
        if self.audit_logger is None:
            return None
        self.current_session_id = self.audit_logger.start_session(session_id)
        return self.current_session_id

    def get_audit_trail(self, session_id: str | None = None) -> list[AuditRecord]:
        """The entries of a session, the current one if none is named, as dictionaries."""
        session_id = session_id or self.current_session_id
        if self.audit_logger is None or session_id is None:
            return []
        history = self.audit_logger.get_recovery_history(session_id)
        return [cast(AuditRecord, entry.to_dict()) for entry in history]

    def to_records(self, session_id: str | None = None) -> list[AuditRecord]:
        """As `RecoveryAuditLogger.to_records`; empty when audit logging is disabled."""
        return [] if self.audit_logger is None else self.audit_logger.to_records(session_id)

    def get_recovery_statistics(self, session_id: str | None = None) -> RecoveryStatistics:
        """The statistics of a session, the current one if none is named; `{}` if there is none."""
        session_id = session_id or self.current_session_id
        if self.audit_logger is None or session_id is None:
            return cast(RecoveryStatistics, {})
        return self.audit_logger.get_recovery_statistics(session_id)

    @overload
    def statistics(
        self, session_id: str | None = None, all_sessions: Literal[False] = False
    ) -> RecoveryStatistics: ...
    @overload
    def statistics(
        self, session_id: str | None = None, *, all_sessions: Literal[True]
    ) -> AllStatistics: ...
    @overload
    def statistics(
        self, session_id: str | None = None, all_sessions: bool = False
    ) -> RecoveryStatistics | AllStatistics: ...
    def statistics(
        self, session_id: str | None = None, all_sessions: bool = False
    ) -> RecoveryStatistics | AllStatistics:
        """As `RecoveryAuditLogger.statistics`, of the current session if none is named; `{}` if
        there is none.
        """
        if all_sessions:
            logger = self.audit_logger
            if logger is None:
                return cast(AllStatistics, {})
            return logger.statistics(session_id, all_sessions=True)
        return self.get_recovery_statistics(session_id)

    def export_audit_trail(
        self, session_id: str | None = None, format: ExportFormat = "json"
    ) -> str | None:
        """Writes a session's trail to a file and returns its path; `None`, with a line in the
        log, if there is nothing to export.
        """
        session_id = session_id or self.current_session_id
        if self.audit_logger is None or session_id is None:
            self.logger.warning("No audit trail to export: %s", self._why_none())
            return None
        try:
            return self.audit_logger.export_audit_trail(session_id, format)
        except ValueError as refused:
            self.logger.error("Audit trail not exported: %s", refused)
            return None

    def generate_recovery_report(
        self,
        session_id: str | None = None,
        output_path: str | os.PathLike[str] | None = None,
    ) -> str | None:
        """Writes the report of a session and returns its path; `None`, with a line in the log, if
        there is nothing to report.
        """
        session_id = session_id or self.current_session_id
        if self.audit_logger is None or session_id is None:
            self.logger.warning("No recovery to report: %s", self._why_none())
            return None
        try:
            return self.audit_logger.generate_recovery_report(session_id, output_path)
        except ValueError as refused:
            self.logger.error("Recovery report not written: %s", refused)
            return None

    def clear_audit_history(self, session_id: str | None = None) -> None:
        """Removes the trail of a session, the current one if none is named."""
        session_id = session_id or self.current_session_id
        if self.audit_logger is None or session_id is None:
            return
        self.audit_logger.clear_session(session_id)
        if self.current_session_id == session_id:
            self._numbers.forget()
            self.current_session_id = None

    # The recoveries that this manager made.

    def get_recovery_history(self) -> list[dict[str, Any]]:
        """The results so far, as dictionaries."""
        return [result.to_dict() for result in self.recovery_history]

    def save_recovery_history(self, path: str | os.PathLike[str]) -> None:
        """Writes the results so far to `path`, as a JSON list."""
        text = json.dumps(self.get_recovery_history(), indent=2, default=str)
        with file_system("write", path):
            Path(path).write_text(text, encoding="utf-8")

    def clear_recovery_history(self) -> None:
        """Forgets the results so far. The audit trail stays."""
        self.recovery_history.clear()

    def close(self) -> None:
        """Closes the files that are open. Whatever is asked next opens them again."""
        if self.audit_logger is not None:
            self.audit_logger.close()

    def __enter__(self) -> "AutoRecoveryManager":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __getstate__(self) -> dict[str, Any]:
        own = ("_numbers", "_beginning", "_bridge", "_origin")
        return {name: value for name, value in self.__dict__.items() if name not in own}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._number_attempts()

    def __repr__(self) -> str:
        handlers = ", ".join(name for name in _HANDLERS if getattr(self, name, None) is not None)
        said = [f"handlers=[{handlers}]", f"recoveries={len(self.recovery_history)}"]
        if self.audit_logger is not None:
            said += [f"audit_dir={str(self.audit_dir)!r}", f"session={self.current_session_id!r}"]
        return f"<{type(self).__name__} {' '.join(said)}>"

    def _view(self, **replaced: Any) -> "AutoRecoveryManager":
        """This manager with some attributes of its own: for one recovery, beside others. History,
        numbers and record are the same.
        """
        view = object.__new__(type(self))
        view.__dict__.update(self.__dict__, _origin=self._origin or self, **replaced)
        return view

    def _awaited(self, said: _Handled[T]) -> T:
        """What a handler said, awaited where it is to be."""
        if not inspect.isawaitable(said):
            return said
        if self._bridge is None:
            discard(said)
            raise InvalidInputError("it has to be awaited: use attempt_recovery_async")
        awaited: T = self._bridge.result(said)
        return awaited

    def _refuse_coroutine_functions(self) -> None:
        for name in _HANDLERS:
            if inspect.iscoroutinefunction(getattr(self, name, None)):
                raise InvalidInputError(
                    f"{name} is a coroutine function: await attempt_recovery_async"
                )

    def _number_attempts(self) -> None:
        self._numbers = AttemptNumbers()
        # Threads that share a manager share the session that the first of them begins.
        self._beginning = threading.RLock()
        _alive.add(self)

    def _request(self, strategies: Sequence[RecoveryStrategyType]) -> "_Request":
        is_own_category = getattr(self._classify_error, "__func__", None) is _CLASSIFY
        native = journal = None
        log = native_log(self.audit_logger)
        if log is not None:
            records = records_itself(self.audit_logger)
            native, journal = (log, None) if records else (None, log)
        sleep = None if self._bridge is None else self._bridge.sleep
        return _Request(list(strategies), is_own_category, native, journal, sleep)

    def _why_none(self) -> str:
        return "audit logging is disabled" if self.audit_logger is None else "there is no session"


_CLASSIFY = AutoRecoveryManager._classify_error


def _after_fork() -> None:
    """A forked child numbers attempts by itself: the lock may have been held by a thread of its
    parent's.
    """
    for manager in list(_alive):
        manager._numbers = AttemptNumbers()
        manager._beginning = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


class _Request(NamedTuple):
    """What the native loop is asked to do."""

    strategies: list[RecoveryStrategyType]
    is_own_category: bool
    native: AuditLog | None
    """The log to record in, where the loop may do that by itself."""
    journal: AuditLog | None
    """The log that keeps the journal, where a logger of the caller's own is asked to record."""
    sleep: Callable[[float], None] | None
    """Waits in the place of `time.sleep`."""


def _succeeded(message: str, changes_made: list[str] | None = None) -> _Outcome:
    outcome: _Outcome = {"success": True, "message": message}
    if changes_made:
        outcome["changes_made"] = changes_made
    return outcome


def _failed(message: str) -> _Outcome:
    return {"success": False, "message": message}


def _missing(message: str) -> _Outcome:
    """There is no handler: nothing is waited for before the next try."""
    return {**_failed(message), "is_missing": True}


def _check_numbers(
    max_attempts: object, base_delay: object, max_delay: object, deadline: object
) -> None:
    if not isinstance(max_attempts, SupportsIndex) or not 0 <= index(max_attempts) < 2**64:
        raise InvalidInputError(f"max_attempts is {max_attempts!r}: give a whole number, 0 or more")
    for name, seconds in (
        ("base_delay", base_delay),
        ("max_delay", max_delay),
        ("deadline", 0 if deadline is None else deadline),
    ):
        # What is no number at all is not at least 0 either.
        if not isinstance(seconds, SupportsFloat) or not _float(seconds) >= 0:
            raise InvalidInputError(f"{name} is {seconds!r}: give a number of seconds, 0 or more")
        if name == "base_delay" and math.isinf(_float(seconds)):
            raise InvalidInputError(f"{name} is {seconds!r}: no wait can be that long")


def _float(seconds: SupportsFloat) -> float:
    try:
        return float(seconds)
    except (OverflowError, ValueError):
        return math.nan
