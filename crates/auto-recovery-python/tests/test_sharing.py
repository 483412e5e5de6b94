"""One trail, many writers: threads, forked children, other processes."""

import multiprocessing
import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from auto_recovery import (
    AutoRecoveryManager,
    Durability,
    Error,
    RecoveryAttempt,
    RecoveryAuditLogger,
)

Make = Callable[..., RecoveryAttempt]


def log_many(logger: RecoveryAuditLogger, attempt: RecoveryAttempt, count: int) -> None:
    for _ in range(count):
        logger.log_recovery_attempt(attempt, "s")


def log_in_process(audit_dir: Path, attempt: RecoveryAttempt, count: int) -> None:
    log_many(RecoveryAuditLogger(audit_dir), attempt, count)


@pytest.mark.parametrize("durability", ["sync", "flush"])
def test_threads_lose_nothing(audit_dir: Path, attempt: Make, durability: Durability) -> None:
    logger = RecoveryAuditLogger(audit_dir, durability=durability)
    threads = [threading.Thread(target=log_many, args=(logger, attempt(), 200)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    history = logger.get_recovery_history("s")
    assert len(history) == len({entry.entry_id for entry in history}) == 1600


def test_threads_share_the_session_that_the_first_begins(
    manager: AutoRecoveryManager, error: Error
) -> None:
    barrier = threading.Barrier(8)

    def recover() -> None:
        barrier.wait()
        manager.attempt_recovery(error)

    threads = [threading.Thread(target=recover) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert manager.audit_logger is not None
    assert len(manager.audit_logger.get_all_session_ids()) == 1


def test_two_processes_share_a_session(audit_dir: Path, attempt: Make) -> None:
    context = multiprocessing.get_context("spawn")
    children = [
        context.Process(target=log_in_process, args=(audit_dir, attempt(), 100)) for _ in range(2)
    ]
    for child in children:
        child.start()
    for child in children:
        child.join()
        assert child.exitcode == 0
    assert RecoveryAuditLogger(audit_dir).get_recovery_statistics("s")["total_attempts"] == 200


# Python warns about the thing that is tested here: forking while threads run.
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
class TestForks:
    def test_a_pool_of_forked_children(self, logger: RecoveryAuditLogger, attempt: Make) -> None:
        logger.log_recovery_attempt(attempt(), "s")
        context = multiprocessing.get_context("fork")
        children = [
            context.Process(target=log_many, args=(logger, attempt(), 50)) for _ in range(4)
        ]
        for child in children:
            child.start()
        log_many(logger, attempt(), 50)
        for child in children:
            child.join()
            assert child.exitcode == 0
        assert len(logger.get_recovery_history("s")) == 1 + 5 * 50

    def test_a_fork_while_other_threads_write(
        self, logger: RecoveryAuditLogger, attempt: Make
    ) -> None:
        done = threading.Event()
        written = [0] * 4

        def write(index: int) -> None:
            while not done.is_set():
                log_many(logger, attempt(), 1)
                written[index] += 1

        threads = [threading.Thread(target=write, args=(index,)) for index in range(4)]
        for thread in threads:
            thread.start()
        for _ in range(10):
            child = os.fork()
            if child == 0:
                # A lock of the parent's that was held now would stop the child forever.
                log_many(logger, attempt(), 5)
                os._exit(0)
            assert os.waitpid(child, 0) == (child, 0)
        done.set()
        for thread in threads:
            thread.join()
        assert len(logger.get_recovery_history("s")) == sum(written) + 10 * 5
