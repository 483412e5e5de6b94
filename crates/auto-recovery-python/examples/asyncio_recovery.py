"""Recovering from asyncio: the loop goes on meanwhile, and handlers may be coroutines."""

import asyncio
import tempfile

from auto_recovery import AutoRecoveryManager, Error


class Service:
    """Stands in for a service that answers the second time it is asked."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.asked = 0

    async def ping(self, error: Error) -> bool:
        await asyncio.sleep(0.01)
        self.asked += 1
        return self.asked > 1


async def recover(service: Service, audit_dir: str) -> str:
    manager = AutoRecoveryManager(base_delay=0.2, audit_dir=audit_dir)
    manager.retry_handler = service.ping
    try:
        raise ConnectionError("Connection refused")
    except ConnectionError as refused:
        result = await manager.attempt_recovery_async(refused)
    return f"{service.name}: recovered by {result.strategy_used.value}"


async def main() -> None:
    beats = 0

    async def beat() -> None:
        nonlocal beats
        while True:
            await asyncio.sleep(0.01)
            beats += 1

    heart = asyncio.create_task(beat())
    with tempfile.TemporaryDirectory() as audit_dir:
        services = [Service("api"), Service("database")]
        for line in await asyncio.gather(*(recover(one, audit_dir) for one in services)):
            print(line)
    heart.cancel()
    print("heart beats:", "yes" if beats > 5 else "no")


if __name__ == "__main__":
    asyncio.run(main())
