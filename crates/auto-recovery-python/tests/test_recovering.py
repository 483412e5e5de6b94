"""`recovering` and `attempt_recovery_async`: functions, blocks, coroutines."""

import asyncio
import inspect
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import AsyncMock, MagicMock

import pytest
from auto_recovery import AutoRecoveryManager, Error, InvalidInputError, Recovering, recovering


class Service:
    """Fails `failures` times, then answers."""

    def __init__(self, failures: int, raises: type[Exception] = ConnectionError) -> None:
        self.calls = 0
        self.failures = failures
        self.raises = raises

    def ask(self, question: str = "?", *, loud: bool = False) -> str:
        """Answers."""
        self.calls += 1
        if self.calls <= self.failures:
            raise self.raises(f"refused {self.calls}")
        return question.upper() if loud else question

    async def ask_async(self, question: str = "?") -> str:
        await asyncio.sleep(0)
        return self.ask(question)


def test_what_cannot_be_recovered_is_refused_at_once() -> None:
    for wrong in (5, "x"):
        with pytest.raises(InvalidInputError, match="neither a manager nor a function"):
            recovering(wrong)  # type: ignore[call-overload]
    for kinds in ("x", int, (ValueError, 5)):
        with pytest.raises(InvalidInputError, match="give a class of exceptions"):
            recovering(on=kinds)  # type: ignore[arg-type]
    with pytest.raises(InvalidInputError, match="'x' is no exception"):
        Error.from_exception("x")  # type: ignore[arg-type]


def outcomes(manager: AutoRecoveryManager) -> list[tuple[str, bool]]:
    return [(one["strategy"], one["success"]) for one in manager.get_audit_trail()]


