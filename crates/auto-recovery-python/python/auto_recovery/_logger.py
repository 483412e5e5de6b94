"""`RecoveryAuditLogger`: keeps the record of attempts.

A plain Python class over the native log, so that it can be subclassed, patched and pickled as any
other. The native log does the work, with the interpreter released.
"""

import atexit
import logging
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal, overload
from weakref import WeakSet

from ._auto_recovery import AuditLog
from ._errors import InvalidInputError, file_system
from ._model import RecoveryAttempt, RecoveryAuditEntry, now
from ._place import place, state_directory
from ._types import (
    AllStatistics,
    AuditRecord,
    Durability,
    ExportFormat,
    RecoveryStatistics,
    SealWhen,
)

_FORMATS = ("json", "csv", "jsonl")

# How much of this process's command goes on record: programs are given as text, too.
_WORDS_MAX = 64
_WORD_CHARS_MAX = 200

# A library says nothing unless the program that uses it wants to hear it.
for _logger in ("maestro.auto_recovery", "maestro.recovery_audit"):
    logging.getLogger(_logger).addHandler(logging.NullHandler())

_open: "WeakSet[RecoveryAuditLogger]" = WeakSet()


class RecoveryAuditLogger:
    """Keeps the record of every attempt in a directory of text files.

    ``audit_dir`` is the directory. Without one it is the user's state directory, which the command
    ``recover`` uses too. ``store`` says the same as a URL: ``jsonl:DIR``. With
    ``durability="sync"`` (the default) an entry is on disk when its id is returned; with
    ``"flush"`` the system has it. ``redact`` says what is masked in all that is kept: with ``True``
    (the default) tokens, keys and passwords that are known for what they are, and the values of
    variables of the environment whose names say that they are secret; a collection of texts masks
    these too; ``False`` keeps everything as it is. ``encrypt`` names recipients of `age`
    (``age1…``): texts are kept so that they alone can read them, and this process cannot.
    ``identity`` is the file of an identity with which it can. ``seal`` says when what is recorded
    is put under a seal, so that ``recover verify`` finds whoever changes it: ``"attempts"``, which
    is ``True`` (the default), before each attempt of a manager, when its recovery ends, now and
    then, and when the logger is closed or the program ends; ``"sessions"``, which ``"flush"`` makes
    of it, only at these ends; ``False`` never.
    """

    logger: logging.Logger
    _seal: SealWhen | Literal["off"]
    _redact: bool | tuple[str, ...]
    _encrypt: tuple[str, ...]
    _identity: Path | None

    def __init__(
        self,
        audit_dir: str | os.PathLike[str] | None = None,
        *,
        store: str | None = None,
        durability: Durability | None = None,
        redact: bool | Iterable[str] = True,
        encrypt: str | Iterable[str] = (),
        identity: str | os.PathLike[str] | None = None,
        seal: bool | SealWhen = True,
    ) -> None:
        self._redact = redaction(redact)
        self._encrypt = encryption(encrypt)
        self._seal = sealing(seal, self._encrypt)
        self._identity = None if identity is None else Path(identity).absolute()
        self.logger = logging.getLogger("maestro.recovery_audit")
        self._session_start_times: dict[str, str] = {}
        self._place = place(audit_dir, store, durability)
        self._reopen()

    @property
    def audit_dir(self) -> Path:
        """Where the trail is, and where exports and reports go. May be set to another directory."""
        return self._place.directory

    @audit_dir.setter
    def audit_dir(self, audit_dir: str | os.PathLike[str] | None) -> None:
        moved = place(audit_dir, None, self._place.durability)
        self._seal_rest()
        self._place = moved
        self._reopen()

    def start_session(self, session_id: str | None = None) -> str:
        """Begins a session, or continues the one that has this id. Returns its id."""
        session_id = self._log.start_session(session_id)
        started = self._log.statistics(session_id)["session_start"]
        self._session_start_times[session_id] = started or now()
        return session_id

    def log_recovery_attempt(
        self,
        attempt: RecoveryAttempt,
        session_id: str,
        files_modified: Iterable[str] | None = None,
        rollback_performed: bool = False,
        next_action: str = "continue",
    ) -> str:
        """Records `attempt` and returns the id of its entry once it is durable."""
        return self._log.log(attempt, session_id, files_modified, rollback_performed, next_action)

    def get_recovery_history(self, session_id: str) -> list[RecoveryAuditEntry]:
        """Every entry of a session, in order; none for an unknown one."""
        return self._log.history(session_id)

    def get_recovery_statistics(self, session_id: str) -> RecoveryStatistics:
        """The statistics of a session; zeros for an unknown one."""
        return self._log.statistics(session_id)

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
        """The statistics of a session, or of all sessions: those have percentiles of durations, the
        outcomes of sessions, and the 95 % interval of the success rate too.
        """
        if all_sessions:
            if session_id is not None:
                raise InvalidInputError("session_id and all_sessions exclude each other: give one")
            return self._log.aggregate()
        if session_id is None:
            raise InvalidInputError("no session is named: give session_id, or all_sessions=True")
        return self.get_recovery_statistics(session_id)

    def export_audit_trail(self, session_id: str, format: ExportFormat = "json") -> str:
        """Writes a session's trail to a new file in `audit_dir` and returns its path.

        Formats are `json`, `csv` and `jsonl`. Raises `ValueError` if the session has no entries,
        or for another format.
        """
        self._need_entries(session_id)
        if format.lower() not in _FORMATS:
            raise InvalidInputError(f"Unsupported format: {format}")
        return str(self._log.export(session_id, format))

    def generate_recovery_report(
        self, session_id: str, output_path: str | os.PathLike[str] | None = None
    ) -> str:
        """Writes the report of a session, as JSON, to `output_path` or to a new file in
        `audit_dir`, and returns its path. Raises `ValueError` if the session has no entries.
        """
        self._need_entries(session_id)
        return str(self._log.report(session_id, output_path))

    def get_all_session_ids(self) -> list[str]:
        """Every session that has entries, newest first, then those that this logger began and
        that have none yet.
        """
        return list(dict.fromkeys([*self._log.session_ids(), *self._session_start_times]))

    def to_records(self, session_id: str | None = None) -> list[AuditRecord]:
        """The entries of a session, of all sessions if none is named, as flat dictionaries: what
        `pandas.DataFrame` and `polars.from_dicts` take.
        """
        sessions = self._log.session_ids() if session_id is None else [session_id]
        return [record for one in sessions for record in self._log.records(one)]

    def clear_session(self, session_id: str) -> None:
        """Removes the trail of a session. That it was removed stays on record."""
        self._log.clear_session(session_id)
        self._session_start_times.pop(session_id, None)

    def clear_all_sessions(self) -> None:
        """Removes the trails of all sessions in `audit_dir`, whoever recorded them."""
        self._log.clear_all_sessions()
        self._session_start_times.clear()

    def close(self) -> None:
        """Seals what was recorded, and closes the files that are open. Whatever is asked next opens
        them again.
        """
        self._seal_rest()
        self._log = self._opened()

    def __enter__(self) -> "RecoveryAuditLogger":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        place = self._place
        return f"{type(self).__name__}({str(place.directory)!r}, durability={place.durability!r})"

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_log"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        # What an older release pickled says nothing of it.
        self._redact = True
        self._encrypt = ()
        self._identity = None
        self._seal = "attempts"
        self.__dict__.update(state)
        self._reopen()

    def _write_entry_to_file(self, entry: RecoveryAuditEntry) -> None:
        """Records an entry that is ready, as it is."""
        self._log.write(entry)

    def _need_entries(self, session_id: str) -> None:
        if not self._log.statistics(session_id)["total_attempts"]:
            raise InvalidInputError(f"No audit entries found for session: {session_id}")

    def _reopen(self) -> None:
        with file_system("make the directory", self.audit_dir):
            self.audit_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._log = self._opened()
        _open.add(self)

    def _opened(self) -> AuditLog:
        return AuditLog(
            self._place.directory,
            self._place.durability,
            _command(),
            _user(),
            self._secrets(),
            self._encrypt,
            self._identity,
            _login_dir(),
            self._seal,
            state_directory(),
        )

    def _seal_rest(self) -> None:
        """Seals what was recorded and is under no seal yet. That it cannot be is logged."""
        if why := self._log.seal():
            logger = logging.getLogger("maestro.auto_recovery")
            logger.warning("what is on record is not sealed: %s", why)

    def _secrets(self) -> list[tuple[str, bytes]] | None:
        """The variables of the environment, and the texts that were given; `None` masks nothing."""
        if self._redact is False:
            return None
        given = () if self._redact is True else self._redact
        variables = [(name, os.fsencode(value)) for name, value in os.environ.items()]
        named = [(name, value) for name, value in variables if name.isascii()]
        return [*named, *(("", text.encode("utf-8", "replace")) for text in given)]


