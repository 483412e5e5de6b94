"""What kind of failure the output of a command shows."""

import os
from collections.abc import Sequence

from ._auto_recovery import classify_output
from ._errors import InvalidInputError
from ._model import Classification


def classify(
    text: str | bytes,
    exit_code: int | None = None,
    *,
    command: Sequence[str | os.PathLike[str]] = (),
) -> Classification:
    """What kind of failure `text`, the output of a command, shows. More is known with its exit code
    and its `command`.

    The built-in rules decide, as in ``recover classify``. Where none speaks, the category is
    ``unknown``: nothing is guessed. `Classification.error` can be given to `attempt_recovery`.
    """
    if isinstance(text, str):
        text = text.encode("utf-8", "replace")
    if exit_code is not None and not -(2**31) <= exit_code < 2**31:
        raise InvalidInputError(f"exit_code is {exit_code}: give what a process can exit with")
    return Classification(*classify_output(text, exit_code, words_of(command)))


def words_of(command: Sequence[str | os.PathLike[str]]) -> list[str]:
    """`command` as the words it is started with."""
    if isinstance(command, (str, bytes)):
        raise InvalidInputError(
            f"command is the text {command!r}: give a list of words, or "
            '["sh", "-c", TEXT] for a line of a shell'
        )
    return [os.fspath(word) for word in command]
