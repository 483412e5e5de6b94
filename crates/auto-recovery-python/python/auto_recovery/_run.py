"""`run`: a command under the program `recover`, which is part of this package."""

import json
import os
import shlex
import signal
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ._classify import words_of
from ._errors import InvalidInputError, NotFoundError, NotRecoveredError, RecoveryError, file_system
from ._model import Error, RecoveryAttempt, _Document
from ._types import Category, RunOutcome

_PROGRAM = "recover"


@dataclass(frozen=True)
class RunResult(_Document):
    """What became of a command: the object that ``recover run --result-file`` writes."""

    outcome: RunOutcome
    exit_code: int
    success: bool
    message: str
    command: list[str]
    session_id: str | None
    """The session of its record; `None` where the command passed at once."""
    strategy_used: str | None
    attempts: list[RecoveryAttempt]
    final_error: Error | None
    escalated_to_human: bool
    flaky: bool
    timestamp: str
    category: Category | None
    error_type: str | None
    failure_kind: str | None
    patch: str | None
    """The path of what the cure changed, for ``git apply``; `None` where it changed nothing."""
    stdout: str | None = None
    """With `capture_output`, what the command wrote."""
    stderr: str | None = None
    """With `capture_output`, what the command and `recover` wrote."""


def run(
    command: Sequence[str | os.PathLike[str]],
    *,
    fix: Sequence[str] = (),
    alternative: Sequence[str] = (),
    retry: int | None = None,
    options: Sequence[str] = (),
    cwd: str | os.PathLike[str] | None = None,
    env: Mapping[str, str] | None = None,
    capture_output: bool = False,
    check: bool = False,
) -> RunResult:
    """Runs `command` as ``recover run`` does: when it fails, what suits the failure is tried, a
    cure is proved by running it again, and what did not help is undone.

    `fix`, `alternative` and `retry` are the options of that name, each text a command line;
    `options` are any others, such as ``["--deadline", "10m"]``. With `check`, a command that is
    not cured raises `NotRecoveredError`. What ``recover`` itself could not do raises
    `RecoveryError`. Ctrl-C ends the recovery, and what it did is undone and on record before
    `KeyboardInterrupt` is raised.
    """
    words = words_of(command)
    if not words:
        raise InvalidInputError("command is empty: give the program and its arguments")
    with tempfile.TemporaryDirectory(prefix="auto-recovery-") as directory:
        result_file = Path(directory) / "result.json"
        asked = [str(find_recover()), "run", "--result-file", str(result_file)]
        for name, lines in (("--fix", fix), ("--alternative", alternative)):
            asked += [part for line in _lines(name, lines) for part in (name, line)]
        if retry is not None:
            asked += ["--retry", str(retry)]
        asked += [*options, "--", *words]
        code, out, err = _run(asked, cwd, env, capture_output)
        if not result_file.exists():
            raise _refused(code, _planned(asked, cwd, env) if err is None and code > 0 else err)
        result = _result(json.loads(result_file.read_bytes()), out, err)
    if result.outcome == "error":
        raise RecoveryError(result.message)
    if check and result.exit_code != 0:
        raise NotRecoveredError(_why(result), result)
    return result


def _why(result: RunResult) -> str:
    """What a caller is to read first: what failed and how, what was tried, and what shows it."""
    tried = len(result.attempts)
    parts = [
        f"`{shlex.join(result.command)}` fails (exit {result.exit_code})",
        f"tried {tried} times" if tried > 1 else "tried once" if tried else "nothing was tried",
    ]
    if result.success:
        parts[0] = f"`{shlex.join(result.command)}` exits with {result.exit_code}: {result.outcome}"
    if result.session_id is not None:
        parts.append(f"{_PROGRAM} show {shlex.quote(result.session_id)}")
    return " · ".join(parts)


def find_recover() -> Path:
    """The program `recover` that was installed with this package.

    Raises `NotFoundError` where it is not: another program of that name is not taken for it.
    """
    looked = dict.fromkeys(_places())
    for place in looked:
        program = place / _PROGRAM
        if program.is_file() and os.access(program, os.X_OK):
            return program
    where = ", ".join(str(place) for place in looked)
    raise NotFoundError(f"the program {_PROGRAM} of this package is in none of {where}")


