"""The exceptions of this package. Each is also the built-in one that callers may already catch."""


class RecoveryError(Exception):
    """Something this package could not do. ``code`` names the kind, in words that stay the same."""

    code: str = "error"


class InvalidInputError(RecoveryError, ValueError):
    """A value that was given cannot be used: an id, a format, a duration."""

    code = "invalid_input"


class NotFoundError(RecoveryError, LookupError):
    """What was named does not exist."""

    code = "not_found"


class StoreError(RecoveryError, OSError):
    """The store could not be read or written. ``errno`` is the system's, where it said one."""

    code = "io"


class DamagedError(RecoveryError):
    """What is stored is not what was written, or was written by a newer release."""

    code = "damaged"
