"""The exceptions of this package. Each is also the built-in one that callers may already catch."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ._run import RunResult


class RecoveryError(Exception):
    """Something this package could not do. ``code`` names the kind, in words that stay the same."""

    code: str = "error"

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self)!r}, code={self.code!r})"


class InvalidInputError(RecoveryError, ValueError):
    """A value that was given cannot be used: an id, a format, a number, a duration."""

    code = "invalid_input"


class NotFoundError(RecoveryError, LookupError):
    """What was named does not exist."""

    code = "not_found"


class StoreError(RecoveryError, OSError):
    """The file system or the store refused. ``errno`` is the system's, where it said one.

    As with `OSError` itself, the number decides the class: what was raised for ``EACCES`` is a
    `PermissionError` too, for ``ENOENT`` a `FileNotFoundError`, and so on.
    """

    code = "io"

    def __new__(cls, *args: Any) -> "StoreError":
        if cls is StoreError and args:
            cls = _BY_ERRNO.get(args[0], cls)
        return super().__new__(cls, *args)


class StoreFileExistsError(StoreError, FileExistsError): ...


class StoreIsADirectoryError(StoreError, IsADirectoryError): ...


class StoreFileNotFoundError(StoreError, FileNotFoundError): ...


class StoreNotADirectoryError(StoreError, NotADirectoryError): ...


class StorePermissionError(StoreError, PermissionError): ...


_BY_ERRNO: dict[object, type[StoreError]] = {
    errno.EACCES: StorePermissionError,
    errno.EEXIST: StoreFileExistsError,
    errno.EISDIR: StoreIsADirectoryError,
    errno.ENOENT: StoreFileNotFoundError,
    errno.ENOTDIR: StoreNotADirectoryError,
    errno.EPERM: StorePermissionError,
}


class DamagedError(RecoveryError):
    """What is stored is not what was written, or was written by a newer release."""

    code = "damaged"


class NotRecoveredError(RecoveryError):
    """``run(..., check=True)``: nothing recovered the command. ``result`` says how."""

    code = "not_recovered"

    def __init__(self, message: str, result: "RunResult") -> None:
        super().__init__(message, result)
        self.result = result

    def __str__(self) -> str:
        return str(self.args[0])


@contextmanager
def file_system(doing: str, path: str | os.PathLike[str]) -> Iterator[None]:
    """Raises what the file system refuses while `doing` something with `path` as `StoreError`."""
    try:
        yield
    except OSError as refused:
        said = refused.strerror or str(refused)
        error = StoreError(refused.errno, f"{doing} {os.fspath(path)}: {said}")
        if refused.errno in (errno.ENOSPC, errno.EDQUOT):
            error.code = "no_space"
        raise error from refused
