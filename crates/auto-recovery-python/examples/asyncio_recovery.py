"""Recovering from asyncio: each recovery has a thread, and the loop goes on meanwhile.

Handlers are called in that thread. One that has something to await hands it back to the loop.
"""

import asyncio
import tempfile

from auto_recovery import AutoRecoveryManager, Error


async def ping(service: str, tries: dict[str, int]) -> bool:
    """Stands in for a service that answers the second time it is asked."""
    await asyncio.sleep(0.01)
    tries[service] = tries.get(service, 0) + 1
    return tries[service] > 1


async def recover(service: str, audit_dir: str, tries: dict[str, int]) -> str:
    loop = asyncio.get_running_loop()
    manager = AutoRecoveryManager(base_delay=0.2, audit_dir=audit_dir)
    manager.retry_handler = lambda error: asyncio.run_coroutine_threadsafe(
        ping(service, tries), loop
    ).result()
    error = Error("ConnectionError", "Connection refused", service)
    result = await asyncio.to_thread(manager.attempt_recovery, error, {})
    return f"{service}: recovered by {result.strategy_used.value}"


async def main() -> None:
    beats = 0

    async def beat() -> None:
        nonlocal beats
        while True:
            await asyncio.sleep(0.01)
            beats += 1

    heart = asyncio.create_task(beat())
    with tempfile.TemporaryDirectory() as audit_dir:
        tries: dict[str, int] = {}
        services = ["api", "database"]
        for line in await asyncio.gather(*(recover(one, audit_dir, tries) for one in services)):
            print(line)
    heart.cancel()
    print("heart beats:", "yes" if beats > 5 else "no")


if __name__ == "__main__":
    asyncio.run(main())
