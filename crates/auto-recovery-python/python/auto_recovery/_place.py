"""Where a trail is kept: the directory that was given, or the one that the command `recover`
uses."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from ._errors import InvalidInputError
from ._types import Durability

_SCHEME = "jsonl"


@dataclass(frozen=True)
class Place:
    """A store of trails."""

    directory: Path
    durability: Durability


def place(
    audit_dir: str | os.PathLike[str] | None, store: str | None, durability: Durability | None
) -> Place:
    """The store that was asked for. What was not asked for is as in the command: `RECOVER_STORE`,
    then the user's state directory; `RECOVER_DURABILITY`, then `sync`.
    """
    durability = durability or cast(Durability, os.environ.get("RECOVER_DURABILITY") or "sync")
    if store is not None:
        if audit_dir is not None:
            raise InvalidInputError("audit_dir and store both say where the trail is: give one")
        return Place(_directory(store), durability)
    if audit_dir is not None:
        return Place(Path(audit_dir), durability)
    store = os.environ.get("RECOVER_STORE")
    return Place(_directory(store) if store else _own_directory(), durability)


def state_directory() -> Path | None:
    """Where the command keeps its state: the keys of seals, too. `None` if there is no home."""
    try:
        return _own_directory()
    except InvalidInputError:
        return None


def _directory(store: str) -> Path:
    scheme, colon, directory = store.partition(":")
    if not colon or not directory:
        raise InvalidInputError(f"store {_masked(store)!r} is no URL: write it like jsonl:DIR")
    if scheme != _SCHEME:
        raise InvalidInputError(
            f"store {_masked(store)!r}: there is no {scheme} store here, only jsonl: "
            "write it like jsonl:DIR"
        )
    return Path(directory)


def _masked(store: str) -> str:
    """`store` without what may be a password."""
    scheme, separator, rest = store.partition("://")
    if "@" not in rest:
        return store
    return f"{scheme}{separator}***@{rest.rpartition('@')[2]}"


def _own_directory() -> Path:
    state = os.environ.get("RECOVER_STATE_DIR")
    if state:
        return Path(state)
    xdg = os.environ.get("XDG_STATE_HOME", "")
    base = Path(xdg) if os.path.isabs(xdg) else _home() / ".local" / "state"
    return base / "auto-recovery"


def _home() -> Path:
    try:
        return Path.home()
    except RuntimeError as unknown:
        raise InvalidInputError(
            "there is no home directory to keep the trail in: give audit_dir"
        ) from unknown