def redaction(redact: bool | Iterable[str]) -> bool | tuple[str, ...]:
    """What `redact` says, to be kept: one text alone was meant as a collection of one."""
    if isinstance(redact, bool):
        return redact
    if not isinstance(redact, Iterable):
        raise InvalidInputError(f"redact is {redact!r}: give texts, True or False")
    texts = (redact,) if isinstance(redact, str) else tuple(redact)
    for text in texts:
        if not isinstance(text, str):
            raise InvalidInputError(f"redact holds {text!r}: give texts, True or False")
    return texts


def encryption(encrypt: str | Iterable[str]) -> tuple[str, ...]:
    """What `encrypt` says, to be kept: one text alone was meant as a collection of one."""
    texts = (encrypt,) if isinstance(encrypt, str) else tuple(encrypt)
    for text in texts:
        if not isinstance(text, str):
            raise InvalidInputError(f"encrypt holds {text!r}: give recipients, age1...")
    return texts


def sealing(seal: bool | SealWhen, encrypt: tuple[str, ...]) -> SealWhen | Literal["off"]:
    """What `seal` says, to be kept."""
    if seal is False:
        if encrypt:
            raise InvalidInputError(
                "encrypt needs seals, which alone say that no text was moved or left out: "
                "leave seal=False out"
            )
        return "off"
    if seal is True:
        return "attempts"
    if seal not in ("attempts", "sessions"):
        raise InvalidInputError(f"seal is {seal!r}: give attempts, sessions, True or False")
    return seal