class TestFunctions:
    def test_it_is_called_again_and_its_value_returned(self, manager: AutoRecoveryManager) -> None:
        service = Service(failures=2)
        ask = recovering(manager)(service.ask)
        assert ask("why", loud=True) == "WHY" and service.calls == 3
        assert outcomes(manager) == [("retry", False), ("retry", True)]
        assert ask("again") == "again" and service.calls == 4
        assert ask.__name__ == "ask" and ask.__doc__ == "Answers."
        assert len(manager.recovery_history) == 1 and manager.retry_handler is None

    def test_without_a_manager_it_records_where_the_command_does(self, tmp_path: Path) -> None:
        service = Service(failures=1)

        @recovering
        def ask() -> str:
            return service.ask()

        assert ask() == "?" and service.calls == 2
        assert list((tmp_path / "state").glob("session_*_audit.jsonl"))

    def test_what_was_raised_last_is_raised(self, manager: AutoRecoveryManager) -> None:
        service = Service(failures=99)
        with pytest.raises(ConnectionError, match="refused 4"):
            recovering(manager)(service.ask)()
        assert [one.success for one in manager.recovery_history] == [False]

    def test_a_fix_is_proved_by_calling_again(self, manager: AutoRecoveryManager) -> None:
        service = Service(failures=99, raises=SyntaxError)

        def fix(error: Error) -> str:
            service.failures = 0 if service.calls == 2 else 99
            return "- mended"

        manager.fix_generator = fix
        assert recovering(manager)(service.ask)() == "?"
        assert outcomes(manager) == [("fix", False), ("fix", True)]

    def test_the_managers_own_handler_and_verifier_are_asked(
        self, manager: AutoRecoveryManager
    ) -> None:
        service = Service(failures=1)
        manager.retry_handler = MagicMock(side_effect=[False, True, True])
        manager.verifier = MagicMock(side_effect=[False, True])
        assert recovering(manager)(service.ask)() == "?"
        # Where nothing was done, there is nothing to verify.
        assert (manager.retry_handler.call_count, manager.verifier.call_count) == (3, 2)

    def test_only_what_is_named_is_recovered(self, manager: AutoRecoveryManager) -> None:
        service = Service(failures=9, raises=KeyError)
        with pytest.raises(KeyError, match="refused 1"):
            recovering(manager, on=OSError)(service.ask)()
        assert service.calls == 1 and manager.recovery_history == []

    def test_another_failure_on_the_way_ends_it(self, manager: AutoRecoveryManager) -> None:
        calls = MagicMock(side_effect=[TimeoutError("slow"), KeyError("moved")])
        with pytest.raises(KeyError, match="moved"):
            recovering(manager, on=OSError)(lambda: calls())()
        (entry,) = manager.get_audit_trail()
        assert "OtherException: KeyError: 'moved'" in entry["recovery_message"]

    def test_threads_share_it(self, manager: AutoRecoveryManager) -> None:
        first = threading.local()

        @recovering(manager)
        def square(number: int) -> int:
            if not hasattr(first, "done"):
                first.done = True
                raise TimeoutError("at first")
            return number**2

        found: list[int] = []
        threads = [threading.Thread(target=lambda n=n: found.append(square(n))) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(found) == [n**2 for n in range(8)]
        numbers = [entry["attempt_number"] for entry in manager.get_audit_trail()]
        assert sorted(numbers) == list(range(1, 9))

    def test_generators_are_refused(self) -> None:
        def numbers() -> Iterator[int]:
            yield 1

        with pytest.raises(InvalidInputError, match="numbers is a generator"):
            recovering()(numbers)


class TestBlocks:
    def test_what_is_cured_is_swallowed(self, manager: AutoRecoveryManager) -> None:
        manager.retry_handler = lambda error: error.message == "refused 1"
        block = recovering(manager)
        with block:
            Service(failures=1).ask()
        assert block.result is not None and block.result.success
        with block as same:
            pass
        assert isinstance(same, Recovering) and same.result is None

    def test_what_is_not_is_raised(self, manager: AutoRecoveryManager) -> None:
        with (
            pytest.raises(ConnectionError, match="refused 1"),
            recovering(manager=manager, context={"page": 7}) as block,
        ):
            Service(failures=1).ask()
        assert block.result is not None and block.result.escalated_to_human
        with pytest.raises(KeyboardInterrupt), recovering(manager):
            raise KeyboardInterrupt
        assert len(manager.recovery_history) == 1

    def test_it_says_what_it_is(self, manager: AutoRecoveryManager) -> None:
        assert repr(recovering(manager, on=OSError)) == (
            f"recovering({manager!r}, on=<class 'OSError'>)"
        )


class TestCoroutines:
    def test_handlers_are_awaited_in_the_loop(
        self, manager: AutoRecoveryManager, error: Error
    ) -> None:
        threads: list[threading.Thread] = []

        async def fix(error: Error) -> str | None:
            await asyncio.sleep(0)
            threads.append(threading.current_thread())
            return None if len(threads) < 2 else "- mended"

        async def verify(error: Error) -> bool:
            return True

        manager.fix_generator, manager.verifier = fix, verify
        result = asyncio.run(manager.attempt_recovery_async(error, {}))
        assert result.success and threads == [threading.main_thread()] * 2
        assert outcomes(manager) == [("fix", False), ("fix", True)]
        assert manager.recovery_history == [result]
        assert manager.current_session_id is not None

    def test_plain_handlers_are_called_as_ever(
        self, manager: AutoRecoveryManager, error: Error
    ) -> None:
        manager.fix_generator = MagicMock(return_value="- mended")
        assert asyncio.run(manager.attempt_recovery_async(error)).success
        manager.fix_generator.assert_called_once_with(error)

    @pytest.mark.parametrize(
        "name", ["fix_generator", "retry_handler", "alternative_selector", "verifier"]
    )
    def test_without_a_loop_a_coroutine_is_refused(
        self, manager: AutoRecoveryManager, error: Error, name: str
    ) -> None:
        setattr(manager, name, AsyncMock())
        with pytest.raises(InvalidInputError, match=f"{name} is a coroutine function"):
            manager.attempt_recovery(error)
        assert manager.recovery_history == []

    def test_without_a_loop_an_awaitable_fails_its_try(
        self, manager: AutoRecoveryManager, error: Error
    ) -> None:
        async def fix() -> str:
            return "- mended"

        manager.fix_generator = lambda error: fix()
        result = manager.attempt_recovery(error)
        assert not result.success
        assert "use attempt_recovery_async" in result.attempts[0].message

    def test_a_coroutine_function_is_awaited_again(self, manager: AutoRecoveryManager) -> None:
        service = Service(failures=2)
        ask = recovering(manager)(service.ask_async)
        assert inspect.iscoroutinefunction(ask)
        assert asyncio.run(ask("why")) == "why" and service.calls == 3
        with pytest.raises(ConnectionError, match="refused 7"):
            service.failures = 99
            asyncio.run(ask())

    def test_a_block_in_a_coroutine(self, manager: AutoRecoveryManager) -> None:
        manager.retry_handler = AsyncMock(return_value=True)

        async def main() -> Recovering:
            async with recovering(manager) as block:
                raise TimeoutError("slow")
            return block

        result = asyncio.run(main()).result
        assert result is not None and result.success

    def test_the_loop_goes_on_and_many_wait_at_once(self, audit_dir: Path) -> None:
        async def ask(manager: AutoRecoveryManager) -> bool:
            result = await manager.attempt_recovery_async(Error("TimeoutError", "slow", "api"))
            return result.success

        async def main() -> list[bool]:
            managers = []
            for _ in range(50):
                manager = AutoRecoveryManager(2, 0.5, audit_dir=audit_dir, durability="flush")
                answers = iter([False, True])

                # What a handler waits for may need the threads of the loop.
                async def retry(error: Error, answers: Iterator[bool] = answers) -> bool:
                    return await asyncio.to_thread(next, answers)

                manager.retry_handler = retry
                managers.append(manager)
            return await asyncio.gather(*map(ask, managers))

        started = time.monotonic()
        assert asyncio.run(main()) == [True] * 50
        assert 0.5 <= time.monotonic() - started < 10

    @pytest.mark.parametrize("where", ["wait", "handler"])
    def test_cancelling_ends_it_and_is_on_record(
        self, audit_dir: Path, error: Error, where: str
    ) -> None:
        manager = AutoRecoveryManager(base_delay=60, audit_dir=audit_dir)

        async def fix(error: Error) -> None:
            if where == "handler":
                await asyncio.sleep(60)

        manager.fix_generator = fix

        async def main() -> None:
            async with asyncio_timeout(0.3):
                await manager.attempt_recovery_async(error)

        started = time.monotonic()
        with pytest.raises(asyncio.TimeoutError):
            asyncio.run(main())
        assert time.monotonic() - started < 5
        assert len(manager.get_audit_trail()) == 1
        lines = (audit_dir / "journal.jsonl").read_text().splitlines()
        ends = [one["outcome"] for one in map(json.loads, lines) if "outcome" in one]
        assert ends == ["interrupted"]


class asyncio_timeout:
    """`asyncio.timeout`, which Python 3.10 lacks."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._handle: asyncio.TimerHandle | None = None

    async def __aenter__(self) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._handle = asyncio.get_running_loop().call_later(self._seconds, task.cancel)

    async def __aexit__(self, kind: Any, raised: Any, trace: Any) -> None:
        if isinstance(raised, asyncio.CancelledError):
            raise asyncio.TimeoutError
