"""`recovering`: recovers what a block or a function raises."""

import functools
import inspect
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Generic, ParamSpec, TypeVar, cast, overload

from ._errors import InvalidInputError
from ._manager import AutoRecoveryManager
from ._model import Error, RecoveryResult, words

P = ParamSpec("P")
R = TypeVar("R")
_Kinds = type[Exception] | tuple[type[Exception], ...]


@overload
def recovering(manager: Callable[P, R], /) -> Callable[P, R]: ...
@overload
def recovering(
    manager: AutoRecoveryManager | None = None,
    *,
    on: _Kinds = Exception,
    context: Mapping[str, Any] | None = None,
) -> "Recovering": ...
def recovering(
    manager: AutoRecoveryManager | Callable[P, R] | None = None,
    *,
    on: _Kinds = Exception,
    context: Mapping[str, Any] | None = None,
) -> "Recovering | Callable[P, R]":
    """Recovers what is raised, with the handlers of `manager`; without one, by calling again.

    As a decorator, ``@recovering`` or ``@recovering(manager)``, of a function or a coroutine
    function: when a call raises what `on` names, the strategies of `manager` are tried. What they
    did is proved by calling the function again, with the same arguments: its value is returned as
    soon as there is one, and what it raised last is raised where nothing helped.

    As a context manager, ``with recovering(manager) as block:``, also ``async with``: a block
    cannot be run again. An exception is swallowed where `manager` says that it is cured, so give
    it a `verifier`; `block.result` is what came of it, `None` where nothing was raised. Anything
    else is raised as it was.
    """
    for kind in on if isinstance(on, tuple) else (on,):
        if not (isinstance(kind, type) and issubclass(kind, BaseException)):
            raise InvalidInputError(f"on is {on!r}: give a class of exceptions, or several")
    if manager is None or isinstance(manager, AutoRecoveryManager):
        return Recovering(manager, on, context)
    if not callable(manager):
        raise InvalidInputError(f"{manager!r} is neither a manager nor a function to recover")
    return Recovering(None, on, context)(manager)


class Recovering:
    """What `recovering` returns. It may be used any number of times, by several threads too."""

    result: RecoveryResult | None
    """What came of the last recovery; `None` where nothing was raised yet."""

    def __init__(
        self,
        manager: AutoRecoveryManager | None,
        on: _Kinds,
        context: Mapping[str, Any] | None,
    ) -> None:
        self._manager = manager
        self._making = threading.Lock()
        self._on = on
        self._context = context
        self.result = None

    @property
    def manager(self) -> AutoRecoveryManager:
        """The manager that recovers. Where none was given it is made when it is needed first."""
        with self._making:
            if self._manager is None:
                self._manager = AutoRecoveryManager()
            return self._manager

    def __repr__(self) -> str:
        return f"recovering({self._manager!r}, on={self._on!r})"

    # As a decorator.

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            raise InvalidInputError(
                f"{function.__qualname__} is a generator: what it yielded cannot be taken back"
            )
        if inspect.iscoroutinefunction(function):
            return cast(Callable[P, R], self._around_coroutine(function))
        return self._around(function)

    def _around(self, function: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(function)
        def recovered(*args: P.args, **kwargs: P.kwargs) -> R:
            try:
                return function(*args, **kwargs)
            except self._on as raised:
                calls: _Calls[R] = _Calls(raised, self._on)

                def call(_: Error) -> bool:
                    with calls:
                        calls.values.append(function(*args, **kwargs))
                    return True

                with calls.other():
                    result = self._proving(call).attempt_recovery(raised, self._context)
                self.result = result
                return calls.outcome(result)

        return recovered

    def _around_coroutine(self, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        async def recovered(*args: Any, **kwargs: Any) -> Any:
            try:
                return await function(*args, **kwargs)
            except self._on as raised:
                calls: _Calls[Any] = _Calls(raised, self._on)

                async def call(_: Error) -> bool:
                    with calls:
                        calls.values.append(await function(*args, **kwargs))
                    return True

                manager = self._proving(call)
                with calls.other():
                    result = await manager.attempt_recovery_async(raised, self._context)
                self.result = result
                return calls.outcome(result)

        return recovered

    def _proving(self, call: Callable[[Error], Any]) -> AutoRecoveryManager:
        """The manager for one call, which proves a cure by `call`."""
        manager = self.manager
        own = manager.verifier

        def verify(error: Error) -> bool:
            return call(error) and (own is None or bool(own(error)))

        async def verify_async(error: Error) -> bool:
            await call(error)
            said = True if own is None else own(error)
            return bool(await said if inspect.isawaitable(said) else said)

        # To try again is all that a retry has to do, and the proof does that.
        retry = manager.retry_handler or (lambda _: True)
        is_async = inspect.iscoroutinefunction(call)
        return manager._view(verifier=verify_async if is_async else verify, retry_handler=retry)

    # As a context manager.

    def __enter__(self) -> "Recovering":
        self.result = None
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        raised: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        if not isinstance(raised, self._on):
            return False
        self.result = self.manager.attempt_recovery(raised, self._context)
        return self.result.success

    async def __aenter__(self) -> "Recovering":
        return self.__enter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        raised: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        if not isinstance(raised, self._on):
            return False
        self.result = await self.manager.attempt_recovery_async(raised, self._context)
        return self.result.success


class OtherException(BaseException):
    """Ends a recovery in which a call raised what is not to be recovered. Nobody sees it but the
    record, which names it.
    """


class _Calls(Generic[R]):
    """The calls of a function after one that raised."""

    def __init__(self, raised: Exception, on: _Kinds) -> None:
        self.values: list[R] = []
        """What the last call returned; nothing where it raised."""
        self._raised = raised
        self._on = on

    def __enter__(self) -> None:
        self.values.clear()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        raised: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if not isinstance(raised, Exception):
            return
        self._raised = raised
        if not isinstance(raised, self._on):
            raise OtherException(f"{type(raised).__name__}: {words(raised)}") from raised

    @contextmanager
    def other(self) -> Iterator[None]:
        """Raises what is not to be recovered as what it is."""
        try:
            yield
        except OtherException:
            raise self._raised from None

    def outcome(self, result: RecoveryResult) -> R:
        """What the last call returned, if that counts; else raises what was raised last."""
        if result.success and self.values:
            return self.values[-1]
        raise self._raised