def _login_dir() -> str | None:
    """The directory of this login, where processes share the keys of sessions."""
    login_dir = os.environ.get("XDG_RUNTIME_DIR", "")
    return login_dir if os.path.isabs(login_dir) else None


_RECORDS_ITSELF = RecoveryAuditLogger.log_recovery_attempt


def records_itself(logger: object) -> bool:
    """Whether `logger` records as this module does: nobody overrode or patched its method."""
    method = getattr(logger, "log_recovery_attempt", None)
    return getattr(method, "__func__", None) is _RECORDS_ITSELF


def native_log(logger: object) -> AuditLog | None:
    """The native log of `logger`; none of a mock that passes for one, or of a subclass that did not
    call `super().__init__`: these are asked to record each attempt, and keep no journal.
    """
    log = getattr(logger, "__dict__", {}).get("_log")
    return log if isinstance(log, AuditLog) else None


def _command() -> list[str]:
    """What started this process, for its sessions: each word cut where it is long."""
    words = sys.orig_argv[:_WORDS_MAX]
    return [one if len(one) <= _WORD_CHARS_MAX else one[:_WORD_CHARS_MAX] + "…" for one in words]


def _user() -> str:
    """Who runs it, as the command says it."""
    return os.environ.get("USER") or os.environ.get("LOGNAME") or f"uid {os.geteuid()}"


def _after_fork() -> None:
    """A forked child has a log of its own: a thread that the parent had, and the child has not,
    may have held a lock of the parent's.
    """
    for logger in list(_open):
        logger._log = logger._opened()


@atexit.register
def _at_exit() -> None:
    """What a program recorded is sealed when it ends, as if it had closed its loggers."""
    for logger in list(_open):
        logger._seal_rest()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