def _places() -> Iterator[Path]:
    """Where an installer puts the programs of a package, the likeliest first."""
    yield Path(sysconfig.get_path("scripts"))
    # `pip install --target DIR` and `--prefix DIR`.
    package = Path(__file__).parent
    yield package.parent / "bin"
    if len(package.parents) > 3:
        yield package.parents[3] / "bin"
    yield Path(sysconfig.get_path("scripts", sysconfig.get_preferred_scheme("user")))


def _lines(name: str, lines: Sequence[str]) -> Sequence[str]:
    if isinstance(lines, str):
        raise InvalidInputError(f"{name[2:]} is a text: give a list of command lines")
    return lines


def _run(
    asked: list[str],
    cwd: str | os.PathLike[str] | None,
    env: Mapping[str, str] | None,
    capture_output: bool,
) -> tuple[int, str | None, str | None]:
    pipe = subprocess.PIPE if capture_output else None
    for stream in (sys.stdout, sys.stderr):
        # What this program said before stands before what the command says.
        if stream is not None:
            stream.flush()
    if cwd is not None:
        with file_system("go to", cwd):
            # Left to the child, its absence is told as that of the program.
            os.stat(os.path.join(cwd, os.curdir))
    with file_system("start", asked[0]):
        try:
            child = subprocess.Popen(asked, cwd=cwd, env=env, stdout=pipe, stderr=pipe)
        except ValueError as error:
            # No program can be given a NUL, nor a surrogate that stands for no byte.
            raise InvalidInputError(f"{_PROGRAM} cannot be given that: {error}") from error
    interrupt: KeyboardInterrupt | None = None
    with child:
        while True:
            try:
                out, err = child.communicate()
                break
            except KeyboardInterrupt as raised:
                # From the keyboard, it has it too; twice would hurry it.
                if interrupt is not None or not _has_keyboard():
                    child.send_signal(signal.SIGINT)
                interrupt = raised
    if interrupt is not None:
        raise interrupt
    return child.returncode, _text(out), _text(err)


def _has_keyboard() -> bool:
    """Whether what is typed at a terminal interrupts this process, and so its children."""
    try:
        terminal = os.open("/dev/tty", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return False
    finally:
        os.close(terminal)


def _text(said: bytes | None) -> str | None:
    return None if said is None else said.decode("utf-8", "replace")


def _planned(
    asked: list[str], cwd: str | os.PathLike[str] | None, env: Mapping[str, str] | None
) -> str | None:
    """What `recover` says of the same line without running anything: where its stderr is not
    captured, the reason of a refusal stands only on that."""
    planned = [asked[0], "plan", *asked[2:]]
    with file_system("start", asked[0]):
        done = subprocess.run(planned, cwd=cwd, env=env, capture_output=True, check=False)
    said = _text(done.stderr) if done.returncode else None
    return said and said.replace(f"`{_PROGRAM} plan`", f"`{_PROGRAM} run`").replace(
        f"{_PROGRAM} help plan", f"{_PROGRAM} help run"
    )


def _refused(code: int, err: str | None) -> RecoveryError:
    """Why there is no result: a mistake in what was asked, or an end by a signal."""
    if code < 0:
        error = RecoveryError(f"{_PROGRAM} was ended by {signal.Signals(-code).name}")
        error.code = "interrupted"
        return error
    mark = f"{_PROGRAM}: error: "
    said = [line for line in (err or "").splitlines() if line.startswith(mark)]
    why = said[-1].removeprefix(mark) if said else f"{_PROGRAM} exited with {code} and said why"
    return InvalidInputError(why)


def _result(said: dict[str, Any], out: str | None, err: str | None) -> RunResult:
    fields: dict[str, Any] = {name: said.get(name) for name in RunResult.__dataclass_fields__}
    fields["attempts"] = [_attempt(attempt) for attempt in said["attempts"]]
    fields["final_error"] = _error(said["final_error"])
    fields["stdout"], fields["stderr"] = out, err
    return RunResult(**fields)


def _attempt(said: dict[str, Any]) -> RecoveryAttempt:
    fields: dict[str, Any] = {name: said[name] for name in RecoveryAttempt.__dataclass_fields__}
    fields["error_before"] = _error(said["error_before"])
    fields["error_after"] = _error(said["error_after"])
    return RecoveryAttempt(**fields)


def _error(said: dict[str, Any] | None) -> Error | None:
    if said is None:
        return None
    return Error(**{name: said[name] for name in Error.__dataclass_fields__ if name in said})
